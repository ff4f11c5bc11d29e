"""XML says what JSON says, in the form that the `xml` objects of the contract describe."""

from xml.etree.ElementTree import fromstring

import pytest
import xmltodict
from hypothesis import given
from hypothesis import strategies as st

from accord.contract.document import Document
from accord.contract.json_schemas import JsonSchemas
from accord.engine.marshmallow_schemas import MarshmallowSchemas
from accord.engine.renderers.xml import XmlRenderer
from tests.engine.test_any_schema import ANY, SETTINGS
from tests.support.engine import start

DECLARATION = "<?xml version='1.0' encoding='utf-8'?>\n"


def writer(schema, components=None):
    return XmlRenderer(schema, MarshmallowSchemas(JsonSchemas(Document({"components": {"schemas": components or {}}}))))


def xml(value, schema, components=None):
    text = writer(schema, components).render(value).decode()
    assert text.startswith(DECLARATION)
    return text.removeprefix(DECLARATION)


def wrapped(item, **said):
    return {"type": "array", "xml": {"wrapped": True, **said}, "items": item}


@pytest.mark.parametrize(
    ("value", "members", "text"),
    [
        ({"a": "x"}, {}, "<a>x</a>"),
        ({"a": "<&>\"'"}, {}, "<a>&lt;&amp;&gt;\"'</a>"),
        ({"a": ""}, {}, "<a />"),
        ({"a": True, "b": 7, "c": 1.5}, {}, "<a>true</a><b>7</b><c>1.5</c>"),
        ({"a": "\0\x0b\ufffe\u20ac\U0001f600"}, {}, "<a>\ufffd\ufffd\ufffd\u20ac\U0001f600</a>"),
        ({"a": "1\r\n2"}, {}, "<a>1&#13;\n2</a>"),
        ({"a": "x"}, {"a": {"xml": {"name": "b"}}}, "<b>x</b>"),
        ({"a": {"b": {"c": 1}}}, {}, "<a><b><c>1</c></b></a>"),
        ({"a": []}, {"a": wrapped({})}, "<a />"),
        ({"a": [1, 2]}, {"a": wrapped({})}, "<a><a>1</a><a>2</a></a>"),
        ({"a": [1, 2]}, {"a": wrapped({"xml": {"name": "i"}})}, "<a><i>1</i><i>2</i></a>"),
        ({"a": [1, 2]}, {"a": wrapped({"xml": {"name": "i"}}, name="b")}, "<b><i>1</i><i>2</i></b>"),
        ({"a": [1, 2]}, {"a": {"type": "array", "items": {}}}, "<a>1</a><a>2</a>"),
        ({"a": [1, 2]}, {"a": {"type": "array", "items": {"xml": {"name": "i"}}}}, "<i>1</i><i>2</i>"),
        ({"a": [{"b": [1]}]}, {"a": wrapped({"properties": {"b": wrapped({})}})}, "<a><a><b><b>1</b></b></a></a>"),
        ({"_links": {"self": {"href": "/a?b=1&c=2"}}}, {}, "<_links><self><href>/a?b=1&amp;c=2</href></self></_links>"),
        (
            {"a": {"x y": 1, "1": 2, "\u00e9": 3, "": 4}},
            {},
            "<a><x_x0020_y>1</x_x0020_y><_x0031_>2</_x0031_><_x00E9_>3</_x00E9_><_>4</_></a>",
        ),
    ],
)
def test_value_is_written_as_its_schema_says(value, members, text):
    schema = {"type": "object", "xml": {"name": "t"}, "properties": members}
    assert xml(value, schema) == f"<t>{text}</t>"


def test_null_says_so_and_what_is_absent_is_absent():
    nil = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    assert xml({"a": None, "b": ""}, {"xml": {"name": "t"}}) == f'<t {nil}><a xsi:nil="true" /><b /></t>'


def test_root_is_named_by_its_schema_or_after_its_component():
    components = {"Note": {"type": "object"}, "Other": {"type": "object", "xml": {"name": "different"}}}
    note, other = ({"$ref": f"#/components/schemas/{name}"} for name in components)
    assert xml({}, note, components) == "<note />"
    assert xml({}, other, components) == "<different />"
    assert xml({}, {"anyOf": [note, {"type": "null"}]}, components) == "<note />"
    assert xml({}, note | {"xml": {"name": "mine"}}, components) == "<mine />"


def test_list_at_the_root_has_an_element_of_its_own():
    assert xml([1, 2], {"type": "array", "xml": {"name": "all"}, "items": {"xml": {"name": "one"}}}) == (
        "<all><one>1</one><one>2</one></all>"
    )


def test_shape_that_holds_itself_is_written_to_its_depth():
    branch = {"$ref": "#/components/schemas/Branch"}
    components = {"Branch": {"properties": {"twigs": wrapped(branch | {"xml": {"name": "twig"}})}}}
    value = {"twigs": [{"twigs": [{}]}]}
    assert xml(value, branch, components) == "<branch><twigs><twig><twigs><twig /></twigs></twig></twigs></branch>"


def test_alternatives_are_known_by_the_members_of_each():
    cat = {"properties": {"lives": {"xml": {"name": "life"}}}}
    dog = {"properties": {"tricks": wrapped({"xml": {"name": "trick"}})}}
    pet = {"xml": {"name": "pet"}, "oneOf": [cat, dog]}
    assert xml({"lives": 9}, pet) == "<pet><life>9</life></pet>"
    assert xml({"tricks": ["roll"]}, pet) == "<pet><tricks><trick>roll</trick></tricks></pet>"


def test_answer_is_checked_and_sent_as_xml(caplog):
    schema = {"xml": {"name": "t"}, "required": ["a"], "properties": {"a": {"type": "integer"}}}
    content = {"application/json": {"schema": schema}, "application/xml": {"schema": schema}}
    operation = {"operationId": "t", "responses": {"200": {"description": "It.", "content": content}}}
    asked = {"Accept": "application/xml"}

    def answering(value):
        return start({"paths": {"/t": {"get": operation}}}, {"t": lambda: value}).get("/t", asked)

    fine, broken = answering({"a": 1}), answering({"a": "x"})
    assert (fine.status, fine.header("content-type"), fine.body) == (
        200, "application/xml", f"{DECLARATION}<t><a>1</a></t>".encode(),
    )  # fmt: skip
    assert (broken.status, broken.header("content-type")) == (500, "application/problem+xml")
    assert "/a" in caplog.text


def test_problem_is_xml_as_rfc_9457_has_it():
    parameters = [{"name": name, "in": "query", "schema": {"type": "integer"}} for name in ("n", "m")]
    operation = {"operationId": "t", "parameters": parameters}
    engine = start({"paths": {"/t": {"get": operation}}}, {"t": lambda n=1, m=1: n})
    reply = engine.get("/t?n=%3C&m=x", {"Accept": "application/json;q=0.5, text/xml", "X-Request-Id": "request-17"})
    (problem,) = xmltodict.parse(reply.body).values()
    assert problem.pop("@xmlns") == "urn:ietf:rfc:7807"
    assert (problem["status"], problem["title"], problem["instance"]) == ("400", "Bad Request", "/t")
    assert problem["request_id"] == "request-17"
    assert [error["parameter"] for error in problem["errors"]["i"]] == ["n", "m"]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXTS)
@SETTINGS
def test_text_parses_back_to_itself_but_for_what_xml_cannot_have(text):
    parsed = fromstring(writer({"xml": {"name": "t"}}).render(text)).text or ""
    assert len(parsed) == len(text)
    pairs = zip(parsed, text, strict=True)
    assert all(got == sent or (got == "\ufffd" and not sent.isprintable()) for got, sent in pairs)


@given(ANY | st.dictionaries(TEXTS, TEXTS))
@SETTINGS
def test_whatever_is_written_is_well_formed(value):
    assert fromstring(writer({"xml": {"name": "t"}}).render(value)).tag == "t"
