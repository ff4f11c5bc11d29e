// The contract for Swagger UI: descriptions of operations and parameters get what Swagger UI does not show.

import { resolve } from "./references.js";

export async function loadContract(url) {
  const response = await fetch(url).catch(() => null);
  if (!response) throw new Error("The service does not respond.");
  if (!response.ok) throw new Error(`The service responds with status ${response.status}.`);
  const contract = await response.json();
  const paths = Object.values(contract.paths);
  const operations = paths.flatMap(Object.values).filter((operation) => operation.operationId);
  operations.forEach((operation) => describeAccess(operation, contract));
  operations.forEach((operation) => describeRateLimits(operation, contract));
  operations.filter((operation) => operation["x-cache-profile"]).forEach((operation) => describeCacheControl(operation, contract));
  operations.filter((operation) => operation.deprecated).forEach(describeDeprecation);
  [contract.components, ...paths, ...operations]
    .flatMap((holder) => Object.values(holder.parameters ?? {}))
    .forEach((parameter) => describeExample(parameter, contract));
  return contract;
}

// Swagger UI shows scopes of OAuth 2 schemes only.
function describeAccess(operation, contract) {
  const requirements = operation.security ?? contract.security ?? [];
  const isPublic = requirements.length === 0 || requirements.some((requirement) => Object.keys(requirement).length === 0);
  const groups = requirements.flatMap(Object.entries).map(([name, scopes]) => {
    const scheme = contract.components.securitySchemes[name];
    const rolesOfScheme = Object.entries(scheme["x-roles"] ?? {});
    const roles = rolesOfScheme.filter(([, granted]) => scopes.every((scope) => granted.includes(scope))).map(([role]) => role);
    return `${scheme.type === "apiKey" ? "API keys" : roles.join(", ")} (scope ${scopes.map((scope) => `\`${scope}\``).join(", ")})`;
  });
  append(operation, isPublic ? "No credentials required." : `Allowed for ${groups.join(" or ")}.`, "\n\n");
}

// The limits of the rate limit policies of an operation, or of the default ones.
function describeRateLimits(operation, contract) {
  const { policies, default: defaults } = contract["x-rate-limits"];
  const limits = (operation["x-rate-limit"] ?? defaults).map((name) => {
    const { by, limits, exempt = [] } = policies[name];
    const exemption = exempt.length ? `, except ${exempt.join(", ")}` : "";
    return `${limits.join(" and ")} by ${by.join(" and by ")}${exemption} (\`${name}\`)`;
  });
  append(operation, limits.length ? `Rate limits: ${limits.join("; ")}.` : "No rate limits.", "\n\n");
}

// How long caches may use responses to requests without credentials. Other operations have no cache profile.
function describeCacheControl(operation, contract) {
  const age = contract["x-cache-profiles"][operation["x-cache-profile"]]["max-age"];
  append(operation, `Caching: without credentials, ${age ? `for ${age} seconds` : "revalidated with its ETag each time"}.`, "\n\n");
}

// Swagger UI marks deprecated operations, but shows neither their sunset nor their successor.
function describeDeprecation(operation) {
  const { "x-deprecated-since": since, "x-sunset": sunset, "x-successor": successor } = operation;
  const parts = [`Deprecated since ${since}`, sunset && `sunset on ${sunset}`, successor && `successor: \`${successor}\``];
  append(operation, `${parts.filter(Boolean).join("; ")}.`, "\n\n");
}

// Swagger UI fills in examples like defaults, and a request with a value for every filter finds nothing. Required
// parameters need a value.
function describeExample(parameter, contract) {
  if (parameter.$ref || parameter.required) return;
  const { example, ...schema } = resolve(parameter.schema, contract);
  const value = parameter.example ?? example;
  parameter.schema = schema;
  delete parameter.example;
  if (value !== undefined) append(parameter, `Example: \`${value}\``, " ");
}

function append(described, text, separator) {
  described.description = [described.description, text].filter(Boolean).join(separator);
}
