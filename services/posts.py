"""Posts. A viewer sees published posts, and own drafts or all drafts."""

from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, bindparam, or_, select, true
from sqlalchemy.orm import Session

from accord.errors import require
from accord.identity import accounts, users
from accord.identity.callers import EVERYONE, Caller, owned_by, visible_owner
from db.columns import utc_now
from db.list_query import ListQuery, contains, filter_values, search_patterns
from db.models import Post, User
from db.pagination import CursorSigner, Page
from db.prepared import prepare
from db.rows import assign, load_deleted
from db.text import casefold

_NO_USER_ID = UUID(int=0)
_drafts_of = bindparam("drafts_of", type_=User.id.type)
_all_drafts = bindparam("all_drafts", type_=Post.published.type)
_VISIBLE = and_(
    Post.deleted_at.is_(None),
    Post.author_id.not_in(select(User.id).where(User.deleted_at.is_not(None)).correlate(None)),
    or_(Post.published, Post.author_id == _drafts_of, _all_drafts),
)
"""The condition that a viewer sees a post, in every query of posts. Its parameters come from `_visibility`."""


def _visibility(viewer: Caller | None) -> dict[str, UUID | bool]:
    """Return the parameters of `_VISIBLE`: the owner of the drafts that the viewer sees, or all drafts."""
    owner = visible_owner(viewer, "posts:all") if viewer else _NO_USER_ID
    return {"drafts_of": _NO_USER_ID if owner is EVERYONE else owner, "all_drafts": owner is EVERYONE}


def _select_post(post: Any, *more: Any) -> Select[*tuple[Any, ...]]:
    columns = [post.id, post.title, post.published, post.created_at, post.updated_at, *more]
    author_columns = [User.id.label("author__id"), User.username.label("author__username")]
    return select(*columns, *author_columns).join(User, User.id == post.author_id)


_POST = prepare(_select_post(Post, Post.content).where(Post.id == bindparam("id"), _VISIBLE))
_FILTERS = {
    "drafts_of": lambda _: _VISIBLE,
    "all_drafts": lambda _: true(),
    "published": Post.published,
    "author": Post.author_id,
    "word": contains(Post.search),
}
_POSTS = ListQuery(Post, _select_post, _FILTERS)


def find(
    session: Session,
    cursors: CursorSigner,
    viewer: Caller | None,
    *,
    page: int,
    per_page: int,
    cursor: str | None,
    q: str | None,
    **filters: Any,
) -> Page:
    """Return a page of the posts that *viewer*, None if anonymous, sees and that match all filters."""
    values = filter_values(word=search_patterns(q), **filters) | _visibility(viewer)
    return _POSTS.find(session, cursors, values, {**filters, "q": q}, page=page, per_page=per_page, cursor=cursor)


def find_of_user(session: Session, cursors: CursorSigner, viewer: Caller | None, user_id: UUID, **query: Any) -> Page:
    """Return a page of the posts of one author, as `find` does; raises NotFound if the user does not exist."""
    users.get(session, EVERYONE, user_id)
    return find(session, cursors, viewer, author=user_id, **query)


def get(session: Session, viewer: Caller | None, post_id: UUID) -> dict[str, Any]:
    """Return the post if *viewer* sees it; raises NotFound."""
    return require("post", _POST.first(session, id=post_id, **_visibility(viewer)))


def create(session: Session, author_id: UUID, *, title: str, content: str, published: bool) -> Post:
    """Create a post of the author; raises Unauthenticated if the account is closed."""
    post = Post(author=accounts.get(session, author_id), title=title, content=content, published=published)
    post.search = _search(post)
    session.add(post)
    session.flush()
    return post


def update(session: Session, writer: Caller, post_id: UUID, **changes: Any) -> Post:
    """Change members of the post; raises NotFound if *writer* may not."""
    post = _load_writable(session, writer, post_id)
    assign(post, changes)
    post.search = _search(post)
    session.flush()
    return post


def delete(session: Session, writer: Caller, post_id: UUID) -> None:
    """Delete the post, so that it can be restored; raises NotFound if *writer* may not."""
    _load_writable(session, writer, post_id).deleted_at = utc_now()
    session.flush()


def restore(session: Session, post_id: UUID) -> Post:
    """Restore the deleted post; raises NotFound, also if its author is deleted."""
    deleted = load_deleted(session, Post, post_id)
    post = require("deleted post", deleted if deleted and not deleted.author.deleted_at else None)
    post.deleted_at = None
    session.flush()
    return post


def _load_writable(session: Session, writer: Caller, post_id: UUID) -> Post:
    """Return the post if the writer sees it and may change it; raises NotFound."""
    post = session.scalars(select(Post).where(Post.id == post_id, _VISIBLE), _visibility(writer)).one_or_none()
    owner = visible_owner(writer, "posts:all")
    return require("post", post if post and owned_by(post.author_id, owner) else None)


def _search(post: Post) -> str:
    return casefold(f"{post.title}\n{post.content}")
