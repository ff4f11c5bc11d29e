"""Many files are one document, which keeps the names their authors gave."""

import math

import pytest
import yaml

from accord.contract.document import Document
from accord.contract.errors import ContractError
from tests.support.engine import read

SCALARS = """
yes: yes
'no': no
on: on
off: off
date: 2026-01-31
time: 10:30
moment: 2026-01-31T10:00:00Z
octal: 0777
old: 0o777
hex: 0x1F
binary: 0b11
under: 1_000
version: 3.10
text: '3.10'
one: 1
minus: -1
half: 0.5
big: 1e3
plus: +1
dot: .5
nan: .nan
inf: .inf
nothing:
tilde: ~
none: null
'true': true
True: True
merge: <<
equals: =
200: status
null: a
1.5: b
"""


def test_scalars_are_those_of_json():
    assert read(SCALARS).raw == {
        "yes": "yes",
        "no": "no",
        "on": "on",
        "off": "off",
        "date": "2026-01-31",
        "time": "10:30",
        "moment": "2026-01-31T10:00:00Z",
        "octal": "0777",
        "old": "0o777",
        "hex": "0x1F",
        "binary": "0b11",
        "under": "1_000",
        "version": 3.1,
        "text": "3.10",
        "one": 1,
        "minus": -1,
        "half": 0.5,
        "big": 1000.0,
        "plus": "+1",
        "dot": ".5",
        "nan": ".nan",
        "inf": ".inf",
        "nothing": None,
        "tilde": None,
        "none": None,
        "true": True,
        "True": "True",
        "merge": "<<",
        "equals": "=",
        "200": "status",
        "null": "a",
        "1.5": "b",
        "components": {},
    }


@pytest.mark.parametrize("place", ["a: {b: 1, b: 2}", "x: &x {c: 1}\na: {<<: *x, '<<': 2}", "'200': 1\n200: 2"])
def test_key_that_is_said_twice_is_refused(place):
    with pytest.raises(ContractError, match=r"openapi/v1/openapi.yaml:\d+: .* is a duplicate key; remove one"):
        read(place)


@pytest.mark.parametrize(
    "scalar",
    [
        "!!timestamp 2026-01-31", "!!set {b, c}", "!!binary aGk=", "!!int 0x1F", "!!int b", "!!bool b", "!!float .nan",
        "!!null b", "!!map [b]", "!!seq {b: 1}", "!b c",
    ],
)  # fmt: skip
def test_value_that_json_does_not_have_is_refused(scalar):
    with pytest.raises(ContractError, match=r"openapi/v1/openapi.yaml:2: this is not valid YAML"):
        read(f"x: 1\na: {scalar}")


def test_number_of_more_digits_than_python_reads_is_infinite():
    assert read(f"a: {'9' * 5000}\nb: -{'9' * 5000}").raw == {"a": math.inf, "b": -math.inf, "components": {}}


def test_reference_with_a_null_character_is_refused():
    with pytest.raises(ContractError, match=r"openapi.yaml:1: ../b%00.yaml refers to no file; correct the reference"):
        read("a: {$ref: ../b%00.yaml}")


def test_anchors_are_shared():
    assert read("a: &a {b: 1}\nc: *a").raw["c"] == {"b": 1}


def test_files_become_components_under_their_names():
    document = read(
        "paths: {/t: {$ref: ../paths/t.yaml}}",
        **{
            "paths/t__yaml": "get: {responses: {'200': {$ref: ../components/responses.yaml#/Thing}}}",
            "components/responses__yaml": "Thing: {schema: {$ref: schemas/Thing.yaml}}\nOther: {}",
            "components/schemas/Thing__yaml": "{a: {$ref: Id.yaml}, b: {$ref: 'Thing.yaml#/a'}}",
            "components/schemas/Id__yaml": "type: string",
        },
    )
    assert document.raw == {
        "paths": {"/t": {"get": {"responses": {"200": {"$ref": "#/components/responses/Thing"}}}}},
        "components": {
            "responses": {"Thing": {"schema": {"$ref": "#/components/schemas/Thing"}}},
            "schemas": {
                "Thing": {"a": {"$ref": "#/components/schemas/Id"}, "b": {"$ref": "#/components/schemas/Thing/a"}},
                "Id": {"type": "string"},
            },
        },
    }


def test_file_of_several_components_may_stand_for_all_of_them():
    document = read(
        "components: {securitySchemes: {$ref: ../components/security.yaml}}",
        **{"components/security__yaml": "s: {type: http}"},
    )
    assert document.raw["components"]["securitySchemes"] == {"s": {"type": "http"}}


def test_words_beside_a_reference_to_a_file_stay():
    document = read(
        "paths: {/t: {schema: {$ref: ../components/schemas/Id.yaml, readOnly: true}}}",
        **{"components/schemas/Id__yaml": "type: string"},
    )
    schema = document.raw["paths"]["/t"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Id", "readOnly": True}
    assert document.resolve(schema) == {"type": "string", "readOnly": True}


def test_schemas_that_hold_each_other_are_read_once():
    document = read(
        "a: {$ref: ../components/schemas/Tree.yaml}",
        **{
            "components/schemas/Tree__yaml": "properties: {leaf: {$ref: Leaf.yaml}, tree: {$ref: Tree.yaml}}",
            "components/schemas/Leaf__yaml": "properties: {tree: {$ref: Tree.yaml}}",
        },
    )
    assert list(document.raw["components"]["schemas"]) == ["Tree", "Leaf"]


def test_texts_are_put_in_place():
    document = read("info: {description: {$ref: ../about.md}}", about__md="# About\n\nWords: *all* of {them}.\n")
    assert document.raw["info"]["description"] == "# About\n\nWords: *all* of {them}.\n"


def test_one_path_item_may_stand_at_two_paths():
    document = read(
        "paths: {/a: {$ref: ../paths/t.yaml}, /b: {$ref: ../paths/t.yaml}}",
        **{"paths/t__yaml": "get: {operationId: t}"},
    )
    assert document.raw["paths"]["/a"] == document.raw["paths"]["/b"] == {"get": {"operationId": "t"}}


def test_path_items_that_refer_to_each_other_in_a_circle_are_refused():
    with pytest.raises(ContractError, match="itself"):
        read("paths: {/a: {$ref: ../paths/a.yaml}}", **{"paths/a__yaml": "get: {x: {$ref: a.yaml}}"})


def test_two_files_of_one_component_are_refused():
    with pytest.raises(
        ContractError, match=r"openapi\.yaml:2: the component schemas/Id has two definitions; rename one"
    ):
        read(
            "a: {$ref: ../components/schemas/Id.yaml}\nb: {$ref: ../components/schemas/more/Id.yaml}",
            **{"components/schemas/Id__yaml": "type: string", "components/schemas/more/Id__yaml": "type: integer"},
        )


def test_component_of_the_index_and_of_a_file_are_refused():
    with pytest.raises(ContractError, match="the component schemas/Id has two definitions; rename one"):
        read(
            "a: {$ref: ../components/schemas/Id.yaml}\ncomponents: {schemas: {Id: {type: integer}}}",
            **{"components/schemas/Id__yaml": "type: string"},
        )


def test_fragment_that_is_not_in_its_file_is_refused():
    with pytest.raises(ContractError, match=r"openapi.yaml:1: .*#/Gone refers to nothing in responses.yaml"):
        read("a: {$ref: ../components/responses.yaml#/Gone}", **{"components/responses__yaml": "Here: {}"})


def test_fragment_of_a_file_that_is_no_component_is_that_part_of_it():
    document = read("a: {$ref: '../shared.yaml#/words/one'}", shared__yaml="words: {one: {b: 1}, two: {}}")
    assert document.raw["a"] == {"b": 1}


def test_file_that_is_no_text_is_refused(tmp_path):
    index = tmp_path / "openapi" / "v1" / "openapi.yaml"
    index.parent.mkdir(parents=True)
    index.write_bytes(b"a: \xff")
    with pytest.raises(ContractError, match=r"openapi/v1/openapi\.yaml cannot be read"):
        Document.read(index)


def test_index_that_is_missing_is_refused(tmp_path):
    with pytest.raises(ContractError, match=r"openapi\.yaml cannot be read"):
        Document.read(tmp_path / "openapi" / "v1" / "openapi.yaml")


def test_published_document_is_what_was_written_without_the_functions():
    document = read("a: [{x-openapi-router-controller: handlers, b: 1, x-roles: {all: [read]}}]\nü: ☃")
    assert document.public() == {"a": [{"b": 1, "x-roles": {"all": ["read"]}}], "ü": "☃", "components": {}}
    assert yaml.safe_load(document.render(as_yaml=True)) == document.public()
    assert "☃".encode() in document.render(as_yaml=True)


def test_reference_escapes_are_those_of_json_pointers():
    document = read("paths: {'/a/b~c': {get: 1}}\nlist: [x, {y: 1}]")
    assert document.resolve({"$ref": "#/paths/~1a~1b~0c"}) == {"get": 1}
    assert document.resolve({"$ref": "#/list/1"}) == {"y": 1}
