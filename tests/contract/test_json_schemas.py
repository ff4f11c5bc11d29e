"""Schemas are compiled when a value is validated, and equal ones once for all documents."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from accord.app.documents import CONTRACTS
from accord.contract.document import Document
from accord.contract.errors import ContractError
from accord.contract.json_schemas import JsonSchemas

NODE = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}, "name": {"type": "string"}}}


def schemas(components, shared=None):
    return JsonSchemas(Document({"components": {"schemas": components}}), shared)


def test_equal_schemas_of_two_documents_are_compiled_once():
    shared = {}
    one, other = (schemas({"Node": {**NODE, "title": title}}, shared) for title in ("one", "other"))
    reference = {"$ref": "#/components/schemas/Node"}
    assert one.validator(reference, "request").compile() is other.validator(reference, "request").compile()
    assert len(shared) == 1


def test_schemas_that_differ_only_in_a_definition_are_not_shared():
    shared = {}
    strict = {**NODE, "properties": {**NODE["properties"], "name": {"type": "integer"}}}
    reference = {"type": "array", "items": {"$ref": "#/components/schemas/Node"}}
    one, other = schemas({"Node": NODE}, shared), schemas({"Node": strict}, shared)
    assert one.validator(reference, "request").is_valid([{"next": {"name": "a"}}])
    assert not other.validator(reference, "request").is_valid([{"next": {"name": "a"}}])


@pytest.mark.parametrize(("value", "is_valid"), [(1, True), (1.0, True), (True, False), ("1", False)])
def test_numbers_that_are_equal_to_true_are_not_shared_with_it(value, is_valid):
    shared = {}
    assert schemas({}, shared).validator({"const": True}, "request").is_valid(value) == (value is True)
    assert schemas({}, shared).validator({"const": 1}, "request").is_valid(value) == is_valid


def test_definition_has_what_it_refers_to_and_nothing_else():
    components = {
        "Node": NODE,
        "enum": {"const": {"$ref": "#/$defs/Missing"}},
        "Unused": {"type": "string"},
    }
    validator = schemas(components).validator(
        {"type": "object", "properties": {"enum": {"$ref": "#/components/schemas/enum"}}}, "request"
    )
    assert validator.is_valid({"enum": {"$ref": "#/$defs/Missing"}})
    assert not validator.is_valid({"enum": {"$ref": "#/$defs/Node"}})


def test_threads_compile_a_schema_at_its_first_use():
    document = Document.read(CONTRACTS["v1"])
    names = [{"$ref": f"#/components/schemas/{name}"} for name in document.raw["components"]["schemas"]]
    expected = [JsonSchemas(document).validator(name, "response").errors({}) for name in names]
    shared = JsonSchemas(document)
    with ThreadPoolExecutor(8) as pool:
        validators = [shared.validator(name, "response") for name in names for _ in range(8)]
        errors = list(pool.map(lambda validator: validator.errors({}), validators))
    assert errors == [each for each in expected for _ in range(8)]


def test_schema_that_cannot_be_compiled_is_named():
    validator = schemas({}).validator({"type": "no type"}, "request")
    with pytest.raises(ContractError, match="invalid schema"):
        validator.compile()
