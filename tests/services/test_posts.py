"""Who sees which posts, whatever was done to them."""

from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from accord.errors import NotFound, Unauthenticated
from accord.identity.callers import Caller
from db.columns import utc_now
from db.models import Post, User
from db.pagination import CursorSigner
from services import posts
from tests.support.examples import examples

CURSORS = CursorSigner(lambda: b"a secret of this test")
ACTIONS = ("create", "draft", "publish", "unpublish", "rename", "delete", "restore", "close", "reopen")
ACTS = st.tuples(st.sampled_from(ACTIONS), st.integers(0, 4), st.sampled_from(("author", "other", "admin")))


@dataclass
class Known:
    """What the model knows of a post; its title is one word that no other has."""

    id: UUID
    title: str
    published: bool
    deleted: bool = False


class Model:
    """The author's posts as they ought to be, oldest first, and everybody who looks at them."""

    def __init__(self, service):
        self.service = service
        self.posts = []
        self.is_closed = False
        self.callers = {
            who: Caller(service.register().id, uuid4(), "", frozenset({"posts", *more}))
            for who, more in (("author", ()), ("other", ()), ("admin", ("posts:all",)))
        }
        self.callers["anonymous"] = None
        service(lambda session: session.execute(delete(Post)))

    def act(self, action, number, who):
        match action:
            case "create" | "draft":
                self.create(action == "create")
            case "close" | "reopen":
                self.close(action == "close")
            case _ if self.posts:
                self.change(self.posts[number % len(self.posts)], action, who)

    def create(self, published):
        word = f"t{uuid4().hex}"
        told = {"title": word, "content": "Nothing.", "published": published}
        if self.is_closed:
            with pytest.raises(Unauthenticated):
                self.service(posts.create, self.callers["author"].id, **told)
        else:
            made = self.service(posts.create, self.callers["author"].id, **told)
            self.posts.append(Known(made.id, word, published))

    def close(self, is_closed):
        def close(session):
            session.get(User, self.callers["author"].id).deleted_at = utc_now() if is_closed else None

        self.service(close)
        self.is_closed = is_closed

    def change(self, known, action, who):
        writer, word = self.callers[who], f"t{uuid4().hex}"
        function, arguments, changes, is_allowed = {
            "publish": (posts.update, (writer, known.id), {"published": True}, not known.deleted),
            "unpublish": (posts.update, (writer, known.id), {"published": False}, not known.deleted),
            "rename": (posts.update, (writer, known.id), {"title": word}, not known.deleted),
            "delete": (posts.delete, (writer, known.id), {}, not known.deleted),
            "restore": (posts.restore, (known.id,), {}, known.deleted),
        }[action]
        if not is_allowed or self.is_closed or (who == "other" and action != "restore"):
            with pytest.raises(NotFound):
                self.service(function, *arguments, **changes)
            return
        self.service(function, *arguments, **changes)
        known.deleted = action == "delete"
        for member, value in changes.items():
            setattr(known, member, value)

    def seen_by(self, who):
        """The posts that somebody ought to see, newest first."""
        sees_drafts = who in ("author", "admin")
        there = [known for known in self.posts if not known.deleted and not self.is_closed]
        return [known for known in reversed(there) if known.published or sees_drafts]

    def check(self, who):
        """Look through every door."""
        viewer, seen = self.callers[who], self.seen_by(who)
        assert self.listed(posts.find, viewer, author=None) == [known.id for known in seen]
        assert self.listed(posts.find, viewer, author=self.callers["author"].id) == [known.id for known in seen]
        if self.is_closed:
            with pytest.raises(NotFound):
                self.listed(posts.find_of_user, viewer, self.callers["author"].id)
        else:
            assert self.listed(posts.find_of_user, viewer, self.callers["author"].id) == [known.id for known in seen]
        for published in (True, False):
            fitting = [known.id for known in seen if known.published is published]
            assert self.listed(posts.find, viewer, author=None, published=published) == fitting
        for known in self.posts:
            is_seen = known in seen
            found = self.listed(posts.find, viewer, author=None, q=known.title.upper())
            assert found == [known.id] * is_seen
            if is_seen:
                assert self.service(posts.get, viewer, known.id)["title"] == known.title
            else:
                with pytest.raises(NotFound):
                    self.service(posts.get, viewer, known.id)

    def listed(self, function, *arguments, published=None, q=None, **filters):
        """The ids of a list, by page numbers, which must be those by cursor."""
        asked = {"per_page": 2, "published": published, "q": q, **filters}

        def page(**where):
            return self.service(function, CURSORS, *arguments, **{"page": 1, "cursor": None, **where, **asked})

        first = page()
        pages = [first, *(page(page=number) for number in range(2, first["pages"] + 1))]
        by_number = [_id(item) for shown in pages for item in shown["items"]]
        assert {shown["total"] for shown in pages} == {len(by_number)}
        by_cursor, cursor = [], "*"
        while cursor:
            shown = page(cursor=cursor)
            by_cursor += [_id(item) for item in shown["items"]]
            cursor = shown["next_cursor"]
        assert by_cursor == by_number
        return by_number


def _id(item):
    return UUID(str(item["id"]))


@settings(max_examples=examples(8), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(acts=st.lists(ACTS, min_size=3, max_size=12))
def test_everybody_sees_what_is_theirs_to_see(service, acts):
    model = Model(service)
    for action, number, who in acts:
        model.act(action, number, who)
        for viewer in model.callers:
            model.check(viewer)
