// The contract in Swagger UI, and a log-in whose token lives no longer than this page.

import { load } from "./contract.js";

const page = document.querySelector("#contract");
const logInForm = document.querySelector("#log-in");
const logOutForm = document.querySelector("#log-out");
const notice = document.querySelector("#notice");
const versions = document.querySelectorAll(".versions a");

const contract = await load(page.dataset.url);
const schemes = contract.components.securitySchemes;
const bearerSchemes = Object.keys(schemes).filter((name) => schemes[name].scheme === "bearer");

let token = null;

const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", followColourScheme);
followColourScheme();

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
  onComplete: () => show(""),
  responseInterceptor: (response) => {
    if (response.status === 401 && token) forget("Your session has ended.");
    return response;
  },
});

// The other version of what is unfolded here.
versions.forEach((link) => link.addEventListener("click", () => { link.hash = location.hash; }));

logInForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const response = await call("log_in", Object.fromEntries(new FormData(logInForm)));
  if (!response?.ok) return;
  const { access_token, user } = await response.json();
  token = access_token;
  bearerSchemes.forEach((scheme) => ui.preauthorizeApiKey(scheme, token));
  document.querySelector("#who").textContent = user.username === user.role ? user.role : `${user.username}, ${user.role}`;
  show("");
});

logOutForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (await call("log_out")) forget("Logged out.");
});

function forget(message) {
  token = null;
  ui.authActions.logout(bearerSchemes);
  show(message);
}

function show(message) {
  logInForm.reset();
  logInForm.hidden = token !== null;
  logOutForm.hidden = token === null;
  notice.textContent = message;
}

async function call(operationId, body) {
  const path = Object.keys(contract.paths).find((path) => contract.paths[path].post?.operationId === operationId);
  const headers = {};
  if (body) headers["Content-Type"] = "application/json";
  if (token) headers.Authorization = `Bearer ${token}`;
  try {
    const url = contract.servers[0].url.replace(/\/$/, "") + path;
    const response = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
    if (!response.ok) notice.textContent = (await response.json()).detail;
    return response;
  } catch {
    notice.textContent = "The service does not answer.";
    return null;
  }
}

function followColourScheme() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}
