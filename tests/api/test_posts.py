"""What is announced, as its authors, its readers and those whom it does not concern meet it."""

from uuid import uuid4

import pytest

POSTS = "/api/v1/posts"
WRITES = [
    ("PUT", {"title": "Mine now", "content": "Mine.", "published": True}),
    ("PATCH", {"published": True}),
    ("DELETE", None),
]
OTHERS = ["anonymous", "customer", "manager"]


@pytest.fixture
def author(stranger):
    """Somebody who has no other posts; `id` is theirs."""
    stranger.id = stranger.get("/api/v1/auth/me").json()["id"]
    return stranger


@pytest.fixture
def make(author):
    def make(**members):
        body = {"title": "Open till nine", "content": "From Monday on.", "published": True}
        answer = author.post(POSTS, json=body | members)
        assert answer.status_code == 201, answer.text
        return answer

    return make


@pytest.fixture
def titles(author):
    def titles(client, **params):
        page = client.get(POSTS, params={"author": author.id} | params).json()
        assert page["total"] == len(page["items"])
        return [item["title"] for item in page["items"]]

    return titles


def test_created_post_is_a_draft_of_the_caller(author):
    created = author.post(POSTS, json={"title": "Open till nine", "content": "From Monday on."})
    post = created.json()
    assert (post["published"], post["author"]["id"], post["content"]) == (False, author.id, "From Monday on.")
    read = author.get(created.headers["Location"])
    assert (read.json(), read.headers["ETag"]) == (post, created.headers["ETag"])


@pytest.mark.parametrize("member", ["author", "author_id", "id", "deleted_at"])
def test_nobody_says_whose_a_post_is(author, member):
    body = {"title": "Open till nine", "content": "From Monday on.", member: str(uuid4())}
    assert author.post(POSTS, json=body, undeclared=True).status_code == 422


def test_lists_leave_the_content_out(make, author, anonymous):
    make(content="x" * 50_000)
    for listed in (POSTS, f"/api/v1/users/{author.id}/posts"):
        item = anonymous.get(listed, params={"q": "till"}).json()["items"][0]
        assert "content" not in item
        assert anonymous.get(item["_links"]["self"]["href"]).json()["content"] == "x" * 50_000


def test_content_has_its_bounds_in_characters(make, author):
    assert len(make(content="\N{TELEVISION}" * 50_000).json()["content"]) == 50_000
    body = {"title": "Open till nine", "content": "x" * 50_001}
    assert author.post(POSTS, json=body, undeclared=True).status_code == 422


def test_repeat_with_key_creates_once_for_each_author(author, customer):
    key, body = {"Idempotency-Key": str(uuid4())}, {"title": "Open till nine", "content": "From Monday on."}
    answers = [client.post(POSTS, json=body, headers=key) for client in (author, author, customer)]
    locations = [answer.headers["Location"] for answer in answers]
    assert locations[0] == locations[1] != locations[2]
    assert "Idempotency-Replayed" not in answers[2].headers
    assert customer.get(locations[0]).status_code == 404


@pytest.mark.parametrize("other", OTHERS)
def test_draft_leaks_through_no_door(make, author, request, other):
    reader, word = request.getfixturevalue(other), uuid4().hex
    make()
    draft = make(title=f"Secret {word}", content=f"Not yet: {word}.", published=False)
    where, draft_id = draft.headers["Location"], draft.json()["id"]
    nested = f"/api/v1/users/{author.id}/posts"
    assert [reader.request(method, where).status_code for method in ("GET", "HEAD")] == [404, 404]
    for tag in (draft.headers["ETag"], "*"):
        assert reader.get(where, headers={"If-None-Match": tag}).status_code == 404
    for params in ({"author": author.id}, {"author": author.id, "cursor": "*"}, {"q": word}, {"published": "false"}):
        page = reader.get(POSTS, params=params).json()
        assert draft_id not in [item["id"] for item in page["items"]]
    assert reader.get(POSTS, params={"author": author.id}).json()["total"] == 1
    assert reader.get(POSTS, params={"author": author.id, "published": "false"}).json()["total"] == 0
    assert reader.get(POSTS, params={"q": word}).json()["total"] == 0
    assert reader.get(nested).json()["total"] == 1
    assert reader.get(nested, params={"published": "false"}).json()["items"] == []
    tags = [reader.get(listed, params={"author": author.id} if listed == POSTS else {}).headers["ETag"]
            for listed in (POSTS, nested)]  # fmt: skip
    author.patch(where, json={"content": "Still not."})
    author.delete(where)
    assert tags == [
        reader.get(listed, params={"author": author.id} if listed == POSTS else {}).headers["ETag"]
        for listed in (POSTS, nested)
    ]


def test_draft_is_there_for_its_author_and_admins(make, author, admin, titles):
    draft = make(title="Secret", published=False)
    where = draft.headers["Location"]
    for client in (author, admin):
        assert client.get(where).json() == draft.json()
        assert titles(client) == titles(client, published="false") == ["Secret"]
        assert client.get(f"/api/v1/users/{author.id}/posts").json()["total"] == 1
    assert admin.patch(where, json={"published": True}).json()["author"]["id"] == author.id


@pytest.mark.parametrize("other", OTHERS)
def test_tag_of_a_post_is_of_no_use_once_it_is_unpublished(make, author, request, other):
    reader, where = request.getfixturevalue(other), make().headers["Location"]
    known = {"If-None-Match": reader.get(where).headers["ETag"]}
    assert reader.get(where, headers=known).status_code == 304
    author.patch(where, json={"published": False})
    assert reader.get(where, headers=known).status_code == 404
    assert reader.head(where, headers=known).status_code == 404
    author.patch(where, json={"published": True})
    assert reader.get(where).status_code == 200


@pytest.mark.parametrize("is_public", [True, False])
@pytest.mark.parametrize("other", ["customer", "manager"])
def test_post_of_somebody_else_is_not_there_to_be_written(make, author, request, other, is_public):
    writer, created = request.getfixturevalue(other), make(published=is_public)
    where = created.headers["Location"]
    for conditions in ({}, {"If-Match": "*"}):
        for method, body in WRITES:
            options = {} if body is None else {"json": body}
            assert writer.request(method, where, headers=conditions, **options).status_code == 404
    assert writer.post(f"{where}/restoration").status_code == 403
    assert author.get(where).json() == created.json()


def test_nobody_writes(make, anonymous):
    where = make().headers["Location"]
    for method, body in WRITES:
        options = {} if body is None else {"json": body}
        assert anonymous.request(method, where, **options).status_code == 401


def test_replacing_without_published_makes_it_a_draft(make, author, anonymous):
    created = make()
    where, tag = created.headers["Location"], {"If-Match": created.headers["ETag"]}
    replaced = author.put(where, json={"title": "Open till ten", "content": "From Tuesday on."}, headers=tag)
    assert (replaced.json()["title"], replaced.json()["published"]) == ("Open till ten", False)
    assert author.put(where, json={"title": "Closed", "content": "Sorry."}, headers=tag).status_code == 412
    assert anonymous.get(where).status_code == 404


@pytest.mark.parametrize("patch", [{}, {"content": None}, {"published": None}, {"title": "Four"}, {"author": "me"}])
def test_patch_that_is_none_is_refused(make, author, patch):
    created = make()
    assert author.patch(created.headers["Location"], json=patch, undeclared=True).status_code == 422
    assert author.get(created.headers["Location"]).json() == created.json()


@pytest.mark.parametrize("is_public", [True, False])
def test_deleted_post_vanishes_and_comes_back_as_it_was(make, author, admin, anonymous, titles, is_public):
    created = make(published=is_public)
    where = created.headers["Location"]
    assert admin.post(f"{where}/restoration").status_code == 404
    assert [author.delete(where).status_code for _ in range(2)] == [204, 404]
    for client in (anonymous, author, admin):
        assert client.get(where, headers={"If-None-Match": created.headers["ETag"]}).status_code == 404
        assert titles(client) == []
    assert author.patch(where, json={"published": True}).status_code == 404
    restored = admin.post(f"{where}/restoration")
    assert (restored.status_code, restored.json()["published"]) == (200, is_public)
    assert author.get(where).status_code == 200
    assert anonymous.get(where).status_code == (200 if is_public else 404)


def test_posts_of_a_deleted_user_are_gone_until_the_user_is_back(make, author, admin, anonymous, titles):
    where, user = make().headers["Location"], f"/api/v1/users/{author.id}"
    tag = anonymous.get(where).headers["ETag"]
    assert admin.delete(user).status_code == 204
    for client in (anonymous, admin):
        assert client.get(where, headers={"If-None-Match": tag}).status_code == 404
        assert client.get(f"{user}/posts").status_code == 404
        assert titles(client) == []
    assert admin.patch(where, json={"published": False}).status_code == 404
    assert admin.post(f"{user}/restoration").status_code == 200
    assert anonymous.get(f"{user}/posts").json()["total"] == 1
    assert anonymous.get(where).headers["ETag"] == tag


def test_search_finds_words_in_any_case_and_literally(make, anonymous, titles):
    make(title="Der Löwe ist los", content="In der STRASSE.")
    make(title="100% Baumwolle", content="Maus_2 schläft.")
    assert titles(anonymous, q="LÖWE") == ["Der Löwe ist los"]
    assert titles(anonymous, q="straße löwe") == ["Der Löwe ist los"]
    assert titles(anonymous, q="0%") == ["100% Baumwolle"]
    assert titles(anonymous, q="s_2") == ["100% Baumwolle"]
    assert titles(anonymous, q="löwe baumwolle") == titles(anonymous, q="1%e") == titles(anonymous, q="\\") == []


def test_search_knows_what_a_post_says_now(make, author, titles):
    where = make(title="Der Löwe ist los").headers["Location"]
    author.patch(where, json={"content": "Entwarnung."})
    assert titles(author, q="LÖWE entwarnung") == ["Der Löwe ist los"]
    author.put(where, json={"title": "Alles ruhig", "content": "Wirklich."})
    assert (titles(author, q="löwe"), titles(author, q="entwarnung")) == ([], [])


def test_filters_hold_together(make, author, anonymous, titles):
    make(title="First")
    make(title="Draft", published=False)
    make(title="Second")
    assert titles(author) == ["Second", "Draft", "First"]
    assert titles(author, published="true") == titles(anonymous) == ["Second", "First"]
    assert titles(author, published="false") == ["Draft"]
    assert titles(anonymous, published="false") == []
    assert titles(author, author=str(uuid4())) == []


def test_posts_of_a_user_lead_from_page_to_page(make, author, anonymous):
    made = [make().json()["id"] for _ in range(5)]
    path = f"/api/v1/users/{author.id}/posts"
    for asked in ({"per_page": 2}, {"per_page": 2, "cursor": "*"}):
        page, seen = anonymous.get(path, params=asked | {"q": "monday", "published": "true"}).json(), []
        while True:
            seen += [item["id"] for item in page["items"]]
            assert anonymous.get(page["_links"]["self"]["href"]).json() == page
            if "next" not in page["_links"]:
                break
            assert page["_links"]["next"]["href"].startswith(path)
            page = anonymous.get(page["_links"]["next"]["href"]).json()
        assert seen == made[::-1]
    assert anonymous.get(f"/api/v1/users/{uuid4()}/posts").status_code == 404


def test_post_leads_to_the_others_of_its_author(make, author, anonymous):
    post = make().json()
    make(title="Another")
    others = anonymous.get(post["_links"]["author_posts"]["href"]).json()
    assert {item["author"]["id"] for item in others["items"]} == {author.id}
    assert others["total"] == 2


def test_pages_by_cursor_show_every_post_once_while_others_are_added(make, author, anonymous):
    first = [make().json()["id"] for _ in range(5)]
    page, seen = anonymous.get(POSTS, params={"author": author.id, "per_page": 2, "cursor": "*"}).json(), []
    while True:
        seen += [item["id"] for item in page["items"]]
        make()
        if "next" not in page["_links"]:
            break
        page = anonymous.get(page["_links"]["next"]["href"]).json()
    assert seen == first[::-1]
