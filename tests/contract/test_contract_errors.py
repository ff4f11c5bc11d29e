"""A contract that is wrong, or does not fit its program, refuses to start: by file, place and remedy."""

import re
import sys

import pytest
from connexion.resolver import Resolver

from accord.contract.errors import ContractError
from accord.engine.contract import Contract
from tests.support.engine import ERRORS, Memory, complete, read, start

INDEX = "openapi/v1/openapi.yaml"
PARAMETER = """
paths:
  /t:
    get:
      operationId: t
      parameters:
        - {%s}
"""
BODY = """
paths:
  /t:
    post:
      operationId: t
      requestBody:
        content:
          %s
"""
RESPONSE = """
paths:
  /t:
    get:
      operationId: t
      responses:
        '200': {%s}
"""
SCHEME = """
paths: {/t: {get: {operationId: t, security: %s}}}
components:
  securitySchemes:
    s: {%s}
"""
BEARER = "type: http, scheme: bearer, x-bearerInfoFunc: tests.support.callers.by_token"
LINK = """
paths:
  /t/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get:
      operationId: t
      responses:
        '200':
          description: It.
          content: {application/json: {schema: {$ref: '#/components/schemas/T'}}}
          links:
            self: {%s}
components:
  schemas:
    T: {type: object, properties: {id: {type: string}, _links: {type: object}}}
"""
EXAMPLE = """
paths: {}
components:
  schemas:
    T:
      %s
"""
DEPRECATED = "\npaths: {/t: {get: {operationId: t, %s}}}"


TWINS = """
paths:
  /a/{x}: {get: {operationId: t, parameters: [{name: x, in: path, required: true, schema: {}}]}}
  /a/{y}: {get: {operationId: u, parameters: [{name: y, in: path, required: true, schema: {}}]}}
"""
OAUTH2 = (
    "type: oauth2, x-tokenInfoFunc: tests.support.callers.by_token, "
    "flows: {password: {tokenUrl: /t, scopes: {read: R.}}}"
)
BY_ID = {"t": lambda id: id}  # noqa: A006
BY_Q = {"t": lambda q=1: q}


def starred(*names):
    return names


BROKEN = {
    # document.py
    "key said twice": ("a: 1\nb: 2\na: 3", {}, f"{INDEX}:3: 'a' is a duplicate key; remove one"),
    "no YAML": (
        "a: 1\nb: [1",
        {},
        rf"{INDEX}:[23]: this is not valid YAML .while parsing a flow sequence, .*; correct it",
    ),
    "indentation": (
        "a:\n  b: 1\n c: 2",
        {},
        f"{INDEX}:3: this is not valid YAML .while parsing a block mapping, .*; correct it",
    ),
    "tabulator": (
        "a:\n\tb: 1",
        {},
        f"{INDEX}:2: this is not valid YAML .*found character.* that cannot start any token",
    ),
    "two documents": (
        "a: 1\n---\nb: 1",
        {},
        f"{INDEX}:2: this is not valid YAML .expected a single document in the stream",
    ),
    "control character": ("a: 1\nb: \x01", {}, f"{INDEX}(:2)?: this is not valid YAML"),
    "tag of Python": (
        "a: !!python/name:os.system ''",
        {},
        f"{INDEX}:1: this is not valid YAML .could not determine a constructor",
    ),
    "list as a key": ("? [a]\n: 1", {}, f"{INDEX}:1: a key must be a string"),
    "reference to nothing": (
        PARAMETER % "$ref: '#/components/parameters/Q'",
        {},
        f"{INDEX}:7: #/components/parameters/Q refers to nothing; correct the reference",
    ),
    "reference into a list": (PARAMETER % "$ref: '#/tags/9'" + "tags: [{name: a}]", {}, "#/tags/9 refers to nothing"),
    "reference to another document": (
        PARAMETER % "$ref: 'https://x.example/y'",
        {},
        f"{INDEX}:7: https://x.example/y is in another document, .* copy the target into a file",
    ),
    "reference that is no text": (
        PARAMETER % "$ref: 5",
        {},
        f"{INDEX}:7: `.ref` must be a string, not the number 5",
    ),
    "reference to itself": (
        PARAMETER % "$ref: '#/components/parameters/Q'"
        + "components: {parameters: {Q: {$ref: '#/components/parameters/Q'}}}",
        {},
        "#/components/parameters/Q refers to itself; break the cycle",
    ),
    "missing file": (
        "paths:\n  /t: {$ref: ../paths/t.yaml}",
        {},
        f"{INDEX}:2: ../paths/t.yaml refers to openapi/paths/t.yaml, which cannot be read; correct the reference",
    ),
    # checks.py
    "word nobody knows": (
        "paths: {}\nx-speed: 3",
        {},
        f"{INDEX}:2: unknown extension `x-speed`; known: .*x-sunset",
    ),
    "word nobody knows, deep": (
        PARAMETER % "name: q, in: query, x-odd: 1, schema: {}",
        BY_Q,
        f"{INDEX}:7: unknown extension `x-odd`",
    ),
    "tag that is not listed": (
        "tags: [{name: Files}]\npaths:\n  /t:\n    get:\n      operationId: t\n      tags: [Flies]",
        {"t": lambda: 1},
        f"{INDEX}:6: t has the tag `Flies`, which `tags` of the document does not list; did you mean `Files`",
    ),
    "tag of a document without tags": (
        "\npaths: {/t: {get: {operationId: t, tags: [Files]}}}",
        {"t": lambda: 1},
        "t has the tag `Files`, which `tags` of the document does not list; known: none",
    ),
    "tag that is listed twice": (
        "paths: {}\ntags:\n  - name: Files\n  - name: Files",
        {},
        f"{INDEX}:4: the tag Files is declared before; remove one",
    ),
    "letter of an extension": (
        "\npaths: {/t: {get: {operationId: t, x-openapi-router-controler: a}}}",
        {"t": lambda: 1},
        f"{INDEX}:2: unknown extension `x-openapi-router-controler`; did you mean `x-openapi-router-controller`",
    ),
    "operation without a name": (
        "\npaths: {/t: {get: {summary: It.}}}",
        {},
        f"{INDEX}:2: get /t has no operationId; add one of the form verb_noun",
    ),
    "two operations of one name": (
        "\npaths:\n  /a: {get: {operationId: t}}\n  /b: {get: {operationId: t}}",
        {"t": lambda: 1},
        f"{INDEX}:4: operationId t is also that of get /a; rename one",
    ),
    "example that does not fit": (
        EXAMPLE % "{type: integer, example: x}",
        {},
        f"{INDEX}:6: the example 'x' does not match its schema at its root; correct one",
    ),
    "one of the examples": (EXAMPLE % "{type: integer, examples: [1, x]}", {}, "the example 'x' does not match"),
    "example, deep in it": (
        EXAMPLE % "{type: object, properties: {a: {items: {type: string}}}, example: {a: [b, 1]}}",
        {},
        "does not match its schema at /a/1",
    ),
    "default that does not fit": (
        EXAMPLE % "{type: integer, minimum: 3, default: 2}",
        {},
        f"{INDEX}:6: the .* 2 does not match",
    ),
    "example of a parameter": (
        PARAMETER % "name: q, in: query, schema: {type: integer}, example: x",
        {},
        f"{INDEX}:7: the example 'x' does not match",
    ),
    "named examples of a parameter": (
        PARAMETER % "name: q, in: query, schema: {type: integer}, examples: {odd: {value: x}}",
        {},
        f"{INDEX}:7: the example 'x' does not match",
    ),
    "example with a member too many": (
        EXAMPLE % "{type: object, additionalProperties: false, properties: {}, example: {a: 1}}",
        {},
        "does not match its schema at /a",
    ),
    "scheme that is not there": (
        SCHEME % ("[{other: [read]}]", BEARER),
        {"t": lambda: 1},
        f"{INDEX}:2: t: unknown security scheme other; known: s",
    ),
    "scope nobody has": (
        SCHEME % ("[{s: [fly]}]", BEARER + ", x-roles: {all: [read]}"),
        {"t": lambda: 1},
        f"{INDEX}:2: t: unknown scope fly of s; known: read",
    ),
    "scope of no flow": (
        SCHEME
        % (
            "[{s: [fly]}]",
            OAUTH2,
        ),
        {"t": lambda: 1},
        "t: unknown scope fly of s; known: read",
    ),
    "no scope": (
        SCHEME % ("[{s: []}]", BEARER),
        {"t": lambda: 1},
        f"{INDEX}:2: t has no scope of s; list the scopes",
    ),
    # schemas.py
    "no schema": (
        BODY % "application/json: {schema: {type: strange}}",
        {"t": lambda body=None: 1},
        f'{INDEX}:8: unknown type "strange"; write `string`',
    ),
    "pattern that is none": (
        PARAMETER % "name: q, in: query, schema: {type: string, pattern: '('}",
        BY_Q,
        rf'{INDEX}:7: the pattern "\(" is no regular expression; correct it',
    ),
    "schema that refers to nothing": (
        BODY % "application/json: {schema: {$ref: '#/components/schemas/Gone'}}",
        {"t": lambda body=None: 1},
        f"{INDEX}:8: .*Gone",
    ),
    # routing.py
    "two paths that are the same": (
        TWINS,
        {"t": lambda x: 1, "u": lambda y: 1},
        r"/a/\{y\} and /a/\{x\} match the same requests; remove one",
    ),
    # security.py
    "scheme of another type": (
        SCHEME % ("[]", "type: mutualTLS"),
        {},
        f"{INDEX}:5: security scheme s cannot be enforced; use http",
    ),
    "key in a cookie": (
        SCHEME % ("[]", "type: apiKey, in: cookie, name: k"),
        {},
        "security scheme s cannot be enforced; use http",
    ),
    "scheme without a function": (
        SCHEME % ("[]", "type: http, scheme: bearer"),
        {},
        f"{INDEX}:5: security scheme s: x-bearerInfoFunc must name the function",
    ),
    "scheme whose module is not there": (
        SCHEME % ("[]", "type: http, scheme: bearer, x-bearerInfoFunc: nowhere.verify"),
        {},
        f"{INDEX}:5: security scheme s: x-bearerInfoFunc names nowhere.verify, which does not exist",
    ),
    "scheme whose function is not there": (
        SCHEME % ("[]", "type: http, scheme: bearer, x-bearerInfoFunc: tests.support.callers.nobody"),
        {},
        "names tests.support.callers.nobody, which does not exist",
    ),
    "scheme whose function is no path": (
        SCHEME % ("[]", "type: http, scheme: bearer, x-bearerInfoFunc: verify"),
        {},
        "names verify, which does not exist",
    ),
    "scheme whose function wants more": (
        SCHEME % ("[]", "type: apiKey, in: header, name: k, x-apikeyInfoFunc: tests.support.callers.by_key"),
        {},
        f"{INDEX}:5: security scheme s: tests.support.callers.by_key takes keys, which is no dependency; add or",
    ),
    # operation.py
    "no 2xx": (
        "\npaths: {/t: {get: {operationId: t, responses: {'200': {description: A.}, '201': {description: B.}}}}}",
        {"t": lambda: 1},
        f"{INDEX}:2: t has 2 responses of status 2xx; declare exactly one",
    ),
    "path parameter not declared": (
        "\npaths: {'/t/{id}': {get: {operationId: t}}}",
        {"t": lambda: 1},
        rf"{INDEX}:2: t: id must be both in the path /t/\{{id\}} and among the path parameters",
    ),
    "path parameter not in the path": (
        "\npaths: {/t: {get: {operationId: t, parameters: [{name: id, in: path, required: true, schema: {}}]}}}",
        BY_ID,
        f"{INDEX}:2: t: id must be both in the path /t and among the path parameters",
    ),
    "two parameters of one argument": (
        PARAMETER % "name: a-b, in: query, schema: {}" + "        - {name: a_b, in: query, schema: {}}",
        {"t": lambda a_b=1: 1},
        f"{INDEX}:5: t: two parameters have the argument a_b; rename one",
    ),
    "function with a star": (
        "\npaths: {/t: {get: {operationId: t}}}",
        {"t": starred},
        f"{INDEX}:2: .*starred must have named arguments; remove",
    ),
    "function that takes what is not there": (
        "\npaths: {/t: {get: {operationId: t}}}",
        {"t": lambda sise: 1},
        f"{INDEX}:2: .* takes sise, which t does not declare; declare or remove it",
    ),
    "function that takes a body where none is": (
        "\npaths: {/t: {post: {operationId: t}}}",
        {"t": lambda body: 1},
        "takes body, which t does not declare",
    ),
    "function that does not take a parameter": (
        PARAMETER % "name: q, in: query, schema: {}",
        {"t": lambda: 1},
        f"{INDEX}:5: t declares q, which .* does not take; add the argument",
    ),
    "function that does not take the body": (
        BODY % "application/json: {}",
        {"t": lambda: 1},
        f"{INDEX}:5: t declares body, which .* does not take",
    ),
    "function that demands what may be missing": (
        PARAMETER % "name: q, in: query, schema: {}",
        {"t": lambda q: 1},
        f"{INDEX}:5: .*: q is optional in the request; give it a default",
    ),
    "missing function": (
        "\npaths: {/t: {get: {operationId: t}}}",
        {},
        f"{INDEX}:2: t has no x-openapi-router-controller; add the module of its handler",
    ),
    # reading
    "parameter in a cookie": (
        PARAMETER % "name: q, in: cookie, schema: {}",
        {"t": lambda q=1: 1},
        f"{INDEX}:7: parameter q cannot be in cookie; use query or header",
    ),
    "parameter of a strange style": (
        PARAMETER % "name: q, in: query, style: deepObject, schema: {type: object}",
        {"t": lambda q=1: 1},
        f"{INDEX}:7: parameter q: a parameter in query cannot have style deepObject .*; use form",
    ),
    "parameter of a wrong style": (
        PARAMETER % "name: q, in: header, style: form, schema: {}",
        {"t": lambda q=1: 1},
        f"{INDEX}:7: `style` must be one of simple, not the string .form.",
    ),
    "parameter with content": (
        PARAMETER % "name: q, in: query, content: {application/json: {}}",
        {"t": lambda q=1: 1},
        f"{INDEX}:7: parameter q: .* cannot have .*`content`; use form",
    ),
    "parameter that is an object": (
        PARAMETER % "name: q, in: query, schema: {type: object}",
        {"t": lambda q=1: 1},
        f"{INDEX}:7: parameter q: a parameter cannot have type 'object'; use scalars",
    ),
    "parameter that is a list of lists": (
        PARAMETER % "name: q, in: query, schema: {type: array, items: {type: array}}",
        {"t": lambda q=1: 1},
        "a parameter cannot have type 'array'",
    ),
    "body of a strange type": (
        BODY % "application/xml: {}",
        {"t": lambda body=1: 1},
        f"{INDEX}:8: a body of application/xml cannot be parsed; use JSON, a form or text/csv",
    ),
    "form field that is an object": (
        BODY % "multipart/form-data: {schema: {type: object, properties: {f: {type: object}}}}",
        {"t": lambda body=1: 1},
        f"{INDEX}:8: form field f: a field cannot have type 'object'; use scalars",
    ),
    # answering
    "response of a media type that cannot be written": (
        RESPONSE % "description: It., content: {application/json: {}, text/plain: {}}",
        {"t": lambda: 1},
        f"{INDEX}:7: t 200: text/plain has no renderer; use application/xml, text/csv after JSON",
    ),
    "response of JSON after something else": (
        RESPONSE % "description: It., content: {application/xml: {}, application/json: {}}",
        {"t": lambda: 1},
        f"{INDEX}:7: t 200: JSON must be first, because application/xml is rendered from it",
    ),
    "XML without a name": (
        RESPONSE % "description: It., content: {application/json: {}, application/xml: {schema: {type: object}}}",
        {"t": lambda: 1},
        f"{INDEX}:7: the XML of this schema has no name; write `xml: {{name: …}}`",
    ),
    "XML as an attribute": (
        RESPONSE % "description: It., content: {application/json: {}, application/xml: "
        "{schema: {xml: {name: t}, properties: {a: {type: string, xml: {attribute: true}}}}}}",
        {"t": lambda: 1},
        f"{INDEX}:7: `xml` with attribute is not supported; use name, namespace and wrapped",
    ),
    "member that is no name in XML": (
        RESPONSE % "description: It., content: {application/json: {}, application/xml: "
        "{schema: {xml: {name: t}, properties: {a b: {type: string}}}}}",
        {"t": lambda: 1},
        f"{INDEX}:7: 'a b' cannot be the name of an XML element; write `xml: {{name: …}}`",
    ),
    "CSV of what is no list": (
        RESPONSE % "description: It., content: {application/json: {}, text/csv: {schema: {type: object}}}",
        {"t": lambda: 1},
        f"{INDEX}:7: the schema of text/csv must be that of its rows, an array of objects",
    ),
    "CSV with objects in lists": (
        RESPONSE % "description: It., content: {application/json: {}, text/csv: "
        "{schema: {items: {type: object, properties: {a: {type: array, items: {type: object}}}}}}}",
        {"t": lambda: 1},
        f"{INDEX}:7: a: a cell of text/csv cannot have type 'object'; use scalars",
    ),
    "body of CSV that is no list": (
        BODY % "text/csv: {schema: {type: object}}",
        {"t": lambda body=1: 1},
        f"{INDEX}:8: the schema of a text/csv body must be that of its rows, an array of objects",
    ),
    "link to nowhere": (
        LINK % "operationId: gone",
        BY_ID,
        f"{INDEX}:12: link self of t: unknown operation 'gone'; correct",
    ),
    "link by operationRef": (
        LINK % "operationRef: '#/paths/~1t'",
        BY_ID,
        "link self of t: unknown operation None",
    ),
    "link with an unknown parameter": (
        LINK % "operationId: t, parameters: {id: $response.body#/id, size: '1'}",
        BY_ID,
        f"{INDEX}:12: link self of t: t has no parameter size; remove it",
    ),
    "link without a parameter it needs": (
        LINK % "operationId: t",
        BY_ID,
        f"{INDEX}:12: link self of t: t requires the parameter id; add it",
    ),
    "link with a number": (
        LINK % "operationId: t, parameters: {id: 7}",
        BY_ID,
        f"{INDEX}:12: `id` of `parameters` must be a string, not the number 7",
    ),
    "link that speaks of the request": (
        LINK % "operationId: t, parameters: {id: $request.path.id}",
        BY_ID,
        r"link self of t: \$request.path.id is not supported; use",
    ),
    "link to no member": (
        LINK % "operationId: t, parameters: {id: $response.body#/name}",
        BY_ID,
        r"link self of t: \$response.body#/name is not a property of the response; correct it",
    ),
    # policies
    "If-None-Match without a tag": (
        PARAMETER % "name: If-None-Match, in: header, schema: {}",
        {"t": lambda: 1},
        f"{INDEX}:5: t takes If-None-Match, but its response declares no ETag",
    ),
    "If-Match without a GET": (
        "\npaths: {/t: {put: {operationId: t, parameters: [{name: If-Match, in: header, schema: {}}]}}}",
        {"t": lambda: 1},
        f"{INDEX}:2: t takes If-Match, but its path has no GET whose response declares an ETag",
    ),
    "Idempotency-Key without a store": (
        PARAMETER % "name: Idempotency-Key, in: header, schema: {}",
        {"t": lambda: 1},
        f"{INDEX}:5: t takes Idempotency-Key; pass Contract an idempotency store",
    ),
    "deprecated without a date": (
        DEPRECATED % "deprecated: true",
        {"t": lambda: 1},
        f"{INDEX}:2: t is deprecated; set x-deprecated-since to the date",
    ),
    "date without deprecated": (
        DEPRECATED % "x-sunset: 2027-06-30",
        {"t": lambda: 1},
        f"{INDEX}:2: t has a date of deprecation or a successor, but not `deprecated: true`",
    ),
    "date that is none": (
        DEPRECATED % "deprecated: true, x-deprecated-since: soon",
        {"t": lambda: 1},
        f"{INDEX}:2: x-deprecated-since must be a date, such as 2027-06-30, not 'soon'",
    ),
    "date that is a number": (
        DEPRECATED % "deprecated: true, x-deprecated-since: 2027",
        {"t": lambda: 1},
        "x-deprecated-since must be a date, .*, not 2027",
    ),
    "end before its announcement": (
        DEPRECATED % "deprecated: true, x-deprecated-since: 2027-06-30, x-sunset: 2027-06-29",
        {"t": lambda: 1},
        f"{INDEX}:2: t: x-sunset is earlier than x-deprecated-since",
    ),
}


@pytest.mark.parametrize(("text", "functions", "words"), BROKEN.values(), ids=BROKEN)
def test_broken_contract_is_refused_with_place_and_remedy(text, functions, words):
    with pytest.raises(ContractError) as refused:
        start(text, functions)
    assert re.search(words, str(refused.value), re.DOTALL), refused.value


HEAD = "openapi: 3.1.0\ninfo: {title: T, version: '1'}\n"
GET = HEAD + "paths: {/t: {get: {operationId: t, %s}}}\n"
POST = HEAD + "paths: {/t: {post: {operationId: t_body, security: [], %s}}}\n"
SECURED = f"components: {{securitySchemes: {{s: {{{BEARER}}}}}}}"
FINE = "responses: {'200': {description: .}}"
NOT_ALL = "responses: {'200': {description: .}, '400': {description: .}, '5XX': {description: .}}"

UNFINISHED = {
    "no version": ("paths: {}", "openapi must be 3.1.x"),
    "another version": ("openapi: 3.0.3\npaths: {}", f"{INDEX}:1: openapi must be 3.1.x"),
    "nobody said who may": (
        GET % FINE,
        f"{INDEX}:3: t has no security; list the scopes that it requires, or write `security: ..`",
    ),
    "no 400": (GET % f"security: [], {FINE}", f"{INDEX}:3: t can respond with 400, 500; declare these responses"),
    "no errors of a body": (
        POST % f"requestBody: {{content: {{application/json: {{}}}}}}, {NOT_ALL}",
        f"{INDEX}:3: t_body can respond with 408, 413, 415, 422; declare",
    ),
    "no 401 and 403": (
        GET % f"security: [{{s: [read]}}], {NOT_ALL}" + SECURED,
        f"{INDEX}:3: t can respond with 401, 403; declare",
    ),
    "no responses": (GET % "security: []", f"{INDEX}:3: .*responses"),
    "body without content": (POST % f"requestBody: {{description: It.}}, {FINE}", f"{INDEX}:3: .*content"),
    "parameter without a name": (GET % f"security: [], parameters: [{{in: query}}], {FINE}", f"{INDEX}:3: .*name"),
    "path without a slash": (HEAD + "paths: {t: {}}", f"{INDEX}:3: .*t"),
    "nothing": ("", INDEX),
    "a list": ("- openapi: 3.1.0", INDEX),
    "a list of paths": (HEAD + "paths: [/t]", "paths"),
    "a text as an operation": (HEAD + "paths: {/t: {get: soon}}", INDEX),
}


@pytest.mark.parametrize(("text", "words"), UNFINISHED.values(), ids=UNFINISHED)
def test_unfinished_contract_is_refused_with_place_and_remedy(text, words):
    with pytest.raises(ContractError) as refused:
        start(text, {"t": lambda: 1, "t_body": lambda body=None: 1}, completed=False)
    assert re.search(words, str(refused.value), re.DOTALL), refused.value


def test_all_faults_are_told_at_once():
    text = "\npaths:\n  /a: {get: {operationId: a}}\n  /b: {get: {operationId: b}}"
    with pytest.raises(ContractError) as refused:
        start(text, {"a": lambda x: 1, "b": lambda y: 1})
    assert [line.split(" ")[0] for line in str(refused.value).splitlines()] == [f"{INDEX}:3:", f"{INDEX}:4:"]


def test_faults_of_policies_are_told_at_once():
    operation = "{get: {operationId: %s, parameters: [{name: If-None-Match, in: header, schema: {}}]}}"
    text = f"\npaths:\n  /a: {operation % 'a'}\n  /b: {operation % 'b'}"
    with pytest.raises(ContractError) as refused:
        start(text, {"a": lambda: 1, "b": lambda: 1})
    assert len(str(refused.value).splitlines()) == 2


def test_example_may_be_of_the_request_or_of_the_response():
    start(
        EXAMPLE
        % "{type: object, required: [a], properties: {a: {type: integer, readOnly: true}}, examples: [{a: 1}, {}]}",
        {},
    )


def test_words_within_values_and_names_are_no_words():
    text = (
        EXAMPLE
        % "{type: object, properties: {x-a: {type: integer}, example: {type: string}}, example: {x-a: 1, example: a}}"
    )
    start(text, {})


@pytest.fixture
def handlers(tmp_path, monkeypatch):
    """A package of handlers, made of the modules given."""
    monkeypatch.syspath_prepend(tmp_path)

    def made(name, **modules):
        package = tmp_path / name
        package.mkdir()
        for module, text in {"__init__": "", **modules}.items():
            package.joinpath(f"{module}.py").write_text(text, "utf-8")
            monkeypatch.delitem(sys.modules, f"{name}.{module}", raising=False)
        text = f"paths: {{/t: {{get: {{operationId: get_t, x-openapi-router-controller: {name}.things}}}}}}"
        contract = Contract(database=Memory(), exception_handlers=ERRORS, resolver=Resolver())
        contract.add_document(complete(read(text)), "/openapi")
        return contract

    return made


def test_handlers_that_the_contract_names_are_fine(handlers):
    handlers(
        "good", things="from json import loads\n\ndef get_t():\n    return _t()\n\ndef _t():\n    return 1\n"
    ).validate()


def test_public_function_nobody_names_is_refused(handlers):
    contract = handlers("public", things="def get_t(): ...\ndef help_t(): ...\n", others="def lonely(): ...\n")
    with pytest.raises(ContractError) as refused:
        contract.validate()
    assert str(refused.value).splitlines() == [
        "public.others.lonely is public, but no contract names it; declare the operation, or remove it.",
        "public.things.help_t is public, but no contract names it; declare the operation, or remove it.",
    ]


@pytest.mark.parametrize(
    ("name", "modules", "words"),
    [
        (
            "without_module",
            {},
            r"openapi.yaml:1: the module without_module.things does not exist; write it with .* get_t",
        ),
        (
            "near_module",
            {"thinks": ""},
            r"the module near_module.things does not exist; write .* get_t; or did you mean near_module.thinks",
        ),
        ("other", {"things": "def other(): ...\n"}, r"declares get_t, but other.things has no such function; write it"),
        ("value", {"things": "get_t = 3\n"}, r"openapi.yaml:1: value.things.get_t is no function; write the handler"),
        ("classes", {"things": "class get_t: ...\n"}, r"classes.things.get_t is no function; write the handler"),
        (
            "coroutines",
            {"things": "async def get_t(): ...\n"},
            r"openapi.yaml:1: coroutines.things.get_t is async, and handlers are not; write `def` instead of",
        ),
    ],
)
def test_missing_handler_is_refused_with_what_to_do(handlers, name, modules, words):
    with pytest.raises(ContractError, match=words):
        handlers(name, **modules)


@pytest.mark.parametrize("module", ["json.loads.", ".json", "json/loads", "json.decoder.loads", "json..decoder", "."])
def test_name_that_no_module_can_have_is_a_missing_module(module):
    text = f"paths: {{/t: {{get: {{operationId: get_t, x-openapi-router-controller: '{module}'}}}}}}"
    contract = Contract(database=Memory(), exception_handlers=ERRORS, resolver=Resolver())
    with pytest.raises(ContractError, match=f"openapi.yaml:1: the module {re.escape(module)} does not exist; write it"):
        contract.add_document(complete(read(text)), "/openapi")


def test_missing_module_is_named_once():
    text = "\npaths:\n" + "\n".join(
        f"  /{name}: {{get: {{operationId: {name}, x-openapi-router-controller: gone.things}}}}" for name in ("a", "b")
    )
    contract = Contract(database=Memory(), exception_handlers=ERRORS, resolver=Resolver())
    with pytest.raises(ContractError) as refused:
        contract.add_document(complete(read(text)), "/openapi")
    (line,) = str(refused.value).splitlines()
    assert line == f"{INDEX}:3: the module gone.things does not exist; write it with the functions a, b."


@pytest.mark.parametrize("text", ["import nowhere_at_all\n", "from things_of_nobody import x\n", "1 +\n", "nothing\n"])
def test_error_at_the_import_of_a_handler_is_not_hidden(handlers, text):
    """The command line names its file and line, as those of all modules."""
    with pytest.raises((ImportError, SyntaxError, NameError)):
        handlers(f"broken_{abs(hash(text))}", things=text)
