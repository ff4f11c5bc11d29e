"""A link from an operation to itself keeps the query that the page echoes."""

import pytest

from accord.contract.errors import ContractError
from tests.support.engine import complete, read, start

CONTRACT = """
paths:
  /of/{owner}/things:
    parameters:
      - {name: owner, in: path, required: true, schema: {type: string}}
      - {name: lang, in: query, schema: {type: string}}
    get:
      operationId: list_things
      parameters:
        - {name: page, in: query, schema: {type: integer}}
        - {$ref: '#/components/parameters/Cursor'}
        - {name: q, in: query, schema: {type: string}}
        - {name: silent, in: query, schema: {type: string}}
        - {name: X-Trace, in: header, schema: {type: string}}
      responses:
        '200':
          description: A page.
          content: {application/json: {schema: {$ref: '#/components/schemas/Page'}}}
          links:
            self: {operationId: list_things, parameters: {owner: $response.body#/owner}}
            next: {operationId: list_things, parameters: {owner: $response.body#/owner, page: $response.body#/more}}
            first: {operationId: list_things, parameters: {owner: $response.body#/owner, query.page: '1', cursor: null}}
            others: {operationId: list_others, parameters: {q: $response.body#/q}}
            shared: {$ref: '#/components/links/Shared'}
  /others:
    get:
      operationId: list_others
      parameters:
        - {name: page, in: query, schema: {type: integer}}
        - {name: q, in: query, schema: {type: string}}
components:
  links: {Shared: {operationId: list_things, parameters: {owner: me}}}
  parameters: {Cursor: {name: cursor, in: query, schema: {type: string}}}
  schemas:
    Echo: {type: object, properties: {lang: {type: string}, q: {type: string}, X-Trace: {type: string}}}
    Page:
      allOf: [{$ref: '#/components/schemas/Echo'}]
      type: object
      required: [owner, page]
      properties:
        owner: {type: string}
        page: {type: integer}
        cursor: {type: string}
        more: {type: integer}
        _links: {type: object}
"""
ECHO = {"lang": "$response.body#/lang", "cursor": "$response.body#/cursor", "q": "$response.body#/q"}
OWNER = {"owner": "$response.body#/owner"}


def links(text=CONTRACT):
    document = read(text)
    declared = document.raw["paths"]["/of/{owner}/things"]["get"]["responses"]["200"]["links"]
    return {name: document.resolve(link).get("parameters") for name, link in declared.items()}


def test_link_inherits_each_query_parameter_that_the_page_echoes():
    assert links()["self"] == {**OWNER, "page": "$response.body#/page", **ECHO}


def test_parameter_that_the_link_sets_wins():
    assert links()["next"] == {**OWNER, "page": "$response.body#/more", **ECHO}


def test_parameter_that_the_link_sets_to_null_is_left_out_and_a_qualified_one_is_known_by_its_name():
    assert links()["first"] == {**OWNER, "query.page": "1", "lang": ECHO["lang"], "q": ECHO["q"]}


def test_query_stands_in_the_order_of_the_operation():
    assert [list(links()[name]) for name in ("self", "next")] == [["owner", "lang", "page", "cursor", "q"]] * 2


def test_links_to_other_operations_and_shared_ones_stay_as_they_are():
    assert links()["others"] == {"q": "$response.body#/q"}
    assert links()["shared"] == {"owner": "me"}


def test_link_to_itself_without_a_query_gets_no_parameters():
    text = CONTRACT.replace(
        "q: $response.body#/q}}", "q: $response.body#/q}}\n            me: {operationId: list_others}"
    )
    assert links(text)["me"] is None
    alone = read("""
paths: {/a: {post: {operationId: refresh, responses: {'200': {links: {again: {operationId: refresh}}}}}}}
""")
    assert alone.raw["paths"]["/a"]["post"]["responses"]["200"]["links"] == {"again": {"operationId": "refresh"}}


def test_operation_at_two_paths_gets_the_same_links_twice():
    document = read(
        "paths: {/a: {$ref: ../paths/t.yaml}, /b: {$ref: ../paths/t.yaml}}",
        **{
            "paths/t__yaml": """
get:
  operationId: list
  parameters: [{name: page, in: query}, {name: cursor, in: query}]
  responses:
    '200':
      content: {application/json: {schema: {properties: {page: {}, cursor: {}}}}}
      links: {first: {operationId: list, parameters: {page: '1', cursor: null}}}
"""
        },
    )
    for item in document.raw["paths"].values():
        assert item["get"]["responses"]["200"]["links"]["first"]["parameters"] == {"page": "1"}


def test_published_document_has_the_links_in_full():
    published = complete(read(CONTRACT)).public()
    operation = published["paths"]["/of/{owner}/things"]["get"]
    assert operation["responses"]["200"]["links"]["self"]["parameters"] == {
        **OWNER,
        "page": "$response.body#/page",
        **ECHO,
    }


def list_things(owner, lang=None, page=None, cursor=None, q=None, silent=None):
    return {"owner": owner, "page": page, "more": page + 1, "lang": lang, "q": q, "cursor": "c"}


FUNCTIONS = {"list_things": list_things, "list_others": lambda page=None, q=None: []}


def test_representation_shows_the_whole_query():
    engine = start(CONTRACT, FUNCTIONS)
    reply = engine.get("/of/me/things?page=2&q=a&lang=en&silent=s")
    assert {name: link["href"] for name, link in reply.json["_links"].items()} == {
        "self": "/of/me/things?lang=en&page=2&cursor=c&q=a",
        "next": "/of/me/things?lang=en&page=3&cursor=c&q=a",
        "first": "/of/me/things?lang=en&page=1&q=a",
        "others": "/others?q=a",
        "shared": "/of/me/things",
    }


@pytest.mark.parametrize(
    ("link", "error"),
    [
        ("{owner: $response.body#/owner, silent: null}", "leaves out silent, which it does not inherit; remove"),
        ("{owner: null}", "leaves out owner, which it does not inherit"),
        ("{owner: $response.body#/owner, gone: null}", "leaves out gone, which it does not inherit"),
    ],
)
def test_null_where_nothing_is_inherited_is_refused_with_its_place(link, error):
    with pytest.raises(ContractError, match=rf"openapi\.yaml:20: link self of list_things {error}"):
        read(CONTRACT.replace("{owner: $response.body#/owner}}", f"{link}}}", 1))


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("{q: $response.body#/q}", "{q: null}", r"openapi\.yaml:\d+: `.*` must be a "),
        ("{owner: $response.body#/owner}}", "{owner: me, size: '1'}}", "list_things has no parameter size"),
        ("{owner: $response.body#/owner}}", "{owner: $response.body#/he}}", "is not a property of the response"),
        ("{owner: $response.body#/owner}}", "[]}", r"openapi\.yaml:\d+: `.*` must be a "),
    ],
)
def test_other_slips_in_a_page_link_are_refused_as_in_any_link(old, new, error):
    with pytest.raises(ContractError, match=error):
        start(CONTRACT.replace(old, new, 1), FUNCTIONS)


@pytest.mark.parametrize(
    "text",
    [
        "paths: []",
        "paths: {/a: 1, /b: {get: 1, put: {operationId: x, responses: []}}}",
        "paths: {/a: {get: {operationId: x, parameters: [1], responses: {'200': {content: [], links: {a: 1}}}}}}",
        "paths: {/a: {get: {operationId: x, responses: {'200': 1, '201': {links: []}}}}}",
        "paths: {/a: {get: {operationId: x, parameters: [{$ref: 5}], responses: {}}}}",
    ],
)
def test_document_without_the_form_of_openapi_is_read_and_refused_when_its_form_is_checked(text):
    with pytest.raises(ContractError, match=r"`.*` must be "):
        start(f"openapi: 3.1.0\ninfo: {{title: a, version: '1'}}\n{text}", {}, completed=False)
