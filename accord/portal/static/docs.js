// The contract in Swagger UI, and a log-in whose token is stored in this page only.

import { account } from "./account.js";
import { loadContract } from "./describe_operations.js";

const page = document.querySelector("#contract");
const versions = document.querySelectorAll(".versions a");

const contract = await loadContract(page.dataset.url);
const schemes = contract.components.securitySchemes;
const bearerSchemes = Object.keys(schemes).filter((name) => schemes[name].scheme === "bearer");

const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", followColourScheme);
followColourScheme();

const caller = account(contract, {
  onLogIn: (token) => bearerSchemes.forEach((scheme) => ui.preauthorizeApiKey(scheme, token)),
  onLogOut: () => ui.authActions.logout(bearerSchemes),
});

const ui = SwaggerUIBundle({
  spec: contract,
  domNode: page,
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  docExpansion: "list",
  filter: true,
  tryItOutEnabled: true,
  validatorUrl: "none",
  onComplete: () => caller.show(),
  responseInterceptor: (response) => {
    if (response.status === 401 && caller.token) caller.clearToken("Your session has ended.");
    return response;
  },
});

// The links to other versions keep the operation that is expanded.
versions.forEach((link) => link.addEventListener("click", () => { link.hash = location.hash; }));

function followColourScheme() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}
