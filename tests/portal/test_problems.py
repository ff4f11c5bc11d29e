"""Each problem's `type` leads to its explanation."""

import json
import re
from pathlib import Path

import pytest
import yaml
from flask import Flask

from accord import portal
from accord.engine.problems import Problem

OPENAPI = Path(portal.__file__).parents[2] / "openapi"
TEXT = OPENAPI.joinpath("problems.md").read_text("utf-8")
EXAMPLES = [json.loads(block) for block in re.findall(r"```json\n(.+?)```", TEXT, re.DOTALL)]


@pytest.fixture(scope="module")
def client():
    app = Flask(__name__)
    portal.register_portal(app, contracts={"v1": "/api/v1/openapi.json"}, problems=OPENAPI / "problems.md")
    return app.test_client()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["status"]))
def test_example_is_what_the_service_sends(example):
    problem = Problem(example["status"], example["detail"], example.get("errors"))
    assert json.loads(problem.body(example["instance"], example["request_id"])) == example


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["status"]))
def test_type_leads_to_its_heading(client, example):
    page, _, anchor = example["type"].partition("#")
    assert f'<h2 id="{anchor}">' in client.get(page).text


def test_every_problem_of_the_contract_is_explained():
    responses = yaml.safe_load(OPENAPI.joinpath("components/responses.yaml").read_text())
    problems = {
        name for name, response in responses.items() if "application/problem+json" in response.get("content", {})
    }
    titles = {example["title"].replace(" ", "") for example in EXAMPLES} | {"ServerError"}
    assert problems <= titles


@pytest.mark.parametrize(
    "path", ["/docs", "/problems", "/status", "/portal/docs.js", "/docs/swagger-ui/js/swagger-ui-bundle.js"]
)
def test_pages_run_no_inline_code_and_are_in_no_frame(client, path):
    with client.get(path) as response:
        headers = response.headers
    assert response.status_code == 200
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
