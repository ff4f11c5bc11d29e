"""Preconditions: all of them, in the order of RFC 9110, section 13.2.2, whether an operation declares them or not."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from accord.engine.renderers.files import last_modified
from tests.support.engine import NotThere, start

CHANGED_AT = datetime(2026, 11, 21, 9, 30, 0, 400_000, tzinfo=UTC)
BEFORE, SAME_SECOND, AFTER = (f"Sat, 21 Nov 2026 09:{time} GMT" for time in ("29:59", "30:00", "30:01"))

NOTES = """
paths:
  /notes:
    get: &list
      operationId: list_notes
      parameters: [{name: size, in: query, schema: {type: integer, default: 10}}]
      responses: {'200': &tagged {
        description: It., headers: {ETag: {required: true, schema: {type: string}}},
        content: {application/json: {schema: {}}, application/xml: {schema: {xml: {name: note}}}}}}
    post: {operationId: create_note, responses: {'201': {description: It., content: {application/json: {}}}}}
  /notes/{note_id}:
    parameters: [{name: note_id, in: path, required: true, schema: {type: integer}}]
    get: {operationId: get_note, responses: {'200': *tagged}}
    put: {operationId: replace_note, responses: {'200': *tagged}}
    patch: {operationId: update_note, responses: {'200': *tagged}}
    delete: {operationId: delete_note, responses: {'204': {description: Gone.}}}
  /notes/{note_id}/archive:
    parameters: [{name: note_id, in: path, required: true, schema: {type: integer}}]
    post: {operationId: archive_note, responses: {'204': {description: Done.}}}
  /notes/{note_id}/scan:
    parameters: [{name: note_id, in: path, required: true, schema: {type: integer}}]
    get:
      operationId: get_scan
      parameters: [{name: Range, in: header, schema: {type: string}}]
      responses:
        '200': &scan
          description: It.
          headers: {ETag: {schema: {type: string}}, Last-Modified: {schema: {type: string}}}
          content: {image/png: {}}
        '206': *scan
    put: {operationId: replace_scan, responses: {'204': {description: Done.}}}
"""


def note(session, note_id):
    if note_id not in session["notes"]:
        raise NotThere("There is no such note.")
    return {"id": note_id, "text": session["notes"][note_id], "updated_at": CHANGED_AT}


def change(session, note_id):
    note(session, note_id)
    session["notes"][note_id] += "!"
    return note(session, note_id)


def replace_note(session, note_id):
    session["notes"][note_id] = "new"
    return note(session, note_id)


def delete(session, note_id):
    change(session, note_id)


@pytest.fixture
def engine(tmp_path):
    path = tmp_path / "scan"
    path.write_bytes(bytes(range(200)))
    scan = SimpleNamespace(path=path, media_type="image/png", name="a.png", etag="abc", modified_at=CHANGED_AT)

    def get_scan(session, note_id):
        if note_id not in session["scans"]:
            raise NotThere("There is no scan.")
        return scan

    def replace_scan(session, note_id):
        note(session, note_id)
        session["scans"] += [note_id]

    engine = start(
        NOTES,
        {
            "list_notes": lambda session, size: {"items": [*session["notes"].values()][:size]},
            "create_note": lambda session: session["notes"].update({9: "new"}),
            "get_note": note,
            "replace_note": replace_note,
            "update_note": change,
            "delete_note": delete,
            "archive_note": delete,
            "get_scan": get_scan,
            "replace_scan": replace_scan,
        },
    )
    engine.database.kept.update(notes={1: "one", 2: "two"}, scans=[1])
    return engine


CHANGES = [
    ("PUT", "/notes/1", "/notes/1"),
    ("PATCH", "/notes/1", "/notes/1"),
    ("DELETE", "/notes/1", "/notes/1"),
    ("POST", "/notes/1/archive", "/notes/1"),
    ("PUT", "/notes/1/scan", "/notes/1/scan"),
    ("POST", "/notes", "/notes"),
]
"""Changes, each with the path whose GET has the validators of its target."""
DATED = [pytest.param(*change, id=" ".join(change[:2])) for change in CHANGES if change[1] != "/notes"]
CHANGES = [pytest.param(*change, id=" ".join(change[:2])) for change in CHANGES]


@pytest.fixture
def attempt(engine):
    """Send a change; whether it happened is what the database says, not only the status."""

    def attempt(method, path, **headers):
        before = repr(engine.database.kept)
        status = engine.send(method, path, headers={name.replace("_", "-"): v for name, v in headers.items()}).status
        assert (repr(engine.database.kept) == before) == (status in {400, 412})
        return status

    return attempt


@pytest.mark.parametrize(("method", "path", "get"), CHANGES)
class TestChanges:
    """RFC 9110, sections 13.1.1 to 13.1.4."""

    @pytest.mark.parametrize("form", ["{}", "W/{}", '"other", W/{}', "*"])
    def test_if_match_lets_the_current_version_be_changed(self, engine, attempt, method, path, get, form):
        tag = engine.get(get).header("etag")
        assert attempt(method, path, If_Match=form.format(tag)) < 300

    def test_if_match_takes_the_tag_of_every_media_type(self, engine, attempt, method, path, get):
        tag = engine.get(get, {"Accept": "application/xml"}).header("etag")
        assert attempt(method, path, If_Match=tag) < 300

    @pytest.mark.parametrize("form", ['"other"', 'W/"other"', "none", '"one", "two"', "W/"])
    def test_if_match_of_another_version_is_a_412(self, attempt, method, path, get, form):
        assert attempt(method, path, If_Match=form) == 412

    @pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
    def test_if_none_match_of_the_current_version_is_a_412(self, engine, attempt, method, path, get, form):
        """A 304 is for GET and HEAD only."""
        tag = engine.get(get).header("etag")
        assert attempt(method, path, If_None_Match=form.format(tag)) == 412

    def test_if_none_match_of_another_version_is_true(self, attempt, method, path, get):
        assert attempt(method, path, If_None_Match='"other"') < 300

    @pytest.mark.parametrize("form", ["none", '*, "other"', '"other";'])
    def test_if_none_match_that_is_no_list_of_tags_does_not_let_a_change_pass(self, attempt, method, path, get, form):
        assert attempt(method, path, If_None_Match=form) == 400

    def test_if_match_is_evaluated_before_if_none_match(self, engine, attempt, method, path, get):
        tag = engine.get(get).header("etag")
        assert attempt(method, path, If_Match=tag, If_None_Match=tag) == 412
        assert attempt(method, path, If_Match='"other"', If_None_Match='"other"') == 412
        assert attempt(method, path, If_Match=tag, If_None_Match='"other"') < 300

    def test_if_match_replaces_if_unmodified_since(self, engine, attempt, method, path, get):
        tag = engine.get(get).header("etag")
        assert attempt(method, path, If_Match=tag, If_Unmodified_Since=BEFORE) < 300

    @pytest.mark.parametrize("date", ["yesterday", "2026-11-21T09:29:59Z", f"{BEFORE}, {BEFORE}", BEFORE[:-3] + "CET"])
    def test_invalid_date_is_ignored(self, attempt, method, path, get, date):
        assert attempt(method, path, If_Unmodified_Since=date) < 300

    def test_if_modified_since_and_range_are_of_get_only(self, attempt, method, path, get):
        assert attempt(method, path, If_Modified_Since=AFTER, Range="bytes=0-1") < 300

    def test_change_without_preconditions_does_not_pay_for_them(self, engine, method, path, get):
        for headers, mode in [
            ({}, "write"),
            ({"If-Modified-Since": AFTER}, "write"),
            ({"If-Match": "*"}, "repeatable_read"),
        ]:
            engine.database.modes.clear()
            engine.send(method, path, headers=headers)
            assert engine.database.modes == [mode]


@pytest.mark.parametrize(("method", "path", "get"), DATED)
@pytest.mark.parametrize(
    ("date", "is_unmodified"),
    [(AFTER, True), (BEFORE, False), ("Saturday, 21-Nov-26 09:29:59 GMT", False), ("Sat Nov 21 09:29:59 2026", False),
     (SAME_SECOND, False)],
)  # fmt: skip
def test_if_unmodified_since_compares_the_exact_time_of_the_change(attempt, method, path, get, date, is_unmodified):
    """Two changes in one second have the same date, so that it does not tell them apart (section 8.8.2.2)."""
    assert (attempt(method, path, If_Unmodified_Since=date) < 300) == is_unmodified


def test_resource_without_a_date_ignores_if_unmodified_since(attempt):
    """Section 13.1.4. A list has no date of its last change."""
    assert attempt("POST", "/notes", If_Unmodified_Since=BEFORE) == 201


class TestMissing:
    """What does not exist matches no tag, not even `*` (section 13.1.1)."""

    @pytest.mark.parametrize("path", ["/notes/7", "/notes/2/scan"])
    def test_if_none_match_creates_once(self, attempt, path):
        assert [attempt("PUT", path, If_None_Match="*") for _ in "ab"] in ([200, 412], [204, 412])

    @pytest.mark.parametrize("path", ["/notes/7", "/notes/2/scan"])
    @pytest.mark.parametrize("form", ["*", '"abc"'])
    def test_if_match_does_not_create(self, attempt, path, form):
        assert attempt("PUT", path, If_Match=form) == 412

    @pytest.mark.parametrize(
        ("method", "path"), [("PATCH", "/notes/7"), ("DELETE", "/notes/7"), ("PUT", "/notes/7/scan")]
    )
    def test_response_that_is_an_error_anyway_precedes_the_412(self, engine, method, path):
        """Section 13.2.1."""
        assert engine.send(method, path, headers={"If-Match": "*"}).status == 404


@pytest.mark.parametrize("method", ["GET", "HEAD"])
class TestReads:
    @pytest.mark.parametrize("path", ["/notes", "/notes/1", "/notes/1/scan"])
    def test_if_match_is_evaluated(self, engine, method, path):
        tag = engine.get(path).header("etag")
        for form, status in {tag: 200, "*": 200, f"W/{tag}": 200, '"other"': 412}.items():
            assert engine.send(method, path, headers={"If-Match": form}).status == status

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"If-Unmodified-Since": AFTER}, 200),
            ({"If-Unmodified-Since": SAME_SECOND}, 412),
            ({"If-Unmodified-Since": "yesterday"}, 200),
            ({"If-Match": '"abc"', "If-Unmodified-Since": BEFORE}, 200),
            ({"If-Match": '"abc"', "If-None-Match": '"abc"'}, 304),
            ({"If-Match": '"other"', "If-None-Match": '"abc"'}, 412),
            ({"If-Unmodified-Since": BEFORE, "If-None-Match": '"abc"'}, 412),
            ({"If-Modified-Since": AFTER}, 304),
            ({"If-Modified-Since": SAME_SECOND}, 200),
            ({"If-Modified-Since": AFTER, "If-None-Match": '"other"'}, 200),
            ({"If-Modified-Since": BEFORE, "If-None-Match": '"abc"'}, 304),
        ],
    )
    def test_preconditions_are_evaluated_in_their_order(self, engine, method, headers, status):
        assert engine.send(method, "/notes/1/scan", headers=headers).status == status

    def test_date_of_json_never_makes_a_304(self, engine, method):
        """JSON shows other rows as well, whose changes its date does not tell."""
        assert engine.send(method, "/notes/1", headers={"If-Modified-Since": AFTER}).status == 200

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"If-Match": '"abc"'}, 206),
            ({"If-Match": "*"}, 206),
            ({"If-Match": '"other"'}, 412),
            ({"If-Match": 'W/"abc"'}, 412),
            ({"If-Unmodified-Since": AFTER}, 206),
            ({"If-Unmodified-Since": BEFORE}, 412),
            ({"If-Range": AFTER}, 206),
            ({"If-Range": SAME_SECOND}, 200),
            ({"If-Range": "Sat, 21 Nov 2026 09:30:02 GMT"}, 200),
            ({"If-Range": "yesterday"}, 200),
        ],
    )
    def test_range_comes_after_the_preconditions_and_is_of_get_only(self, engine, method, headers, status):
        """Section 14.2. A range needs a strong comparison, because its bytes are put together with others."""
        answer = engine.send(method, "/notes/1/scan", headers={"Range": "bytes=0-9", **headers})
        assert answer.status == (200 if (method, status) == ("HEAD", 206) else status)


@pytest.mark.parametrize("updated_at", ["yesterday", CHANGED_AT.replace(tzinfo=None), 5])
def test_property_that_is_no_time_is_no_date(updated_at):
    """The precondition is then ignored (RFC 9110, section 13.1.4)."""
    document = """
    paths:
      /t:
        get:
          operationId: get_t
          responses:
            '200': {description: T., headers: {ETag: {schema: {}}}, content: {application/json: {schema: {}}}}
        put: {operationId: replace_t, responses: {'204': {description: Done.}}}
    """
    engine = start(document, {"get_t": lambda: {"updated_at": updated_at}, "replace_t": lambda session: None})
    headers = {"If-Unmodified-Since": BEFORE}
    assert [engine.send(method, "/t", headers=headers).status for method in ("GET", "PUT")] == [200, 204]


def test_published_document_is_compared_as_well(engine):
    tag = engine.get("/openapi.json").header("etag")
    assert [engine.get("/openapi.json", {"If-Match": form}).status for form in (tag, '"other"')] == [200, 412]


@pytest.mark.parametrize("age", [0, 0.3, 1, 1.7, 5, 86_400])
def test_date_is_sent_only_when_it_tells_the_content_from_every_other(age):
    """Until the second of a change is over, the date is earlier than the change, so that no precondition matches."""
    now = datetime.now(UTC)
    changed_at = now - timedelta(seconds=age)
    date = last_modified(changed_at)
    assert date < now
    assert date >= changed_at or age < 2
    assert date.microsecond == 0
    assert date < changed_at or date - changed_at < timedelta(seconds=1)
