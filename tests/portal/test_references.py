"""References are resolved by the portal itself, because Swagger UI takes seconds; the result is that of Swagger UI."""

import pytest

from accord.app.documents import PUBLISHED

pytestmark = pytest.mark.browser

RESOLVE_BOTH_WAYS = """async (url) => {
  const { references, resolve } = await import("/portal/references.js");
  const contract = await (await fetch(url)).json();
  const swagger = SwaggerUIBundle({ spec: contract, domNode: document.createElement("div") }).getSystem().fn;

  // Swagger UI leaves the references of inherited parameters, writes the address of the page before the others, and
  // repeats names in the `required` of merged schemas.
  function plain(node) {
    if (Array.isArray(node)) return [...new Set(node.map(plain))];
    if (node === null || typeof node !== "object") return node;
    if (typeof node.$ref === "string") return plain(resolve(node, contract));
    const { $$ref, ...members } = node;
    return Object.fromEntries(Object.entries(members).sort().map(([name, member]) => [name, plain(member)]));
  }

  async function differs(path, expected) {
    const { spec, errors } = await references.fn.resolveSubtree(contract, path);
    return errors.length > 0 || JSON.stringify(plain(spec)) !== JSON.stringify(plain(expected));
  }

  const paths = (await swagger.resolveSubtree(contract, ["paths"])).spec;
  const found = { operations: 0, differences: [] };
  for (const [template, item] of Object.entries(contract.paths)) {
    for (const method of Object.keys(item).filter((key) => item[key].operationId)) {
      found.operations += 1;
      const path = ["paths", template, method];
      if (await differs(path, paths[template][method])) found.differences.push(path.join(" "));
    }
  }
  const schemes = ["components", "securitySchemes"];
  if (await differs(schemes, (await swagger.resolveSubtree(contract, schemes)).spec)) found.differences.push("schemes");
  return found;
}"""

RESOLVE = """async ([contract, path]) => {
  const { references } = await import("/portal/references.js");
  return (await references.fn.resolveSubtree(contract, path)).spec;
}"""


@pytest.mark.parametrize("url", PUBLISHED.values())
def test_every_operation_is_resolved_as_by_swagger_ui(page, url):
    page.goto("/docs")
    found = page.evaluate(RESOLVE_BOTH_WAYS, url)
    assert found["operations"] > 10
    assert found["differences"] == []


def test_a_schema_that_contains_itself_keeps_that_reference(page):
    page.goto("/docs")
    again = {"$ref": "#/components/schemas/Tree"}
    tree = {"properties": {"name": {"type": "string"}, "branches": {"type": "array", "items": again}}}
    contract = {"components": {"schemas": {"Tree": tree, "Oak": again}}}
    assert page.evaluate(RESOLVE, [contract, ["components", "schemas", "Oak"]]) == {**tree, "$$ref": again["$ref"]}


def test_all_of_is_one_schema(page):
    page.goto("/docs")
    parts = [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"properties": {"b": {}}, "required": ["b"]}]
    schema = {"allOf": parts, "properties": {"a": {"maxLength": 1}}, "required": ["a"]}
    found = page.evaluate(RESOLVE, [{"paths": schema}, ["paths"]])
    assert found == {"properties": {"a": {"type": "string", "maxLength": 1}, "b": {}}, "required": ["a", "b"]}


def test_references_follow_one_another_and_may_have_siblings(page):
    page.goto("/docs")
    schemas = {
        "Money": {"type": "string", "description": "Money."},
        "a/b~c": {"$ref": "#/components/schemas/Money"},
        "Price": {"$ref": "#/components/schemas/a~1b~0c", "description": "Price of a unit."},
    }
    found = page.evaluate(RESOLVE, [{"components": {"schemas": schemas}}, ["components", "schemas", "Price"]])
    assert found == {"type": "string", "description": "Price of a unit.", "$$ref": "#/components/schemas/a~1b~0c"}


def test_a_path_that_is_not_there_is_nothing(page):
    page.goto("/docs")
    assert page.evaluate(RESOLVE, [{"paths": {}}, ["paths", "/nothing", "get"]]) is None
