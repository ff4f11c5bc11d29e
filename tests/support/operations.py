"""The operations of the published contract, each with what a test needs to send its request."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import uuid4

import pytest

from accord.app.documents import CONTRACTS
from accord.contract.document import METHODS, Document
from accord.engine.policies.rate_limits import override_limits
from tests.support.pictures import drawn
from tests.support.server import GENEROUS

PUBLISHED = {}
"""The contract of each version, as its readers have it."""
for version, index in CONTRACTS.items():
    document = Document.read(index)
    override_limits(document, GENEROUS)
    PUBLISHED[version] = Document(document.public())

ROLES = PUBLISHED["v1"].raw["components"]["securitySchemes"]["bearer"]["x-roles"]


@dataclass(frozen=True)
class Operation:
    id: str
    method: str
    path: str
    spec: dict[str, Any]
    item: dict[str, Any]
    version: str

    @property
    def document(self):
        return PUBLISHED[self.version]

    @property
    def label(self):
        """What tests of it are called."""
        return self.id if self.version == "v1" else f"{self.id}-{self.version}"

    @cached_property
    def parameters(self):
        return [
            self.resolve(parameter)
            for parameter in [*self.item.get("parameters", []), *self.spec.get("parameters", [])]
        ]

    @cached_property
    def security(self):
        """Alternatives, each of which maps schemes to scopes; none at all where nobody needs credentials."""
        return self.spec.get("security", self.document.raw.get("security", []))

    @property
    def takes_credentials(self):
        return any(self.security)

    @property
    def requires_credentials(self):
        return self.takes_credentials and {} not in self.security

    def scopes_of(self, scheme):
        """The scopes that it takes of a scheme: of each alternative that is this scheme."""
        return [alternative[scheme] for alternative in self.security if scheme in alternative]

    @cached_property
    def body(self):
        """A body as the contract has it; None if there is none that is JSON."""
        content = self.resolve(self.spec.get("requestBody", {})).get("content", {}).get("application/json")
        return self.example(content["schema"]) if content else None

    @cached_property
    def whole(self):
        """A JSON body with every member that the contract has, also those that a body may leave out."""
        content = self.resolve(self.spec.get("requestBody", {})).get("content", {}).get("application/json", {})
        members = self.members(content.get("schema", {}))
        return {name: self.example(member) for name, member in members.items()} or None

    @cached_property
    def form(self):
        """A form as the contract has it, with a picture for each file; None if there is none, or JSON does, too."""
        content = self.resolve(self.spec.get("requestBody", {})).get("content", {})
        if "multipart/form-data" not in content or self.body is not None:
            return None
        fields = self.resolve(content["multipart/form-data"]["schema"])["properties"]
        files = {name for name, field in fields.items() if "contentMediaType" in self.resolve(field)}
        return {
            "data": {name: self.example(field) for name, field in fields.items() if name not in files},
            "files": dict.fromkeys(files, ("picture.png", drawn(), "image/png")),
        }

    @cached_property
    def query(self):
        """What its query must have: ids, of which none exists."""
        required = [
            parameter["name"]
            for parameter in self.parameters
            if parameter["in"] == "query" and parameter.get("required")
        ]
        assert required in ([], ["id"])
        return {name: [str(uuid4())] for name in required}

    @property
    def success(self):
        return next(self.resolve(answer) for status, answer in self.spec["responses"].items() if status.startswith("2"))

    def names(self, place):
        return [parameter["name"] for parameter in self.parameters if parameter["in"] == place]

    def required_headers(self):
        """A value of each header that it cannot do without: an entity tag of the past, a key nobody has used."""
        made = {"If-Match": '"past"', "Idempotency-Key": str(uuid4())}
        return {p["name"]: made[p["name"]] for p in self.parameters if p["in"] == "header" and p.get("required")}

    def reaches(self, role):
        """Whether the scopes of a role, or none at all, are what the operation takes."""
        return any(set().union(*alternative.values()) <= set(ROLES[role]) for alternative in self.security)

    def unknown(self):
        """Its path, about something that does not exist."""
        return re.sub(r"{[^{}]+}", lambda _: str(uuid4()), self.path)

    def resolve(self, node):
        return self.document.resolve(node)

    def json_schema(self, answer):
        """The schema of an answer; one that allows anything if it is not JSON."""
        content = answer.get("content", {}).get("application/json")
        return self.resolve(content["schema"]) if content else {}

    def members(self, schema):
        """The members of an object, also those of the parts it is made of."""
        schema = self.resolve(schema)
        made = [self.members(part) for part in schema.get("allOf", ())]
        return {name: member for part in [*made, schema.get("properties", {})] for name, member in part.items()}

    def example(self, schema):
        """A value of *schema*: its own example, or one made of the examples in it."""
        schema = self.resolve(schema)
        if "example" in schema:
            return schema["example"]
        if schema.get("type") == "object":
            properties = schema["properties"]
            return {name: self.example(properties[name]) for name in schema.get("required", properties)}
        if schema.get("type") == "array":
            return [self.example(schema["items"])]
        return {"boolean": True, "integer": schema.get("minimum", 1)}[schema["type"]]

    def sent(self, parameter):
        """The example of a query parameter, as it is sent."""
        value = self.example(parameter["schema"])
        return ",".join(value) if isinstance(value, list) and not parameter.get("explode", True) else value


def each(operations):
    """Parametrise a test over operations."""
    return pytest.mark.parametrize(
        "operation", [pytest.param(operation, id=operation.label) for operation in operations]
    )


def _operations(version):
    """The operations that are not, word for word, those of the first version."""
    first = PUBLISHED["v1"].raw["paths"]
    for path, item in PUBLISHED[version].raw["paths"].items():
        if version == "v1" or item != first.get(path.replace(f"/{version}/", "/v1/")):
            for method in METHODS:
                if method in item:
                    yield Operation(item[method]["operationId"], method.upper(), path, item[method], item, version)


OPERATIONS = [operation for version in PUBLISHED for operation in _operations(version)]
GETS = [operation for operation in OPERATIONS if operation.method == "GET"]
LISTS = [o for o in GETS if "items" in o.members(o.json_schema(o.success)) and not o.path.endswith("}")]
WRITES = [operation for operation in OPERATIONS if operation.method != "GET"]
WITH_BODY = [operation for operation in OPERATIONS if operation.body is not None]


def at(method, path):
    """The operation of a path of the contract; None if there is none."""
    return next((o for o in OPERATIONS if (o.method, o.path) == (method, path)), None)


def template_of(path):
    """The path of the contract that *path* is one of; None if there is none."""
    return next((o.path for o in OPERATIONS if re.fullmatch(re.sub("{[^{}]+}", "[^/]+", o.path), path)), None)


def about(thing):
    """The operations about the thing at a path and about its parts, each with its path; of many parts, an unknown."""
    template = template_of(thing)
    return [
        (operation, thing + re.sub(r"{[^{}]+}", lambda _: str(uuid4()), operation.path.removeprefix(template)))
        for operation in OPERATIONS
        if f"{operation.path}/".startswith(f"{template}/")
    ]
