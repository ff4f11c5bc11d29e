"""What a request may not be: each operation refuses it, and says why."""

import pytest

from accord.settings import Settings
from tests.support.operations import OPERATIONS, WITH_BODY, each

LIMIT = Settings.model_fields["max_body_size"].default


@each(OPERATIONS)
def test_undeclared_query_parameter_is_named(ask, operation):
    answer = ask(operation, params={"colour": "blue"}, undeclared=True)
    assert answer.status_code == 400
    assert {"parameter": "colour", "in": "query"}.items() <= answer.json()["errors"][0].items()


@each(o for o in OPERATIONS if o.names("path"))
def test_unknown_id_is_not_found(ask, operation):
    assert ask(operation).status_code == 404


@each(o for o in OPERATIONS if o.names("path"))
def test_id_that_is_none_is_named(ask, operation):
    (name,) = operation.names("path")
    answer = ask(operation, path=operation.path.replace(f"{{{name}}}", "first"))
    assert answer.status_code == 400
    assert {"parameter": name, "in": "path"}.items() <= answer.json()["errors"][0].items()


@each(WITH_BODY)
def test_missing_body_is_refused(ask, operation):
    assert ask(operation, content=b"").status_code == 400


@pytest.mark.parametrize("content", [b'{"name": ', b"{'name': 1}", b"\xff\xfe", b'{"name": NaN}'])
@each(WITH_BODY)
def test_broken_json_is_refused(ask, operation, content):
    answer = ask(operation, content=content, headers={"Content-Type": "application/json"}, undeclared=True)
    assert answer.status_code == 400


@each(WITH_BODY)
def test_body_of_another_type_is_refused(ask, operation):
    answer = ask(operation, content=b"<name/>", headers={"Content-Type": "application/xml"}, undeclared=True)
    assert answer.status_code == 415


@each(WITH_BODY)
def test_body_over_the_limit_is_refused(ask, operation):
    large = b'"' + b"x" * LIMIT + b'"'
    answer = ask(operation, content=large, headers={"Content-Type": "application/json"}, undeclared=True)
    assert answer.status_code == 413


@each(WITH_BODY)
def test_undeclared_member_is_named(ask, operation):
    is_batch = isinstance(operation.body, list)
    body = [{**operation.body[0], "colour": "blue"}] if is_batch else operation.body | {"colour": "blue"}
    answer = ask(operation, json=body, undeclared=True)
    assert answer.status_code == 422
    assert ("/0/colour" if is_batch else "/colour") in [error["pointer"] for error in answer.json()["errors"]]
