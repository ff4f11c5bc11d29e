"""What operations do beyond their handlers, because their contract declares it."""

from dataclasses import dataclass

import pytest

from accord.contract.errors import ContractError
from tests.support.engine import Taken, start

NOTES = """
paths:
  /notes:
    post:
      operationId: create_note
      parameters:
        - {name: Idempotency-Key, in: header, schema: {type: string, minLength: 4, maxLength: 20}}
        - {name: loud, in: query, schema: {type: boolean, default: false}}
      requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Note'}}}}
      responses:
        '201':
          description: It.
          headers: {Location: {schema: {type: string}}}
          content: {application/json: {schema: {$ref: '#/components/schemas/Note'}}}
          links: {self: {operationId: get_note, parameters: {note_id: $response.body#/id}}}
    get:
      operationId: list_notes
      parameters:
        - {name: fields, in: query, explode: false, schema: {type: array, items: {enum: [id, text, size]}}}
      responses:
        '200':
          description: All.
          headers: {ETag: {schema: {type: string}}}
          content: {application/json: {schema: {$ref: '#/components/schemas/Notes'}}}
  /notes/{note_id}:
    parameters: [{name: note_id, in: path, required: true, schema: {type: integer}}]
    get:
      operationId: get_note
      parameters:
        - {name: If-None-Match, in: header, schema: {type: string}}
        - {name: fields, in: query, explode: false, schema: {type: array, items: {enum: [id, text, size]}}}
      responses: {'200': &note {
        description: It., headers: {ETag: {required: true, schema: {type: string}}},
        content: {application/json: {schema: {$ref: '#/components/schemas/SomeOfNote'}}}}}
    put:
      operationId: replace_note
      parameters: [{name: If-Match, in: header, required: true, schema: {type: string}}]
      requestBody: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Note'}}}}
      responses: {'200': *note}
    delete:
      operationId: delete_note
      parameters: [{name: If-Match, in: header, schema: {type: string}}]
      responses: {'204': {description: Gone.}}
  /notes/{note_id}/text:
    parameters: [{name: note_id, in: path, required: true, schema: {type: integer}}]
    put:
      operationId: set_text
      parameters: [{name: If-Match, in: header, required: true, schema: {type: string}}]
      requestBody: {required: true, content: {application/json: {schema: {type: string}}}}
      responses: {'200': *note}
components:
  schemas:
    NoteFields:
      type: object
      additionalProperties: false
      required: [id]
      properties: &fields
        id: {type: integer, readOnly: true}
        text: {type: string}
        size: {type: integer, readOnly: true}
        _links: {type: object, readOnly: true}
    Note: {type: object, additionalProperties: false, required: [id, text, size, _links], properties: *fields}
    SomeOfNote: {anyOf: [{$ref: '#/components/schemas/Note'}, {$ref: '#/components/schemas/NoteFields'}]}
    Notes:
      type: object
      required: [items]
      properties: {items: {type: array, items: {$ref: '#/components/schemas/SomeOfNote'}}, total: {type: integer}}
"""


@dataclass(frozen=True)
class Kept:
    fingerprint: str
    status: int = 0
    headers: tuple = ()
    body: bytes = b""


class Keys:
    """Idempotency keys, kept in the very store of the unit of work."""

    def claim(self, session, *, caller, operation, key, fingerprint):
        kept = session.setdefault("keys", {}).get((caller, operation, key))
        session["keys"].setdefault((caller, operation, key), Kept(fingerprint))
        return kept

    def save(self, session, *, caller, operation, key, status, headers, body):
        name = caller, operation, key
        session["keys"][name] = Kept(session["keys"][name].fingerprint, status, headers, body)


def track_changes(session, *, actor, operation, request_id):
    """Keeps, in the very store of the unit of work, who it is done for."""
    session.setdefault("changes", []).append((actor, operation, request_id))


def shown(note_id, text):
    return {"id": note_id, "text": text, "size": len(text)}


def create_note(session, body, loud):
    notes = session.setdefault("notes", {})
    if body["text"] == "taken":
        raise Taken("There is one.")
    notes[len(notes) + 1] = body["text"].upper() if loud else body["text"]
    return shown(len(notes), notes[len(notes)])


def list_notes(session):
    return {"items": [shown(*note) for note in session["notes"].items()], "total": len(session["notes"])}


def get_note(session, note_id):
    return shown(note_id, session["notes"][note_id])


def replace_note(session, note_id, body):
    session["notes"][note_id] = body["text"]
    return get_note(session, note_id)


def set_text(session, note_id, body):
    return replace_note(session, note_id, {"text": body})


def delete_note(session, note_id):
    del session["notes"][note_id]


def started(text):
    functions = [create_note, list_notes, get_note, replace_note, set_text, delete_note]
    engine = start(
        text,
        {function.__name__: function for function in functions},
        idempotency_store=Keys(),
        track_changes=track_changes,
    )
    engine.database.kept["notes"] = {1: "one", 2: "two"}
    return engine


@pytest.fixture
def engine():
    return started(NOTES)


@pytest.fixture
def secretive():
    """An engine whose notes are secrets, too."""
    return started(NOTES.replace("text: {type: string}", "text: {type: string, x-shown-once: true}"))


def put(engine, tag, text="new"):
    return engine.send("PUT", "/notes/1", b'{"text": "%s"}' % text.encode(), {"If-Match": tag} if tag else None)


def test_get_has_a_tag_that_changes_with_the_thing(engine):
    first, other = engine.get("/notes/1").header("etag"), engine.get("/notes/2").header("etag")
    assert first == engine.get("/notes/1").header("etag")
    assert first != other
    put(engine, first)
    assert engine.get("/notes/1").header("etag") != first


def test_part_of_a_thing_is_changed_by_the_tag_of_the_whole(engine):
    tag = engine.get("/notes/1").header("etag")
    changed = engine.send("PUT", "/notes/1/text", b'"new"', {"If-Match": tag})
    assert (changed.status, changed.header("etag")) == (200, engine.get("/notes/1").header("etag"))
    assert engine.send("PUT", "/notes/1/text", b'"newer"', {"If-Match": tag}).status == 412
    assert engine.send("PUT", "/notes/1/text", b'"newer"').status == 428


@pytest.mark.parametrize("header", ["{}", "W/{}", '"other", {}', '{}, "other"', '"a,b",W/{}', "*", " * "])
def test_unchanged_thing_is_a_304_without_a_body(engine, header):
    tag = engine.get("/notes/1").header("etag")
    reply = engine.get("/notes/1", {"If-None-Match": header.format(tag)})
    assert (reply.status, reply.body, reply.header("etag")) == (304, b"", tag)
    assert reply.header("content-type") is None
    assert engine.send("HEAD", "/notes/1", headers={"If-None-Match": tag}).status == 304


@pytest.mark.parametrize(
    "header",
    ['"other"', "{bare}", "", '"', "**", 'w/"x"', "W/", '"{bare}', 'w/"{bare}"', '*, "{bare}"',
     '"{bare}" or none', "caf\xe9"],
)  # fmt: skip
def test_other_tag_or_garbage_is_no_match(engine, header):
    bare = engine.get("/notes/1").header("etag").strip('"')
    assert engine.get("/notes/1", {"If-None-Match": header.format(bare=bare)}).status == 200
    assert put(engine, header.format(bare=bare) or '"x"').status == 412


def test_change_with_the_current_tag_happens_and_answers_the_next_tag(engine):
    reply = put(engine, engine.get("/notes/1").header("etag"))
    assert reply.json["text"] == "new"
    assert reply.header("etag") == engine.get("/notes/1").header("etag")


@pytest.mark.parametrize("header", ['"other", {}', "{},{}", "*", ", ,{},"])
def test_change_with_the_current_tag_among_others_happens(engine, header):
    tag = engine.get("/notes/1").header("etag")
    assert put(engine, header.format(tag, tag)).status == 200


def test_change_with_a_stale_tag_is_a_412_and_changes_nothing(engine):
    tag = engine.get("/notes/1").header("etag")
    put(engine, tag, "mine")
    refused = put(engine, tag, "yours")
    assert refused.status == 412
    assert engine.get("/notes/1").json["text"] == "mine"


def test_change_without_a_tag_is_a_428_where_one_is_required(engine):
    assert put(engine, None).status == 428
    assert engine.send("DELETE", "/notes/1").status == 204


def test_change_with_a_tag_is_guarded(engine):
    tag = engine.get("/notes/2").header("etag")
    engine.database.modes.clear()
    engine.send("DELETE", "/notes/2", headers={"If-Match": tag})
    engine.send("DELETE", "/notes/1")
    assert engine.database.modes == ["repeatable_read", "write"]


def create(engine, key="key-1", text="new", target="/notes"):
    keys = key if isinstance(key, list) else [key] if key else []
    return engine.post(target, {"text": text}, [("Idempotency-Key", each) for each in keys])


def test_repeat_with_key_creates_once_and_answers_the_same(engine):
    first, again = create(engine), create(engine)
    assert (again.status, again.body) == (first.status, first.body) == (201, first.body)
    assert first.header("location") == again.header("location") == "/notes/3"
    assert (first.header("idempotency-replayed"), again.header("idempotency-replayed")) == (None, "true")
    assert len(engine.database.kept["notes"]) == 3


def test_repeat_without_key_creates_twice(engine):
    assert create(engine, None).json["id"] != create(engine, None).json["id"]


@pytest.mark.parametrize(("text", "target"), [("other", "/notes"), ("new", "/notes?loud=true")])
def test_key_of_another_request_is_a_422(engine, text, target):
    create(engine)
    assert create(engine, text=text, target=target).status == 422


def test_key_that_is_not_as_declared_is_a_400(engine):
    assert create(engine, "k").errors == {("Idempotency-Key", "minLength")}


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ('"key-1"', "key-1"),
        ("key-1", '"key-1"'),
        ('"key-1"', '"key-1";v=1;w="a;\\"b"; x'),
        ('  "key-1"', '"key-1"  '),
        ('"a\\"b\\\\c"', 'a"b\\c'),
        ('"a:b/c=d"', "a:b/c=d"),
        ("key-1;v=1", '"key-1;v=1"'),
    ],
)
def test_key_in_quotes_and_bare_key_are_one(engine, first, again):
    """The header is a String Item (Idempotency-Key draft, section 2.1; RFC 9651, section 3.3.3); ours is also bare."""
    assert create(engine, first).header("idempotency-replayed") is None
    assert create(engine, again).header("idempotency-replayed") == "true"
    assert len(engine.database.kept["notes"]) == 3


@pytest.mark.parametrize(
    "key",
    [
        "",
        '""',
        '"key-1',
        'key-1 "',
        '"key"1"',
        '"a\\b"',
        '"k\xe9y-1"',
        "k\xe9y-1",
        "key 1",
        '"key-1" x',
        '"key-1";V=1',
        '"key-1", "key-2"',
        '"key-1",',
    ],
)
def test_malformed_key_is_a_400_that_says_what_to_send(engine, key):
    refused = create(engine, [key])
    assert (refused.status, refused.errors) == (400, {("Idempotency-Key", "malformed")})
    assert len(engine.database.kept["notes"]) == 2


def test_repeated_header_of_a_key_is_a_400(engine):
    for keys in (["key-1", "key-1"], ['"key-1"', '"key-1"']):
        assert create(engine, keys).errors == {("Idempotency-Key", "malformed")}


def test_answer_that_is_shown_once_is_kept_nowhere(secretive):
    first, again = create(secretive), create(secretive)
    assert (first.status, again.status) == (201, 409)
    assert "/notes/3" in again.json["detail"]
    assert len(secretive.database.kept["notes"]) == 3
    assert all(kept.body == b"" for kept in secretive.database.kept["keys"].values())


def test_failure_keeps_no_key(engine):
    assert create(engine, text="taken").status == 409
    assert create(engine, text="new").status == 201


def test_engine_without_a_store_refuses_to_start_with_a_key_in_the_contract():
    functions = [create_note, list_notes, get_note, replace_note, set_text, delete_note]
    with pytest.raises(Exception, match="Idempotency-Key"):
        start(NOTES, {function.__name__: function for function in functions})


@pytest.mark.parametrize(
    ("fields", "members"),
    [
        ("text", {"id", "text"}),
        ("id", {"id"}),
        ("size,text", {"id", "text", "size"}),
        ("_links", None),
        ("other", None),
    ],
)
def test_fields_choose_the_members_and_what_is_required_stays(engine, fields, members):
    one, all_ = engine.get(f"/notes/1?fields={fields}"), engine.get(f"/notes?fields={fields}")
    if members is None:
        assert (one.status, all_.status) == (400, 400)
    else:
        assert set(one.json) == members
        assert [set(item) for item in all_.json["items"]] == [members] * 2
        assert all_.json["total"] == 2


def test_without_fields_all_members_are_there(engine):
    assert set(engine.get("/notes/1").json) == {"id", "text", "size", "_links"}


def test_tag_is_that_of_the_whole_whatever_the_fields(engine):
    tag = engine.get("/notes/1?fields=text").header("etag")
    assert put(engine, tag).status == 200


DEPRECATED = "paths: {/t: {get: {operationId: t, deprecated: true, x-deprecated-since: 2026-01-31%s}}}"


def test_deprecated_operation_says_since_when_and_until_when_in_every_answer():
    engine = start(DEPRECATED % ", x-sunset: 2027-06-30", {"t": lambda: 1})
    for reply in (engine.get("/t"), engine.get("/t?x=1"), engine.send("HEAD", "/t")):
        assert reply.header("deprecation") == "@1769817600"
        assert reply.header("sunset") == "Wed, 30 Jun 2027 00:00:00 GMT"


def test_deprecated_operation_may_have_no_sunset():
    reply = start(DEPRECATED % "", {"t": lambda: 1}).get("/t")
    assert reply.header("deprecation") == "@1769817600"
    assert reply.header("sunset") is None


def test_deprecation_of_one_answer_does_not_grow_into_the_next():
    engine = start(DEPRECATED % "", {"t": lambda: 1})
    assert engine.get("/t").headers == engine.get("/t").headers


SUCCEEDED = """
paths:
  /old/{thing_id}:
    parameters: [{name: thing_id, in: path, required: true, schema: {type: string}}]
    get:
      operationId: old
      deprecated: true
      x-deprecated-since: 2026-01-31
      x-sunset: %s
      x-successor: /new/{thing_id}/it
  /new/{thing_id}/it:
    parameters: [{name: thing_id, in: path, required: true, schema: {type: string}}]
    get: {operationId: new}
"""


def test_deprecated_operation_leads_to_its_successor():
    engine = start(SUCCEEDED % "2999-01-01", {"old": lambda thing_id: 1, "new": lambda thing_id: 2})
    assert engine.get("/old/a%20b").header("link") == '</new/a%20b/it>; rel="successor-version"'


def test_operation_past_its_sunset_is_gone_where_that_is_wanted():
    functions = {"old": lambda thing_id: 1, "new": lambda thing_id: 2}
    assert start(SUCCEEDED % "2026-02-01", functions).get("/old/1").status == 200
    ended = start(SUCCEEDED % "2026-02-01", functions, enforce_sunset=True).get("/old/1")
    assert (ended.status, ended.header("link")) == (410, '</new/1/it>; rel="successor-version"')
    assert start(SUCCEEDED % "2999-01-01", functions, enforce_sunset=True).get("/old/1").status == 200


def test_successor_that_is_nowhere_is_refused():
    engine = start(
        SUCCEEDED.replace("x-successor: /new/{thing_id}/it", "x-successor: /new/{thing_id}") % "2999-01-01",
        {"old": lambda thing_id: 1, "new": lambda thing_id: 2},
    )
    with pytest.raises(ContractError, match=r"the successor of old, /new/{thing_id}, is in no contract"):
        engine.contract.validate()


def test_write_is_followed_under_the_name_that_its_answer_has(engine):
    first, second = create(engine, None), put(engine, engine.get("/notes/1").header("etag"))
    assert first.request_id != second.request_id
    assert engine.database.kept["changes"] == [
        (None, "create_note", first.request_id),
        (None, "replace_note", second.request_id),
    ]


def test_read_is_not_followed(engine):
    engine.get("/notes/1")
    assert "changes" not in engine.database.kept


@pytest.mark.parametrize(("name", "is_kept"), [("mine.2026-1", True), ("short", False), ("a b c d e f", False)])
def test_request_has_the_name_that_its_caller_gives_it(engine, name, is_kept):
    made = engine.post("/notes", {"text": "new"}, {"X-Request-Id": name})
    refused = engine.post("/notes", {"text": "taken"}, {"X-Request-Id": name})
    assert (made.request_id == name) == is_kept
    assert (refused.json["request_id"] == name) == is_kept


def test_repetition_has_a_name_of_its_own(engine):
    first, again = create(engine), create(engine)
    assert again.header("idempotency-replayed") == "true"
    assert first.request_id != again.request_id


def test_refused_write_is_followed_by_nobody(engine):
    assert create(engine, text="taken").status == 409
    assert "changes" not in engine.database.kept
