"""Tells schemathesis which requests are refused although their schemas allow them."""

import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData

KNOWN_TO_THE_SERVICE_ONLY = {
    "/category_id": "invalid",  # Which categories there are.
    "/current_password": "invalid",  # What the password is.
    "cursor": "malformed",  # Which cursors it has signed.
}
"""Members and parameters of which the schema can say the form only, and the code of their fault."""


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """Return whether *failure* is one; the codes of the engine's own refusals are keywords of JSON Schema and stay."""
    return not (isinstance(failure, RejectedPositiveData) and _is_meant(response))


def _is_meant(response):
    sent, faults = response.request.headers, response.json().get("errors", [])
    if response.status_code == 412:
        return "If-Match" in sent  # An entity tag that is made up is not the current one.
    if response.status_code == 422 and not faults:
        return "Idempotency-Key" in sent  # The key was drawn before, for another body.
    named = {fault.get("pointer", fault.get("parameter")): fault["code"] for fault in faults}
    return named.items() <= KNOWN_TO_THE_SERVICE_ONLY.items()
