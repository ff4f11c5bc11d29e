"""Parameters arrive as Python values, or are refused with all that is wrong with them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from tests.support.engine import Reply, asking, query, start

ID = "0b1f6a52-7d3e-4b51-a4f0-5f0c1e6f7a90"
LIST = {"type": "array", "items": {"type": "integer"}}


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({}, "as%20it+is", "as it is"),
        ({"type": "string"}, "", ""),
        ({"type": "string"}, "%F0%9F%A7%88%26%3D%23", "🧈&=#"),
        ({"type": "string"}, "a=b", "a=b"),
        ({"type": "integer"}, "-0", 0),
        ({"type": "integer"}, "-42", -42),
        ({"type": "integer", "format": "int32"}, "2147483647", 2147483647),
        ({"type": "number"}, "1e3", 1000.0),
        ({"type": "number"}, "-0.5", -0.5),
        ({"type": "boolean"}, "true", True),
        ({"type": "boolean"}, "false", False),
        ({"type": "string", "format": "uuid"}, ID, UUID(ID)),
        ({"type": "string", "format": "date"}, "2026-02-28", date(2026, 2, 28)),
        ({"type": "string", "format": "decimal"}, "12.50", Decimal("12.50")),
        (
            {"type": "string", "format": "date-time"},
            "2026-02-28T10:00:00%2B05:30",
            datetime(2026, 2, 28, 4, 30, tzinfo=UTC),
        ),
        ({"type": ["integer", "null"]}, "", None),
        ({"type": ["integer", "null"]}, "null", None),
        ({"type": ["integer", "null"]}, "7", 7),
        ({"type": ["integer", "string"]}, "7", 7),
        ({"type": ["integer", "string"]}, "seven", "seven"),
        ({"type": ["string", "integer"]}, "7", 7),
        ({"type": ["string", "boolean", "null"], "maxLength": 9}, "true", True),
        ({"anyOf": [{"type": "integer", "maximum": 9}, {"type": "string"}]}, "10", "10"),
        ({"enum": [1, 2]}, "2", 2),
        ({"enum": ["a", 1, None]}, "1", 1),
        ({"enum": ["a", 1, None]}, "a", "a"),
        ({"const": True}, "true", True),
        ({"type": "string"}, "a%00b", "a\0b"),
    ],
)
def test_text_becomes_a_value_of_its_schema(schema, text, value):
    got = asking([query("q", schema)])(f"/ask?q={text}")["q"]
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "integer"}, text)
        for text in (
            "",
            "+5",
            "01",
            "-01",
            "1e3",
            "1.0",
            " 1",
            "1%20",
            "1_0",
            "0x1",
            "%D9%A3",
            "%EF%BC%91",
            "9" * 19,
            "9" * 5000,
        )
    ]
    + [({"type": "number"}, text) for text in ("NaN", "Infinity", "-inf", "1e999", ".5", "5.", "+1", "1,5", "%D9%A3.0")]
    + [
        ({"type": "integer", "format": "int32"}, "2147483648"),
        ({"type": "integer", "minimum": 1}, "0"),
        ({"type": "boolean"}, "True"),
        ({"type": "boolean"}, "1"),
        ({"type": "string", "format": "uuid"}, "not-one"),
        ({"type": "string", "format": "date"}, "2026-02-30"),
        ({"type": "string", "format": "date-time"}, "2026-02-28T10:00:00"),
        ({"type": "string", "format": "date-time"}, "2016-12-31T23:59:60Z"),
        ({"type": "string", "format": "decimal"}, "1e3"),
        ({"type": "string", "format": "decimal"}, "%D9%A3"),
        ({"type": "string", "maxLength": 3}, "four"),
        ({"type": "string", "pattern": "^[^\\x00]*$"}, "a%00b"),
        ({"enum": ["a"]}, "a%00"),
        ({"enum": [1, 2]}, "3"),
    ],
)
def test_text_that_is_no_value_of_its_schema_is_a_400_that_names_the_parameter(schema, text):
    reply = asking([query("q", schema)])(f"/ask?q={text}")
    assert isinstance(reply, Reply), reply
    assert reply.status == 400
    assert {(error["parameter"], error["in"]) for error in reply.json["errors"]} == {("q", "query")}


@pytest.mark.parametrize("target", ["/ask?q=%ff", "/ask?%ff=1", b"/ask?q=\xff", "/ask?q=%ed%a0%80"])
def test_query_that_is_not_utf8_is_a_400(target):
    assert asking([query("q", {})])(target).status == 400


@pytest.mark.parametrize(
    ("more", "text", "value"),
    [
        ({}, "q=1&q=2", [1, 2]),
        ({}, "q=1", [1]),
        ({"explode": True}, "q=1&q=2", [1, 2]),
        ({"explode": False}, "q=1,2", [1, 2]),
        ({"style": "form", "explode": False}, "q=1%2C2", [1, 2]),
        ({"style": "spaceDelimited"}, "q=1%202+3", [1, 2, 3]),
        ({"style": "pipeDelimited"}, "q=1|2%7C3", [1, 2, 3]),
        ({"style": "pipeDelimited", "explode": True}, "q=1&q=2", [1, 2]),
    ],
)
def test_array_in_the_query_is_read_in_its_style(more, text, value):
    assert asking([query("q", LIST, **more)])(f"/ask?{text}") == {"q": value}


def test_comma_within_an_encoded_item_is_part_of_it_where_items_are_repeated():
    strings = {"type": "array", "items": {"type": "string"}}
    assert asking([query("q", strings)])("/ask?q=a,b&q=c") == {"q": ["a,b", "c"]}


def test_array_of_typed_items_has_python_values():
    ids = {"type": "array", "items": {"type": "string", "format": "uuid"}}
    assert asking([query("q", ids)])(f"/ask?q={ID}&q={ID}") == {"q": [UUID(ID)] * 2}


@pytest.mark.parametrize("text", ["q=1&q=x", "q=1,2", "q=", "q=1&q=1&q=1&q=1"])
def test_array_with_a_wrong_item_or_length_is_refused(text):
    assert asking([query("q", {**LIST, "maxItems": 3})])(f"/ask?{text}").status == 400


def test_array_in_path_and_header_is_read_simple():
    parameters = [
        {"name": "ids", "in": "path", "required": True, "schema": LIST},
        {"name": "X-Ids", "in": "header", "schema": LIST},
    ]
    asked = asking(parameters, names=["ids", "x_ids"], path="/of/{ids}")
    assert asked("/of/1,2", {"X-Ids": "3, 4 ,5"}) == {"ids": [1, 2], "x_ids": [3, 4, 5]}
    assert asked("/of/1", [("X-Ids", "3"), ("X-Ids", "4")]) == {"ids": [1], "x_ids": [3, 4]}


def test_values_of_mixed_segments_are_parameters():
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "integer"}} for name in ("a", "b")]
    assert asking(parameters, path="/from{a}to{b}.txt")("/from1to2.txt") == {"a": 1, "b": 2}


def test_header_is_an_argument_in_lower_case():
    parameter = {"name": "X-Trace-Depth", "in": "header", "schema": {"type": "integer"}}
    asked = asking([parameter], names=["x_trace_depth"])
    assert asked("/ask", {"x-TRACE-depth": "3"}) == {"x_trace_depth": 3}
    assert asked("/ask") == {}
    assert asked("/ask", {"X-Trace-Depth": "three"}).errors == {("X-Trace-Depth", "type")}


def test_required_parameters_that_are_missing_are_all_named():
    header = {"name": "X-Key", "in": "header", "required": True, "schema": {}}
    asked = asking([query("a", {}, required=True), query("b", {}, required=True), header], names=["a", "b", "x_key"])
    refused = asked("/ask")
    assert refused.status == 400
    assert refused.errors == {("a", "required"), ("b", "required"), ("X-Key", "required")}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer", "default": 20}, 20),
        ({"type": "string", "format": "date", "default": "2026-01-31"}, date(2026, 1, 31)),
        ({"type": "string", "format": "uuid", "default": ID}, UUID(ID)),
        ({"type": "string", "format": "decimal", "default": "0.10"}, Decimal("0.10")),
        (
            {"type": "string", "format": "date-time", "default": "2026-01-31T00:00:00Z"},
            datetime(2026, 1, 31, tzinfo=UTC),
        ),
        ({"type": ["integer", "null"], "default": None}, None),
        ({**LIST, "default": [1, 2]}, [1, 2]),
        ({"type": "string", "default": ""}, ""),
    ],
)
def test_default_arrives_as_the_same_python_value_as_what_is_sent(schema, value):
    asked = asking([query("q", schema)])
    assert asked("/ask") == {"q": value}
    assert type(asked("/ask")["q"]) is type(value)


def test_default_that_a_handler_changes_is_whole_again_at_the_next_request():
    raw = {"paths": {"/ask": {"get": {"operationId": "ask", "parameters": [query("q", {**LIST, "default": [1]})]}}}}

    def ask(q):
        q.append(2)
        return q

    engine = start(raw, {"ask": ask})
    assert [engine.get("/ask").json for _ in range(2)] == [[1, 2], [1, 2]]


def test_default_of_the_function_counts_where_the_contract_has_none():
    raw = {"paths": {"/ask": {"get": {"operationId": "ask", "parameters": [query("q", {})]}}}}
    assert start(raw, {"ask": lambda q="mine": q}).get("/ask").json == "mine"


def test_unknown_parameter_is_refused_and_cut_short():
    refused = asking([query("q", {})])(f"/ask?q=1&{'x' * 500}=2&b")
    assert refused.status == 400
    assert refused.errors == {("x" * 100, "unknown"), ("b", "unknown")}


def test_unknown_parameter_is_refused_where_none_is_declared():
    assert asking([])("/ask?debug=true").errors == {("debug", "unknown")}


@pytest.mark.parametrize("more", [{}, {"explode": False}])
def test_repeated_scalar_is_refused(more):
    asked = asking([query("q", {"type": "integer"}, **more)])
    assert asked("/ask?q=1&q=1").errors == {("q", "repeated")}


def test_repeated_delimited_array_is_refused():
    assert asking([query("q", LIST, explode=False)])("/ask?q=1,2&q=3").errors == {("q", "repeated")}


def test_repeated_scalar_header_is_refused_by_its_schema():
    asked = asking([{"name": "X-Depth", "in": "header", "schema": {"type": "integer"}}], names=["x_depth"])
    assert asked("/ask", [("X-Depth", "1"), ("X-Depth", "2")]).status == 400


def test_all_wrong_parameters_are_told_at_once():
    asked = asking(
        [query("a", {"type": "integer"}), query("b", {"type": "string", "minLength": 2, "pattern": "^[0-9]*$"})]
    )
    assert asked("/ask?a=x&b=y&c=z").errors == {("a", "type"), ("b", "minLength"), ("b", "pattern"), ("c", "unknown")}


def test_name_that_is_a_python_keyword_gets_an_underscore():
    asked = asking([query("from", {"type": "string", "format": "date"}), query("class", {})], names=["from_", "class_"])
    assert asked("/ask?from=2026-01-01&class=A") == {"from_": date(2026, 1, 1), "class_": "A"}


def test_name_that_is_no_python_name_has_underscores():
    asked = asking([query("filter[name]", {}), query("per-page", {})], names=["filter_name_", "per_page"])
    assert asked("/ask?filter%5Bname%5D=a&per-page=b") == {"filter_name_": "a", "per_page": "b"}


def test_parameters_of_the_path_item_are_shared_and_may_be_said_anew():
    raw = {
        "paths": {
            "/ask": {
                "parameters": [query("q", {"type": "integer"}), query("r", {"type": "integer"})],
                "get": {"operationId": "ask", "parameters": [query("q", {"type": "boolean"})]},
            }
        }
    }
    engine = start(raw, {"ask": lambda q=None, r=None: [q, r]})
    assert engine.get("/ask?q=true&r=1").json == [True, 1]


def test_parameter_may_be_a_reference():
    raw = {
        "paths": {"/ask": {"get": {"operationId": "ask", "parameters": [{"$ref": "#/components/parameters/Q"}]}}},
        "components": {
            "parameters": {"Q": query("q", {"$ref": "#/components/schemas/Page"})},
            "schemas": {"Page": {"type": "integer", "default": 1}},
        },
    }
    engine = start(raw, {"ask": lambda q: q})
    assert engine.get("/ask").json == 1
    assert engine.get("/ask?q=x").status == 400


def test_value_is_not_quoted_back():
    refused = asking([query("token", {"type": "string", "maxLength": 3})])("/ask?token=sesame-open")
    assert b"sesame" not in refused.body


def test_faults_are_bounded_in_number():
    asked = asking([query("q", LIST)])
    assert len(asked("/ask?" + "&".join(f"x{n}=1" for n in range(5000))).json["errors"]) <= 100
    assert len(asked("/ask?" + "&".join(f"x{n}=1" for n in range(90)) + "&q=a" * 90).json["errors"]) <= 100
