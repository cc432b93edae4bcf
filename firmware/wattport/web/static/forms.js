// SPDX-License-Identifier: MIT
// What the set-up and the settings page share: zones, money, keys, passwords, and trials told in plain words.

// Time zones of Europe as POSIX writes them, by the places that people know. The first place guesses for the others.
const ZONES = [
  ["GMT0", N("Iceland"), "Atlantic/Reykjavik"],
  ["GMT0BST,M3.5.0/1,M10.5.0", N("United Kingdom"), "Europe/London Europe/Guernsey Europe/Jersey Europe/Isle_of_Man Europe/Belfast"],
  ["GMT0IST,M3.5.0/1,M10.5.0", N("Ireland"), "Europe/Dublin"],
  ["WET0WEST,M3.5.0/1,M10.5.0", N("Portugal, Canary Islands, Faroe Islands"), "Europe/Lisbon Atlantic/Madeira Atlantic/Canary Atlantic/Faroe Atlantic/Faeroe"],
  ["<-01>1<+00>,M3.5.0/0,M10.5.0/1", N("Azores"), "Atlantic/Azores"],
  ["CET-1CEST,M3.5.0,M10.5.0/3", N("Central Europe: from Spain to Poland, from Norway to Italy"), ""],
  ["EET-2EEST,M3.5.0/3,M10.5.0/4", N("Eastern Europe: Finland, the Baltic states, Romania, Bulgaria, Greece, Cyprus, Ukraine"),
    "Europe/Helsinki Europe/Mariehamn Europe/Tallinn Europe/Riga Europe/Vilnius Europe/Bucharest Europe/Sofia Europe/Athens Asia/Nicosia Asia/Famagusta Europe/Kiev Europe/Kyiv"],
  ["EET-2EEST,M3.5.0,M10.5.0/3", N("Moldova"), "Europe/Chisinau"],
  ["EET-2", N("Kaliningrad"), "Europe/Kaliningrad"],
  ["<+03>-3", N("Türkiye"), "Europe/Istanbul Asia/Istanbul"],
];
const CENTRAL = ZONES[5][0];
const CURRENCIES = "EUR CHF CZK DKK GBP HUF ISK NOK PLN RON SEK".split(" ");
const MONEY = {"Europe/Oslo": "NOK", "Europe/Stockholm": "SEK", "Europe/Copenhagen": "DKK", "Europe/London": "GBP",
  "Europe/Zurich": "CHF", "Europe/Prague": "CZK", "Europe/Budapest": "HUF", "Europe/Warsaw": "PLN",
  "Europe/Bucharest": "RON", "Atlantic/Reykjavik": "ISK"};

function place() {
  try {
    return Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  } catch (error) {
    return "";
  }
}

function guessedZone() {
  const found = ZONES.find(zone => zone[2].split(" ").indexOf(place()) >= 0);
  return found ? found[0] : CENTRAL;
}

const guessedCurrency = () => MONEY[place()] || "EUR";

// Money is typed as a decimal text and kept in millionths. Text to digits, never through a float.
function millionths(text, below) {
  const found = /^([-−]?)(\d{0,8})(?:[.,](\d{0,6}))?$/.exec(text.replace(/\s/g, ""));
  if (!found || !(found[2] || found[3]) || found[1] && !below) return null;
  return Number((found[1] ? "-" : "") + (found[2] || "0") + ((found[3] || "") + "000000").slice(0, 6));
}

function decimal(micro) {
  const digits = String(Math.abs(micro)).padStart(7, "0");
  const rest = digits.slice(-6).replace(/0+$/, "");
  return (micro < 0 ? "-" : "") + digits.slice(0, -6) + (rest ? number(1.5, 1).charAt(1) + rest : "");
}

// A key as a letter shows it: groups, dashes and capitals do not matter. {digits, count, left: what is no digit}
function readKey(text) {
  const bare = text.replace(/[\s:.\-_\u00a0\u2010-\u2015]/g, "");
  const left = bare.replace(/[0-9a-fA-F]/g, "");
  return {digits: bare.replace(/[^0-9a-fA-F]/g, "").toLowerCase(), left};
}

function keyWords(text, empty) {
  const {digits, left} = readKey(text);
  if (left) return [t("“{0}” cannot be part of a key: it has only the digits 0 to 9 and the letters A to F", left.charAt(0)), false];
  if (!digits) return [empty, true];
  if (digits.length === 32) return [t("32 of 32 digits: complete"), true];
  return digits.length < 32 ? [t("{0} of 32 digits", digits.length), false]
    : [t("{0} digits: that is {1} too many", digits.length, digits.length - 32), false];
}

// What a password is worth, roughly and in words: length counts for more than odd characters.
function strength(text) {
  if (text.length < 8) return [t("{0} of at least 8 characters", text.length), "bad"];
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^a-zA-Z\d]/].filter(kind => kind.test(text)).length;
  const varied = new Set(text.toLowerCase()).size;
  if (varied < 5 || /^(.+?)\1+$/.test(text) || /(12345|password|passwor|qwert|azert|wattport)/i.test(text))
    return [t("Easy to guess"), "weak"];
  if (text.length >= 14 || text.length >= 11 && kinds > 2) return [t("Strong"), "good"];
  return text.length >= 10 || kinds > 2 ? [t("Fair; longer is better"), "fair"] : [t("Weak; longer is better"), "weak"];
}

// A button in front of which a password lies: shows it, hides it.
function showable(input) {
  const button = make("button", {type: "button", class: "quiet show"});
  const tell = () => {
    button.textContent = input.type === "password" ? t("Show") : t("Hide");
    button.setAttribute("aria-label", input.type === "password" ? t("Show the password") : t("Hide the password"));
  };
  button.addEventListener("click", () => {
    input.type = input.type === "password" ? "text" : "password";
    tell();
  });
  document.addEventListener("language", tell);
  tell();
  const box = make("span", {class: "shown"});
  input.parentNode.insertBefore(box, input);
  box.appendChild(input);
  box.appendChild(button);
}

// Errors stand at their field, are tied to it for screen readers, and the first one gets the focus.
function fieldError(input, text) {
  let place = $(input.id + "-error");
  if (!place) {
    place = make("p", {class: "error", id: input.id + "-error"});
    const box = input.closest(".field") || input.parentNode;
    box.appendChild(place);
    input.setAttribute("aria-describedby", ((input.getAttribute("aria-describedby") || "") + " " + place.id).trim());
  }
  place.textContent = text || "";
  place.hidden = !text;
  if (text) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

// Who made the meter: three letters of the FLAG association begin most models.
const MAKERS = {AID: "Aidon", ADN: "Aidon", APA: "Apator", AUX: "Sanxing", DZG: "DZG", EBZ: "eBZ", EFR: "EFR", ELS: "Elster",
  EMH: "EMH", ESY: "EasyMeter", FLU: "Fluvius", HAG: "Hager", HLY: "Holley", ISK: "Iskraemeco", ITR: "Itron", KAM: "Kamstrup",
  KFM: "Kaifa", KMP: "Kamstrup", LGF: "Landis+Gyr", LGZ: "Landis+Gyr", LUX: "Smarty", SAC: "Sagemcom", SAG: "Sagemcom",
  SIE: "Siemens", XMX: "Landis+Gyr"};

function maker(meter) {
  const model = meter.model || "";
  if (/^68[4-6]\d{4}/.test(model)) return "Kamstrup";
  if (/^MA\d{3}/.test(model)) return "Kaifa";
  if (/^6[45]\d\d$/.test(model)) return "Aidon";
  return MAKERS[(meter.maker || "").toUpperCase()] || MAKERS[model.slice(0, 3).toUpperCase()] || "";
}

function meterName(meter) {
  const who = maker(meter);
  if (who) return who;
  return meter.model || t("Your meter");
}

const kilowatts = w => w < 1000 ? watts(w) : number(w / 1000, 1) + NBSP + "kW";

function meterPower(meter) {
  if (meter.power_w === undefined || meter.power_w === null) return "";
  return meter.power_w < 0 ? t("{0} to the grid", kilowatts(-meter.power_w)) : kilowatts(meter.power_w);
}

// A trial on the device: started, then looked at until it is over. The device may be out of reach meanwhile (its radio
// changes the channel with a Wi-Fi trial): `lost` is told, and the trial goes on. Gives the trial's last state.
async function trial(name, body, patience_ms, lost) {
  try {
    await api("POST", "/api/try/" + name, body, {timeout_ms: 8000});
  } catch (error) {
    if (error.status) throw error;
  }
  return outcome(name, patience_ms, lost);
}

async function outcome(name, patience_ms, lost) {
  const began = Date.now();
  let missed = 0, idle = 0;
  while (Date.now() - began < patience_ms) {
    await pause(missed ? 1500 : 900);
    let all;
    try {
      all = await api("GET", "/api/try", null, {timeout_ms: 4000});
    } catch (error) {
      if (error.status && error.status !== 503) throw error;
      if (++missed > 1 && lost) lost();
      continue;
    }
    if (missed > 1 && lost) lost(true);
    missed = 0;
    const state = all[name] || {};
    if (state.state === "ok" || state.state === "failed") return Object.assign({meter: all.meter}, state);
    if (state.state !== "trying" && ++idle > 2) return {state: "failed", reason: "lost"};
  }
  return {state: "failed", reason: missed ? "lost" : "timeout"};
}

function wifiWords(state, ssid) {
  switch (state.reason) {
    case "wrong_password": return t("The password for “{0}” is wrong. Capitals count; try “Show” to see what you typed.", ssid);
    case "not_found": return t("“{0}” was not found. Is the name right, and is it a 2.4 GHz network? The dongle cannot use 5 GHz.", ssid);
    case "no_address": return t("“{0}” let the dongle in but gave it no address. Restart the router, or look whether it has a free address.", ssid);
    case "refused": return t("“{0}” turns the dongle away. Does the router have a list of allowed devices, or too many devices already?", ssid);
    case "weak": return t("“{0}” is too weak here. Try a network or a repeater that is closer to the meter.", ssid);
    case "lost": return t("The dongle could not be asked how it went. Is this device still in the dongle’s own Wi-Fi? Then try again.");
    case "timeout": return t("“{0}” did not answer in time. Try again; it helps when the router is closer.", ssid);
  }
  return state.detail ? t(state.detail) : t("That did not work.");
}

function mqttWords(state, host) {
  switch (state.reason) {
    case "not_found": return t("No machine is called “{0}”. Is the name right? The broker’s address, such as 192.168.1.5, works too.", host);
    case "refused": return t("“{0}” is there, but no broker listens on this port. Is the port right, and is the broker running?", host);
    case "no_answer": return t("“{0}” does not answer. Is the address right, and is the machine on?", host);
    case "no_broker": return t("Something answers at “{0}”, but it is no MQTT broker, or it wants TLS. Is the port right?", host);
    case "no_network": return t("The dongle has no network yet: test the Wi-Fi first.");
    case "busy": return t("The dongle is too busy at the moment. Try again.");
    case "tls": return /certificate/.test(state.detail)
      ? t("The certificate of “{0}” is not accepted: another authority has signed it, it is for another name, or it has run out.", host)
      : t("The encrypted connection to “{0}” failed. Does the port use TLS, and is the certificate the right one?", host);
    case "login": return t("“{0}” refuses the user name or the password.", host);
    case "not_allowed": return t("“{0}” does not let this user in.", host);
    case "timeout": case "lost": return t("“{0}” did not answer in time.", host);
  }
  return state.detail ? t(state.detail) : t("That did not work.");
}

// [sentence, "good" | "bad" | "fair"]
function keyTried(state) {
  switch (state.reason) {
    case "ok": return [t("The key is right: the meter can be read."), "good"];
    case "wrong": return [/authentication key is wrong/.test(state.detail)
      ? t("The encryption key is right, but the authentication key is wrong. Compare it with the letter, digit by digit.")
      : t("The key is wrong: what the meter sends makes no sense with it. Compare it with the letter, digit by digit."), "bad"];
    case "missing": return [t("The meter encrypts, and a key is missing."), "bad"];
    case "unused": return [t("This meter does not encrypt: no key is needed."), "fair"];
  }
  return [t("Nothing has come from the meter to try the key on. It is kept and used as soon as something comes."), "fair"];
}
