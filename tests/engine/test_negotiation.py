"""The caller says in `Accept` which of the media types of the contract the answer is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accord.contract.errors import ContractError
from accord.engine.negotiation import best_match
from tests.engine.test_any_schema import SETTINGS
from tests.engine.test_policies import Keys
from tests.support.engine import NotThere, start

NOTES = """
paths:
  /notes:
    get:
      operationId: list_notes
      parameters:
        - {name: fields, in: query, explode: false, schema: {type: array, items: {enum: [id, text]}}}
        - {name: If-None-Match, in: header, schema: {type: string}}
      responses:
        '200':
          description: All.
          headers: {ETag: {schema: {type: string}}, Link: {required: true, schema: {type: string}}}
          content:
            application/json: {schema: &notes {$ref: '#/components/schemas/Notes'}}
            application/xml: {schema: *notes}
            text/csv: {schema: {type: array, items: {$ref: '#/components/schemas/Note'}}}
          links: {self: {operationId: list_notes}}
    post:
      operationId: create_note
      parameters: [{name: Idempotency-Key, in: header, schema: {type: string}}]
      requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Note'}}}}
      responses:
        '201':
          description: It.
          content:
            application/json: {schema: {$ref: '#/components/schemas/Note'}}
            application/xml: {schema: {$ref: '#/components/schemas/Note'}}
  /notes/{note_id}:
    parameters: [{name: note_id, in: path, required: true, schema: {type: integer}}]
    get:
      operationId: get_note
      parameters: [{name: If-None-Match, in: header, schema: {type: string}}]
      responses:
        '200':
          description: It.
          headers: {ETag: {schema: {type: string}}}
          content:
            application/json: {schema: {$ref: '#/components/schemas/Note'}}
            application/xml: {schema: {$ref: '#/components/schemas/Note'}}
    put:
      operationId: replace_note
      parameters: [{name: If-Match, in: header, schema: {type: string}}]
      requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Note'}}}}
      responses:
        '200': {description: It., content: {application/json: {schema: {$ref: '#/components/schemas/Note'}}}}
    delete:
      operationId: delete_note
      responses: {'204': {description: Gone.}}
  /keys:
    get:
      operationId: list_keys
      responses: {'200': {description: Keys., content: {application/jwk-set+json: {schema: {type: object}}}}}
  /text:
    get:
      operationId: get_text
      responses: {'200': {description: Text., content: {text/plain: {schema: {type: string}}}}}
components:
  schemas:
    Note:
      type: object
      additionalProperties: false
      required: [text]
      properties: {id: {type: integer, readOnly: true}, text: {type: string}}
    Notes:
      type: object
      required: [items, _links]
      properties:
        items: {type: array, xml: {wrapped: true}, items: {$ref: '#/components/schemas/Note', xml: {name: note}}}
        _links: {type: object, readOnly: true}
"""

JSON, XML, CSV = "application/json", "application/xml", "text/csv"


def create_note(session, body):
    notes = session.setdefault("notes", {})
    notes[len(notes) + 1] = body["text"]
    return {"id": len(notes), **body}


def list_notes(session):
    return {"items": [{"id": note_id, "text": text} for note_id, text in session["notes"].items()]}


def get_note(session, note_id):
    if note_id not in session["notes"]:
        raise NotThere("There is no such note.")
    return {"id": note_id, "text": session["notes"][note_id]}


def replace_note(session, note_id, body):
    session["notes"][note_id] = body["text"]
    return get_note(session, note_id)


def delete_note(session, note_id):
    del session["notes"][note_id]


@pytest.fixture
def engine():
    functions = [create_note, list_notes, get_note, replace_note, delete_note]
    named = {function.__name__: function for function in functions}
    engine = start(
        NOTES, {**named, "list_keys": lambda: {"keys": []}, "get_text": lambda: "Hello."}, idempotency_store=Keys()
    )
    engine.database.kept["notes"] = {1: "one", 2: "two"}
    return engine


def kind(reply):
    return (reply.header("content-type") or "").partition(";")[0]


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("*/*", JSON),
        ("application/json", JSON),
        ("application/xml", XML),
        ("text/csv", CSV),
        ("Text/CSV", CSV),
        ("text/*", CSV),
        ("application/*", JSON),
        ("application/json;q=0.5, application/xml;q=0.8", XML),
        ("application/json;q=0.8, application/xml;q=0.8", JSON),
        ("application/xml, application/json", JSON),
        ("text/csv;q=0.1", CSV),
        ("text/csv;q=0.001, text/html", CSV),
        ("image/png, text/csv;q=0.5, */*;q=0.1", CSV),
        ("application/xml, */*", XML),
        ("*/*;q=0.9, application/json;q=0.1", XML),
        ("application/*;q=0.9, application/json;q=0.1, */*;q=0.5", XML),
        ("*/*, application/json;q=0, application/xml;q=0", CSV),
        ("application/json;q=0, application/*", XML),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", XML),
        ("application/json; charset=utf-8", JSON),
        ("text/csv; header=present; q=1, */*;q=0.5", CSV),
        ('text/csv; x="a,b;q=0", application/json;q=0.5', CSV),
        ("text/html, image/gif, *; q=.2, */*; q=.2", JSON),
        ("", JSON),
        (" ", JSON),
        (",,", JSON),
        ("nonsense", JSON),
        ("text/csv;q=high", JSON),
        ("nonsense, text/csv;q=0.3", CSV),
        ("text/csv," + "x" * 2000, JSON),
    ],
)
def test_most_specific_range_says_how_much_and_the_most_wanted_is_answered(engine, accept, wanted):
    reply = engine.get("/notes", {"Accept": accept})
    assert (reply.status, kind(reply), reply.header("vary")) == (200, wanted, "Accept, Accept-Encoding")


def test_who_says_nothing_gets_json(engine):
    assert kind(engine.get("/notes")) == JSON


def test_ranges_may_come_in_several_lines(engine):
    assert kind(engine.get("/notes", [("Accept", "text/html"), ("Accept", "text/csv")])) == CSV


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0, text/html", "*/*;q=0", "application/xhtml+xml"])
@pytest.mark.parametrize(
    ("method", "target"), [("GET", "/notes"), ("GET", "/keys"), ("GET", "/text"), ("PUT", "/notes/1")]
)
def test_what_nobody_accepts_is_a_406_before_anything_is_done(engine, accept, method, target):
    reply = engine.send(method, target, b'{"text": "new"}', {"Accept": accept})
    assert (reply.status, kind(reply), reply.header("vary")) == (
        406,
        "application/problem+json",
        "Accept, Accept-Encoding",
    )
    assert engine.database.modes == []


def test_406_names_what_there_is(engine):
    detail = engine.get("/notes", {"Accept": "text/html"}).json["detail"]
    assert all(name in detail for name in (JSON, XML, CSV))


def test_who_takes_json_takes_a_kind_of_it(engine):
    for accept in (JSON, "application/jwk-set+json", "application/*"):
        assert kind(engine.get("/keys", {"Accept": accept})) == "application/jwk-set+json"


def test_answer_without_content_suits_everybody(engine):
    assert engine.send("DELETE", "/notes/1", headers={"Accept": "text/html"}).status == 204


def test_answer_of_one_media_type_does_not_vary(engine):
    assert engine.get("/keys", {"Accept": JSON}).header("vary") == "Accept-Encoding"


@pytest.mark.parametrize("accept", [JSON, XML, CSV])
def test_head_says_what_get_says(engine, accept):
    get, head = engine.get("/notes", {"Accept": accept}), engine.send("HEAD", "/notes", headers={"Accept": accept})
    assert (head.body, head.headers) == (b"", get.headers)


def test_each_media_type_has_its_tag_and_its_304(engine):
    tags = {accept: engine.get("/notes", {"Accept": accept}).header("etag") for accept in (JSON, XML, CSV)}
    bare = tags[JSON].strip('"')
    assert tags == {JSON: f'"{bare}"', XML: f'"{bare}-xml"', CSV: f'"{bare}-csv"'}
    for accept, tag in tags.items():
        for other, known in tags.items():
            reply = engine.get("/notes", {"Accept": accept, "If-None-Match": known})
            assert reply.status == (304 if accept == other else 200)
            assert (reply.header("etag"), reply.header("vary")) == (tag, "Accept, Accept-Encoding")


@pytest.mark.parametrize("accept", [JSON, XML])
def test_tag_of_any_media_type_guards_a_change(engine, accept):
    tag = engine.get("/notes/1", {"Accept": accept}).header("etag")
    change = {"body": b'{"text": "new"}', "headers": {"If-Match": tag}}
    assert [engine.send("PUT", "/notes/1", **change).status for _ in range(2)] == [200, 412]


def test_tag_with_an_ending_that_is_none_guards_nothing(engine):
    tag = engine.get("/notes/1").header("etag")
    headers = {"If-Match": tag.removesuffix('"') + '-pdf"'}
    assert engine.send("PUT", "/notes/1", b'{"text": "new"}', headers).status == 412


def test_repeat_with_key_gets_what_the_first_one_got(engine):
    first = engine.post("/notes", {"text": "new"}, {"Idempotency-Key": "key-1", "Accept": XML})
    again = engine.post("/notes", {"text": "new"}, {"Idempotency-Key": "key-1", "Accept": JSON})
    assert (first.status, kind(first)) == (201, XML)
    assert (again.status, kind(again), again.body) == (201, XML, first.body)
    assert again.header("idempotency-replayed") == "true"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, "json"),
        ("*/*", "json"),
        ("text/html", "json"),
        ("application/json", "json"),
        ("application/problem+json, application/xml", "json"),
        ("application/json;q=0.9, application/problem+xml", "xml"),
        ("application/xml", "xml"),
        ("text/xml", "xml"),
        ("text/csv, text/xml;q=0.1", "xml"),
        ("application/problem+json;q=0.2, application/xml;q=0.1", "json"),
        ("application/*;q=0.5, application/problem+xml", "xml"),
    ],
)
@pytest.mark.parametrize("target", ["/notes/9", "/notes/x", "/nowhere"])
def test_problem_is_json_unless_xml_is_preferred(engine, accept, wanted, target):
    reply = engine.get(target, {"Accept": accept, "X-Request-Id": "request-17"} if accept else None)
    # The third accepts nothing that a note is, and so learns that instead.
    assert reply.status in (400, 404, 406)
    assert (kind(reply), reply.header("vary")) == (f"application/problem+{wanted}", "Accept, Accept-Encoding")


OFFERED = (JSON, XML, CSV)
NAMES = st.sampled_from([*OFFERED, "*/*", "application/*", "text/*", "text/html", "image/*"])


@given(ranges=st.dictionaries(NAMES, st.integers(0, 1000), min_size=1), order=st.randoms(use_true_random=False))
@SETTINGS
def test_choice_is_the_one_that_the_rfc_describes(ranges, order):
    def quality(name):
        closest = [range_ for range_ in (name, name.partition("/")[0] + "/*", "*/*") if range_ in ranges]
        return ranges[closest[0]] if closest else 0

    listed = [f"{name};q={q / 1000:.3f}" for name, q in ranges.items()]
    order.shuffle(listed)
    chosen = best_match(", ".join(listed).encode(), OFFERED)
    best = max(map(quality, OFFERED))
    assert (quality(chosen) if chosen else 0) == best
    assert (chosen is None) == (best == 0)


@given(st.binary(max_size=60))
@SETTINGS
def test_no_header_is_too_strange(accept):
    assert best_match(accept, OFFERED) in (*OFFERED, None)


INDEX = """
paths:
  /:
    get:
      operationId: get_index
      responses:
        '200': {description: It., content: {application/json: {schema: {}}}}
        '303': {description: The page., headers: {Location: {schema: {type: string, default: /page}}}}
"""


def get_index():
    return {}


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (BROWSER, 303), ("text/html", 303), ("text/*", 303), ("application/json;q=0.5, text/html", 303),
        (None, 200), ("*/*", 200), ("application/json", 200), ("text/html, application/json", 200),
        ("text/html;q=0.5, application/json", 200), ("text/html;q=0.5, */*", 200), ("text/html;q=0, */*", 200),
        ("text/html;q=0", 406), ("image/png", 406),
    ],
)  # fmt: skip
def test_clients_that_prefer_a_page_are_sent_to_it(accept, status):
    """RFC 9110, sections 12.5.1 and 15.4.4: proactive negotiation, and a 303 to another resource."""
    for method in ("GET", "HEAD"):
        reply = start(INDEX, {"get_index": get_index}).send(method, "/", headers={"Accept": accept} if accept else None)
        assert (reply.status, reply.header("location")) == (status, "/page" if status == 303 else None)
        assert "Accept" in reply.header("vary").split(", ")


def test_page_without_a_path_is_refused():
    with pytest.raises(ContractError, match="get_index declares a 303; give its `Location` a schema with the path"):
        start(INDEX.replace(", default: /page", ""), {"get_index": get_index})
