"""A Schema Object that cannot be enforced as it is written refuses to start: with its place and what to do."""

import re

import pytest

from accord.contract import keywords
from accord.contract.errors import ContractError
from tests.support.engine import read, start

INDEX = "openapi/v1/openapi.yaml"
COMPONENT = "paths: {}\ncomponents:\n  schemas:\n    T:\n      %s"
CLOSED = "additionalProperties: false, properties: {a: {}}"


def refusal(text, **files):
    """Return the message with which a contract is refused, None if it is not."""
    try:
        start(read(text, **files), {})
    except ContractError as error:
        return str(error)
    return None


REFUSED = {
    # Keywords
    "maxLenght": ("{type: string, maxLenght: 3}", "unknown keyword `maxLenght`; write `maxLength`."),
    "minLenght": ("{type: string, minLenght: 3}", "unknown keyword `minLenght`; write `minLength`."),
    "descripton": ("{descripton: It.}", "unknown keyword `descripton`; write `description`."),
    "propertys": ("{type: object, propertys: {a: {}}}", "unknown keyword `propertys`; write `properties`."),
    "requried": ("{requried: [a]}", "unknown keyword `requried`; write `required`."),
    "readonly": ("{readonly: true}", "unknown keyword `readonly`; write `readOnly`."),
    "unlike any": ("{speed: 3}", "unknown keyword `speed`; remove it."),
    "deep": ("{items: {allOf: [{not: {maxLenght: 3}}]}}", "unknown keyword `maxLenght`"),
    "nullable": ("{type: string, nullable: true}", "`nullable` cannot be enforced; write `type: [<type>, 'null']`"),
    "$dynamicRef": ("{$dynamicRef: '#a'}", "`$dynamicRef` cannot be enforced; write `$ref`"),
    "definitions": ("{definitions: {}}", "`definitions` cannot be enforced; write `$defs`"),
    # Values
    "type: text": (
        "{type: text}",
        'unknown type "text"; write array, boolean, integer, null, number, object or string.',
    ),
    "type: strng": ("{type: strng}", 'unknown type "strng"; write `string`.'),
    "types": ("{type: [string, 'none']}", 'unknown type ["string", "none"]; write array'),
    "required: true": ("{required: true}", "`required` must be a list of unique strings, not true; it belongs to"),
    "bound of 3.0": ("{exclusiveMinimum: true}", "`exclusiveMinimum` must be a number, not true; it is the bound"),
    "list of items": ("{items: [{}]}", "`items` must be a schema, not [{}]; write `prefixItems` for a list."),
    "negative length": ("{minLength: -1}", "`minLength` must be a non-negative integer, not -1."),
    "fractional length": ("{maxItems: 1.5}", "`maxItems` must be a non-negative integer, not 1.5."),
    "multiple of zero": ("{multipleOf: 0}", "`multipleOf` must be a number above zero, not 0."),
    "list of properties": ("{properties: [a]}", '`properties` must be a mapping of schemas, not ["a"].'),
    "text as a property": ("{properties: {a: b}}", '`properties` must be a mapping of schemas, not {"a": "b"}.'),
    "no alternatives": ("{anyOf: []}", "`anyOf` must be a list of schemas, not []."),
    "no values": ("{enum: []}", "`enum` must be a list of values, not []."),
    "named examples": ("{examples: {a: 1}}", '`examples` must be a list, not {"a": 1}; only parameters and'),
    "text as a boolean": ("{readOnly: 'yes'}", '`readOnly` must be true or false, not "yes".'),
    "name twice": ("{required: [a, a]}", "`required` must be a list of unique strings"),
    "pattern": ("{pattern: '['}", 'the pattern "[" is no regular expression; correct it.'),
    "pattern of names": ("{patternProperties: {'(': {}}}", 'the pattern "(" is no regular expression; correct it.'),
    # Objects of OpenAPI
    "discriminator": ("{discriminator: {}}", "`discriminator` lacks `propertyName`, which this"),
    "misspelt discriminator": (
        "{discriminator: {propertyname: a, propertyName: a}}",
        "`propertyname` is not a field of the Discriminator Object; did you mean `propertyName`?",
    ),
    "mapping of numbers": ("{discriminator: {propertyName: a, mapping: {b: 5}}}", "`b` of `mapping` must be a string"),
    "misspelt xml": ("{xml: {nmae: a}}", "`nmae` is not a field of the XML Object; did you mean `name`?"),
    "xml": ("{xml: {attribute: 'yes'}}", "`attribute` must be true or false, not the string 'yes'."),
    "list of xml": ("{xml: []}", "`xml` must be a mapping, not []."),
    "externalDocs": ("{externalDocs: {ulr: /d, url: /d}}", "`ulr` is not a field of the External Documentation Object"),
    # Formats
    "datetime": ("{type: string, format: datetime}", "unknown format `datetime`; write `date-time`."),
    "format of nobody": ("{format: isbn}", "unknown format `isbn`; known: binary, byte, date, "),
    # Without effect
    "length of a number": (
        "{type: integer, minLength: 3}",
        "`minLength` has no effect on type integer; remove it, or correct the type.",
    ),
    "bound of a text": ("{type: [string, 'null'], maximum: 3}", "`maximum` has no effect on type string"),
    "date as a number": ("{type: integer, format: date}", "format `date` has no effect on type integer"),
    "text of 32 bits": ("{type: string, format: int32}", "format `int32` has no effect on type string"),
    "properties of a list": ("{type: array, properties: {}}", "`properties` has no effect on type array"),
    "then": ("{then: {}}", "`then` has no effect without `if`; add or remove it."),
    "if": ("{if: {}}", "`if` has no effect without `then` or `else`; add or remove it."),
    "minContains": ("{minContains: 2}", "`minContains` has no effect without `contains`; add or remove it."),
    # Nothing can match
    "limits": ("{minLength: 3, maxLength: 2}", "`minLength` is above `maxLength`; correct one."),
    "required of a closed object": (
        f"{{required: [a, b], {CLOSED}}}",
        "`required` names b, which the closed object does not have, so that no value matches; add the property",
    ),
    "required beside a closed object": (f"{{required: [b], allOf: [{{{CLOSED}}}]}}", "`required` names b"),
    "required of a closed part": (f"{{allOf: [{{required: [b]}}, {{{CLOSED}}}]}}", "`required` names b"),
    "required of an evaluated object": (
        "{required: [a, c], allOf: [{properties: {a: {}}}], anyOf: [true, {}], unevaluatedProperties: false}",
        "`required` names c",
    ),
    "required and forbidden": (
        "{required: [a], additionalProperties: false, properties: {a: false}}",
        "`required` names a",
    ),
    # Numbers
    "maximum of 2^64": (
        "{maximum: 18446744073709551616}",
        "`maximum` has the number 18446744073709551616, which needs more than 64 bits; write a smaller one.",
    ),
    "negative": ("{minimum: -9223372036854775809}", "`minimum` has the number -9223372036854775809"),
    "in a list": ("{enum: [1, 18446744073709551616]}", "`enum` has the number 18446744073709551616"),
    "in a constant": ("{const: {a: [18446744073709551616]}}", "`a` has the number 18446744073709551616"),
    "default of 2^70": ("{default: 1180591620717411303424}", "`default` has the number"),
    "infinite": ("{example: 1e400}", "`example` has a number that is too large for JSON; write a smaller one."),
    # Dialects
    "draft 7": ("{$schema: 'http://json-schema.org/draft-07/schema#'}", '`$schema` names "http://json-schema.org/draft-07/sc'),
    # Defaults and examples
    "default": ("{type: integer, default: x}", "the default 'x' does not match its schema at its root; correct one"),
    "example": ("{type: integer, example: x}", "the example 'x' does not match its schema at its root; correct one"),
}  # fmt: skip


@pytest.mark.parametrize(("schema", "message"), REFUSED.values(), ids=REFUSED)
def test_schema_that_cannot_be_enforced_is_refused_in_one_sentence(schema, message):
    told = refusal(COMPONENT % schema)
    assert told is not None
    assert len(told.splitlines()) == 1
    assert re.match(rf"{INDEX}:[56]: {re.escape(message)}", told), told


@pytest.mark.parametrize("keyword", keywords.REFUSED)
def test_refused_keyword_says_what_to_write(keyword):
    assert f"`{keyword}` cannot be enforced; {keywords.REFUSED[keyword]}." in refusal(COMPONENT % f"{{{keyword}: x}}")


PLACES = {
    "parameter": "paths: {/t: {get: {operationId: t, parameters: [{name: q, in: query, schema: %s}]}}}",
    "header of a response": "paths: {/t: {get: {operationId: t, responses: {'200': {description: It., "
    "headers: {X-A: {schema: %s}}}}}}}",
    "body": "paths: {/t: {post: {operationId: t, requestBody: {content: {application/json: {schema: %s}}}}}}",
    "response": "paths: {/t: {get: {operationId: t, responses: {'200': {description: It., "
    "content: {application/json: {schema: %s}}}}}}}",
    "component of parameters": "paths: {}\ncomponents: {parameters: {Q: {name: q, in: query, schema: %s}}}",
    "content of a parameter": "paths: {}\ncomponents: {parameters: {Q: {name: q, in: query, "
    "content: {application/json: {schema: %s}}}}}",
    "webhook": "paths: {}\nwebhooks: {w: {post: {requestBody: {content: {application/json: {schema: %s}}}, "
    "responses: {'200': {description: It.}}}}}",
}


@pytest.mark.parametrize("text", PLACES.values(), ids=PLACES)
def test_schema_is_validated_in_every_place(text):
    assert "unknown keyword `maxLenght`; write `maxLength`." in refusal(text % "{maxLenght: 3}")


def test_schema_of_a_file_is_refused_at_its_line():
    text = PLACES["body"] % "{$ref: ../components/schemas/T.yaml}"
    told = refusal(
        text, **{"components/schemas/T__yaml": "type: object\nproperties:\n  a:\n    type: string\n    maxLenght: 3"}
    )
    assert told == "openapi/components/schemas/T.yaml:5: unknown keyword `maxLenght`; write `maxLength`."


def test_all_errors_of_schemas_are_reported_at_once():
    told = refusal(COMPONENT % "{type: text, minLenght: 3, properties: {a: {nullable: true}}}")
    assert len(told.splitlines()) == 3


@pytest.mark.parametrize(
    "schema",
    [
        "{$schema: 'https://json-schema.org/draft/2020-12/schema', $comment: It., title: T}",
        "{discriminator: {propertyName: kind}, xml: {name: t}, externalDocs: {url: /t}, example: 1}",
        "{properties: {maxLenght: {}, nullable: {}, type: {type: string}}}",
        "{example: {maxLenght: 1}, default: {maxLenght: 1}, const: {maxLenght: 1}}",
        "{enum: [{maxLenght: 1}], patternProperties: {nullable: {}}, dependentSchemas: {nullable: {}}}",
        "{maximum: 18446744073709551615, minimum: -9223372036854775808}",
        "{type: [integer, string], minLength: 3, maximum: 4}",
        "{type: 'null', enum: [null]}",
        f"{{required: [a], {CLOSED}}}",
        "{required: [x-a], additionalProperties: false, patternProperties: {'^x-': {}}}",
        "{required: [b], additionalProperties: {}, properties: {a: {}}}",
        "{required: [b], allOf: [{additionalProperties: {}}], unevaluatedProperties: false}",
        "{required: [a], unevaluatedProperties: false, if: {properties: {a: {}}}, then: true}",
        "{required: [id], additionalProperties: false, properties: {id: {readOnly: true}}}",
        f"{{anyOf: [{{{CLOSED}}}, {{required: [b]}}]}}",
    ],
)
def test_schema_that_can_be_enforced_starts(schema):
    assert refusal(COMPONENT % schema) is None


@pytest.mark.parametrize(
    ("dialect", "message"),
    [
        ("https://json-schema.org/draft/2020-12/schema", None),
        ("https://spec.openapis.org/oas/3.1/dialect/base", None),
        ("https://json-schema.org/draft/2019-09/schema", f"{INDEX}:1: `jsonSchemaDialect` names .*so remove it"),
        ("https://spec.openapis.org/oas/3.2/dialect/2025-09-17", f"{INDEX}:1: `jsonSchemaDialect` names"),
    ],
)
def test_only_the_dialect_of_openapi_3_1_is_enforced(dialect, message):
    told = refusal(f"jsonSchemaDialect: {dialect}\npaths: {{}}")
    assert told is None if message is None else re.match(message, told)
