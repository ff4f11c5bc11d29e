// Logging in and out in the bar of a page; the token lives no longer than the page.

export function account(contract, { entered, left }) {
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

    forget(message) {
      caller.token = null;
      left();
      caller.show(message);
    },

    // What is not well is told in the bar; there is no answer at all when the service does not give one.
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
        notice.textContent = "The service does not answer.";
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
    document.querySelector("#who").textContent = user.username === user.role ? user.role : `${user.username}, ${user.role}`;
    caller.show();
    entered(access_token);
  });

  logOutForm.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await caller.call("log_out")) caller.forget("Logged out.");
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
