// Plots of the last hour, refreshed every few seconds.

import { account } from "./account.js";

const REFRESH_SECONDS = 5;
const HOUR = 3600;
const [WIDTH, HEIGHT] = [720, 160];

const rate = (value) => `${number(value)}/s`;
const milliseconds = (value) => (value === null ? "–" : `${number(value)} ms`);

// The lines of each plot. The most important one is last, so that it is on top.
const PLOTS = [
  { title: "Requests", unit: rate, lines: { requests: "completed" } },
  { title: "Duration", unit: milliseconds, lines: { p99: "99 %", p95: "95 %", p50: "50 %" } },
  { title: "Errors", tone: "bad", unit: rate, lines: { refused: "client errors (4xx)", failed: "server errors (5xx)" } },
  { title: "In flight", unit: number, lines: { in_flight: "requests" } },
  { title: "Rate limits", unit: rate, lines: { limited: "rejected" } },
  { title: "Response cache", unit: rate, lines: { cache_misses: "misses", cache_hits: "hits" }, note: hitRatio },
  { title: "Database connections", unit: number, lines: { pool_size: "maximum", pool_in_use: "in use" } },
  { title: "Waits for a connection", unit: rate, lines: { pool_waits: "units of work" } },
];

const main = document.querySelector("#status");
const state = document.querySelector("#state");
const plots = document.querySelector("#plots");
const contract = await (await fetch(main.dataset.contract)).json();

let latest = null;
let timer = null;

const caller = account(contract, { onChange: (credentials) => (credentials ? refresh() : clear()) });
const drawnPlots = PLOTS.map(drawPlot);
plots.append(...drawnPlots.map(({ figure }) => figure));
if (caller.credentials) refresh();

async function refresh() {
  clearTimeout(timer);
  const response = await caller.call("get_metrics_history");
  if (caller.credentials === null || response?.status === 403) return;
  if (response?.ok) {
    latest = await response.json();
    show();
  }
  clearTimeout(timer);
  timer = setTimeout(refresh, REFRESH_SECONDS * 1000);
}

function show() {
  const { processes, samples, step } = latest;
  plots.hidden = samples.length === 0;
  const running = processes === 1 ? "1 server process" : `${processes} server processes`;
  state.textContent = plots.hidden ? "No samples yet. The first one follows within ten seconds." : `${running}, the last hour in samples of ${step} seconds`;
  drawnPlots.forEach(({ update }) => update(samples));
}

function clear() {
  clearTimeout(timer);
  latest = null;
  plots.hidden = true;
  state.textContent = "Log in as a user with the scope metrics.";
}

function drawPlot({ title, tone, unit, lines, note }) {
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
  const remark = element("span", "remark");
  const top = element("span", "top");
  const when = element("span", "when");
  legend.append(remark);
  const heading = element("h2");
  heading.textContent = title;
  const frame = element("div", "frame");
  frame.append(svg, top);
  const axis = element("p", "axis");
  axis.append("an hour ago", when, "now");
  const figure = element("figure", tone);
  figure.append(heading, legend, frame, axis);

  let samples = [];
  let pointed = null;

  function showValues() {
    const sample = samples.find(({ at }) => at === pointed) ?? samples.at(-1);
    if (!sample) return;
    names.forEach((name, n) => { values[n].textContent = unit(sample[name]); });
    remark.textContent = note?.(sample) ?? "";
    when.textContent = sample.at === pointed ? new Date(sample.at).toLocaleTimeString() : "";
    svg.setAttribute("aria-label", `${title}: ${names.map((name) => `${lines[name]} ${unit(sample[name])}`).join(", ")}`);
  }

  svg.addEventListener("pointermove", (event) => {
    const { left, width } = svg.getBoundingClientRect();
    const x = ((event.clientX - left) / width) * WIDTH;
    const nearest = samples.reduce((best, sample) => (Math.abs(across(sample) - x) < Math.abs(across(best) - x) ? sample : best), samples[0]);
    if (!nearest) return;
    pointed = nearest.at;
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, across(nearest));
    cursor.setAttribute("visibility", "visible");
    showValues();
  });
  svg.addEventListener("pointerleave", () => {
    pointed = null;
    cursor.setAttribute("visibility", "hidden");
    showValues();
  });

  function across({ at }) {
    return WIDTH * (1 - (Date.parse(samples.at(-1).at) - Date.parse(at)) / 1000 / HOUR);
  }

  function update(newer) {
    samples = newer;
    const highest = round(Math.max(...samples.flatMap((sample) => names.map((name) => sample[name] ?? 0))));
    top.textContent = unit(highest);
    names.forEach((name, n) => paths[n].setAttribute("d", line(name, highest)));
    showValues();
  }

  // A sample without a value interrupts the line.
  function line(name, highest) {
    let isDrawing = false;
    return samples.map((sample) => {
      const value = sample[name];
      const command = value === null ? "" : `${isDrawing ? "L" : "M"}${across(sample).toFixed(1)} ${(HEIGHT * (1 - value / highest)).toFixed(1)}`;
      // A single point is a line of length 0, which round line caps make visible.
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
  return hits + misses > 0 ? `${Math.round((100 * hits) / (hits + misses))} % hits` : "";
}

function shape(name, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
  return node;
}

function element(name, className = "") {
  const node = document.createElement(name);
  if (className) node.className = className;
  return node;
}
