// SPDX-License-Identifier: MIT
// Everything that can be set. What there is comes from /schema.json, made from the firmware's own rules; the words for it
// stand here. A setting without words is shown by its name, so none can be forgotten.

if (!window.readKey) setTimeout(() => location.reload(), 3000);  // forms.js did not arrive: the dongle was busy

// [title, introduction, [[setting, name, help], ...]]; a nested [title, intro, rows, when] is folded, and hidden unless
// when[0] is set to when[1].
const GROUPS = [
  [N("Wi-Fi"), N("Not tested here: with a mistake the dongle is gone from your network. Then press its button for 5 seconds, and its own Wi-Fi lets you correct it."), [
    ["wifi.ssid", N("Name of the network"), ""],
    ["wifi.password", N("Password of the network"), N("8 to 63 characters.")],
    ["wifi.hostname", N("Name of the dongle"), N("In your network it is found as http://NAME.local. Letters, digits and dashes.")],
    [N("A second network"), N("Used when the first one is not there."), [
      ["wifi.ssid2", N("Name of the second network"), ""],
      ["wifi.password2", N("Password of the second network"), ""]]],
    [N("A fixed address"), N("Mostly better made in the router. Empty: the router gives one."), [
      ["wifi.address", N("Address"), N("With the length of the network: 192.168.1.7/24")],
      ["wifi.gateway", N("Gateway"), N("The address of the router: 192.168.1.1")],
      ["wifi.dns", N("Name server"), N("Empty: the gateway.")]]]]],
  [N("Meter"), "", [
    ["meter.source", N("The readings come from"), "", {port: N("the meter’s port"), pulse: N("the flashes of its LED"), glow: N("a Glow device")}],
    ["meter.key", N("Encryption key"), N("32 digits from your grid company, if the meter encrypts.")],
    ["meter.auth_key", N("Authentication key"), N("Only if you were given two. Luxembourg’s is built in.")],
    ["meter.limit_w", N("Most power that the connection allows, in W"), N("Readings above it are held back as impossible. 0: everything is believed.")],
    [N("Flashes of the LED"), "", [
      ["meter.pulses_per_kwh", N("Flashes for a kilowatt-hour"), N("Printed beside the LED as “imp/kWh”; mostly 1000.")],
      ["meter.start_wh", N("What the meter showed at the start, in kWh"), N("Another number starts the register anew there.")],
      ["meter.debounce_ms", N("Pause between two flashes, at least, in ms"), N("What follows sooner is a bounce and is not counted.")],
      ["meter.pulse_edge", N("A flash begins with the edge"), "", {falling: N("falling"), rising: N("rising")}],
      ["meter.pulse_export", N("The flashes count what goes to the grid"), ""]], ["meter.source", "pulse"]],
    [N("Glow device"), N("Switch on local MQTT in its settings, to the broker that is named here."), [
      ["meter.glow_host", N("Broker of the Glow device"), N("Empty: the one under MQTT, with its user and password.")],
      ["meter.glow_port", N("Port"), ""],
      ["meter.glow_user", N("User name"), ""],
      ["meter.glow_password", N("Password"), ""],
      ["meter.glow_topic", N("Topic"), ""]], ["meter.source", "glow"]],
    [N("The line by hand"), N("The dongle finds all this by itself. Only for meters where it does not."), [
      ["meter.protocol", N("Protocol"), N("Naming it saves memory."), {auto: N("find out")}],
      ["meter.baud", N("Speed, in baud"), N("With a speed, format and inversion are taken from here too."), {0: N("find out")}],
      ["meter.format", N("Format"), N("Data bits, parity, stop bits.")],
      ["meter.invert", N("Inverted line"), N("On for P1; off behind an M-Bus module or an inverting cable.")],
      ["meter.request_s", N("Ask the meter every so many seconds"), N("For optical heads on meters that speak only when asked. 0: only listen.")],
      ["meter.profile", N("Profile"), N("A layout for a meter that is not known yet, as JSON.")]], ["meter.source", "port"]]]],
  [N("MQTT"), N("Where the readings are sent to. Without an address nothing is."), [
    ["mqtt.host", N("Address of the broker"), ""],
    ["mqtt.port", N("Port"), N("Mostly 1883; 8883 with TLS.")],
    ["mqtt.user", N("User name"), ""],
    ["mqtt.password", N("Password"), ""],
    ["mqtt.tls", N("Encrypted connection (TLS)"), N("Needs the certificate of the authority.")],
    ["mqtt.ca", N("Certificate of the authority"), N("The one that signed the broker’s certificate, as PEM text.")],
    [N("Home Assistant"), "", [
      ["mqtt.discovery", N("Home Assistant finds the dongle by itself"), ""],
      ["mqtt.discovery_prefix", N("Start of the discovery topics"), ""]]],
    [N("What is sent, and how"), "", [
      ["mqtt.interval_s", N("Seconds between two readings"), N("0: every telegram.")],
      ["mqtt.base", N("Start of the topics"), N("Empty: wattport/ and the dongle’s number.")],
      ["mqtt.client_id", N("Client name"), N("Empty: wattport- and the dongle’s number.")],
      ["mqtt.qos", N("Quality of service"), N("0: sent once. 1: sent until the broker confirms.")],
      ["mqtt.keepalive_s", N("Keep-alive, in seconds"), ""],
      ["mqtt.retain", N("The broker keeps the last reading"), ""],
      ["mqtt.raw", N("Send each telegram as it came, too"), ""]]]]],
  [N("Dashboard and password"), "", [
    ["web.password", N("New password"), N("At least 8 characters. Everybody has to log in anew afterwards.")],
    ["web.private", N("Readings need the password too"), N("Off: everybody in your network sees the dashboard.")],
    [N("For experts"), "", [
      ["web.port", N("Port of the dashboard"), N("Mostly 80. 0 switches the dashboard off: then only the button brings it back.")],
      ["web.name", N("Name behind a reverse proxy"), N("Requests for any name that is not the dongle’s own are refused.")]]]]],
  [N("Time"), "", [
    ["time.zone", N("Time zone"), ""],
    ["time.source", N("The time comes from"), "", {auto: N("the network, else the meter"), ntp: N("the network"), meter: N("the meter")}],
    ["time.server", N("Time servers"), N("Separated by commas. Empty: none is asked.")]]],
  [N("Prices"), N("With them the dashboard shows what it costs."), [
    ["tariff.currency", N("Currency"), ""],
    ["tariff.import_micro", N("Price of a kilowatt-hour from the grid"), ""],
    ["tariff.export_micro", N("What you get for a kilowatt-hour to the grid"), ""],
    ["tariff.standing_micro", N("Standing charge for a day"), ""]]],
  [N("History"), N("Half-hours of 13 months and days of ten years, on the dongle alone."), [
    ["history.enabled", N("Keep a history"), ""]]],
  [N("Alerts"), N("Told on the dashboard, to the broker and in Home Assistant."), [
    ["alert.on", N("Tell when something is wrong"), ""],
    ["alert.voltage_low_mv", N("Voltage too low, below so many millivolts"), N("207000 is 207 V, 10 % below the usual. 0: never.")],
    ["alert.voltage_high_mv", N("Voltage too high, above so many millivolts"), N("253000 is 253 V, 10 % above the usual. 0: never.")],
    ["alert.power_w", N("Power too high, above so many W"), N("From the grid, for half a minute. 0: never.")],
    ["alert.reverse", N("Power to the grid is wrong here"), N("For houses without solar panels or a battery.")],
    ["alert.silent_s", N("Meter silent for so many seconds"), N("0: never.")],
    ["alert.tariff", N("Tell when the tariff changes"), ""],
    [N("Capacity peaks"), N("Where the highest quarter-hours or hours of a month cost money."), [
      ["alert.peak_preset", N("Tariff"), "", {"": N("none"), be: N("Belgium (Flanders)"), no: N("Norway"), se: N("Sweden"), lu: N("Luxembourg")}],
      ["alert.peak_limit_w", N("Most that a window’s average may be, in W"), N("In Luxembourg the reference power. 0: what the tariff says.")]]]]],
  [N("Updates from an address"), N("Where the dongle looks for a new version by itself."), [
    ["update.url", N("Address of the bundle"), N("{chip} in it stands for the chip family. Empty: updates come by hand only.")],
    ["update.interval_h", N("Hours between two looks"), N("0: never.")],
    ["update.auto", N("Install what is newer by itself"), N("Only what is signed with your dongle’s key; what is not well is undone.")],
    ["update.ca", N("Certificate of the authority"), N("For https: the one that signed the address’s certificate, as PEM text.")]]],
];
const APART = ["web.token"];  // has buttons of its own
const TESTS = {"meter.auth_key": ["key", N("Check the key")], "mqtt.ca": ["mqtt", N("Test the connection")]};

let schema = {}, settings = {}, status = {}, fields = {};

const told = (name, value) => {
  const [group, key] = name.split(".");
  return value === undefined ? (settings[group] || {})[key] : value;
};

// ---- fields: each has .value() (undefined: cannot be read, an error is shown) and .set(value)

function field(name, label, help, choices) {
  const [group, key] = name.split("."), rule = schema[group][key], id = name.replace(".", "-");
  const now = told(name), make_ = MAKERS_OF[kindOf(name, rule)] || MAKERS_OF.text;
  const hint = help ? make("p", {class: "hint", id: id + "-hint"}, t(help)) : null;
  const made = make_(id, now, rule, choices || {}, name);
  if (hint) made.input.setAttribute("aria-describedby", hint.id);
  const mark = make("span", {class: "pill mark", hidden: true}, t("changed"));
  const box = made.check ? make("div", {class: "field"}, make("label", {class: "check", for: id}, made.input, make("span", {}, t(label)), mark), hint)
    : make("div", {class: "field"}, make("label", {for: id}, t(label) + " ", mark), made.input, made.more || null, hint);
  const one = fields[name] = {name, box, input: made.input, value: made.value, initial: undefined,
    changed() {
      const value = made.value();
      return value === undefined || JSON.stringify(value) !== JSON.stringify(one.initial);
    },
    refresh() {
      const is = one.changed();
      mark.hidden = !is;
      box.classList[is ? "add" : "remove"]("changed");
    }};
  one.initial = made.value();
  if (made.typed) made.typed();
  box.addEventListener("input", () => {
    fieldError(made.input, "");
    if (made.typed) made.typed();
    one.refresh();
    count();
  });
  return box;
}

function kindOf(name, rule) {
  if (/_micro$/.test(name)) return "money";
  if (name === "meter.start_wh") return "kwh";
  if (name === "meter.key" || name === "meter.auth_key") return "key";
  return rule.secret ? "secret" : rule.type;
}

const plainInput = (id, more) => make("input", Object.assign({id, autocomplete: "off", autocapitalize: "off", autocorrect: "off", spellcheck: "false"}, more));

// A secret never comes back from the dongle: null says that there is one, and leaving the field empty keeps it.
function secretInput(id, now, rule, input, name, read) {
  let removed = false;
  const there = now === null;
  input.placeholder = there ? t("set – leave empty to keep it") : "";
  const remove = make("button", {type: "button", class: "quiet", onclick: () => {
    removed = !removed;
    input.value = "";
    input.disabled = removed;
    input.placeholder = removed ? t("is removed when you save") : t("set – leave empty to keep it");
    remove.textContent = removed ? t("Keep it") : t("Remove it");
    input.dispatchEvent(new Event("input", {bubbles: true}));
  }}, t("Remove it"));
  const state = make("p", {class: "hint", role: "status"});
  return {input, more: make("div", {}, state, there && name !== "web.password" ? remove : null), state,
    value: () => removed ? "" : !input.value ? null : read ? read(input.value) : input.value};
}

const MAKERS_OF = {
  text(id, now, rule) {
    const input = plainInput(id, {maxlength: rule.max || null});
    input.value = now;
    return {input, value: () => input.value.trim() === now ? now : input.value.trim()};
  },
  bytes(id, now, rule) {
    const input = plainInput(id, {maxlength: rule.max});
    input.value = now;
    return {input, value: () => input.value};  // a network's name may end with a blank
  },
  pem(id, now) {
    const input = make("textarea", {id, class: "code", rows: "4", maxlength: "4096", spellcheck: "false", placeholder: "-----BEGIN CERTIFICATE-----"});
    input.value = now;
    const same = input.value.trim();  // a textarea has line ends of its own
    return {input, value: () => input.value.trim() === same ? now : input.value.trim() + (input.value.trim() ? "\n" : "")};
  },
  profile(id, now) {
    const input = make("textarea", {id, class: "code", rows: "3", spellcheck: "false"}), empty = !Object.keys(now).length;
    input.value = empty ? "" : JSON.stringify(now);
    return {input, value: () => {
      try {
        return input.value.trim() ? JSON.parse(input.value) : {};
      } catch (error) {
        fieldError(input, t("That is no JSON."));
      }
    }};
  },
  flag(id, now) {
    const input = make("input", {id, type: "checkbox"});
    input.checked = now;
    return {input, check: true, value: () => input.checked};
  },
  one(id, now, rule, choices) {
    const input = make("select", {id}, ...rule.choices.map(choice => make("option", {value: String(choice)}, choices[choice] ? t(choices[choice]) : String(choice))));
    input.value = String(now);
    return {input, value: () => rule.choices.find(choice => String(choice) === input.value)};
  },
  whole(id, now, rule) {
    const input = plainInput(id, {inputmode: "numeric", class: "short", maxlength: "11"});
    input.value = now;
    return {input, value: () => {
      const text = input.value.trim();
      if (/^-?\d+$/.test(text) && Number(text) >= rule.min && Number(text) <= rule.max) return Number(text);
      fieldError(input, t("A whole number from {0} to {1}", rule.min, rule.max));
    }};
  },
  money(id, now, rule) {
    const input = plainInput(id, {inputmode: "decimal", class: "short", maxlength: "14"});
    input.value = now ? decimal(now) : "";
    return {input, value: () => {
      const text = input.value.trim(), value = text ? millionths(text, rule.min < 0) : 0;
      if (value !== null && value <= rule.max) return value;
      fieldError(input, t("A price is a number, such as {0}", decimal(250000)));
    }};
  },
  kwh(id, now) {
    const input = plainInput(id, {inputmode: "decimal", class: "short", maxlength: "13"});
    input.value = now ? decimal(now * 1000) : "";
    return {input, value: () => {
      const text = input.value.trim(), value = text ? millionths(text) : 0;
      if (value !== null) return Math.floor(value / 1000);
      fieldError(input, t("A number, such as {0}", decimal(12345600000)));
    }};
  },
  zone(id, now) {
    const known = ZONES.some(zone => zone[0] === now);
    const input = make("select", {id}, ...ZONES.map(([posix, name]) => make("option", {value: posix}, t(name))), make("option", {value: ""}, t("Another one, as POSIX writes it")));
    input.value = known ? now : "";
    const other = plainInput(id + "-other", {"aria-label": t("Another one, as POSIX writes it"), maxlength: "64"});
    other.value = now;
    return {input, more: other, typed: () => { other.hidden = Boolean(input.value); }, value: () => input.value || other.value.trim()};
  },
  currency(id, now) {
    const input = make("select", {id}, ...(CURRENCIES.indexOf(now) < 0 ? [now, ...CURRENCIES] : CURRENCIES).map(code => make("option", {value: code}, code)));
    input.value = now;
    return {input, value: () => input.value};
  },
  secret(id, now, rule, choices, name) {
    const fresh = name === "web.password";
    const input = plainInput(id, {type: "password", maxlength: rule.max || 64, autocomplete: fresh ? "new-password" : "off"});
    const made = secretInput(id, now, rule, input, name, text => {
      if (!fresh || text.length >= 8) return text;
      fieldError(input, t("A password has at least 8 characters."));
    });
    if (fresh) made.typed = () => {
      const [words, kind] = input.value ? strength(input.value) : ["", ""];
      setText(made.state, words);
      made.state.className = "hint " + kind;
    };
    return made;
  },
  key(id, now, rule, choices, name) {
    const input = plainInput(id, {class: "code", maxlength: "80"});
    const made = secretInput(id, now, rule, input, name, text => {
      const {digits, left} = readKey(text);
      if (!left && digits.length === 32) return digits;
      fieldError(input, t("A key has exactly 32 digits. Look for one that is missing or doubled."));
    });
    made.typed = () => {
      const [words, fine] = keyWords(input.value, "");
      setText(made.state, words);
      made.state.className = "hint " + (fine && input.value ? "good" : readKey(input.value).left ? "bad" : "");
    };
    return made;
  },
};

// ---- the form

function build() {
  const form = $("form"), opened = [...form.querySelectorAll("details[open]")].map(one => one.id);
  empty(form);
  fields = {};
  const folds = [];
  const rows = (place, list, path) => list.forEach((row, index) => {
    if (Array.isArray(row[2])) {
      const [title, intro, inner, when] = row;
      const fold = make("details", {id: path + "-" + index}, make("summary", {}, t(title)), intro ? make("p", {class: "soft"}, t(intro)) : null);
      fold.open = opened.indexOf(fold.id) >= 0;
      place.append(fold);
      rows(fold, inner, fold.id);
      if (when) folds.push([fold, when]);
      return;
    }
    const [group, key] = row[0].split(".");
    if (!(schema[group] || {})[key]) return;
    place.append(field(...row));
    if (TESTS[row[0]]) place.append(tester(...TESTS[row[0]]));
  });
  GROUPS.forEach(([title, intro, list], index) => {
    const id = "group-" + index;
    const card = make("section", {class: "card", "aria-labelledby": id}, make("h2", {id}, t(title)), intro ? make("p", {class: "soft"}, t(intro)) : null);
    form.append(card);
    rows(card, list, id);
  });
  const rest = [];
  for (const group of Object.keys(schema)) for (const key of Object.keys(schema[group])) {
    const name = group + "." + key;
    if (!fields[name] && APART.indexOf(name) < 0) rest.push([name, name, ""]);
  }
  if (rest.length) {
    const card = make("section", {class: "card", "aria-labelledby": "group-rest"}, make("h2", {id: "group-rest"}, t("More")));
    form.append(card);
    rows(card, rest, "rest");
  }
  for (const name of ["wifi.password", "wifi.password2", "mqtt.password", "meter.glow_password", "web.password"]) if (fields[name]) showable(fields[name].input);
  const fold = () => {
    for (const [place, [name, value]] of folds) {
      const on = fields[name].value() === value;
      place.hidden = !on;
      if (on && value !== "port" && fields[name].initial !== value) place.open = true;
    }
    if (fields["mqtt.ca"]) fields["mqtt.ca"].box.hidden = !fields["mqtt.tls"].value() && !told("mqtt.ca");
    for (const name of ["meter.key", "meter.auth_key"]) fields[name].box.hidden = fields["meter.source"].value() !== "port";
  };
  form.oninput = fold;
  fold();
  count();
}

const changed = () => Object.values(fields).filter(one => one.changed());

function count() {
  const many = changed().length;
  $("savebar").hidden = !many;
  setText($("changes"), many === 1 ? t("1 change") : t("{0} changes", many));
}

// ---- tests of the key and the broker, with what is typed now

function tester(what, words) {
  const verdict = make("div", {class: "verdict", role: "status", hidden: true});
  const button = make("button", {type: "button", onclick: async () => {
    const body = {};
    for (const name of what === "key" ? ["meter.key", "meter.auth_key"] : "host port user password tls ca".split(" ").map(key => "mqtt." + key)) {
      const value = fields[name].value();
      if (value === undefined) return fields[name].input.focus();
      body[name.split(".")[1]] = value;
    }
    if (what === "mqtt" && !body.host) {
      fieldError(fields["mqtt.host"].input, t("Type the address of the broker."));
      return fields["mqtt.host"].input.focus();
    }
    const say = (text, kind) => {
      verdict.hidden = false;
      verdict.className = "verdict " + kind;
      setText(verdict, text);
    };
    button.disabled = true;
    button.classList.add("busy");
    say(what === "key" ? t("The key is tried on what the meter sends. Some meters send only every 10 seconds…") : t("The dongle knocks at “{0}”…", body.host), "");
    try {
      const state = await trial(what, body, 60000);
      if (what === "key") {
        say(...keyTried(state));
        // the meter is read with the key that was tried: back to the one that is set, unless the new one is right
        if (state.reason !== "ok") await api("POST", "/api/try/key", {key: null, auth_key: null});
      }
      else if (state.state === "ok") say(t("The broker lets the dongle in."), "good");
      else say(mqttWords(state, body.host), "bad");
    } catch (error) {
      say(error.message, "bad");
    }
    button.disabled = false;
    button.classList.remove("busy");
  }}, t(words));
  return make("div", {class: "field"}, make("p", {}, button), verdict);
}

// ---- saving

function complain(one, text) {
  fieldError(one.input, text);
  for (let place = one.box; place; place = place.parentElement) if (place.tagName === "DETAILS") place.open = true;
  one.box.hidden = false;
  one.input.focus();
  one.input.scrollIntoView({block: "center"});
}

async function save() {
  const part = {};
  for (const one of changed()) {
    const value = one.value(), [group, key] = one.name.split(".");
    if (value === undefined) return complain(one, $(one.input.id + "-error").textContent);
    (part[group] = part[group] || {})[key] = value;
  }
  if (!Object.keys(part).length) return;
  $("save").disabled = true;
  $("save").classList.add("busy");
  try {
    await api("POST", "/api/settings", part, {timeout_ms: 30000});
    restarting(part);
  } catch (error) {
    const one = fields[(error.document || {}).setting];
    if (one) complain(one, error.message.replace(one.name + ": ", ""));
    setText($("changes"), error.message);
  }
  $("save").disabled = false;
  $("save").classList.remove("busy");
}

// After everything that makes the dongle start anew: wait until it is back, then show what it has.
async function restarting(part) {
  const {wifi = {}, web = {}} = part || {};
  $("savebar").hidden = true;
  $("restarting").hidden = false;
  $("reload").hidden = true;
  setText($("progress"), t("Saved. The dongle is back in some seconds."));
  $("progress").classList.add("busy");
  $("h-restarting").focus();
  const moved = ["ssid", "address", "hostname"].some(key => key in wifi) || "port" in web;
  await pause(4000);
  for (let tries = 0; tries < 30; tries++) {
    try {
      await api("GET", "/api/status", null, {timeout_ms: 3000, silent: true});
      $("restarting").hidden = true;
      tell(t("The dongle is back."));
      return start();
    } catch (error) {
      if (moved && tries === 4) setText($("progress"), t("Its address may be another one now. Try http://{0}.local, or look in your router.", (wifi.hostname || told("wifi.hostname")) + ""));
      await pause(2000);
    }
  }
  $("progress").classList.remove("busy");
  if (!moved) setText($("progress"), t("The dongle does not come back. Is it plugged in, and is this device in the same network?"));
  $("reload").hidden = false;
}

// ---- service: token, backup, diagnosis

async function act(button, error, work) {
  button.disabled = true;
  button.classList.add("busy");
  setText(error, "");
  try {
    await work();
  } catch (wrong) {
    setText(error, wrong.message);
  }
  button.disabled = false;
  button.classList.remove("busy");
}

function download(name, text) {
  const link = make("a", {href: URL.createObjectURL(new Blob([text], {type: "application/json"})), download: name});
  document.body.append(link);
  link.click();
  link.remove();
}

// All contracts at once can be more than the dongle takes: one by one, and a null stands for each in what follows.
async function restore(backup, passphrase) {
  const {documents} = backup.contracts || {};
  let first = true;
  for (const contract of Object.keys(documents || {})) {
    await api("POST", "/api/restore", {contract, document: documents[contract], first}, {timeout_ms: 20000});
    documents[contract] = null;
    first = false;
  }
  await api("POST", "/api/restore", {backup, passphrase}, {timeout_ms: 60000});
}

const today = () => new Date().toISOString().slice(0, 10);

function service() {
  const removal = () => { $("token-remove").hidden = told("web.token") !== null; };
  removal();
  $("token-make").onclick = () => act($("token-make"), $("token-error"), async () => {
    const {token} = await api("POST", "/api/token", {}, {timeout_ms: 20000});
    settings.web.token = null;
    $("token").hidden = false;
    setText($("token"), token);
    removal();
  });
  $("token-remove").onclick = () => act($("token-remove"), $("token-error"), async () => {
    await api("POST", "/api/token", {remove: true}, {timeout_ms: 20000});
    settings.web.token = "";
    $("token").hidden = true;
    removal();
    tell(t("The token is removed."));
  });
  $("backup").onsubmit = event => {
    event.preventDefault();
    act($("backup").querySelector("button:not(.quiet)"), $("backup-error"), async () => {
      const document_ = await api("POST", "/api/backup", {passphrase: $("passphrase").value}, {timeout_ms: 60000});
      download("wattport-" + (status.device || "").slice(-4) + "-" + today() + ".json", JSON.stringify(document_, null, 1));
    });
  };
  $("restore").onsubmit = event => {
    event.preventDefault();
    act($("restore").querySelector("button.danger"), $("restore-error"), async () => {
      const file = $("file").files[0];
      if (!file) throw new Error(t("Choose the backup file first."));
      let backup;
      try {
        backup = JSON.parse(await file.text());
      } catch (error) {
        throw new Error(t("That file is no backup of a Wattport dongle."));
      }
      if (!backup || typeof backup !== "object" || !("wattport" in backup)) throw new Error(t("That file is no backup of a Wattport dongle."));
      await restore(backup, $("restore-passphrase").value);
      restarting(backup.settings);
    });
  };
  $("diagnostics").onclick = () => act($("diagnostics"), $("help-error"), async () => {
    if (!(await api("GET", "/api/status")).login && !await login()) return;
    location.href = "/api/diagnostics";
    await pause(3000);
  });
  $("restart").onclick = () => act($("restart"), $("help-error"), async () => {
    await api("POST", "/api/restart", {});
    restarting();
  });
  $("logout").onclick = async () => {
    await api("POST", "/api/logout", {}, {silent: true}).catch(() => null);
    location.href = "/";
  };
}

async function start() {
  $("wait").hidden = false;
  $("again").hidden = $("form").hidden = $("service").hidden = true;
  setText($("waiting"), t("Asking the dongle…"));
  try {
    status = await api("GET", "/api/status");
    schema = await api("GET", "/schema.json");
    settings = await api("GET", "/api/settings");
  } catch (error) {
    setText($("waiting"), error.message);
    $("again").hidden = false;
    return;
  }
  $("wait").hidden = true;
  $("form").hidden = $("service").hidden = false;
  $("logout").hidden = !status.password;
  setText($("about"), "Wattport " + (status.version || "") + ", " + (status.device || ""));
  build();
  service();
  if (!updating) showUpdate();
}

ready.then(() => {
  languageChooser($("language"));
  for (const id of ["passphrase", "restore-passphrase"]) showable($(id));
  $("reload").onclick = () => location.reload();
  $("discard").onclick = build;
  $("form").onsubmit = event => {
    event.preventDefault();
    save();
  };
  window.addEventListener("beforeunload", event => {
    if (changed().length && $("restarting").hidden) event.preventDefault();
  });
  document.addEventListener("language", () => {
    if (!$("form").hidden && !changed().length) build();
  });
  start();
});
