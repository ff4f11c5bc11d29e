"""Representations show where to go on, by the links of the contract."""

from datetime import UTC, datetime

import pytest

from accord.contract.errors import ContractError
from tests.support.engine import start

CONTRACT = """
servers: [{url: /api}]
paths:
  /things:
    get:
      operationId: list_things
      parameters:
        - {name: page, in: query, schema: {type: integer}}
        - {name: q, in: query, schema: {type: string}}
        - {name: tag, in: query, schema: {type: array, items: {type: string}}}
        - {name: sort, in: query, explode: false, schema: {type: array, items: {type: string}}}
        - {name: in_stock, in: query, schema: {type: boolean}}
        - {name: since, in: query, schema: {type: string, format: date-time}}
      responses:
        '200':
          description: A page.
          headers: {Link: {required: true, schema: {type: string}}}
          content: {application/json: {schema: {$ref: '#/components/schemas/Page'}}}
          links:
            self: {operationId: list_things, parameters: {query.tag: $response.body#/tag}}
            first: {operationId: list_things, parameters: {page: '1', q: a b&c}}
            next: {operationId: list_things, parameters: {page: $response.body#/next_page}}
            all: {operationId: list_things, parameters: {page: null}}
            create: {operationId: create_thing}
    post:
      operationId: create_thing
      requestBody: {required: true, content: {application/json: {schema: {}}}}
      responses:
        '201':
          description: It.
          headers: {Location: {required: true, schema: {type: string}}}
          content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}
          links: {self: {$ref: '#/components/links/ThingSelf'}}
  /things/{id}/of/{kind}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: string}}
      - {name: kind, in: path, required: true, schema: {type: string}}
    get:
      operationId: get_thing
      responses:
        '200':
          description: It.
          content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}
          links:
            self: {$ref: '#/components/links/ThingSelf'}
            owner: {operationId: get_thing, parameters: {path.id: $response.body#/owner/id, kind: owner}}
            parent: {operationId: get_thing, parameters: {id: $response.body#/parent, kind: thing}}
            twin: {operationId: get_thing, parameters: {id: $response.body#/twin, kind: thing}}
            delete: {operationId: delete_thing, parameters: {id: $response.body#/id, kind: $response.body#/kind}}
    delete: {operationId: delete_thing, responses: {'204': {description: Gone.}}}
components:
  links:
    ThingSelf: {operationId: get_thing, parameters: {id: $response.body#/id, kind: $response.body#/kind}}
  schemas:
    Thing:
      type: object
      required: [id, kind, owner, parent]
      properties:
        id: {type: string}
        kind: {type: string}
        owner: {type: object, required: [id], properties: {id: {type: string}}}
        parent: {type: [string, 'null']}
        twin: {type: string}
        _links: {type: object}
    Page:
      type: object
      required: [items, page, next_page]
      properties:
        items: {type: array, items: {$ref: '#/components/schemas/Thing'}}
        page: {type: integer}
        next_page: {type: [integer, 'null']}
        q: {type: string}
        tag: {type: array, items: {type: string}}
        sort: {type: array, items: {type: string}}
        in_stock: {type: boolean}
        since: {type: string, format: date-time}
        _links: {type: object}
"""
THING = {"id": "a", "kind": "k", "owner": {"id": "o"}, "parent": None}
PAGE = {"items": [], "page": 2, "next_page": 3}


def shown(thing=THING, page=PAGE):
    return start(
        CONTRACT,
        {
            "list_things": lambda page_=page, page=None, q=None, tag=None, sort=None, in_stock=None, since=None: page_,
            "create_thing": lambda body: thing,
            "get_thing": lambda id, kind: thing,  # noqa: A006
            "delete_thing": lambda id, kind: None,  # noqa: A006
        },
        dependencies={"page_": page},
    )


def links(reply):
    return {name: link["href"] for name, link in reply.json["_links"].items()}


def test_links_of_a_thing_lead_to_gets_only():
    assert links(shown().get("/api/things/a/of/k")) == {
        "self": "/api/things/a/of/k",
        "owner": "/api/things/o/of/owner",
    }


def test_link_whose_member_is_null_or_absent_is_left_out():
    thing = {**THING, "parent": "p", "twin": "t"}
    assert links(shown(thing).get("/api/things/a/of/k")) == {
        "self": "/api/things/a/of/k",
        "owner": "/api/things/o/of/owner",
        "parent": "/api/things/p/of/thing",
        "twin": "/api/things/t/of/thing",
    }


def test_location_of_what_was_created_is_its_self_link():
    assert (
        shown({**THING, "id": "é/?#"}).post("/api/things", {}).header("location") == "/api/things/%C3%A9%2F%3F%23/of/k"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [("a b", "a%20b"), ("%", "%25"), ("?&=#+", "%3F%26%3D%23%2B"), ("🧈", "%F0%9F%A7%88"), ('"<>', "%22%3C%3E")],
)
def test_odd_value_in_a_link_leads_back_to_itself(value, text):
    engine = shown({**THING, "id": value})
    href = links(engine.post("/api/things", {}))["self"]
    assert href == f"/api/things/{text}/of/k"
    assert engine.get(href).status == 200


def test_slash_in_a_link_is_encoded():
    assert links(shown({**THING, "id": "a/b"}).post("/api/things", {}))["self"] == "/api/things/a%2Fb/of/k"


def test_page_echoes_its_query_in_its_links():
    page = PAGE | {
        "q": "é &x",
        "tag": ["a,b", "c"],
        "sort": ["x", "-y"],
        "in_stock": True,
        "since": datetime(2026, 1, 1, tzinfo=UTC),
    }
    engine = shown(page=page)
    reply = engine.get("/api/things")
    rest = "tag=a%2Cb&tag=c&sort=x,-y&in_stock=true&since=2026-01-01T00%3A00%3A00Z"
    assert links(reply) == {
        "self": f"/api/things?page=2&q=%C3%A9%20%26x&{rest}",
        "first": f"/api/things?page=1&q=a%20b%26c&{rest}",
        "next": f"/api/things?page=3&q=%C3%A9%20%26x&{rest}",
        "all": f"/api/things?q=%C3%A9%20%26x&{rest}",
    }
    assert all(engine.get(href).status == 200 for href in links(reply).values())


def test_absent_parameter_is_left_out_of_the_query_and_a_null_one_takes_the_link_with_it():
    assert links(shown(page={**PAGE, "next_page": None}).get("/api/things")) == {
        "self": "/api/things?page=2",
        "first": "/api/things?page=1&q=a%20b%26c",
        "all": "/api/things",
    }


def test_links_of_a_page_are_web_links_too():
    assert shown().get("/api/things").header("link") == (
        '</api/things?page=2>; rel="self", </api/things?page=1&q=a%20b%26c>; rel="first", '
        '</api/things?page=3>; rel="next", </api/things>; rel="all"'
    )


def test_items_of_a_page_have_their_own_links():
    items = shown(page={**PAGE, "items": [THING]}).get("/api/things").json["items"]
    assert items[0]["_links"]["self"] == {"href": "/api/things/a/of/k"}


def test_empty_list_is_left_out_of_the_query():
    assert links(shown(page={**PAGE, "tag": [], "sort": []}).get("/api/things"))["self"] == "/api/things?page=2"


GUARDED = """
security: [{bearer: [read]}, {}]
paths:
  /things:
    post:
      operationId: create_thing
      responses:
        '201':
          description: It.
          headers: {Location: {required: true, schema: {type: string}}}
          content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}
          links:
            self: {operationId: get_thing, parameters: {thing_id: $response.body#/id}}
            history: {operationId: get_history, parameters: {thing_id: $response.body#/id}}
            all: {operationId: list_things}
    get: {operationId: list_things}
  /things/{thing_id}:
    parameters: [{name: thing_id, in: path, required: true, schema: {type: integer}}]
    get: {operationId: get_thing, security: [{bearer: [read]}]}
  /things/{thing_id}/history:
    parameters: [{name: thing_id, in: path, required: true, schema: {type: integer}}]
    get: {operationId: get_history, security: [{bearer: [read, write]}]}
components:
  securitySchemes:
    bearer:
      type: http
      scheme: bearer
      x-bearerInfoFunc: tests.support.callers.by_token
      x-roles: {all: [read, write]}
  schemas:
    Thing: {type: object, properties: {id: {type: integer}, _links: {type: object, readOnly: true}}}
"""

GUARDED_BY = {
    "create_thing": lambda: {"id": 7},
    "list_things": lambda: [7],
    "get_thing": lambda thing_id: {},
    "get_history": lambda thing_id: {},
}


@pytest.mark.parametrize(
    ("who", "shown"),
    [(None, {"all"}), ("reader", {"all", "self"}), ("writer", {"all", "self", "history"}), ("nobody", {"all"})],
)
def test_links_lead_only_where_the_caller_may_go_and_location_says_where_it_is(who, shown):
    engine = start(GUARDED, GUARDED_BY)
    reply = engine.post("/things", None, {"Authorization": f"Bearer {who}"} if who else None)
    assert reply.json["_links"].keys() == shown
    assert reply.header("location") == "/things/7"


def test_location_without_a_link_to_itself_is_refused():
    with pytest.raises(ContractError, match="create_thing 201 has Location, which needs a link `self` to a GET"):
        start(GUARDED.replace("self: {", "here: {"), GUARDED_BY)
