// Log-in and log-out in the bar of a page. The token is stored in the page only.

export function account(contract, { onLogIn, onLogOut }) {
  const logInForm = document.querySelector("#log-in");
  const logOutForm = document.querySelector("#log-out");
  const notice = document.querySelector("#notice");

  const caller = {
    token: null,

    show(message = "") {
      logInForm.reset();
      logInForm.hidden = caller.token !== null;
      logOutForm.hidden = caller.token === null;
      notice.textContent = message;
    },

    clearToken(message) {
      caller.token = null;
      onLogOut();
      caller.show(message);
    },

    // Calls an operation, and shows the detail of a problem in the bar. Returns null if the service does not respond.
    async call(operationId, body) {
      const { method, path } = find(contract, operationId);
      const headers = {};
      if (body) headers["Content-Type"] = "application/json";
      if (caller.token) headers.Authorization = `Bearer ${caller.token}`;
      try {
        const url = contract.servers[0].url.replace(/\/$/, "") + path;
        const response = await fetch(url, { method: method.toUpperCase(), headers, body: JSON.stringify(body) });
        if (!response.ok) notice.textContent = (await response.json()).detail;
        return response;
      } catch {
        notice.textContent = "The service does not respond.";
        return null;
      }
    },
  };

  logInForm.addEventListener("submit", async (event) => {
    event.preventDefault();
    const response = await caller.call("log_in", Object.fromEntries(new FormData(logInForm)));
    if (!response?.ok) return;
    const { access_token, user } = await response.json();
    caller.token = access_token;
    document.querySelector("#caller").textContent = user.username === user.role ? user.role : `${user.username}, ${user.role}`;
    caller.show();
    onLogIn(access_token);
  });

  logOutForm.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await caller.call("log_out")) caller.clearToken("Logged out.");
  });

  return caller;
}

function find(contract, operationId) {
  for (const [path, item] of Object.entries(contract.paths)) {
    const method = Object.keys(item).find((name) => item[name].operationId === operationId);
    if (method) return { method, path };
  }
  throw new Error(`The contract has no ${operationId}.`);
}
