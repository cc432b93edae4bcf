// SPDX-License-Identifier: MIT
// The set-up: one question at a time, each tried out on the device, everything saved at once in the end.
// The phone may leave and come back (its log-in sheet closes when the access point changes the channel): what was typed
// lies in sessionStorage when that lasts, and what was tried out, on the device (GET /api/try).

if (!window.readKey) setTimeout(() => location.reload(), 3000);  // forms.js did not arrive: the dongle was busy

const STEPS = ["welcome", "wifi", "meter", "key", "mqtt", "password", "time", "finish"];
const KEPT = "wattport.setup";

let S = {step: "", wifi: null, key: null, mqtt: null, password: "", time: null, tariff: null, pulse: null, wantKey: false};
let status = {}, settings = {}, tried = {}, scanned = null, watching = 0;

function keep() {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(S));
  } catch (error) { /* then a reload starts anew */ }
}

function recall() {
  try {
    S = Object.assign(S, JSON.parse(sessionStorage.getItem(KEPT)));
  } catch (error) { /* nothing kept */ }
}

const set = (group, key) => (settings[group] || {})[key];
const ownWifi = () => "Wattport-" + (status.device || "").slice(-4);

function steps() {
  return STEPS.filter(name => (name !== "wifi" || status.portal) && (name !== "key" || needsKey()));
}

const encrypts = () => {
  const meter = tried.meter || {}, errors = meter.errors || {};
  return Boolean(errors.no_key || errors.wrong_key || /-encrypted$/.test(meter.family || ""));
};
const needsKey = () => !S.pulse && (S.wantKey || Boolean(S.key) || encrypts());

// ---- moving between the steps

function show(name, quiet) {
  for (const step of document.querySelectorAll("main > [id^=step-]")) step.hidden = step.id !== "step-" + name;
  const all = steps(), at = all.indexOf(name);
  $("progress").hidden = at < 0;
  $("bar").max = all.length;
  $("bar").value = at + 1;
  setText($("where"), t("Step {0} of {1}", at + 1, all.length));
  if (at >= 0) {
    S.step = name;
    keep();
  }
  clearInterval(watching);
  watching = 0;
  const enter = ENTER[name];
  if (enter) enter();
  if (!quiet) {
    window.scrollTo(0, 0);
    const head = $("h-" + name);
    if (head) head.focus();
  }
}

function move(by) {
  const all = STEPS.slice(), now = steps();
  let at = all.indexOf(S.step);
  do at += by; while (at > 0 && at < all.length && now.indexOf(all[at]) < 0);
  show(all[Math.max(0, Math.min(at, all.length - 1))]);
}

function verdict(id, text, kind) {
  const place = $(id);
  empty(place);
  place.className = "verdict " + (kind || "");
  place.hidden = !text;
  if (!text) return;
  for (const part of [].concat(text)) place.append(part.tagName ? part : make("div", {}, part));
}

function busy(button, on) {
  button.disabled = on;
  button.classList[on ? "add" : "remove"]("busy");
}

function onSubmit(name, act) {
  $("step-" + name).addEventListener("submit", event => {
    event.preventDefault();
    if (!$("step-" + name).querySelector(".busy")) act();
  });
}

// ---- welcome

function enterWelcome() {
  $("need-wifi").hidden = $("no-internet").hidden = !status.portal;
  const place = $("languages");
  empty(place);
  for (const [code, name] of Object.entries(LANGUAGES))
    place.append(make("button", {type: "button", lang: code, class: code === language() ? "primary" : "",
      "aria-pressed": String(code === language()), onclick: () => setLanguage(code)}, name));
}

// ---- Wi-Fi

const strengthOf = rssi => rssi > -60 ? t("strong") : rssi > -75 ? t("fair") : t("weak");

function chosenNetwork() {
  const radio = document.querySelector("input[name=network]:checked");
  return radio ? radio.value === "*" ? {hidden: true} : scanned[Number(radio.value)] : null;
}

async function scan() {
  busy($("scan"), true);
  setText($("scanning"), t("Searching for networks…"));
  try {
    scanned = (await api("GET", "/api/networks", null, {timeout_ms: 15000})).networks;
    setText($("scanning"), scanned.length ? "" : t("No network was found. The dongle hears only 2.4 GHz; is the router near enough?"));
  } catch (error) {
    scanned = scanned || [];
    setText($("scanning"), error.message);
  }
  busy($("scan"), false);
  drawNetworks();
}

function drawNetworks() {
  const place = $("networks"), before = chosenNetwork(), wished = before ? before.ssid : S.wifi && S.wifi.ssid;
  place.after($("access"));
  for (const row of place.querySelectorAll(".net")) row.remove();
  const row = (value, name, words) => {
    const input = make("input", {type: "radio", name: "network", value, onchange: pickNetwork});
    place.append(make("label", {class: "net"}, input, make("b", {}, name), words ? make("span", {}, words) : null));
    return input;
  };
  (scanned || []).forEach((network, index) => {
    const words = network.secure ? strengthOf(network.rssi) : t("{0}, without password", strengthOf(network.rssi));
    row(String(index), network.ssid, words).checked = network.ssid === wished;
  });
  const other = row("*", t("Another one: its name is hidden"), "");
  if (S.wifi && S.wifi.hidden && !chosenNetwork()) {
    other.checked = true;
    $("ssid").value = S.wifi.ssid;
  }
  pickNetwork();
}

function pickNetwork() {
  const network = chosenNetwork();
  for (const row of document.querySelectorAll(".net")) row.classList[row.firstChild.checked ? "add" : "remove"]("chosen");
  $("access").hidden = !network;
  if (network) document.querySelector(".net.chosen").after($("access"));
  $("hidden-name").hidden = !(network && network.hidden);
  $("wifi-secret").hidden = !network || network.secure === false;
  verdict("wifi-verdict", "");
  setText($("wifi-test"), t("Test this network"));
}

// The network that was found good lies in S.wifi, or on the device when this page has forgotten it.
function wifiKnown() {
  const state = tried.wifi || {};
  return state.state === "ok" && (!S.wifi || S.wifi.ssid === state.ssid) ? state : null;
}

function enterWifi() {
  const known = wifiKnown();
  $("wifi-choose").hidden = Boolean(known);
  $("wifi-other").hidden = $("wifi-go").hidden = !known;
  $("wifi-known").hidden = !known;
  verdict("wifi-verdict", "");
  if (known) {
    verdict("wifi-known", [make("strong", {}, "✓ " + known.ssid), t("It works. The dongle’s address there is {0}.", known.address)], "good");
    return;
  }
  if (scanned) drawNetworks();
  else {
    pickNetwork();
    if ((tried.wifi || {}).state === "trying") resumeWifi(tried.wifi.ssid);
    else scan();
  }
}

// What is said while the device tries; `lost` is called when it cannot be reached, and with true when it is back.
function sayTrying(place, ssid) {
  const trying = t("The dongle tries “{0}”. This takes up to half a minute.", ssid);
  verdict(place, trying);
  return reached => reached ? verdict(place, trying) : verdict(place, [
    t("The dongle is out of reach for a moment: its own Wi-Fi changes the channel."),
    t("If this takes longer than a minute, join “{0}” again; the page goes on by itself.", ownWifi())], "fair");
}

function foundGood(ssid, state) {
  tried.wifi = Object.assign({}, state, {ssid});
  keep();
  enterWifi();
  $("wifi-known").scrollIntoView({block: "nearest"});
  tell($("wifi-known").textContent);
}

async function testWifi(ssid, password) {
  const go = $("wifi-test");
  busy(go, true);
  $("networks").disabled = true;
  let state;
  try {
    state = await trial("wifi", {ssid, password}, 120000, sayTrying("wifi-verdict", ssid));
  } catch (error) {
    state = {state: "failed", detail: error.message};
  }
  busy(go, false);
  $("networks").disabled = false;
  if (state.state === "ok") {
    S.wifi = {ssid, password, hidden: Boolean((chosenNetwork() || {}).hidden)};
    return foundGood(ssid, state);
  }
  tried.wifi = {};
  verdict("wifi-verdict", wifiWords(state, ssid), "bad");
  setText(go, t("Test again"));
  if (state.reason === "wrong_password") {
    $("wifi-password").focus();
    $("wifi-password").select();
  }
  $("wifi-verdict").scrollIntoView({block: "nearest"});
}

// The page came back in the middle of a trial.
async function resumeWifi(ssid) {
  $("wifi-choose").hidden = true;
  const state = await outcome("wifi", 120000, sayTrying("wifi-known", ssid)).catch(error => ({detail: error.message}));
  if (state.state === "ok") return foundGood(ssid, state);
  tried.wifi = {};
  $("wifi-choose").hidden = false;
  verdict("wifi-known", wifiWords(state, ssid), "bad");
  scan();
}

function submitWifi() {
  if (wifiKnown()) return move(1);
  const network = chosenNetwork();
  if (!network) return;
  const ssid = network.hidden ? $("ssid").value : network.ssid, open = network.secure === false;
  const password = open ? "" : $("wifi-password").value;
  fieldError($("ssid"), ssid ? "" : t("Type the name of the network, with its capitals."));
  const long = password.length >= 8 && password.length <= 63 || /^[0-9a-fA-F]{64}$/.test(password);
  fieldError($("wifi-password"), open || long || network.hidden && !password ? ""
    : t("The password of a Wi-Fi has 8 to 63 characters; this one has {0}.", password.length));
  const wrong = document.querySelector("#step-wifi [aria-invalid=true]");
  if (wrong) return wrong.focus();
  testWifi(ssid, password);
}

// ---- the meter

async function watch(draw) {
  try {
    tried = await api("GET", "/api/try", null, {timeout_ms: 4000, silent: true});
    draw();
  } catch (error) {
    if (!error.status) draw(true);
  }
}

function watchEvery(draw) {
  draw();
  watch(draw);
  watching = setInterval(() => watch(draw), 2000);
}

function drawMeter(gone) {
  const meter = tried.meter || {}, errors = meter.errors || {};
  let say = [], kind = "fair", help = [];
  if (gone) {
    say = [t("The dongle is out of reach. Is this device still in its Wi-Fi?")];
  } else if ($("pulse").checked) {
    say = [t("The dongle will count the flashes of the LED.")];
    help = [t("Put the light sensor right on the LED; the dashboard shows the power after two flashes.")];
  } else if (meter.state === "ok") {
    kind = "good";
    const power = meterPower(meter);
    say = [make("strong", {}, "✓ " + meterName(meter) + (power ? ", " + power : "")),
      power ? t("The meter is read. Switch something on, and the figure follows.") : t("The meter is read.")];
  } else if (meter.state === "undecoded" && errors.no_key) {
    say = [make("strong", {}, maker(meter) ? t("A meter by {0}", maker(meter)) : t("A meter is there")), t("It encrypts what it sends: the next step asks for its key.")];
    kind = "good";
  } else if (meter.state === "undecoded" && errors.wrong_key) {
    say = [make("strong", {}, maker(meter) ? t("A meter by {0}", maker(meter)) : t("A meter is there")), t("The key that is set does not fit: the next step asks for it again.")];
  } else if (meter.state === "undecoded" && meter.line_found) {
    say = [make("strong", {}, t("A meter is there, but it cannot be read yet"))];
    if (errors.unsupported) help = [t("Its telegrams have a form that the dongle does not know. Finish the set-up, then send the diagnostic file of the settings page to the project.")];
    else help = [t("Telegrams arrive damaged. Push the plug in until it clicks, use a short cable, and keep it away from mains cables."),
      t("An optical head must sit straight on its magnet, its eye on the meter’s.")];
  } else if (meter.state === "undecoded" || meter.bytes) {
    say = [t("Something is on the wire. The dongle finds out how the meter speaks: this takes up to two minutes.")];
  } else {
    say = [t("Nothing comes from the meter yet.")];
    help = [t("Is the plug in the meter’s customer port (P1, HAN, H1 or M-Bus) and pushed in until it clicks?"),
      t("In many countries the grid company has to switch the port on first: Belgium, Lithuania, Norway, Sweden, Denmark, Austria. Mostly its web portal does it."),
      t("Some meters send only every 10 seconds, and the dongle tries several speeds: give it two minutes."),
      t("An optical head must sit straight on its magnet, its eye on the meter’s."),
      t("You can go on and look after the meter later.")];
  }
  const text = say.map(part => part.textContent || part).join("|") + kind;
  if ($("meter-live").shown !== text) {  // what is the same stays, so that a screen reader keeps quiet
    $("meter-live").shown = text;
    verdict("meter-live", say, kind);
  }
  const place = $("meter-help");
  if (place.shown !== help.join()) {
    place.shown = help.join();
    empty(place);
    if (help.length) place.append(make("ul", {}, ...help.map(line => make("li", {}, line))));
  }
  $("want-key-row").hidden = $("pulse").checked || encrypts() || meter.state === "ok";
  setText($("meter-go"), meter.state === "ok" || encrypts() || $("pulse").checked ? t("Continue") : t("Continue without a meter"));
  $("bar").max = steps().length;
  setText($("where"), t("Step {0} of {1}", steps().indexOf("meter") + 1, steps().length));
}

function enterMeter() {
  $("want-key").checked = S.wantKey;
  $("pulse").checked = Boolean(S.pulse);
  $("pulse-more").hidden = !S.pulse;
  watchEvery(drawMeter);
}

function submitMeter() {
  S.wantKey = $("want-key").checked;
  S.pulse = null;
  if ($("pulse").checked) {
    const pulses = Number($("pulses").value || 1000), face = $("face").value.trim() ? millionths($("face").value) : 0;
    fieldError($("pulses"), pulses >= 1 && pulses <= 100000 && pulses % 1 === 0 ? "" : t("A whole number from {0} to {1}", 1, 100000));
    fieldError($("face"), face !== null ? "" : t("A number, such as {0}", decimal(12345600000)));
    const wrong = document.querySelector("#step-meter [aria-invalid=true]");
    if (wrong) return wrong.focus();
    S.pulse = {pulses_per_kwh: pulses, start_wh: Math.floor(face / 1000)};
  }
  move(1);
}

// ---- the key

function keyState() {
  const key = readKey($("key").value), auth = readKey($("auth-key").value);
  const right = one => !one.left && (one.digits.length === 32 || !one.digits.length);
  return {key: key.digits, auth_key: auth.digits, whole: right(key) && right(auth) && key.digits.length === 32};
}

const keyDone = () => S.key && S.key.checked && S.key.key === keyState().key && S.key.auth_key === keyState().auth_key;

function drawKey() {
  for (const [id, empty] of [["key", set("meter", "key") === null ? t("A key is set. Leave this empty to keep it.") : ""], ["auth-key", ""]]) {
    const [words, fine] = keyWords($(id).value, empty);
    setText($(id + "-count"), words);
    $(id + "-count").className = "hint " + (fine ? readKey($(id).value).digits ? "good" : "" : readKey($(id).value).left ? "bad" : "");
  }
  setText($("key-go"), keyDone() || keyKept() ? t("Continue") : t("Check the key"));
}

// Found good before this page forgot it, or set already and right.
const keyKept = () => !$("key").value.trim() && !$("auth-key").value.trim() && (tried.key || {}).reason === "ok";

function enterKey() {
  if (S.key) {
    $("key").value = S.key.key;
    $("auth-key").value = S.key.auth_key;
    $("second").open = Boolean(S.key.auth_key);
  }
  verdict("key-verdict", keyKept() ? keyTried(tried.key)[0] : "", "good");
  drawKey();
}

async function submitKey() {
  if (keyDone() || keyKept()) return move(1);
  const {key, auth_key, whole} = keyState();
  if (!whole) {
    verdict("key-verdict", key || auth_key ? t("A key has exactly 32 digits. Look for one that is missing or doubled.") : t("Type the key, or go on without one."), "bad");
    const wrong = readKey($("key").value).digits.length === 32 ? $("auth-key") : $("key");
    $("second").open = $("second").open || wrong.id === "auth-key";
    return wrong.focus();
  }
  busy($("key-go"), true);
  verdict("key-verdict", t("The key is tried on what the meter sends. Some meters send only every 10 seconds…"));
  let state;
  try {
    state = await trial("key", {key, auth_key}, 60000);
  } catch (error) {
    state = {state: "failed", error: error.message};
  }
  busy($("key-go"), false);
  const [words, kind] = state.error ? [state.error, "bad"] : keyTried(state);
  const parts = [words];
  const meter = state.meter || {};
  if (state.reason === "ok" && meter.state === "ok") parts.unshift(make("strong", {}, "✓ " + [meterName(meter), meterPower(meter)].filter(Boolean).join(", ")));
  else if (state.reason !== "unused" && meter.key) parts.push(t("In detail: {0}.", t(meter.key)));
  verdict("key-verdict", parts, kind);
  if (kind !== "bad") {
    S.key = {key, auth_key, checked: true, unused: state.reason === "unused"};
    keep();
  } else $("key").focus();
  drawKey();
}

// ---- MQTT

function mqttTyped() {
  const port = $("port").value.trim();
  return {host: $("host").value.trim(), port: Number(port || ($("tls").checked ? 8883 : 1883)), user: $("user").value,
    password: $("mqtt-password").value, tls: $("tls").checked, ca: $("tls").checked ? $("ca").value.trim() : ""};
}

const mqttDone = () => S.mqtt && S.mqtt.checked && JSON.stringify(Object.assign(mqttTyped(), {checked: true})) === JSON.stringify(S.mqtt);

// Found good before this page forgot it, and nothing typed since: the device still knows the password.
const mqttKept = () => !S.mqtt && (tried.mqtt || {}).state === "ok" && Boolean(tried.mqtt.host)
  && tried.mqtt.host === mqttTyped().host && tried.mqtt.port === mqttTyped().port && tried.mqtt.user === mqttTyped().user
  && !$("mqtt-password").value;

function drawMqtt() {
  $("ca-field").hidden = !$("tls").checked;
  $("port").placeholder = $("tls").checked ? "8883" : "1883";
  setText($("mqtt-go"), mqttDone() || mqttKept() ? t("Continue") : t("Test the connection"));
}

let suggested = null;  // the search, one at a time: the dongle has little memory to do two things at once

function enterMqtt() {
  if (!$("host").value) {
    const before = S.mqtt || ((tried.mqtt || {}).state === "ok" && tried.mqtt.host ? tried.mqtt : settings.mqtt || {});
    $("host").value = before.host || "";
    $("port").value = before.host ? before.port || "" : "";
    $("user").value = before.user || "";
    $("mqtt-password").value = before.password || "";
    $("tls").checked = Boolean(before.tls);
    $("ca").value = before.ca || "";
  }
  drawMqtt();
  if (mqttKept()) verdict("mqtt-verdict", t("The broker lets the dongle in."), "good");
  if (!suggested) suggested = api("GET", "/api/brokers", null, {timeout_ms: 8000}).then(found => found.brokers, () => []);
  suggested.then(drawBrokers);
}

function drawBrokers(brokers) {
  const place = $("brokers");
  empty(place);
  if (!brokers.length) return;
  place.append(make("p", {class: "together"}, t("Found in your network:")), make("p", {class: "row"}, ...brokers.map(broker =>
    make("button", {type: "button", onclick: () => {
      $("host").value = broker.host;
      $("port").value = broker.port;
      drawMqtt();
      $("user").focus();
    }}, broker.name && broker.name !== broker.host ? broker.name + " (" + broker.host + ")" : broker.host))));
}

async function submitMqtt() {
  if (mqttDone() || mqttKept()) return move(1);
  const wish = mqttTyped();
  fieldError($("host"), wish.host ? "" : t("Type the address of the broker."));
  fieldError($("port"), wish.port >= 1 && wish.port <= 65535 && wish.port % 1 === 0 ? "" : t("A whole number from {0} to {1}", 1, 65535));
  fieldError($("ca"), !wish.tls || /-----BEGIN CERTIFICATE-----[^]+-----END CERTIFICATE-----/.test(wish.ca) ? "" : t("TLS needs the certificate, from BEGIN to END."));
  const wrong = document.querySelector("#step-mqtt [aria-invalid=true]");
  if (wrong) return wrong.focus();
  busy($("mqtt-go"), true);
  verdict("mqtt-verdict", t("The dongle knocks at “{0}”…", wish.host));
  let state;
  try {
    await suggested;
    const again = set("mqtt", "password") === null && !wish.password && wish.user === set("mqtt", "user");
    state = await trial("mqtt", Object.assign({}, wish, again ? {password: null} : {}), 45000);
  } catch (error) {
    state = {state: "failed", detail: error.message};
  }
  busy($("mqtt-go"), false);
  const fine = state.state === "ok";
  verdict("mqtt-verdict", fine ? t("The broker lets the dongle in.") : mqttWords(state, wish.host), fine ? "good" : "bad");
  if (fine) {
    S.mqtt = Object.assign(wish, {checked: true});
    keep();
  } else if (state.reason === "login") $("mqtt-password").focus();
  drawMqtt();
}

// ---- password, time, prices

function drawPassword() {
  const text = $("password").value;
  const [words, kind] = text || !status.password ? strength(text) : [t("A password is set. Leave this empty to keep it."), ""];
  setText($("password-hint"), words);
  $("password-hint").className = "hint " + (text ? kind : "");
}

function submitPassword() {
  const text = $("password").value;
  const fine = text.length >= 8 || !text && status.password;
  fieldError($("password"), fine ? "" : t("A password has at least 8 characters."));
  if (!fine) return $("password").focus();
  S.password = text;
  move(1);
}

const PRICES = {import: "import_micro", export: "export_micro", standing: "standing_micro"};

function enterTime() {
  const zone = $("zone"), currency = $("currency");
  const wished = zone.value || (S.time || {}).zone || (status.password ? set("time", "zone") : "") || guessedZone();
  empty(zone);
  const known = ZONES.some(one => one[0] === wished);
  for (const [posix, name] of known ? ZONES : [[wished, wished], ...ZONES]) zone.append(make("option", {value: posix}, t(name)));
  zone.value = wished;
  if (currency.options.length) return;
  const money = S.tariff || (status.password ? settings.tariff : null) || {};
  const own = money.currency || guessedCurrency();
  for (const code of CURRENCIES.indexOf(own) < 0 ? [own, ...CURRENCIES] : CURRENCIES) currency.append(make("option", {value: code}, code));
  currency.value = own;
  for (const id of Object.keys(PRICES)) {
    $(id).value = money[PRICES[id]] ? decimal(money[PRICES[id]]) : "";
    $(id).placeholder = decimal(id === "standing" ? 500000 : 250000);
  }
}

function submitTime() {
  const tariff = {currency: $("currency").value};
  for (const [id, key] of Object.entries(PRICES)) {
    const text = $(id).value.trim();
    tariff[key] = text ? millionths(text) : 0;
    fieldError($(id), tariff[key] === null || tariff[key] > 1e9 ? t("A price is a number, such as {0}", $(id).placeholder) : "");
  }
  const wrong = document.querySelector("#step-time [aria-invalid=true]");
  if (wrong) return wrong.focus();
  S.time = {zone: $("zone").value};
  S.tariff = tariff;
  move(1);
}

// ---- summary, saving, farewell

function enterFinish() {
  verdict("finish-verdict", "");
  drawSummary();
  watch(drawSummary);
}

function drawSummary() {
  const place = $("summary"), meter = tried.meter || {};
  empty(place);
  const row = (name, value, step) => place.append(make("div", {}, make("dt", {}, name), make("dd", {}, value),
    make("dd", {}, make("button", {type: "button", class: "quiet", "aria-label": t("Change: {0}", name), onclick: () => show(step)}, t("Change")))));
  const wifi = wifiChosen();
  if (status.portal) row(t("Wi-Fi"), wifi || t("none"), "wifi");
  row(t("Meter"), S.pulse ? t("flashes of the LED") : meter.state === "ok" ? [meterName(meter), meterPower(meter)].filter(Boolean).join(", ") : t("not read yet"), "meter");
  if (needsKey()) row(t("Key"), S.key || keyKept() ? t("given") : t("none"), "key");
  row(t("MQTT broker"), S.mqtt ? S.mqtt.host : mqttKept() ? tried.mqtt.host : set("mqtt", "host") || t("none"), "mqtt");
  row(t("Password"), S.password ? t("set") : status.password ? t("as it is") : t("none"), "password");
  const zone = ZONES.find(one => S.time && one[0] === S.time.zone);
  row(t("Time zone"), zone ? t(zone[1]) : (S.time || {}).zone || "", "time");
  const price = S.tariff && S.tariff.import_micro;
  row(t("Price"), price ? t("{0} {1} for a kilowatt-hour", decimal(price), S.tariff.currency) : t("none"), "time");
}

const wifiChosen = () => S.wifi ? S.wifi.ssid : (tried.wifi || {}).state === "ok" ? tried.wifi.ssid : set("wifi", "ssid");

// null: as it was tried out on the device, where this page has forgotten it, or as it is set.
function document_() {
  const made = {time: S.time, tariff: S.tariff};
  if (status.portal && wifiChosen()) made.wifi = {ssid: wifiChosen(), password: S.wifi ? S.wifi.password : null};
  if (S.pulse) made.meter = Object.assign({source: "pulse"}, S.pulse);
  else if (S.key && !S.key.unused) made.meter = {key: S.key.key, auth_key: S.key.auth_key};
  else if (!S.key && needsKey() && keyKept()) made.meter = {key: null, auth_key: null};
  if (S.mqtt) {
    made.mqtt = Object.assign({}, S.mqtt);
    delete made.mqtt.checked;
    if (set("mqtt", "password") === null && !made.mqtt.password && made.mqtt.user === set("mqtt", "user")) made.mqtt.password = null;
  } else if ((tried.mqtt || {}).state === "ok" && tried.mqtt.host && mqttKept())
    made.mqtt = {host: tried.mqtt.host, port: tried.mqtt.port, user: tried.mqtt.user, tls: Boolean(tried.mqtt.tls), password: null};
  if (S.password) made.web = {password: S.password};
  return made;
}

// What is missing when somebody comes to the end past a step, or reloads there.
function missing() {
  if (status.portal && !wifiChosen()) return "wifi";
  if (!S.password && !status.password) return "password";
  return S.time ? "" : "time";
}

const PLACE = {"wifi": "wifi", "meter": "key", "mqtt": "mqtt", "web": "password", "time": "time", "tariff": "time"};

async function save() {
  const gap = missing();
  if (gap) return show(gap);
  busy($("save"), true);
  verdict("finish-verdict", "");
  try {
    await api("POST", "/api/settings", document_(), {timeout_ms: 60000});
  } catch (error) {
    busy($("save"), false);
    const setting = (error.document || {}).setting || "";
    const step = PLACE[setting.split(".")[0]];
    const go = step && steps().indexOf(step) >= 0 ? make("button", {type: "button", class: "quiet", onclick: () => show(step)}, t("Change")) : null;
    return verdict("finish-verdict", [setting ? setting + ": " + error.message : error.message].concat(go || []), "bad");
  }
  const wifi = wifiChosen(), address = (tried.wifi || {}).address;
  const portal = status.portal, name = set("wifi", "hostname") || "wattport";
  try {
    sessionStorage.removeItem(KEPT);
  } catch (error) { /* nothing was kept */ }
  farewell = {wifi, address, portal, name};
  busy($("save"), false);
  S.step = "";
  show("done");
  waitForIt();
}

let farewell = null, back = false;

function drawDone() {
  const {wifi, address, portal, name} = farewell;
  const port = location.port && location.port !== "80" ? ":" + location.port : "";
  verdict("done", back ? t("The dongle is back.") : portal
    ? t("The dongle restarts and joins “{0}”. Its own Wi-Fi disappears: that is as it should be.", wifi)
    : t("The dongle restarts. This takes some seconds."), "good");
  const list = $("then"), links = ["http://" + name + ".local" + port].concat(address ? "http://" + address + port : []);
  empty(list);
  if (portal) {
    list.append(make("li", {}, t("Put this device back into your own Wi-Fi, “{0}”. Close this window if it is a log-in sheet.", wifi)),
      make("li", {}, t("Then open the dashboard at one of these addresses and keep it as a bookmark:"),
        make("ul", {}, ...links.map(link => make("li", {}, make("a", {href: link}, link))))));
  }
  list.hidden = !portal || back;
  $("open").hidden = !back;
  $("trouble").hidden = !portal || back;
}

// In the same network as before (on a computer, or when the access point stays in reach) the page sees it come back,
// and waits some seconds for the first reading: then there is something to see.
async function waitForIt() {
  await pause(4000);
  const asked = path => api("GET", path, null, {timeout_ms: 3000, silent: true});
  for (let tries = 0; tries < 90; tries++) {
    const now = await asked("/api/status").catch(() => null);
    if (now && !now.portal && now.password) break;
    await pause(2000);
    if (tries === 89) return;
  }
  for (let tries = 0; tries < 6; tries++) {
    const reading = await asked("/api/reading").catch(error => error.status === 401);
    if (reading) break;
    await pause(1500);
  }
  back = true;
  drawDone();
}

// ---- start

const ENTER = {welcome: enterWelcome, wifi: enterWifi, meter: enterMeter, key: enterKey, mqtt: enterMqtt, password: drawPassword,
  time: enterTime, finish: enterFinish, done: drawDone};
const SUBMIT = {welcome: () => move(1), wifi: submitWifi, meter: submitMeter, key: submitKey, mqtt: submitMqtt,
  password: submitPassword, time: submitTime, finish: save};

function wire() {
  for (const [name, act] of Object.entries(SUBMIT)) onSubmit(name, act);
  for (const button of document.querySelectorAll(".back")) button.onclick = () => move(-1);
  document.querySelector("#step-key .skip").onclick = () => {
    S.key = null;
    S.wantKey = false;
    keep();
    show("mqtt");
  };
  document.querySelector("#step-mqtt .skip").onclick = () => {
    S.mqtt = null;
    $("host").value = "";
    verdict("mqtt-verdict", "");
    move(1);
  };
  $("scan").onclick = scan;
  $("wifi-other").onclick = () => {
    tried.wifi = {};
    S.wifi = null;
    enterWifi();
  };
  $("pulse").onchange = () => {
    $("pulse-more").hidden = !$("pulse").checked;
    drawMeter();
  };
  $("want-key").onchange = () => {
    S.wantKey = $("want-key").checked;
    drawMeter();
  };
  for (const id of ["key", "auth-key"]) $(id).oninput = () => {
    verdict("key-verdict", "");
    drawKey();
  };
  for (const id of ["host", "port", "user", "mqtt-password", "tls", "ca"]) $(id).addEventListener("input", () => {
    verdict("mqtt-verdict", "");
    drawMqtt();
  });
  $("password").oninput = () => {
    fieldError($("password"), "");
    drawPassword();
  };
  for (const id of ["wifi-password", "mqtt-password", "password"]) showable($(id));
  document.addEventListener("language", () => {
    if (S.step || farewell) show(farewell ? "done" : S.step, true);
  });
}

async function start() {
  show("wait", true);
  $("again").hidden = true;
  setText($("wait"), t("Asking the dongle…"));
  try {
    status = await api("GET", "/api/status");
    setText($("device"), status.portal ? ownWifi() : status.name || "");
    if (!status.setup && !status.login) return show("closed");
    settings = await api("GET", "/api/settings");
    tried = await api("GET", "/api/try");
  } catch (error) {
    setText($("wait"), error.message);
    $("again").hidden = false;
    return;
  }
  recall();
  $("password").value = S.password;
  const wifi = (tried.wifi || {}).state;
  if (S.step && steps().indexOf(S.step) >= 0) show(S.step, true);
  else show(status.portal && (wifi === "ok" || wifi === "trying") ? "wifi" : "welcome", true);
}

// A set-up that was asked for by the button ends when nobody asks for anything, and the key's letter may lie downstairs.
function stay() {
  if (!document.hidden && !farewell) api("GET", "/api/status", null, {timeout_ms: 5000, silent: true}).catch(() => null);
}

ready.then(() => {
  wire();
  start();
  setInterval(stay, 120000);
});
