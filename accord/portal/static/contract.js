// The contract as Swagger UI is to show it.

export async function load(url) {
  const contract = await (await fetch(url)).json();
  const paths = Object.values(contract.paths);
  const operations = paths.flatMap(Object.values).filter((operation) => operation.operationId);
  operations.forEach((operation) => sayForWhom(operation, contract));
  operations.forEach((operation) => sayLimits(operation, contract));
  operations.filter((operation) => operation["x-cache-profile"]).forEach((operation) => sayCache(operation, contract));
  operations.filter((operation) => operation.deprecated).forEach(sayEnd);
  [contract.components, ...paths, ...operations]
    .flatMap((holder) => Object.values(holder.parameters ?? {}))
    .forEach((parameter) => sayExample(parameter, contract));
  return contract;
}

// Swagger UI shows the scopes of OAuth 2 only.
function sayForWhom(operation, contract) {
  const requirements = operation.security ?? contract.security ?? [];
  const isOpen = requirements.length === 0 || requirements.some((requirement) => Object.keys(requirement).length === 0);
  const groups = requirements.flatMap(Object.entries).map(([name, scopes]) => {
    const scheme = contract.components.securitySchemes[name];
    const granted = Object.entries(scheme["x-roles"] ?? {});
    const roles = granted.filter(([, has]) => scopes.every((scope) => has.includes(scope))).map(([role]) => role);
    return `${scheme.type === "apiKey" ? "API keys" : roles.join(", ")} (scope ${scopes.map((scope) => `\`${scope}\``).join(", ")})`;
  });
  append(operation, `For ${isOpen ? "anybody" : groups.join(" or ")}.`, "\n\n");
}

// The limits of an operation, from its rate limit policies or the default ones.
function sayLimits(operation, contract) {
  const { policies, default: defaults } = contract["x-rate-limits"];
  const limits = (operation["x-rate-limit"] ?? defaults).map((name) => {
    const { by, limits, exempt = [] } = policies[name];
    const without = exempt.length ? `, but not for ${exempt.join(", ")}` : "";
    return `${limits.join(" and ")} by ${by.join(" and by ")}${without} (\`${name}\`)`;
  });
  append(operation, limits.length ? `Rate limits: ${limits.join("; ")}.` : "No rate limits.", "\n\n");
}

// How long caches may use the response to a request without credentials. Without a cache profile, they may not.
function sayCache(operation, contract) {
  const age = contract["x-cache-profiles"][operation["x-cache-profile"]]["max-age"];
  append(operation, `Caches: without credentials, ${age ? `good for ${age} seconds` : "good while its tag is"}.`, "\n\n");
}

// Swagger UI says that an operation is deprecated, but not until when it is there, and what comes after it.
function sayEnd(operation) {
  const { "x-deprecated-since": since, "x-sunset": sunset, "x-successor": successor } = operation;
  const said = [`Deprecated since ${since}`, sunset && `may end on ${sunset}`, successor && `its successor is \`${successor}\``];
  append(operation, `${said.filter(Boolean).join("; ")}.`, "\n\n");
}

// Swagger UI fills examples in as if they were defaults, and a request with every filter finds nothing.
function sayExample(parameter, contract) {
  if (parameter.$ref) return;
  const { example, ...schema } = resolved(parameter.schema, contract);
  const shown = parameter.example ?? example;
  parameter.schema = schema;
  delete parameter.example;
  if (shown !== undefined) append(parameter, `Example: \`${shown}\``, " ");
}

function append(described, text, separator) {
  described.description = [described.description, text].filter(Boolean).join(separator);
}

function resolved({ $ref, ...schema }, contract) {
  if (!$ref) return schema;
  const target = $ref.slice(2).split("/").reduce((node, key) => node[key.replaceAll("~1", "/").replaceAll("~0", "~")], contract);
  return { ...resolved(target, contract), ...schema };
}
