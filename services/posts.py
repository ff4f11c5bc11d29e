"""What is announced."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, or_, select
from sqlalchemy.orm import Session

from accord.errors import NotFound
from accord.identity import accounts, users
from accord.identity.access_tokens import Caller
from accord.identity.callers import visible_owner
from db.columns import utc_now
from db.list_query import ListQuery, contains, filter_values, search_patterns
from db.models import Post, User
from db.pagination import CursorSigner, Page
from db.prepared import prepare
from db.text import casefold

_NOBODY = UUID(int=0)
_drafts_of = bindparam("drafts_of", type_=User.id.type)
_VISIBLE = and_(
    Post.deleted_at.is_(None),
    Post.author_id.not_in(select(User.id).where(User.deleted_at.is_not(None)).correlate(None)),
    or_(Post.published, Post.author_id == _drafts_of, _drafts_of.is_(None)),
)
"""Whether a viewer sees a post: every way to posts has this condition, bound to what `_seen_by` says of the viewer."""


def _visibility(viewer: Caller | None) -> dict[str, UUID | None]:
    """Whose drafts the viewer sees beside what is published; None for everybody's."""
    return {"drafts_of": visible_owner(viewer, "posts:all") if viewer else _NOBODY}


def _select_post(post: Any, *more: Any) -> Select[*tuple[Any, ...]]:
    own = [post.id, post.title, post.published, post.created_at, post.updated_at, *more]
    author = [User.id.label("author__id"), User.username.label("author__username")]
    return select(*own, *author).join(User, User.id == post.author_id)


_POST = prepare(_select_post(Post, Post.content).where(Post.id == bindparam("id"), _VISIBLE))
_FILTERS = {
    "drafts_of": lambda _: _VISIBLE,
    "published": Post.published,
    "author": Post.author_id,
    "word": contains(Post.search),
}
_POSTS = ListQuery(Post, _select_post, _FILTERS)


def find(
    session: Session, cursors: CursorSigner, viewer: Caller | None, *,
    page: int, per_page: int, cursor: str | None, q: str | None, **filters: Any,
) -> Page:  # fmt: skip
    """Return a page of the posts that *viewer* sees and that fit all filters."""
    values = filter_values(word=search_patterns(q), **filters) | _visibility(viewer)
    return _POSTS.find(session, cursors, values, {**filters, "q": q}, page=page, per_page=per_page, cursor=cursor)


def find_of_user(session: Session, cursors: CursorSigner, viewer: Caller | None, user_id: UUID, **asked: Any) -> Page:
    """As `find` does, of one author; raises NotFound if there is no such user."""
    users.get(session, None, user_id)
    return find(session, cursors, viewer, author=user_id, **asked)


def get(session: Session, viewer: Caller | None, post_id: UUID) -> dict[str, Any]:
    post = _POST.first(session, id=post_id, **_visibility(viewer))
    if post is None:
        raise NotFound("There is no post with this id.")
    return post


def create(session: Session, author_id: UUID, *, title: str, content: str, published: bool) -> Post:
    post = Post(author=accounts.get(session, author_id), title=title, content=content, published=published)
    post.search = _search(post)
    session.add(post)
    session.flush()
    return post


def update(session: Session, writer: Caller, post_id: UUID, **changes: Any) -> Post:
    post = _load_writable(session, writer, post_id)
    for name, value in changes.items():
        setattr(post, name, value)
    post.search = _search(post)
    session.flush()
    return post


def delete(session: Session, writer: Caller, post_id: UUID) -> None:
    _load_writable(session, writer, post_id).deleted_at = utc_now()
    session.flush()


def restore(session: Session, post_id: UUID) -> Post:
    post = session.get(Post, post_id)
    if post is None or post.deleted_at is None or post.author.deleted_at:
        raise NotFound("There is no deleted post with this id.")
    post.deleted_at = None
    session.flush()
    return post


def _load_writable(session: Session, writer: Caller, post_id: UUID) -> Post:
    """Return the post if the writer sees it, and it is theirs or they write everybody's."""
    post = session.scalars(select(Post).where(Post.id == post_id, _VISIBLE), _visibility(writer)).one_or_none()
    if post is None or visible_owner(writer, "posts:all") not in (None, post.author_id):
        raise NotFound("There is no post with this id.")
    return post


def _search(post: Post) -> str:
    return casefold(f"{post.title}\n{post.content}")
