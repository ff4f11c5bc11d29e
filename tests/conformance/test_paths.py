"""Paths and methods: exactly the declared ones are there."""

import httpx
import pytest

from tests.support.contract_client import lasting_headers
from tests.support.operations import GETS, OPERATIONS, each

PATHS = {o.path: {p.method for p in OPERATIONS if p.path == o.path} for o in OPERATIONS}
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"}


def allowed(path):
    return PATHS[path] | {"OPTIONS"} | ({"HEAD"} if "GET" in PATHS[path] else set())


def filled(path):
    return next(operation for operation in OPERATIONS if operation.path == path).unknown()


@pytest.mark.parametrize("path", PATHS)
def test_options_and_refused_methods_say_what_is_allowed(client, path):
    for method in METHODS - allowed(path) | {"OPTIONS"}:
        answer = client.send(client.build_request(method, filled(path)))
        assert answer.status_code == (204 if method == "OPTIONS" else 405)
        assert answer.headers["Allow"].split(", ") == sorted(allowed(path))


@pytest.mark.parametrize("path", PATHS)
def test_slash_too_many_is_another_path(client, server, path):
    filled_path = filled(path)
    for wrong in {filled_path + "/", "/" + filled_path, filled_path.replace("/", "//")}:
        answer = client.request("GET", httpx.URL(server.base + wrong), undeclared=True)
        assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json"), wrong


@each(GETS)
def test_head_is_get_without_its_body(ask, known, operation):
    path = known(operation)
    got, headed = ask(operation, path=path), ask(operation, path=path, method="HEAD")
    assert (headed.status_code, headed.content) == (got.status_code, b"")
    assert lasting_headers(headed) == _without_length(got)


@each(o for o in GETS if o.names("path"))
def test_head_is_get_where_there_is_nothing(ask, operation):
    path = operation.unknown()
    got, headed = ask(operation, path=path), ask(operation, path=path, method="HEAD")
    assert (headed.status_code, headed.content) == (404, b"")
    assert lasting_headers(headed) == _without_length(got)


def _without_length(answer):
    """The headers of an answer; how long it is compressed, nobody knows who does not compress it."""
    return {
        name: value
        for name, value in lasting_headers(answer).items()
        if name != "content-length" or "content-encoding" not in answer.headers
    }
