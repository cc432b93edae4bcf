// SPDX-License-Identifier: MIT
// The dashboard: asks for the state, then listens. What it draws comes from four things that it keeps: the newest
// reading, the health, the last hour and what the dongle says of itself. Nothing waits for the chart.

const WALL = location.pathname === "/wall";
const ASK_MS = 14000, HOUR_MS = 300000, STALE_S = 30, TOLD_MS = 30000;

let alerts = [];  // that are active
let status = {}, reading = null, health = null, today = null, tariff = null, locked = false;
let heardAt = 0, healthAt = 0, hourAt = 0, knownAt = 0, reached = true, source = null, timers = [], side = "", toldAt = 0;

const silence = () => (Date.now() - heardAt) / 1000;

// ---- now

function showPower() {
  const now = net("");
  if (now === undefined) {
    setText($("power"), "–");
    setText($("way"), t("This meter does not tell the power"));
    delete $("way").dataset.arrow;
    $("now").className = "card";
    return;
  }
  const turned = now < 0 ? "out" : now > 0 ? "in" : "";
  const big = Math.abs(now) >= 10000;
  const value = sign(now) + (big ? number(Math.abs(now) / 1000, 2) : number(Math.abs(now)));
  const unit = NBSP + (big ? "kW" : "W");
  if ($("power").textContent !== value + unit) {
    empty($("power"));
    $("power").append(value, make("small", {}, unit));
  }
  $("now").className = "card " + turned;
  const words = turned === "out" ? t("Exporting to the grid") : turned ? t("Importing from the grid") : t("Nothing to or from the grid");
  setText($("way"), words);
  $("way").dataset.arrow = turned === "out" ? "▲" : turned ? "▼" : "●";
  document.title = value + unit + " – Wattport";
  if (turned !== side && Date.now() - toldAt > TOLD_MS) {  // aloud when the direction turns, and not more often
    side = turned;
    toldAt = Date.now();
    tell(words + ", " + watts(Math.abs(now)));
  }
  const lines = LINES.map(line => [line.toUpperCase(), net("_" + line)]).filter(([, value]) => value !== undefined);
  const list = $("lines");
  list.hidden = lines.length < 2;  // of one phase it would be the same figure
  while (list.children.length > lines.length) list.lastChild.remove();
  lines.forEach(([name, value], index) => {
    if (!list.children[index]) list.append(make("li", {}, make("span", {class: "soft"}), make("b")));
    const [label, figure] = list.children[index].children;
    setText(label, name);
    setText(figure, signed(value));
    figure.className = value < 0 ? "out" : value > 0 ? "in" : "";
  });
}

// ---- today

function showToday() {
  const rows = [];
  // the dongle was asked some minutes ago: the registers went on since
  const sum = name => !today || typeof today[name] !== "number" ? null
    : today[name] + (reading && today.at && reading[name] >= today.at[name] ? reading[name] - today.at[name] : 0);
  const bought = sum("import_wh"), sold = sum("export_wh");
  if (bought !== null) rows.push([t("From the grid"), energy(bought, 2)]);
  if (sold !== null) rows.push([t("To the grid"), energy(sold, 2)]);
  if (rows.length && tariff && (tariff.import_micro || tariff.export_micro || tariff.standing_micro)) {
    const cost = bought * tariff.import_micro / 1000 - sold * tariff.export_micro / 1000 + tariff.standing_micro;
    rows.push([cost < 0 ? t("Earned") : t("Cost"), money(Math.abs(cost), tariff.currency)]);
  }
  const list = $("sums");
  $("today").hidden = !rows.length;
  $("first").className = rows.length ? "" : "alone";
  const shape = rows.map(row => row[0]).join();
  if (list.dataset.shape !== shape) {
    list.dataset.shape = shape;
    empty(list);
    for (const [name] of rows) list.append(make("div", {}, make("dt", {}, name), make("dd")));
  }
  rows.forEach(([, value], index) => setText(list.children[index].lastChild, value));
  // by the household's clock: a quarter of an hour is the smallest step between zones
  const whole = today && today.since && today.since % 900 === 0;
  setText($("since"), !rows.length || whole ? "" : today.since ? t("Since {0}: the dongle was off before.", clock(today.since))
    : t("Since the dongle started: it does not know the time yet."));
}

const CLOCKS = {ntp: N("set from the internet"), meter: N("set from the meter"), system: N("set by this computer"), none: N("not set yet")};

// ---- health, in words and with what to do

const ERRORS = {checksum: N("damaged on the way"), truncated: N("cut short"), wrong_key: N("not decrypted: wrong key"), no_key: N("encrypted, no key set"),
  unsupported: N("of an unknown kind"), malformed: N("malformed")};

// why there is no broker: the device's words are for who looks into logs
const BROKER = [[/user name|authori/, N("It does not accept the user name or password.")], [/TLS|certificate/i, N("No secure connection: check the certificate.")],
  [/: refused/, N("Nothing listens there: check address and port.")], [/: no such name|not a host|no host|IPv4/, N("No machine has this name: check the address.")],
  [/./, N("It does not answer.")]];

function showHealth() {
  const rows = [];
  const since = (Date.now() - healthAt) / 1000;
  const errors = Object.entries(health.errors || {}).filter(([, count]) => count)
    .map(([kind, count]) => number(count) + NBSP + "× " + t(ERRORS[kind] || kind));
  const words = health.meter === "ok" ? t("Telegrams arrive") : health.meter === "silent" ? t("Nothing arrives") : t("Nothing readable arrives");
  const model = reading && reading.meter_model;
  rows.push([t("Meter"), [words, health.meter === "ok" ? "words" : "words bad", model ? String(model) : ""]]);
  if (health.telegram_age_s !== null && health.telegram_age_s !== undefined)
    rows.push([t("Last telegram"), t("{0} ago", span(heardAt ? Math.min(health.telegram_age_s + since, silence()) : health.telegram_age_s + since))]);
  rows.push([t("Telegrams read"), number(health.telegrams)], [t("Telegrams with errors"), [errors.join("\n") || t("no errors"), "words"]]);
  if (health.key) rows.push([t("Key"), [capital(t(health.key)), "words"]]);
  if (health.rssi !== null && health.rssi !== undefined) rows.push([t("Wi-Fi"), [capital(signal(health.rssi)), "", sign(health.rssi) + number(Math.abs(health.rssi)) + NBSP + "dBm"]]);
  if (health.tasks && health.tasks.mqtt) {
    const mqtt = health.mqtt || {};
    const [, why] = BROKER.find(([pattern]) => pattern.test(mqtt.error || "")) || ["", ""];
    rows.push([t("MQTT broker"), mqtt.connected ? t("connected") : [t("not connected"), "words bad", why && t(why)]]);
  }
  if (health.time_source) rows.push([t("Clock"), t(CLOCKS[health.time_source] || health.time_source)]);
  const failing = Object.entries(health.tasks || {}).filter(([, task]) => task.restarts).map(([name, task]) => name + ": " + task.error);
  if (failing.length) rows.push([t("Restarted parts"), [failing.join("\n"), "words"]]);
  rows.push([t("Running for"), span(health.uptime_s + since)]);
  table("health", rows);
  setText($("about"), ["Wattport " + health.version, health.family, t("{0} KB of memory free", number(Math.round(health.heap_free / 1024)))]
    .filter(Boolean).join(" · "));
}

// The one thing that most needs somebody: [title, text, link's text, link or function, bad]
function worst() {
  const help = t("Settings");
  if (!reached) return [t("The dongle does not answer."), t("This page goes on by itself as soon as it is back. Is it plugged in, and is this device in the same network?"), "", "", true];
  if (locked) return [t("The readings are private."), t("Log in to see them."), t("Log in"), begin, false];
  if (status.setup && !status.portal) return [t("This dongle is not protected yet."), t("Choose a password, and where the readings go."), t("Set up"), "/setup", false];
  if (!health) return null;
  if (health.meter === "ok") {
    const found = alerts.filter(alert => ALERTS[alert.name.replace(/_l[123]$/, "")]);
    if (!found.length) return null;
    return [t("Alert:"), found.map(alertWords).join(" "), "", "", found.some(alert => alert.severity === "alarm")];
  }
  const key = health.key && /key/.test(health.key) && health.meter !== "silent";
  if (health.meter === "silent")
    return [t("Nothing arrives from the meter."), t("Is the cable plugged in at both ends? Is the port switched on? With some meters the grid operator has to do that, on request."), help, "/settings#meter", true];
  if (key) return [capital(t(health.key)) + ".", t("Enter the key that your grid operator gave you for this meter."), t("Enter the key"), "/settings#meter", true];
  return [t("Something arrives that is no readable telegram."), t("If your meter encrypts, its key may be missing or wrong. Otherwise the cable may be damaged, or the line settings are not those of this meter."), help, "/settings#meter", true];
}

function showNotice() {
  const found = worst();
  $("notice").hidden = !found;
  if (!found) return;
  const [title, text, words, link, bad] = found;
  $("notice").className = "card notice" + (bad ? " bad" : "");
  setText($("notice-title"), title);
  setText($("notice-text"), text);
  const way = $("notice-link");
  way.parentNode.hidden = way.hidden = !words;
  setText(way, words);
  way.href = typeof link === "string" ? link : "#";
  way.onclick = typeof link === "string" ? null : event => { event.preventDefault(); link(); };
}

function showState() {
  const age = silence();
  const [words, look] = !reached ? [t("Not reachable"), "bad"]
    : locked ? [t("Locked"), ""]
    : !reading ? [health && health.meter !== "ok" ? t("No telegram yet") : t("Connecting…"), ""]
    : age > STALE_S ? [t("No news for {0}", span(age)), "bad"] : [t("Live"), "live"];
  const bad = look === "bad";
  if (bad && !$("state").classList.contains("bad")) tell(words);
  $("now").classList.toggle("old", bad);
  if (bad) document.title = "Wattport";
  setText($("state"), words);
  $("state").className = "pill " + look;
}

function showStatus() {
  const button = $("log");
  button.hidden = !status.password;
  setText(button, status.login ? t("Log out") : t("Log in"));
}

function show() {
  if (health) showHealth();
  showStatus();
  showState();
  showNotice();
}

function showAll() {
  if (reading) showReading();
  else setText($("way"), t("Waiting for the meter’s first telegram"));
  showToday();
  showHour();
  show();
}

// ---- from the dongle

function take(value) {
  const same = reading && JSON.stringify(value) === JSON.stringify(reading);
  reading = value;
  reached = true;
  if (!same || source) heardAt = Date.now();
  if (today && !today.at) today.at = reading;
  const now = net("");
  if (now !== undefined) record(now);
  showReading();
  showHour();
  show();
}

// → the answer or null. Who is gone, and who wants a password, is kept for the notice.
async function ask(path) {
  try {
    const answer = await api("GET", path, null, {silent: true});
    if (!reached) hourAt = knownAt = 0;  // it was away: what it knows may be new
    reached = true;
    return answer;
  } catch (error) {
    reached = error.status !== 0;
    if (error.status === 401) locked = true;
    return null;
  }
}

async function askHealth() {
  const value = await ask("/api/health");
  if (value) {
    if (health && value.version !== health.version) location.reload();  // this page belongs to the one before
    if (health && value.uptime_s < health.uptime_s) hourAt = knownAt = 0;  // it started again, and forgot who was logged in
    [health, healthAt] = [value, Date.now()];
    if (String(value.alerts || "") !== alerts.map(alert => alert.name).join()) alerts = ((await ask("/api/alerts")) || {active: []}).active;
  }
  if (value && !knownAt) await askStatus();
  if (value && Date.now() - hourAt > HOUR_MS) await askHour();
  show();
}

async function askHour() {
  const value = await ask("/api/" + pastSpan);
  if (!value) return;
  takeHour(value);
  showToday();
  showHour();
}

async function askReading() {
  const value = await ask("/api/reading");
  if (value) take(value);
  show();
}

function listen() {
  if (source || locked || !window.EventSource) return;
  source = new EventSource("/api/events");
  source.onopen = () => { reached = true; show(); };
  source.onmessage = event => { take(JSON.parse(event.data)); };
  source.onerror = () => {
    if (source && source.readyState === EventSource.CLOSED) source = null;  // too many listen: ask instead
    askHealth();
    if (!source) askReading();
  };
}

// ---- life of the page

async function askStatus() {
  const found = await ask("/api/status");
  if (!found) return;
  status = found;
  knownAt = Date.now();
  locked = Boolean(status.private && !status.login);
  if (status.portal) location.replace("/setup");
  if (status.name && status.name !== "wattport") setText($("name"), status.name);
}

async function begin() {
  await askStatus();
  if (locked && !await login()) return show();
  if (locked) return begin();
  await askHealth();
  listen();
}

function start() {
  stop();
  show();
  begin().then(() => stay());
  const fresh = () => health && health.meter === "ok" && Date.now() - healthAt < ASK_MS;
  timers = [setInterval(() => locked || fresh() || askHealth(), 5000), setInterval(show, 1000),
    setInterval(() => source || locked || askReading(), 5000), setInterval(() => listen(), 60000)];
}

function stop() {  // nobody looks: the dongle has few connections
  timers.forEach(clearInterval);
  timers = [];
  if (source) source.close();
  source = null;
}

// On the wall the screen is to stay on. Browsers allow that only to pages they call secure, or not at all: the tablet's
// own settings do it then.
function stay() {
  if (WALL && navigator.wakeLock) navigator.wakeLock.request("screen").catch(() => {});
}

languageChooser($("language"));
$("log").onclick = async () => {
  if (status.login) await api("POST", "/api/logout").catch(() => {});
  else if (!await login()) return;
  start();
};
$("minutes").ontoggle = showMinutes;
$("span").onclick = otherSpan;
if (WALL) {
  document.body.className = "wall";
  document.body.append(make("a", {id: "leave", class: "button quiet", href: "/", "aria-label": "Dashboard"}, "✕"));
}
if (window.ResizeObserver) new ResizeObserver(() => { if (plot) plot.setSize(size()); }).observe($("chart"));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
document.addEventListener("language", () => { showSpan(); redraw(); showAll(); });
document.addEventListener("visibilitychange", () => { if (document.hidden) stop(); else { hourAt = 0; start(); } });
window.addEventListener("pagehide", stop);
window.addEventListener("pageshow", event => { if (event.persisted) start(); });
Promise.race([ready, new Promise(late => setTimeout(late, 1500))]).then(start);
