// The last hour of the service, drawn anew every few seconds.

import { account } from "./account.js";

const SECONDS_BETWEEN_LOOKS = 5;
const HOUR = 3600;
const [WIDTH, HEIGHT] = [720, 160];

const rate = (value) => `${number(value)}/s`;
const milliseconds = (value) => (value === null ? "–" : `${number(value)} ms`);

// What each plot shows: its lines, the most important one last, so that it is on top.
const PLOTS = [
  { title: "Requests", unit: rate, lines: { requests: "answered" } },
  { title: "Time to answer", unit: milliseconds, lines: { p99: "99 %", p95: "95 %", p50: "half" } },
  { title: "Errors", tone: "bad", unit: rate, lines: { refused: "refused (4xx)", failed: "failed (5xx)" } },
  { title: "In flight", unit: number, lines: { in_flight: "at once" } },
  { title: "Rate limits", unit: rate, lines: { limited: "refused" } },
  { title: "Cache", unit: rate, lines: { cache_misses: "misses", cache_hits: "hits" }, note: hitRatio },
  { title: "Database connections", unit: number, lines: { pool_size: "allowed", pool_in_use: "in use" } },
  { title: "Waiting for a connection", unit: rate, lines: { pool_waits: "units of work" } },
];

const main = document.querySelector("#status");
const state = document.querySelector("#state");
const plots = document.querySelector("#plots");
const contract = await (await fetch(main.dataset.contract)).json();

let latest = null;
let timer = null;

const caller = account(contract, { entered: look, left: forget });
const drawn = PLOTS.map(draw);
plots.append(...drawn.map(({ figure }) => figure));
caller.show();

async function look() {
  clearTimeout(timer);
  const response = await caller.call("get_metrics_history");
  if (caller.token === null) return;
  if (response?.status === 401) return caller.forget("Your session has ended.");
  if (response?.status === 403) return;
  if (response?.ok) {
    latest = await response.json();
    caller.show();
    show();
  }
  timer = setTimeout(look, SECONDS_BETWEEN_LOOKS * 1000);
}

function show() {
  const { processes, moments, step } = latest;
  plots.hidden = moments.length === 0;
  const running = processes === 1 ? "1 server process" : `${processes} server processes`;
  state.textContent = plots.hidden ? "Nothing yet: the first numbers come within ten seconds." : `${running}, the last hour in steps of ${step} seconds`;
  drawn.forEach(({ update }) => update(moments));
}

function forget() {
  clearTimeout(timer);
  latest = null;
  plots.hidden = true;
  state.textContent = "Log in as somebody who may see how the service is.";
}

function draw({ title, tone, unit, lines, note }) {
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  const cursor = shape("line", { class: "cursor", y1: 0, y2: HEIGHT, visibility: "hidden" });
  const names = Object.keys(lines);
  const paths = names.map((_, n) => shape("path", { class: `line line-${names.length - n}` }));
  svg.append(...[0, 0.5, 1].map((at) => shape("line", { class: "grid", x2: WIDTH, y1: at * HEIGHT, y2: at * HEIGHT })), ...paths, cursor);
  const values = names.map(() => element("strong"));
  const legend = element("p", "legend");
  // The line on top is named first.
  names.forEach((name, n) => {
    const entry = element("span", `entry entry-${names.length - n}`);
    entry.append(lines[name], " ", values[n]);
    legend.prepend(entry, " ");
  });
  const [remark, top, when] = [element("span", "remark"), element("span", "top"), element("span", "when")];
  legend.append(remark);
  const heading = element("h2");
  heading.textContent = title;
  const frame = element("div", "frame");
  frame.append(svg, top);
  const axis = element("p", "axis");
  axis.append("an hour ago", when, "now");
  const figure = element("figure", tone);
  figure.append(heading, legend, frame, axis);

  let [moments, pointed] = [[], null];

  function tell() {
    const moment = moments.find(({ at }) => at === pointed) ?? moments.at(-1);
    if (!moment) return;
    names.forEach((name, n) => { values[n].textContent = unit(moment[name]); });
    remark.textContent = note?.(moment) ?? "";
    when.textContent = moment.at === pointed ? new Date(moment.at).toLocaleTimeString() : "";
    svg.setAttribute("aria-label", `${title}: ${names.map((name) => `${lines[name]} ${unit(moment[name])}`).join(", ")}`);
  }

  svg.addEventListener("pointermove", (event) => {
    const { left, width } = svg.getBoundingClientRect();
    const x = ((event.clientX - left) / width) * WIDTH;
    const nearest = moments.reduce((best, moment) => (Math.abs(across(moment) - x) < Math.abs(across(best) - x) ? moment : best), moments[0]);
    if (!nearest) return;
    pointed = nearest.at;
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, across(nearest));
    cursor.setAttribute("visibility", "visible");
    tell();
  });
  svg.addEventListener("pointerleave", () => {
    pointed = null;
    cursor.setAttribute("visibility", "hidden");
    tell();
  });

  function across({ at }) {
    return WIDTH * (1 - (Date.parse(moments.at(-1).at) - Date.parse(at)) / 1000 / HOUR);
  }

  function update(newer) {
    moments = newer;
    const highest = round(Math.max(...moments.flatMap((moment) => names.map((name) => moment[name] ?? 0))));
    top.textContent = unit(highest);
    names.forEach((name, n) => paths[n].setAttribute("d", line(name, highest)));
    tell();
  }

  // Where there is no value, the line is broken.
  function line(name, highest) {
    let isDrawing = false;
    return moments.map((moment) => {
      const value = moment[name];
      const command = value === null ? "" : `${isDrawing ? "L" : "M"}${across(moment).toFixed(1)} ${(HEIGHT * (1 - value / highest)).toFixed(1)}`;
      // A point of its own is a line of no length, which has round ends.
      const isAlone = command && !isDrawing;
      isDrawing = value !== null;
      return isAlone ? `${command}h0` : command;
    }).join("");
  }

  return { figure, update };
}

// The next of 1, 2, 5, 10, 20, 50, …
function round(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].find((step) => step * power >= value) * power;
}

function number(value) {
  return value.toLocaleString("en", { maximumSignificantDigits: value < 1000 ? 3 : 6 });
}

function hitRatio({ cache_hits: hits, cache_misses: misses }) {
  return hits + misses > 0 ? `${Math.round((100 * hits) / (hits + misses))} % from the cache` : "";
}

function shape(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
}

function element(name, className = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  return made;
}
