"""CSV out and in: a list as rows that are safe in a spreadsheet, and that come back as they went."""

import csv
import io
from contextlib import suppress
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.contract.document import Document
from accord.contract.json_schemas import JsonSchemas
from accord.engine.marshmallow_schemas import MarshmallowSchemas
from accord.engine.parsers.csv import CsvParser
from accord.engine.problems import Problem
from accord.engine.renderers.csv import CsvRenderer
from tests.engine.test_any_schema import SETTINGS
from tests.support.engine import start, taking

THING = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "size"],
    "properties": {
        "id": {"type": "string", "readOnly": True},
        "secret": {"type": "string", "writeOnly": True},
        "name": {"type": "string", "maxLength": 20},
        "note": {"type": ["string", "null"]},
        "size": {"type": "integer", "minimum": -10},
        "rate": {"type": "number"},
        "price": {"type": "string", "format": "decimal", "default": "1.00"},
        "is_new": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}, "default": []},
        "sizes": {"type": "array", "items": {"type": "integer"}},
    },
}
THINGS = {"type": "array", "minItems": 1, "maxItems": 3, "items": THING}
HEADER = "id,name,note,size,rate,price,is_new,tags,sizes"


def out(items, schema=THING, fields=None):
    representations = MarshmallowSchemas(JsonSchemas(Document({})))
    return CsvRenderer({"type": "array", "items": schema}, representations).render(items, fields).decode()


def things(text, schema=THINGS, media_type="text/csv"):
    """Send CSV to what takes up to three things; return what it got, or the reply that refuses it."""
    engine = taking(schema, "text/csv")
    body = text if isinstance(text, bytes) else text.encode()
    reply = engine.send("POST", "/take", body, media_type=media_type)
    return engine.database.kept["body"] if reply.status == 200 else reply


def test_items_are_rows_under_the_names_of_their_members():
    category = {"type": "object", "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}
    schema = {**THING, "properties": THING["properties"] | {"category": category, "_links": {"type": "object"}}}
    links = {"self": {"href": "/b"}}
    assert out(
        [
            {"id": "7", "name": "A", "note": None, "size": -5, "rate": 0.5, "price": "-2.50", "tags": ["a", "b"]},
            {"name": "B", "is_new": True, "sizes": [1, 2], "category": {"id": 1, "name": "Wood, old"}, "_links": links},
            {"name": "line\r\nbreak", "note": 'say "hi"', "tags": [], "category": None},
        ],
        schema,
    ) == (
        f"{HEADER},category.id,category.name\r\n"
        "7,A,,-5,0.5,-2.50,,a|b,,,\r\n"
        ',B,,,,,true,,1|2,1,"Wood, old"\r\n'
        ',"line\r\nbreak","say ""hi""",,,,,,,,\r\n'
    )


def test_header_is_there_without_rows_and_fields_choose_the_columns():
    assert out([]) == f"{HEADER}\r\n"
    assert out([], fields=["note"]) == "name,note,size\r\n"
    assert out([{"name": "a", "size": 1, "note": "x"}], fields=["note"]) == "name,note,size\r\na,x,1\r\n"


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_text_that_a_spreadsheet_could_run_is_text_to_it(first):
    formula = f"{first}1+cmd|' /C calc'!A0"
    for row in ({"name": formula, "size": 1}, {"name": "a", "size": 1, "tags": [formula]}):
        _, cells = csv.reader(io.StringIO(out([row], fields=["tags"]), newline=""))
        assert [cell[:2] for cell in cells if "calc" in cell] == [f"'{first}"]


def test_rows_are_read_as_the_schema_says():
    assert things(
        "size,name,note,rate,price,is_new,tags,sizes\r\n"
        "5,A,,1.5,2.50,true,a|b,1|2\r\n"
        "\r\n"
        '6,"B, ""b""","two\r\nlines",,,false,"",3\r\n'
    ) == [
        {
            "size": 5, "name": "A", "note": None, "rate": 1.5, "price": Decimal("2.50"),
            "is_new": True, "tags": ["a", "b"], "sizes": [1, 2],
        },
        {
            "size": 6, "name": 'B, "b"', "note": "two\r\nlines", "price": Decimal("1.00"),
            "is_new": False, "tags": [], "sizes": [3],
        },
    ]  # fmt: skip


def test_cells_become_python_values():
    schema = {"type": "array", "items": {"type": "object", "properties": {"of": {"type": "string", "format": "uuid"}}}}
    assert things(f"of\n{UUID(int=7)}\n", schema) == [{"of": UUID(int=7)}]


@pytest.mark.parametrize(
    "text", ["name,size\nA,1\n", "\ufeffname,size\r\nA,1", "size,name\r1,A\r", '"name","size"\n"A","1"']
)
def test_table_may_be_written_in_several_ways(text):
    assert [(row["name"], row["size"]) for row in things(text)] == [("A", 1)]


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("name,size,colour\nA,1,red\n", {("/0/colour", "additionalProperties")}),
        ("name,size,colour\nA,1,\n", {("/0/colour", "additionalProperties")}),
        ("name,size,id\nA,1,x\n", {("/0/id", "additionalProperties")}),
        ("name\nA\nB\n", {("/0/size", "required"), ("/1/size", "required")}),
        ("name,size\n,x\n", {("/0/name", "required"), ("/0/size", "type")}),
        ("name,size\nmuch too long to be a name,-11\n", {("/0/name", "maxLength"), ("/0/size", "minimum")}),
        ("name,size,is_new,sizes\nA,1,yes,1|x\n", {("/0/is_new", "type"), ("/0/sizes/1", "type")}),
        ("name,size\n" + "A,1\n" * 9, {("", "maxItems")}),
        ("name,size\n", {("", "minItems")}),
        ("", {("", "minItems")}),
    ],
)
def test_what_does_not_fit_is_a_422_with_row_and_column(text, errors):
    reply = things(text)
    assert (reply.status, reply.errors) == (422, errors)


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("name,size,name\nA,1,B\n", {("/0/name", "repeated")}),
        ("name,size\nA\nB,2,3\nC,4\n", {("/0", "ragged"), ("/1", "ragged")}),
        ("name,size\nA\0,1\n", {("/0/name", "nul")}),
        ('name,size\n"A,1\n', set()),
        ('name,size\n"A"b,1\n', set()),
        (b"name,size\n\xe4,1\n", set()),
        ("name,size\nA,1\n".encode("utf-16"), set()),
        ("name,size\n" + "A" * 200_000 + ",1\n", set()),
    ],
)
def test_what_is_no_table_is_a_400(text, errors):
    reply = things(text)
    assert (reply.status, reply.errors) == (400, errors)


@pytest.mark.parametrize(
    ("media_type", "status"),
    [
        ("text/csv; charset=UTF-8", 200),
        ('text/csv;header=present; charset="utf-8"', 200),
        ("text/csv; charset=iso-8859-1", 415),
        ("text/csv; header=absent", 415),
        ("text/plain", 415),
    ],
)
def test_table_is_utf8_with_a_header(media_type, status):
    reply = things("name,size\nA,1\n", media_type=media_type)
    assert status == (200 if isinstance(reply, list) else reply.status)


def test_body_of_csv_is_bounded_as_any_other():
    assert things("name,size\n" + "A,1\n" * 300_000).status == 413


def test_answer_is_csv_of_the_items_of_a_page():
    page = {"type": "object", "properties": {"items": {"type": "array", "items": THING}}}
    content = {"application/json": {"schema": page}, "text/csv": {"schema": {"type": "array", "items": THING}}}
    operation = {"operationId": "t", "responses": {"200": {"description": "All.", "content": content}}}
    engine = start({"paths": {"/t": {"get": operation}}}, {"t": lambda: {"items": [{"name": "A", "size": 1}]}})
    reply = engine.get("/t", {"Accept": "text/csv"})
    assert reply.header("content-type") == "text/csv; charset=utf-8; header=present"
    assert reply.body.decode() == f"{HEADER}\r\n,A,,1,,,,,\r\n"


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
CELLS = TEXTS | st.text("='+-@\t\r\n|\\\", a", max_size=6)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "name": CELLS,
            "note": st.none() | CELLS,
            "tags": st.lists(CELLS, max_size=3),
            "size": st.integers(-9, 10**15),
        },
        optional={
            "is_new": st.booleans(),
            "rate": st.integers(-999, 999).map(lambda n: n / 8),
            "sizes": st.lists(st.integers(0, 9)),
        },
    ),
    max_size=4,
)


@given(ROWS)
@SETTINGS
def test_what_goes_out_comes_back(rows):
    back = CsvParser(THINGS | {"maxItems": 9}, JsonSchemas(Document({}))).parse(out(rows).encode())
    # An empty list is an empty cell, which is a member that is not there; so are those that a row has not.
    assert [{"note": None, **row} for row in back] == [
        {name: value for name, value in row.items() if value != []} for row in rows
    ]


@given(st.binary(max_size=80) | st.text("=',|\"\r\nab", max_size=40).map(str.encode))
@SETTINGS
def test_no_body_is_too_strange(raw):
    with suppress(Problem):
        assert all(isinstance(row, dict) for row in CsvParser(THINGS, JsonSchemas(Document({}))).parse(raw))
