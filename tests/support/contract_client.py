"""
A client that holds both sides to the contract.

Every request and every response is checked against the published document, by other code
than the engine's. A test that sends what the contract does not allow says `undeclared=True`.
"""

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import httpx
import xmltodict
from httplint import HttpResponseLinter
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

OF_ITS_REQUEST = {"date", "x-request-id", "ratelimit", "x-ratelimit-remaining", "x-ratelimit-reset"}


OF_HTTP = {
    *("date", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "vary"),
    *("cache-control", "x-content-type-options", "x-frame-options", "content-security-policy", "referrer-policy"),
    *("strict-transport-security", "access-control-allow-origin", "access-control-expose-headers"),
}
"""Headers that HTTP and browsers define for any response, so that no contract declares them."""

TOLERATED = {
    "CC_CONFLICTING",  # `private, no-store` is for caches that know only one of the two.
    "CONTENT_TYPE_MISMATCH",  # Contents are called what they were sent as, and checked when they were.
    "LM_FUTURE",  # `Date` is of a clock that is looked at once a second, and later when many tests run at once.
    "REQUEST_HDR_IN_RESPONSE",  # `Accept` in a 415 says what would do (RFC 9110, section 12.5.1).
    "STATUS_BAD_REQUEST",
    "STORE_PUBLIC_UNNECESSARY",
    "VARY_COMPLEX",
}
"""What an outside linter would have otherwise, and is meant."""


def lint(response: httpx.Response) -> list[str]:
    """Return what is wrong with the message itself, whatever the contract says."""
    linter = HttpResponseLinter()
    linter.process_response_topline(b"HTTP/1.1", str(response.status_code).encode())
    linter.process_headers(response.headers.raw)
    if response.request.method != "HEAD" and "content-encoding" not in response.headers:
        linter.feed_content(response.content)
        linter.finish_content(complete=True)
    told = [note for note in linter.notes if note.level.value in ("bad", "warning")]
    return [f"{type(note).__name__}: {note.summary}" for note in told if type(note).__name__ not in TOLERATED]


def lasting_headers(answer: httpx.Response) -> dict[str, str]:
    """Return the headers that the same request gets again."""
    return {name: value for name, value in answer.headers.items() if name not in OF_ITS_REQUEST}


_FORMATS = FormatChecker()
_URI_REFERENCE = re.compile(r"(?:[A-Za-z0-9._~:/?#@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*")


@_FORMATS.checks("uri-reference")
def is_uri_reference(value: object) -> bool:
    """Whether text has the characters of a URI reference (RFC 3986, section 2), and names no host."""
    return not isinstance(value, str) or (
        _URI_REFERENCE.fullmatch(value) is not None and not value.startswith("//") and value.count("#") < 2
    )


def problem_errors(response: httpx.Response) -> list[str]:
    """Return what RFC 9457, section 3.1, says against a problem, beside its schema."""
    problem, sent = response.json(), response.request.url.raw_path.partition(b"?")[0].decode()
    # Two slashes at the beginning of a reference would begin the name of a host (RFC 3986, section 4.2).
    sent = f"/.{sent}" if sent.startswith("//") else sent
    errors = []
    if problem["status"] != response.status_code:
        errors.append(f"the status is {problem['status']}")
    if problem["title"] != response.reason_phrase:
        errors.append(f"the status line says {response.reason_phrase!r}, and the title {problem['title']!r}")
    is_same = re.sub("^/api/v[0-9]+/", "/api/", problem["instance"]) == re.sub("^/api/v[0-9]+/", "/api/", sent)
    if not is_same or not is_uri_reference(problem["instance"]):
        errors.append(f"the instance of {sent} is {problem['instance']}")
    return errors


class PublishedContract:
    """The contract as its readers have it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._registry = Registry().with_resource("urn:contract", DRAFT202012.create_resource(document))
        self._paths = [
            (re.compile(re.sub(r"\\{[^{}]+\\}", "[^/]+", re.escape(path))), path) for path in document["paths"]
        ]
        # A path without variables comes before one that it could be mistaken for.
        self._paths.sort(key=lambda entry: entry[1].count("{"))

    def operation(self, method: str, path: str) -> tuple[dict[str, Any], str] | None:
        """Return the operation, and the JSON pointer to it."""
        template = next((template for pattern, template in self._paths if pattern.fullmatch(path)), None)
        item = self.document["paths"].get(template, {})
        name = "get" if method == "HEAD" and "head" not in item else method.lower()
        if name not in item:
            return None
        shared = item.get("parameters", [])
        return item[name] | {
            "parameters": [*shared, *item[name].get("parameters", [])]
        }, f"/paths/{_escaped(template)}/{name}"

    def request_errors(self, request: httpx.Request) -> list[str]:
        """Return what the contract says against *request*."""
        found = self.operation(request.method, request.url.path)
        if found is None:
            return [f"{request.method} {request.url.path} is not in the contract"]
        operation, at = found
        queried = [self.resolve(parameter) for parameter in operation["parameters"]]
        names = {parameter["name"] for parameter in queried if parameter["in"] == "query"}
        errors = [f"no query parameter {name}" for name in request.url.params if name not in names]
        for parameter in queried:
            value = request.headers.get(parameter["name"]) if parameter["in"] == "header" else None
            if parameter["in"] == "query" and parameter["name"] in request.url.params:
                value = request.url.params[parameter["name"]]
            if value is None and parameter.get("required") and parameter["in"] != "path":
                errors.append(f"{parameter['name']} is missing")
        content = self.resolve(operation.get("requestBody", {})).get("content", {})
        body = request.read()
        media_type = request.headers.get("content-type", "").partition(";")[0]
        if body and media_type not in content:
            errors.append(f"no body of {media_type or 'no type'}")
        elif body and media_type == "application/json":
            schema = f"{at}/requestBody/content/application~1json/schema"
            errors += self._schema_errors(schema, _json(body))
        elif body and media_type == "text/csv":
            errors += self._row_errors(content[media_type]["schema"], body.decode("utf-8-sig"))
        return errors

    def response_errors(self, response: httpx.Response) -> list[str]:
        """Return what the contract says against *response*."""
        found = self.operation(response.request.method, response.request.url.path)
        if found is None:
            return (
                [] if response.status_code in (204, 404, 405) else [f"{response.status_code} outside of the contract"]
            )
        operation, at = found
        status = str(response.status_code)
        declared = status if status in operation["responses"] else f"{status[0]}XX"
        if declared not in operation["responses"]:
            return [f"{status} is not declared"]
        spec = operation["responses"][declared]
        pointer = spec["$ref"].removeprefix("#") if "$ref" in spec else f"{at}/responses/{declared}"
        spec = self.resolve(spec)
        errors = [
            f"the header {name} is missing"
            for name, header in spec.get("headers", {}).items()
            if self.resolve(header).get("required") and name not in response.headers
        ]
        declared_headers = {name.lower() for name in spec.get("headers", {})} | OF_HTTP
        errors += [f"the header {name} is not declared" for name in response.headers if name not in declared_headers]
        content = spec.get("content", {})
        media_type = response.headers.get("content-type", "").partition(";")[0]
        if not response.content:
            return errors if not content or response.request.method == "HEAD" else [*errors, "there is no body"]
        if media_type not in content:
            return [*errors, f"{media_type} is not declared"]
        if media_type == "text/csv":
            return errors + self._row_errors(content[media_type]["schema"], response.text)
        if media_type == "application/problem+json" and "requestBody" not in operation:
            told = response.json().get("errors", ())
            errors += [f"{error['pointer']} points into no body" for error in told if "pointer" in error]
        schema = f"{pointer}/content/{_escaped(media_type)}/schema"
        if media_type.endswith("xml"):
            (found,) = xmltodict.parse(response.content, strip_whitespace=False).values()
            return errors + self._schema_errors(schema, self._unmarked(content[media_type]["schema"], found))
        return errors + (self._schema_errors(schema, response.json()) if media_type.endswith("json") else [])

    def resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            target: Any = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def _schema_errors(self, pointer: str, value: Any) -> list[str]:
        schema = {"$ref": f"urn:contract#{pointer}"}
        validator = Draft202012Validator(schema, registry=self._registry, format_checker=_FORMATS)
        return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]

    def _unmarked(self, schema: Any, found: Any) -> Any:
        """Return the JSON value that an element is; what its schema does not know keeps its name."""
        whole = self._whole(schema)
        if isinstance(found, dict) and found.pop("@xsi:nil", None):
            return None
        inner = {name: value for name, value in found.items() if name[0] != "@"} if isinstance(found, dict) else {}
        if "items" in whole:
            assert whole["xml"]["wrapped"], "a list has an element of its own"
            listed = [item for value in inner.values() for item in (value if isinstance(value, list) else [value])]
            return [self._unmarked(whole["items"], item) for item in listed]
        if "object" in whole.get("type", ""):
            members = whole.get("properties", {})
            names = {self._whole(member).get("xml", {}).get("name", name): name for name, member in members.items()}
            others = whole.get("additionalProperties")
            return {names.get(n, n): self._unmarked(members.get(names.get(n), others), v) for n, v in inner.items()}
        text = found or ""
        kinds = whole.get("type", "string")
        read = {"integer": int, "number": float, "boolean": "true".__eq__}
        return read.get(kinds if isinstance(kinds, str) else kinds[0], str)(text)

    def _whole(self, schema: Any) -> dict[str, Any]:
        """Return the schema with all that it refers to; of alternatives, with the members of each."""
        whole: dict[str, Any] = {"properties": {}}
        if isinstance(schema, dict):
            parts = [self.resolve(schema)] if "$ref" in schema else []
            parts += [part for word in ("allOf", "anyOf") for part in schema.get(word, ())]
            own = {word: value for word, value in schema.items() if word not in ("$ref", "allOf", "anyOf")}
            for part in [*map(self._whole, parts), own]:
                whole = whole | part | {"properties": whole["properties"] | part.get("properties", {})}
        return whole

    def _row_errors(self, schema: dict[str, Any], text: str) -> list[str]:
        header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
        columns = set(self._columns(self._whole(self._whole(schema)["items"]), ""))
        errors = [f"there is no column {name}" for name in header if name not in columns]
        return errors + [f"row {n} is ragged" for n, row in enumerate(rows) if len(row) != len(header)]

    def _columns(self, schema: dict[str, Any], prefix: str) -> Iterator[str]:
        for name, member in schema["properties"].items():
            inner = self._whole(member)
            yield from self._columns(inner, f"{prefix}{name}.") if inner["properties"] else [prefix + name]


class PublishedContracts:
    """The contracts of all versions; what is in none of them is held against the first."""

    def __init__(self, *contracts: PublishedContract) -> None:
        self.contracts = contracts

    def request_errors(self, request: httpx.Request) -> list[str]:
        return self._of(request).request_errors(request)

    def response_errors(self, response: httpx.Response) -> list[str]:
        return self._of(response.request).response_errors(response)

    def _of(self, request: httpx.Request) -> PublishedContract:
        found = (c for c in self.contracts if c.operation(request.method, request.url.path))
        return next(found, self.contracts[0])


class ContractClient(httpx.Client):
    """An HTTP client whose every exchange must be as the contract says."""

    def __init__(self, contract: PublishedContract | PublishedContracts, **options: Any) -> None:
        super().__init__(timeout=30, **options)
        self.contract = contract

    def request(self, method: str, url: Any, *, undeclared: bool = False, **options: Any) -> httpx.Response:
        request = self.build_request(method, url, **options)
        errors = self.contract.request_errors(request)
        if errors and not undeclared:
            raise AssertionError(
                f"The contract does not allow this request: {errors}. Is that the point? undeclared=True"
            )
        if undeclared and not errors:
            raise AssertionError("The contract allows this request; do not say undeclared=True.")
        response = self.send(request)
        wrong = self.contract.response_errors(response)
        if response.headers.get("content-type") == "application/problem+json" and response.request.method != "HEAD":
            wrong += problem_errors(response)
        assert not wrong, f"{method} {url} {response.status_code} broke the contract: {wrong}\n{response.text[:2000]}"
        told = lint(response)
        assert not told, f"{method} {url} {response.status_code}: {told} in {response.headers}"
        assert not errors or response.status_code >= 400, f"{method} {url} was accepted against the contract: {errors}"
        return response

    def get(self, url: Any, **options: Any) -> httpx.Response:
        return self.request("GET", url, **options)

    def head(self, url: Any, **options: Any) -> httpx.Response:
        return self.request("HEAD", url, **options)

    def options(self, url: Any, **options: Any) -> httpx.Response:
        return self.request("OPTIONS", url, **options)

    def post(self, url: Any, **options: Any) -> httpx.Response:
        return self.request("POST", url, **options)

    def put(self, url: Any, **options: Any) -> httpx.Response:
        return self.request("PUT", url, **options)

    def patch(self, url: Any, **options: Any) -> httpx.Response:
        return self.request("PATCH", url, **options)

    def delete(self, url: Any, **options: Any) -> httpx.Response:
        return self.request("DELETE", url, **options)


def _escaped(part: str | None) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def _json(body: bytes) -> Any:
    try:
        return httpx.Response(200, content=body).json()
    except ValueError:
        return None
