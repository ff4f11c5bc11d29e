"""A misspelt, missing or ill-typed field of any OpenAPI object is named with its place (OpenAPI 3.1.1, section 4.8)."""

from copy import deepcopy

import pytest

from accord.app.documents import CONTRACTS
from accord.contract import page_links
from accord.contract.document import Document
from accord.contract.validation import structure_errors
from tests.support.engine import read

ALL_OBJECTS = """\
openapi: 3.1.0
info:
  title: T
  summary: S
  description: D
  termsOfService: /t
  contact: {name: N, url: /c, email: a@b.example}
  license: {name: L, identifier: Apache-2.0}
  version: '1'
jsonSchemaDialect: https://spec.openapis.org/oas/3.1/dialect/base
servers: [{url: '/{v}', description: D, variables: {v: {enum: [a], default: a, description: D}}}]
security: [{bearer: [read]}]
tags: [{name: A, description: D, externalDocs: {url: /d, description: D}}]
externalDocs: {url: /d, description: D}
x-rate-limits: {default: [few], policies: {few: {by: [address], limits: [1 per second]}}}
x-cache-profiles: {}
paths:
  /a/{id}:
    summary: S
    description: D
    servers: [{url: /}]
    parameters: [{name: id, in: path, required: true, deprecated: false, style: simple, explode: false, schema: {}}]
    get: &get
      tags: [A]
      summary: S
      description: D
      externalDocs: {url: /d}
      operationId: get_a
      x-openapi-router-controller: handlers.a
      deprecated: false
      security: [{bearer: [read]}]
      servers: [{url: /}]
      parameters:
        - {name: q, in: query, description: D, allowEmptyValue: false, allowReserved: false, schema: {}, example: 1}
      requestBody:
        description: D
        required: true
        content:
          multipart/form-data:
            schema: {}
            example: {}
            encoding:
              f: {contentType: a/b, style: form, explode: true, allowReserved: false, headers: {H: {schema: {}}}}
      responses:
        '200':
          description: D
          headers:
            H: {description: D, required: true, deprecated: false, style: simple, explode: false, schema: {}}
          content: {application/json: {schema: {}, examples: {e: {summary: S, description: D, value: 1}}}}
          links:
            self: {operationId: get_a, parameters: {id: '1'}, requestBody: 1, description: D}
            other: {operationRef: '#/paths/~1a~1{id}/get'}
      callbacks: {c: {'{$request.body#/url}': {post: {responses: {'200': {description: D}}}}}}
    put: {responses: {default: {description: D}}}
    post: {responses: {5XX: {description: D}}}
    delete: {responses: {'204': {description: D}}}
    patch: {responses: {'204': {description: D}}}
    options: {responses: {'204': {description: D}}}
    head: {responses: {'204': {description: D}}}
    trace: {responses: {'204': {description: D}}}
webhooks: {w: {post: {responses: {'204': {description: D}}}}}
components:
  schemas: {S: {}}
  responses: {R: {description: D}}
  parameters: {P: {name: p, in: query, content: {application/json: {schema: {}}}}}
  examples: {E: {externalValue: /e}}
  requestBodies: {B: {content: {application/json: {}}}}
  headers: {H: {schema: {}}}
  links: {L: {operationId: get_a}}
  callbacks: {C: {'{$url}': {}}}
  pathItems: {I: {}}
  securitySchemes:
    bearer: {type: http, scheme: bearer, bearerFormat: JWT, description: D, x-roles: {all: [read]}}
    key: {type: apiKey, name: K, in: header}
    connect: {type: openIdConnect, openIdConnectUrl: /c}
    flows:
      type: oauth2
      flows:
        implicit: {authorizationUrl: /a, refreshUrl: /r, scopes: {read: R}}
        password: {tokenUrl: /t, scopes: {}}
        clientCredentials: {tokenUrl: /t, scopes: {}}
        authorizationCode: {authorizationUrl: /a, tokenUrl: /t, scopes: {}}
"""
"""A document with every object of OpenAPI 3.1 except Schema Objects, and with every field of them."""

MAPS = {
    *("paths", "webhooks", "schemas", "responses", "parameters", "examples", "requestBodies", "headers", "links"),
    *("callbacks", "c", "C", "pathItems", "securitySchemes", "content", "encoding", "variables", "scopes", "x-roles"),
}
"""Keys whose members have names of the contract."""
FREE = {"schema", "example", "value", "requestBody", "S", "x-cache-profiles"}
"""Keys whose values may be anything."""
LEAVES = FREE | {"security", "policies"}


def fields(node, path=(), in_map=False):
    """Yield the path of each field of an object; not of a key of a map."""
    if isinstance(node, list):
        for n, item in enumerate(node):
            yield from fields(item, (*path, n))
    elif isinstance(node, dict):
        for key, value in node.items():
            if not in_map:
                yield *path, key
            is_free = key in LEAVES and not (key == "requestBody" and isinstance(value, dict))
            is_map = not in_map and key in MAPS and not (key == "parameters" and isinstance(value, list))
            is_map = is_map or (in_map and key in {"c", "C"} and path[-1] == "callbacks")
            if not is_free:
                yield from fields(value, (*path, key), is_map)


ORIGINAL = read(ALL_OBJECTS).raw
PATHS = [*fields(ORIGINAL)]
NAMED = [path for path in PATHS if not str(path[-1]).startswith("x-")]
VALUES = {"null": None, "true": True, "number": 5, "string": "text", "list": [5], "mapping": {"a": 5}}


def parent(document, path):
    node = document
    for part in path[:-1]:
        node = node[part]
    return node


def place_of(node, key):
    return f"{node.place.rpartition(':')[0]}:{node.lines[key]}"


def errors(raw):
    document = Document(raw)
    page_links.complete(document.raw, document.resolve)
    return [str(error) for error in structure_errors(document)]


def kind(value):
    """Return the JSON type of a value."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true"
    types = {"string": str, "list": list, "mapping": dict}
    return next((name for name, each in types.items() if isinstance(value, each)), "number")


def as_id(path):
    return "/".join(map(str, path))


def test_document_with_every_field_is_valid():
    assert errors(deepcopy(ORIGINAL)) == []


@pytest.mark.parametrize("path", NAMED[1:], ids=as_id)
def test_misspelt_field_is_named_with_the_nearest_one(path):
    raw, key = deepcopy(ORIGINAL), path[-1]
    node = parent(raw, path)
    misspelt = f"{key}{key[-1]}"
    node[misspelt] = node.pop(key)
    place = place_of(node, key)
    node.lines = {**node.lines, misspelt: node.lines[key]}
    (named,) = [line for line in errors(raw) if line.startswith(f"{place}: `{misspelt}` is not a field of the ")]
    assert f"did you mean `{key}`?" in named


@pytest.mark.parametrize("path", [path for path in PATHS if path[-1] not in FREE], ids=as_id)
def test_value_of_another_type_is_named_once_with_its_place(path):
    place, original = place_of(parent(ORIGINAL, path), path[-1]), parent(ORIGINAL, path)[path[-1]]
    for value in (value for name, value in VALUES.items() if name != kind(original)):
        raw = deepcopy(ORIGINAL)
        parent(raw, path)[path[-1]] = value
        (named,) = errors(raw)
        assert named.startswith(f"{place}: `{path[-1]}`") or path == ("openapi",)
        assert "must be" in named
        assert "is not valid OpenAPI" not in named


def test_callback_may_be_a_reference():
    raw = deepcopy(ORIGINAL)
    raw["paths"]["/a/{id}"]["get"]["callbacks"]["d"] = {"$ref": "#/components/callbacks/C", "summary": "S"}
    assert errors(raw) == []


@pytest.mark.parametrize(
    ("kind", "target", "words"),
    [
        ("parameters", "schemas/S", "#/components/schemas/S refers to no Parameter Object; correct the reference"),
        ("responses", "headers/H", "#/components/headers/H refers to no Response Object"),
        ("headers", "headers/I", "#/components/headers/I refers to nothing"),
        ("links", "responses/R", "#/components/responses/R refers to no Link Object"),
        ("examples", "examples/New", "#/components/examples/New refers to itself; break the cycle"),
        ("callbacks", "callbacks/C/{$url}", "refers to no Callback Object"),
        ("securitySchemes", "requestBodies/B", "#/components/requestBodies/B refers to no Security Scheme Object"),
    ],
)
def test_reference_leads_to_an_object_of_the_kind_that_is_expected(kind, target, words):
    raw = deepcopy(ORIGINAL)
    raw["components"][kind]["New"] = {"$ref": f"#/components/{target}"}
    (named,) = errors(raw)
    assert words in named


REFUSED = {
    "status": ("responses", "4xx", {"description": "D"}, "`4xx` of `responses` must be a status such as 404"),
    "parameter without schema": (
        "parameters", 0, {"name": "q", "in": "query"}, "item 1 of `parameters` must have exactly one of `schema` and",
    ),
    "path parameter that is optional": (
        "parameters", 0, {"name": "id", "in": "path", "schema": {}}, "item 1 of `parameters` lacks `required`",
    ),
    "style of another place": (
        "parameters", 0, {"name": "q", "in": "query", "style": "simple", "schema": {}},
        "`style` must be one of form, spaceDelimited, pipeDelimited, deepObject, not the string 'simple'",
    ),
    "place of a parameter": (
        "parameters", 0, {"name": "q", "in": "body", "schema": {}},
        "`in` must be one of query, header, path, cookie, not the string 'body'",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("field", "key", "value", "words"), REFUSED.values(), ids=REFUSED)
def test_object_that_breaks_a_rule_of_openapi_is_refused_in_words(field, key, value, words):
    raw = deepcopy(ORIGINAL)
    raw["paths"]["/a/{id}"]["get"][field][key] = value
    assert any(words in error for error in errors(raw))


@pytest.mark.parametrize("version", CONTRACTS)
def test_own_contract_has_no_errors(version):
    assert [*structure_errors(Document.read(CONTRACTS[version]))] == []
