"""The operations of the published contract, each with what a test needs to send its request."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import uuid4

import pytest

from contract.document import METHODS, Document
from main import CONTRACTS

DOCUMENT = Document.read(CONTRACTS["v1"])
PUBLISHED = DOCUMENT.published()
ROLES = PUBLISHED["components"]["securitySchemes"]["bearer"]["x-roles"]


@dataclass(frozen=True)
class Operation:
    id: str
    method: str
    path: str
    spec: dict[str, Any]
    item: dict[str, Any]

    @cached_property
    def parameters(self):
        return [follow(parameter) for parameter in [*self.item.get("parameters", []), *self.spec.get("parameters", [])]]

    @cached_property
    def security(self):
        """Alternatives, each of which maps schemes to scopes; none at all where nobody needs credentials."""
        return self.spec.get("security", PUBLISHED.get("security", []))

    @property
    def takes_credentials(self):
        return any(self.security)

    @property
    def requires_credentials(self):
        return self.takes_credentials and {} not in self.security

    @cached_property
    def body(self):
        """A body as the contract has it; None if there is none that is JSON."""
        content = follow(self.spec.get("requestBody", {})).get("content", {}).get("application/json")
        return example(content["schema"]) if content else None

    @property
    def success(self):
        return next(follow(answer) for status, answer in self.spec["responses"].items() if status.startswith("2"))

    def names(self, place):
        return [parameter["name"] for parameter in self.parameters if parameter["in"] == place]

    def reaches(self, role):
        """Whether the scopes of a role, or none at all, are what the operation takes."""
        return any(set().union(*alternative.values()) <= set(ROLES[role]) for alternative in self.security)

    def unknown(self):
        """Its path, about something that does not exist."""
        return re.sub(r"{[^{}]+}", lambda _: str(uuid4()), self.path)


def follow(node):
    return DOCUMENT.follow(node)


def example(schema):
    """A value of *schema*: its own example, or one made of the examples in it."""
    schema = follow(schema)
    if "example" in schema:
        return schema["example"]
    if schema.get("type") == "object":
        properties = schema["properties"]
        return {name: example(properties[name]) for name in schema.get("required", properties)}
    if schema.get("type") == "array":
        return [example(schema["items"])]
    return {"boolean": True, "integer": schema.get("minimum", 1)}[schema["type"]]


def each(operations):
    """Parametrise a test over operations."""
    return pytest.mark.parametrize("operation", [pytest.param(operation, id=operation.id) for operation in operations])


OPERATIONS = [
    Operation(item[method]["operationId"], method.upper(), path, item[method], item)
    for path, item in PUBLISHED["paths"].items()
    for method in METHODS
    if method in item
]
GETS = [operation for operation in OPERATIONS if operation.method == "GET"]
WITH_BODY = [operation for operation in OPERATIONS if operation.body is not None]
