// The contract in Swagger UI, with the credentials of the bar.

import { account } from "./account.js";
import { loadContract } from "./describe_operations.js";
import { examples } from "./examples.js";
import { layout } from "./layout.js";
import { references } from "./references.js";
import { search } from "./search.js";

const page = document.querySelector("#contract");
const loading = document.querySelector("#loading");
const versions = document.querySelectorAll(".versions a");

const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", followColourScheme);
followColourScheme();

// The links to other versions keep the operation that is expanded.
versions.forEach((link) => link.addEventListener("click", () => { link.hash = location.hash; }));

try {
  draw(await loadContract(page.dataset.url));
} catch (error) {
  loading.textContent = `The contract cannot be shown: ${error.message} Reload the page to try again.`;
}

function draw(contract) {
  const schemes = Object.entries(contract.components.securitySchemes);
  const tokenSchemes = schemes.filter(([, { scheme }]) => scheme === "bearer").map(([name]) => name);
  const apiKeySchemes = schemes.filter(([, { type }]) => type === "apiKey").map(([name]) => name);

  const caller = account(contract, { onChange: authorize });
  if (!window.SwaggerUIBundle) throw new Error("Swagger UI is not loaded.");
  const { description, ...info } = contract.info;
  const ui = SwaggerUIBundle({
    spec: { ...contract, info },
    domNode: page,
    plugins: [layout({ description, onDrawn: () => loading.remove() }), references, search, examples(contract)],
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    displayOperationId: true,
    displayRequestDuration: true,
    docExpansion: "list",
    filter: true,
    tryItOutEnabled: true,
    validatorUrl: "none",
    onComplete: () => caller.credentials && authorize(caller.credentials),
    responseInterceptor: (response) => {
      // Swagger UI splits a header at its commas.
      caller.notice401(response.status, String(response.headers?.["www-authenticate"]));
      return response;
    },
  });

  function authorize(credentials) {
    if (!credentials) {
      ui.authActions.logout([...tokenSchemes, ...apiKeySchemes]);
      clearResponses();
    } else if (credentials.token) {
      tokenSchemes.forEach((name) => ui.preauthorizeApiKey(name, credentials.token));
    } else {
      apiKeySchemes.forEach((name) => ui.preauthorizeApiKey(name, credentials.apiKey));
    }
  }

  // Responses, and the commands beside them, which contain the credentials.
  function clearResponses() {
    for (const [path, item] of Object.entries(contract.paths)) {
      for (const method of Object.keys(item)) {
        ui.specActions.clearResponse(path, method);
        ui.specActions.clearRequest(path, method);
      }
    }
  }
}

function followColourScheme() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}
