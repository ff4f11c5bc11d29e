// References within the contract, and a plugin of Swagger UI that resolves them. By itself Swagger UI parses the whole
// contract anew to draw the page and for each operation that is expanded, which takes seconds.

export const references = {
  fn: {
    // Returns the part of the contract at a path of keys. Without it there is no part, as Swagger UI has it.
    resolveSubtree: async (contract, path) => {
      const part = path.reduce((node, key) => node?.[key], contract);
      const [root, template, method] = path;
      const inherited = root === "paths" && method ? inheritedParameters(contract.paths[template], part, contract) : [];
      const spec = inherited.length ? { ...part, parameters: [...(part.parameters ?? []), ...inherited] } : part;
      return { spec: resolveAll(spec, contract) ?? null, errors: [] };
    },
  },
};

export function resolve({ $ref, ...node }, contract) {
  return $ref ? { ...resolve(find($ref, contract), contract), ...node } : node;
}

// A schema that contains itself keeps the reference to itself. Swagger UI shows the name in `$$ref`.
function resolveAll(node, contract, within = []) {
  if (Array.isArray(node)) return node.map((item) => resolveAll(item, contract, within));
  if (!isObject(node)) return node;
  const { $ref, ...members } = node;
  if (typeof $ref === "string") {
    if (within.includes($ref)) return node;
    const target = resolveAll({ ...find($ref, contract), ...members }, contract, [...within, $ref]);
    return { ...target, $$ref: $ref };
  }
  const resolved = Object.entries(node).map(([name, member]) => [name, resolveAll(member, contract, within)]);
  const { allOf, ...own } = Object.fromEntries(resolved);
  return Array.isArray(allOf) ? [...allOf.map(({ $$ref, ...part }) => part), own].reduce(merge) : Object.fromEntries(resolved);
}

// Swagger UI shows a schema with `allOf` as one schema.
function merge(first, second) {
  if (Array.isArray(first) && Array.isArray(second)) return [...new Set([...first, ...second])];
  if (!isObject(first) || !isObject(second)) return second;
  const merged = Object.entries(second).map(([name, member]) => [name, name in first ? merge(first[name], member) : member]);
  return { ...first, ...Object.fromEntries(merged) };
}

function isObject(node) {
  return node !== null && typeof node === "object" && !Array.isArray(node);
}

// The parameters of a path that the operation does not declare itself.
function inheritedParameters(pathItem, operation, contract) {
  const key = (parameter) => ["in", "name"].map((name) => resolve(parameter, contract)[name]).join(" ");
  const own = new Set((operation?.parameters ?? []).map(key));
  return (pathItem?.parameters ?? []).filter((parameter) => !own.has(key(parameter)));
}

function find($ref, contract) {
  const keys = $ref.slice(2).split("/").map((key) => decodeURIComponent(key).replaceAll("~1", "/").replaceAll("~0", "~"));
  return keys.reduce((node, key) => node[key], contract);
}
