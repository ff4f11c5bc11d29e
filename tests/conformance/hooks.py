"""What schemathesis is told of this contract beyond what the document can say."""

import json
import re
from pathlib import Path

import schemathesis
from hypothesis import strategies as st
from schemathesis.openapi.checks import EnsureResourceAvailability, RejectedPositiveData

from accord.contract.document import Document
from accord.contract.json_schemas import JsonSchemas
from accord.engine.marshmallow_schemas import MarshmallowSchemas
from accord.engine.renderers.csv import CsvRenderer
from tests.support.pictures import MEDIA_TYPES, drawn

REPRESENTATIONS = MarshmallowSchemas(JsonSchemas(Document.read(Path("openapi/v1/openapi.yaml"))))
TOO_LONG = (414, 431)
"""What is refused before anybody knows which operation it is for, as the description of the contract says."""
MEANT = {
    "/category_id": "invalid",  # Which categories there are, a schema cannot say.
    "/customer_id": "invalid",
    "/file": "contentType",  # Nor what a file begins with.
    "/photo": "contentType",
    "/items/*/product_id": "invalid",
    "/items/*/quantity": "conflict",
    "/expires_at": "invalid",  # Nor which moments have passed.
    "/current_password": "invalid",  # Nor what the password is.
    "/sku": "conflict",  # Nor which SKU is taken; beside an unknown category it is a part of a 422.
    "cursor": "malformed",  # Nor which cursors were signed here.
}
"""Members and parameters, and the code of their error, that are refused although their schemas allow them."""

for kind, media_type in MEDIA_TYPES.items():
    schemathesis.openapi.media_type(media_type, st.builds(drawn, st.just(kind), st.tuples(*[st.integers(1, 64)] * 2)))


@schemathesis.hook
def before_call(context, case, kwargs):
    """Write what a link brought into the query as the contract has it; by itself it is written as Python has it."""
    explodes = {parameter.name: parameter.definition.get("explode", True) for parameter in case.operation.query}
    for name, value in list(case.query.items()) if isinstance(case.query, dict) else []:
        if isinstance(value, bool):
            case.query[name] = str(value).lower()
        elif isinstance(value, list) and not explodes.get(name, True):
            case.query[name] = ",".join(map(str, value))


@schemathesis.serializer("text/csv")
def write_table(context, value):
    """Write a batch as rows; what is none stays JSON, which is no table that has rows."""
    schema = context.case.operation.definition.raw["requestBody"]["content"]["text/csv"]["schema"]
    if REPRESENTATIONS.schemas.validator(schema, "request").is_valid(value):
        return CsvRenderer(schema, REPRESENTATIONS).render(value)
    return json.dumps(value).encode()


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Return whether *failure* is one; the codes of the engine's own refusals are keywords of JSON Schema and stay."""
    if response.status_code in TOO_LONG:
        return False
    if isinstance(failure, EnsureResourceAvailability):
        return not case.path.endswith("/restoration")  # What was just created is not there to be restored.
    return not (isinstance(failure, RejectedPositiveData) and (_is_unfilled(case, response) or _is_meant(response)))


def _is_unfilled(case, response):
    """
    Return whether something is not filled in, though schemathesis takes it to be.

    That is text of a form, as it leaves what must go with a file, and a variable of the path, where it made
    a link by itself from a member that is null.
    """
    is_form = case.media_type == "multipart/form-data"
    return "/None" in response.request.path_url or (is_form and "" in case.body.values())


def _is_meant(response):
    sent, errors = response.request.headers, response.json().get("errors", [])
    if response.status_code == 412:
        return "If-Match" in sent  # An entity tag that is made up is not the current one.
    if response.status_code == 422 and not errors:
        return "Idempotency-Key" in sent  # The key was drawn before, for another body.
    # A member of an item of a batch is one like any other.
    named = {
        (
            re.sub(r"/\d+/", "/*/", re.sub(r"^/\d+(?=/)", "", error.get("pointer", error.get("parameter")))),
            error["code"],
        )
        for error in errors
    }
    return bool(named) and named <= MEANT.items()
