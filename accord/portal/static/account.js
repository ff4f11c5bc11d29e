// The credentials of a page: a log-in or an API key. All pages of this origin share them (docs/adr/0028).

// In localStorage, for all tabs: the access token or the API key, and the time of its expiry.
const CREDENTIALS = "accord.credentials";
// In sessionStorage of the tab that renews the credentials: the refresh token, and the expiry that it replaces.
const RENEWAL = "accord.renewal";

const API_KEY_LIFETIME = 3600; // seconds
const RETRY_DELAY = 5000; // milliseconds
const MAX_DELAY = 2 ** 31 - 1; // milliseconds that a timer can wait

const shared = openStorage("localStorage");
const ofThisTab = openStorage("sessionStorage");

// Calls `onChange` with the credentials, or with null, when they begin, are renewed or end.
export function account(contract, { onChange }) {
  const logInForm = document.querySelector("#log-in");
  const apiKeyForm = document.querySelector("#use-api-key");
  const apiKeyMenu = apiKeyForm.closest("details");
  const logOutForm = document.querySelector("#log-out");
  const notice = document.querySelector("#notice");

  let timer = null;
  let isBusy = false;

  const caller = {
    credentials: read(),

    // Calls an operation, and shows the detail of a problem. Returns null if the service does not respond.
    async call(operationId, body) {
      const { method, path, operation } = find(contract, operationId);
      const headers = {};
      if (body) headers["Content-Type"] = "application/json";
      if (caller.credentials && operation.security.length) Object.assign(headers, authorization(caller.credentials));
      const url = contract.servers[0].url.replace(/\/$/, "") + path;
      const response = await fetch(url, { method: method.toUpperCase(), headers, body: body && JSON.stringify(body) }).catch(() => null);
      show(await describeProblem(response));
      if (response) caller.notice401(response.status, response.headers.get("WWW-Authenticate"));
      return response;
    },

    // Forgets credentials that the service refuses. A 401 without `invalid_token` is about something else.
    notice401(status, challenge) {
      if (status === 401 && caller.credentials && challenge?.includes("invalid_token")) {
        forget(caller.credentials.token ? "Your session has ended. Log in again." : "The API key is invalid, expired or revoked.");
      }
    },
  };

  function show(message) {
    notice.textContent = message;
  }

  function showForms() {
    logInForm.hidden = apiKeyMenu.hidden = caller.credentials !== null;
    logOutForm.hidden = caller.credentials === null;
    document.querySelector("#caller").textContent = caller.credentials?.name ?? "";
  }

  function change(credentials, message) {
    caller.credentials = credentials;
    showForms();
    show(message);
    schedule();
    onChange(credentials);
  }

  function start(credentials, lifetime, refreshToken = null) {
    const expiry = Date.now() + lifetime * 1000;
    shared.setItem(CREDENTIALS, JSON.stringify({ ...credentials, expiry }));
    ofThisTab.setItem(RENEWAL, JSON.stringify({ expiry, refreshToken }));
    change({ ...credentials, expiry }, "");
  }

  function startSession({ access_token: token, expires_in, refresh_token, user: { username, role } }) {
    start({ name: username === role ? role : `${username}, ${role}`, token }, expires_in, refresh_token);
  }

  function startApiKey(apiKey) {
    start({ name: `API key ${apiKey.slice(0, 15)}…`, apiKey }, API_KEY_LIFETIME);
  }

  function forget(message) {
    shared.removeItem(CREDENTIALS);
    ofThisTab.removeItem(RENEWAL);
    change(null, message);
  }

  // The random part keeps a duplicate of this tab, which has the same refresh token, from using it at the same moment.
  function schedule() {
    clearTimeout(timer);
    if (!caller.credentials) return;
    const left = caller.credentials.expiry - Date.now();
    const delay = !renewal(caller.credentials) ? left : left > 0 ? left * (0.8 + 0.1 * Math.random()) : RETRY_DELAY;
    timer = setTimeout(renewal(caller.credentials) ? renew : follow, Math.min(delay, MAX_DELAY));
  }

  async function renew() {
    const { credentials } = caller;
    if (credentials.apiKey) return startApiKey(credentials.apiKey);
    const response = await caller.call("refresh_tokens", { refresh_token: renewal(credentials).refreshToken });
    // The user may have logged out in the meantime.
    if (caller.credentials !== credentials) return;
    if (response?.ok) startSession(await response.json());
    else if (response?.status === 401) forget("Your session has ended. Log in again.");
    else schedule();
  }

  // Takes over what another page has done, or that the credentials have expired.
  function follow() {
    const stored = read();
    if (stored?.expiry === caller.credentials?.expiry) return schedule();
    if (stored) return change(stored, "");
    forget(shared.getItem(CREDENTIALS) ? "Your log-in has expired. Log in again." : "Logged out.");
  }

  addEventListener("storage", follow);
  // A page from the back-forward cache has missed the events.
  addEventListener("pageshow", follow);

  submitted(logInForm, async () => {
    const response = await caller.call("log_in", Object.fromEntries(new FormData(logInForm)));
    if (response?.ok) startSession(await response.json());
    else logInForm.password.select();
  });

  submitted(apiKeyForm, () => startApiKey(apiKeyForm.api_key.value.trim()));

  // This browser forgets the credentials also if the service does not respond.
  submitted(logOutForm, async () => {
    const response = caller.credentials.token && await caller.call("log_out");
    const isOver = !caller.credentials?.token || response?.ok;
    forget(isOver ? "Logged out." : `Logged out in this browser, but the session has not ended: ${notice.textContent}`);
  });

  function submitted(form, act) {
    form.addEventListener("input", () => show(""));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (isBusy) return;
      isBusy = true;
      const before = caller.credentials;
      try {
        await act();
      } finally {
        isBusy = false;
      }
      if (caller.credentials === before) return;
      form.reset();
      apiKeyMenu.open = false;
      (caller.credentials ? logOutForm.log_out : logInForm.username).focus({ preventScroll: true });
    });
  }

  showForms();
  schedule();
  return caller;
}

function authorization({ token, apiKey }) {
  return token ? { Authorization: `Bearer ${token}` } : { "X-API-Key": apiKey };
}

// Returns the stored credentials. Those that have expired are of use only to the tab that renews them.
function read() {
  const credentials = parse(shared.getItem(CREDENTIALS));
  return credentials?.expiry > Date.now() || renewal(credentials) ? credentials : null;
}

// Returns what this tab needs to renew these credentials, or null if another tab renews them.
function renewal(credentials) {
  const stored = parse(ofThisTab.getItem(RENEWAL));
  return credentials && stored?.expiry === credentials.expiry ? stored : null;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function describeProblem(response) {
  if (response?.ok) return "";
  if (!response) return "The service does not respond. Try again later.";
  const problem = await response.clone().json().catch(() => ({}));
  return problem.detail ?? `The service responds with status ${response.status}. Try again later.`;
}

// Returns the storage, or one that lasts as long as the page if the browser refuses to store anything.
function openStorage(name) {
  try {
    return window[name];
  } catch {
    const items = new Map();
    return { getItem: (key) => items.get(key) ?? null, setItem: (key, value) => items.set(key, value), removeItem: (key) => items.delete(key) };
  }
}

function find(contract, operationId) {
  for (const [path, item] of Object.entries(contract.paths)) {
    const method = Object.keys(item).find((name) => item[name].operationId === operationId);
    if (method) return { method, path, operation: item[method] };
  }
  throw new Error(`The contract has no ${operationId}.`);
}
