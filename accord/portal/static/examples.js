// Examples that succeed as they stand, again and again, a plugin of Swagger UI. The example of a POST has new values
// where the contract declares `x-unique`, and others after each success. What is shown is what is sent.

import { resolve } from "./references.js";

export function examples(contract) {
  // The examples on the page, by path. A body that the reader has changed is left alone.
  const bodies = new Map();

  for (const [path, { post }] of Object.entries(contract.paths)) {
    const media = jsonMedia(post);
    if (post?.parameters) post.parameters = post.parameters.map(withExample);
    if (media) {
      media.example = makeExample(media.schema, contract);
      bodies.set(path, format(media.example));
    }
  }

  function renew(path, { oas3Actions, oas3Selectors, specActions }) {
    const { post } = contract.paths[path];
    const pathMethod = [path, "post"];
    if (bodies.has(path) && oas3Selectors.requestBodyValue(...pathMethod) === bodies.get(path)) {
      bodies.set(path, format(makeExample(jsonMedia(post).schema, contract)));
      oas3Actions.setRequestBodyValue({ value: bodies.get(path), pathMethod });
    }
    for (const { name, in: place, example } of (post.parameters ?? []).filter(isUnique).map(withExample)) {
      specActions.changeParam(pathMethod, name, place, example);
    }
  }

  // Optional parameters stay empty.
  function isUnique(parameter) {
    const { required, schema } = resolve(parameter, contract);
    return required && resolve(schema, contract)["x-unique"];
  }

  function withExample(parameter) {
    const resolved = resolve(parameter, contract);
    return isUnique(parameter) ? { ...resolved, example: makeExample(resolved.schema, contract) } : parameter;
  }

  return (system) => ({
    statePlugins: {
      spec: {
        wrapActions: {
          setResponse: (setResponse) => (path, method, response) => {
            if (method === "post" && response.ok) renew(path, system);
            return setResponse(path, method, response);
          },
        },
      },
    },
  });
}

function jsonMedia(operation) {
  return operation?.requestBody?.content["application/json"];
}

// The same random digits make all unique values of an example new: `MI-TV-43` becomes `MI-TV-482913`.
function makeExample(schema, contract, digits = String(Math.random()).slice(2, 8), given = undefined) {
  const { example, items, properties, type, "x-unique": isUnique } = resolve(schema, contract);
  const value = given === undefined ? example : given;
  if (isUnique) return value.replace(/\d{0,6}(?=@|$)/, digits);
  if (type === "array" && value === undefined) return [makeExample(items, contract, digits)];
  if (type !== "object") return value;
  const names = Object.keys(value ?? properties);
  return Object.fromEntries(names.map((name) => [name, makeExample(properties[name], contract, digits, value?.[name])]));
}

// As Swagger UI formats an example.
function format(example) {
  return JSON.stringify(example, null, 2);
}
