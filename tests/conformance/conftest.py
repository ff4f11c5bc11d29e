"""Requests by operation."""

from functools import cache

import jwt
import pytest

from tests.support.contract_client import ContractClient
from tests.support.operations import OPERATIONS


@pytest.fixture(scope="session")
def client(server, published):
    with ContractClient(published, base_url=server.base) as client:
        yield client


@pytest.fixture(scope="session")
def ask(client, tokens):
    """Send the request of an operation, made of its examples; about something unknown unless *path* says what."""

    def ask(operation, role="admin", path=None, **options):
        headers = {"Authorization": f"Bearer {tokens[role]}"} if role else {}
        options["headers"] = operation.required_headers() | headers | options.get("headers", {})
        if operation.query:
            options["params"] = operation.query | options.get("params", {})
        if operation.body is not None and "content" not in options:
            options.setdefault("json", operation.body)
        elif operation.form and "content" not in options:
            options = operation.form | options
        return client.request(options.pop("method", operation.method), path or operation.unknown(), **options)

    return ask


@pytest.fixture(scope="session")
def key(ask):
    """An API key of the admin, for each set of scopes that is asked for."""
    creation = next(o for o in OPERATIONS if o.id == "create_api_key")

    @cache
    def key(*scopes):
        answer = ask(creation, path=creation.path, json={"name": "A rule", "scopes": scopes})
        return answer.json()["key"]

    return key


@pytest.fixture(scope="session")
def known(ask, client, key, tokens):
    """
    The path of an operation, about something that exists: the first item of the list that it belongs to, as *role*
    sees that if it may.

    Of users it is somebody who does not ask, so that whatever happens to them, all who ask may go on; of API keys,
    which no shop is filled with, one that is made. What hangs on it, and can be uploaded, is uploaded: nobody else may
    have done so.
    """
    somebody = next(o for o in OPERATIONS if o.id == "register_user")
    client.request("POST", somebody.path, json=somebody.body)
    key("tasks")
    asking = {jwt.decode(token, options={"verify_signature": False})["sub"] for token in tokens.values()}

    def known(operation, role="admin"):
        path = operation.path
        for name in operation.names("path"):
            listing = next(o for o in OPERATIONS if o.method == "GET" and o.path == path.partition(f"/{{{name}}}")[0])
            seen = ask(listing, role if role or not listing.requires_credentials else "admin", path=listing.path)
            ids = [item["id"] for item in seen.json()["items"]]
            path = path.replace(f"{{{name}}}", next(known_id for known_id in ids if known_id not in asking))
        upload = next((o for o in OPERATIONS if (o.method, o.path) == ("PUT", operation.path) and o.form), None)
        if upload:
            ask(upload, path=path)
        return path

    return known
