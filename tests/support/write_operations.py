"""How the operations that write succeed: by their examples, with what no example can know filled in."""

from functools import partial
from uuid import uuid4

from tests.support.operations import OPERATIONS, at, template_of
from tests.support.pictures import drawn

FRESH = {
    "sku": lambda: f"W-{uuid4().hex[:20].upper()}",
    "name": lambda: f"Written {uuid4().hex}",
    "title": lambda: f"Written {uuid4().hex}",
    "username": lambda: f"w{uuid4().hex[:16]}",
    "email": lambda: f"{uuid4().hex}@written.example",
    "phone": lambda: f"+91{uuid4().int % 10**10:010}",
    "password": lambda: f"canary {uuid4()}",
    "new_password": lambda: f"canary {uuid4()}",
}
"""Members whose values must not have been there before."""


def as_somebody_new(write, person=None):
    return {"role": None, "headers": {"Authorization": f"Bearer {write.logged_in(person)['access_token']}"}}


def with_their_password(write):
    person = write.person()
    body = {"current_password": person["password"], "new_password": FRESH["new_password"]()}
    return {**as_somebody_new(write, person), "json": body}


def about_their_session(write):
    sent, listing = as_somebody_new(write), _named("list_sessions")
    (session,) = write.ask(listing, path=listing.path, **sent).json()["items"]
    return {**sent, "path": _named("revoke_session").path.replace("{session_id}", session["id"])}


RECIPES = {
    "log_in": lambda write: {"json": write.person()},
    "refresh_tokens": lambda write: {"json": {"refresh_token": write.logged_in()["refresh_token"]}},
    "log_out": as_somebody_new,
    "log_out_all_sessions": as_somebody_new,
    "update_me": as_somebody_new,
    "change_password": with_their_password,
    "revoke_session": about_their_session,
    "update_user": lambda write: write.by_example(_named("update_user")) | {"json": {"name": FRESH["name"]()}},
    "create_product": lambda write: {
        "json": write.filled(_named("create_product").body) | {"stock": 1000, "tags": ["Written"]}
    },
}
"""What is sent where the example and what can be made for it do not do."""


class Writer:
    """Has operations succeed, each time about something made for it: `write(operation)` is the answer."""

    def __init__(self, ask, known):
        self.ask, self.known = ask, known

    def prepare(self, operation):
        """What is sent to have the operation succeed, about something made for it."""
        recipe = RECIPES.get(operation.id)
        sent = recipe(self) if recipe else self.by_example(operation)
        if operation.body is not None:
            sent.setdefault("json", self.filled(operation.body))
        elif operation.form:
            sent.setdefault("files", dict.fromkeys(operation.form["files"], ("picture.png", drawn(), "image/png")))
        headers = sent.pop("headers", {})
        if "Idempotency-Key" in operation.names("header"):
            headers["Idempotency-Key"] = str(uuid4())
        return {"path": operation.path, **sent, "headers": headers}

    def __call__(self, operation, **options):
        sent = self.prepare(operation)
        headers = {**sent.pop("headers"), **options.pop("headers", {})}
        answer = self.ask(operation, headers=headers, **{**sent, **options})
        assert answer.status_code < 300, (
            f"{operation.id} is to succeed, but {answer.text}. Say in tests/support/write_operations.py what it takes."
        )
        return answer

    def by_example(self, operation):
        """The path, about something new that is as the operation wants it."""
        path = self.made(operation.path)
        if (upload := at("PUT", operation.path)) and upload.form:
            self.ask(upload, path=path)  # There is one, which is to be replaced or deleted.
        sent = {"path": path, "headers": {}}
        if operation.path.endswith("/restoration"):
            self.ask(at("DELETE", operation.path.removesuffix("/restoration")), path=path.removesuffix("/restoration"))
        if "If-Match" in operation.names("header"):
            sent["headers"]["If-Match"] = self.tag(operation.path, path)
        if "id" in operation.names("query"):
            items = operation.path.removesuffix("/batch")
            thing = next(o.path for o in OPERATIONS if o.path.rpartition("/{")[0] == items and o.path.endswith("}"))
            made = [self.made(thing) for _ in range(2)]
            sent["params"] = {"id": [where.rpartition("/")[2] for where in made]}
        return sent

    def made(self, path):
        """The path, about things that are made for it, or are known where none can be."""
        before, brace, after = path.rpartition("/{")
        if not brace:
            return path
        name, _, rest = after.partition("}")
        if creation := at("POST", before):
            return self(creation).headers["Location"] + rest
        return self.known(at("GET", f"{before}/{{{name}}}")) + rest

    def filled(self, body):
        """The body with fresh values, and about things that are there."""
        match body:
            case dict():
                return {name: self.member(name, value) for name, value in body.items()}
            case list():
                return [self.filled(item) for item in body]
        return body

    def member(self, name, value):
        thing = _meant_by(name)
        if thing:
            return self.made(thing).rpartition("/")[2]
        return FRESH[name]() if name in FRESH else self.filled(value)

    def tag(self, template, path):
        """The entity tag of what the path is about, or of what it is a part of."""
        while not (get := at("GET", template)):
            template, path = template.rpartition("/")[0], path.rpartition("/")[0]
        return self.ask(get, path=path).headers["ETag"]

    def person(self):
        """Name and password of somebody who has just registered."""
        registration = _named("register_user")
        form = self.filled(registration.body)
        self(registration, json=form)
        return {name: form[name] for name in ("username", "password")}

    def logged_in(self, person=None):
        return self(_named("log_in"), json=person or self.person()).json()


class Somebody(Writer):
    """A customer who has just registered and who writes; what their scopes do not reach, the admin does for them."""

    def __init__(self, ask, known):
        super().__init__(partial(self.asked, ask), known)
        admin, registration = Writer(ask, known), _named("register_user")
        form = admin.filled(registration.body)
        self.home = admin(registration, json=form).headers["Location"]
        self.login = {name: form[name] for name in ("username", "password")}
        self.token = admin.logged_in(self.login)["access_token"]

    def asked(self, ask, operation, **options):
        if operation.reaches("customer"):
            headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
            options = {"role": None, **options, "headers": headers}
        return ask(operation, **options)

    def made(self, path):
        return super().made(path.replace(template_of(self.home), self.home))

    def member(self, name, value):
        get = at("GET", _meant_by(name))
        # Nobody can name what they may not see.
        return None if get and not get.reaches("customer") else super().member(name, value)


def _meant_by(name):
    """The path of what a member of this name identifies, if it does."""
    return next((o.path for o in OPERATIONS if o.path.endswith(f"/{{{name}}}")), None)


def _named(name):
    return next(operation for operation in OPERATIONS if operation.id == name)
