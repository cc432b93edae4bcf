// SPDX-License-Identifier: MIT
// The page of the history: which view of which period somebody looks at stands in the address, #energy/month/2026-03-01.
// The dongle is asked one thing after another, as it has few connections; who turns a page does not wait for the last.

// what asks and shows, given the period and a signal: it is left
const VIEWS = {energy: viewEnergy, cost: viewCost, compare: viewCompare, solar: viewSolar, peaks: viewPeaks, alerts: viewAlerts};
const TIMELESS = ["peaks", "alerts"];
const KEEP_MS = 120000, BUSY_MS = 2500, BUSY_TIMES = 8;

let ahead_ms = 0;  // the dongle's clock before that of this device
let view = "energy", anchor = "", shown = period("day", "2026-01-01");
let stop = new AbortController(), line = Promise.resolve(), kept = new Map();

function today() {
  const now = new Date(Date.now() + ahead_ms);
  return date(now.getFullYear(), now.getMonth(), now.getDate());
}

// An answer of the dongle, in its turn; one of a minute ago is as good. A dongle that is busy is asked again.
function ask(path, patience_ms = 60000) {
  const {signal} = stop;
  const turn = line.then(async () => {
    const known = kept.get(path);
    if (known && Date.now() - known.at < KEEP_MS) return known.answer;
    for (let times = 0; ; times++) {
      if (signal.aborted) throw problem(0, "left", GONE);
      try {
        const answer = await api("GET", path, null, {timeout_ms: patience_ms, signal});
        kept.set(path, {at: Date.now(), answer});
        return answer;
      } catch (error) {
        if (error.status !== 503 || times >= BUSY_TIMES) throw error;
        await new Promise(later => setTimeout(later, BUSY_MS));
      }
    }
  });
  line = turn.catch(() => {});
  return turn;
}

// A table anew. head: texts; rows: [[name, cell, ...], ...], each a text or an element; foot: a row, or none
function fill(table, head, rows, foot) {
  const line = (row, scope) => make("tr", {}, ...row.map((cell, index) => make(scope === "col" || !index ? "th" : "td", {scope: scope === "col" ? "col" : index ? null : "row"}, cell)));
  empty(table);
  table.append(make("thead", {}, line(head, "col")), make("tbody", {}, ...rows.map(row => line(row))));
  if (foot) table.append(make("tfoot", {}, line(foot)));
}

// list: [[name, value, small], ...]
function figures(place, list) {
  empty(place);
  for (const [name, value, small] of list)
    place.append(make("div", {}, make("dt", {}, name), make("dd", {}, value, small ? make("small", {}, small) : null)));
}

const address = (name, unit, text) => "#" + [name, unit, text].join("/");
const go = (name, unit, text) => { location.hash = address(name, unit, text); };

function showControls() {
  const {unit, from, to} = shown;
  for (const link of $("tabs").children) {
    const name = link.hash.slice(1).split("/")[0];
    link.hash = address(name, unit, anchor);
    if (name === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  for (const button of $("units").children) {
    button.setAttribute("aria-pressed", String(button.value === unit));
    setText(button, t(UNITS[button.value]));
  }
  setText($("title"), periodTitle(shown));
  $("date").max = today();
  $("date").value = anchor;
  $("on").disabled = to > today();
  $("today").disabled = from <= today() && to > today();
  $("when").hidden = TIMELESS.indexOf(view) >= 0;
  for (const name of Object.keys(VIEWS)) $("v-" + name).hidden = name !== view;
}

function showTrouble(error) {
  const off = error.code === "not_found";
  setText($("trouble-text"), off ? t("No history is kept: it is switched off.") : error.message);
  $("trouble").hidden = false;
  $("trouble-link").hidden = !off;
  $("trouble-link").href = "/settings#history";
  setText($("trouble-link"), t("Settings"));
  $("v-" + view).hidden = true;
}

// By the address: what is not there is today's.
async function look() {
  const [name, unit, text] = location.hash.slice(1).split("/");
  view = name in VIEWS ? name : "energy";
  anchor = /^20\d\d-[01]\d-[0-3]\d$/.test(text) && !isNaN(moment(text)) && text <= today() ? text : today();
  shown = period(unit in UNITS ? unit : "day", anchor);
  stop.abort();
  const {signal} = stop = new AbortController();
  $("trouble").hidden = true;
  showControls();
  $("busy").hidden = false;
  try {
    await VIEWS[view](shown, signal);
  } catch (error) {
    if (!signal.aborted) showTrouble(error);
  }
  if (!signal.aborted) $("busy").hidden = true;
}

function move(by) {
  const {from, to} = period(shown.unit, anchor, by);
  const last = before(to);
  go(view, shown.unit, shown.unit === "day" ? from : last < today() ? last : today());
}

async function start() {
  try {
    const {utc} = await ask("/api/health");
    if (utc) ahead_ms = utc * 1000 - Date.now();
  } catch (error) { /* then by the clock of this device; what does not answer is told below */ }
  window.addEventListener("hashchange", look);
  document.addEventListener("language", look);
  look();
}

for (const unit of Object.keys(UNITS)) $("units").append(make("button", {value: unit, onclick: () => go(view, unit, anchor)}));
languageChooser($("language"));
$("back").onclick = () => move(-1);
$("on").onclick = () => move(1);
$("today").onclick = () => go(view, shown.unit, today());
$("date").onchange = () => { if ($("date").value) go(view, shown.unit, $("date").value); };
$("again").onclick = () => { kept.clear(); look(); };
document.addEventListener("login", () => kept.clear());
Promise.race([ready, new Promise(late => setTimeout(late, 1500))]).then(start);
