// SPDX-License-Identifier: MIT
// What all pages share: texts in the person's language, figures as that language writes them, questions to the dongle.
// For phone browsers from 2020 on (Safari 14, Chrome 80). Values become text nodes, never HTML.
"use strict";

const EDITION = "?" + "EDITION";  // of the files that the browser keeps, filled in by tools/pages.py

const $ = id => document.getElementById(id);
const NBSP = "\u00a0";

// ---- small things of the page

// make("a", {href: "/", class: "button", onclick: f}, "text", element, ...)
function make(tag, properties, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (typeof value === "function" || typeof value === "boolean" || name === "value") element[name] = value;
    else if (value !== undefined && value !== null) element.setAttribute(name, value);
  }
  element.append(...children.filter(child => child !== null && child !== undefined));
  return element;
}

function empty(element) {
  while (element.firstChild) element.firstChild.remove();
}

// What is the same stays untouched: selections live on, and screen readers keep quiet.
function setText(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

// Read aloud by a screen reader when it has nothing else to say.
function tell(text) {
  if (!tell.place) {
    tell.place = make("p", {class: "said", "aria-live": "polite"});
    document.body.append(tell.place);
  }
  setText(tell.place, text);
}

// Private windows and the log-in sheets of phones may refuse to keep anything.
function remembered(name) {
  try {
    return localStorage.getItem("wattport." + name);
  } catch (error) {
    return null;
  }
}

function remember(name, value) {
  try {
    localStorage.setItem("wattport." + name, value);
  } catch (error) { /* then not */ }
}

// ---- languages: English is in the page, each other one in a file that the browser keeps

const LANGUAGES = {en: "English", nl: "Nederlands", de: "Deutsch", fr: "Français", nb: "Norsk"};
let texts = {}, spoken = "en", locale = "en-GB";

const language = () => spoken;

// Marks a text that is translated where it is used, not where it stands.
const N = text => text;

const KEYS = "KEYS";  // of all texts, in the order of the files of the languages, filled in by tools/pages.py

// What stands for an English text: FNV-1a in base 36, its last four digits; tools/pages.py as well.
function textKey(text) {
  let value = 2166136261;
  for (const letter of text) value = Math.imul(value ^ letter.codePointAt(0), 16777619);
  return (value >>> 0).toString(36).padStart(4, "0").slice(-4);
}

// The text in the person's language, {0} and so on filled in. What has no translation stays English.
function t(text, ...values) {
  return (texts[textKey(text)] || text).replace(/\{(\d)\}/g, (whole, index) => index in values ? String(values[index]) : whole);
}

// A sentence that the dongle says: its numbers are {0} and so on in the languages, unless they are in there as they are.
function said(sentence) {
  const numbers = [], frame = sentence.replace(/-?\d+/g, number => "{" + (numbers.push(number) - 1) + "}");
  return texts[textKey(sentence)] || t(frame, ...numbers);
}

// Elements with data-t say in English what they show: their text, or the attributes that it names.
function translate(root) {
  for (const element of (root || document).querySelectorAll("[data-t]")) {
    for (const part of element.dataset.t.split(" ")) {
      const plain = !part || part === "text";
      const english = element.english || (element.english = {});
      if (!(part in english)) english[part] = plain ? element.textContent.trim() : element.getAttribute(part);
      if (plain) setText(element, t(english[part]));
      else element.setAttribute(part, t(english[part]));
    }
  }
}

function chosenLanguage() {
  for (const wish of [remembered("language"), ...(navigator.languages || [navigator.language || ""])]) {
    const code = (wish || "").slice(0, 2).toLowerCase();
    if (code in LANGUAGES) return code;
    if (code === "no" || code === "nn") return "nb";
  }
  return "en";
}

// table: "HASHtranslation|translation|...", as tools/pages.py packs it; one that was made for other keys says nothing
function use(code, table) {
  texts = {};
  if (table.slice(0, 4) === textKey(KEYS))
    table.slice(4).split("|").forEach((text, at) => { texts[KEYS.slice(at * 4, at * 4 + 4)] = text; });
  spoken = code;
  // an Austrian's German has Austrian figures
  locale = (navigator.languages || []).find(wish => wish.slice(0, 2) === code) || (code === "en" ? "en-GB" : code);
  formats.clear();
  document.documentElement.lang = code;
  translate();
  document.dispatchEvent(new Event("language"));
}

let wished = "en";

// By the person's choice (`keep`), or guessed.
async function setLanguage(code, keep = true) {
  wished = code;
  if (keep) remember("language", code);
  if (code === "en") return use("en", "");
  const known = remembered("texts." + code);
  if (known) use(code, known);  // at once; what is new since comes after
  const table = await api("GET", "/lang/" + code + ".json" + EDITION, null, {silent: true}).catch(() => "");
  if (!table || wished !== code || table === known) return;
  remember("texts." + code, table);
  use(code, table);
}

// Makes a <select> the chooser of the language.
function languageChooser(select) {
  const names = () => {
    empty(select);
    for (const [code, name] of Object.entries(LANGUAGES)) select.append(make("option", {value: code, lang: code}, name));
    select.value = spoken;
  };
  select.onchange = () => setLanguage(select.value);
  document.addEventListener("language", () => { select.value = spoken; });
  names();
}

// ---- figures

const formats = new Map();

function number(value, digits = 0) {
  if (!formats.has(digits))
    formats.set(digits, new Intl.NumberFormat(locale, {minimumFractionDigits: digits, maximumFractionDigits: digits}));
  return formats.get(digits).format(value).replace("-", "−");  // a minus is as wide as a digit, a hyphen is not
}

const sign = value => value < 0 ? "−" : value > 0 ? "+" : "";
const energy = (wh, digits = 3) => number(wh / 1000, digits) + NBSP + "kWh";
const watts = value => number(value) + NBSP + "W";
const signed = value => sign(value) + watts(Math.abs(value));

// Millionths of a currency: two decimals, as on a bill.
function money(micro, currency) {
  try {
    return new Intl.NumberFormat(locale, {style: "currency", currency}).format(micro / 1e6);
  } catch (error) {
    return number(micro / 1e6, 2) + NBSP + currency;
  }
}

// Seconds since 1970 → date and time, or the time alone.
function clock(seconds, timeOnly) {
  const time = {hour: "2-digit", minute: "2-digit"};
  const options = timeOnly ? time : {day: "numeric", month: "short", year: "numeric", ...time};
  return new Intl.DateTimeFormat(locale, options).format(new Date(seconds * 1000));
}

function span(seconds) {
  return seconds < 90 ? t("{0} s", Math.max(0, Math.round(seconds)))
    : seconds < 5400 ? t("{0} min", Math.round(seconds / 60))
    : seconds < 129600 ? t("{0} h", Math.round(seconds / 3600))
    : t("{0} days", Math.round(seconds / 86400));
}

const signal = rssi => rssi > -60 ? t("good signal") : rssi > -75 ? t("fair signal") : t("weak signal");

// ---- what several pages say

// of other meters at this one
const TYPES = {gas: N("Gas"), water: N("Water"), heat: N("Heat"), cooling: N("Cooling"), electricity: N("Electricity")};

// what the dongle's alerts say; its own words are English. {0}: the phase
const ALERTS = {outage: N("There was a power cut."), voltage_high: N("The voltage of {0} is too high."), voltage_low: N("The voltage of {0} is too low."),
  phase_missing: N("There is no voltage on {0}."), power_high: N("More power is used than your limit."), reverse_flow: N("Power flows to the grid, where none is expected."),
  peak: N("This quarter-hour or hour is going to be a new peak."), clock_step: N("The meter’s clock made a step."), meter_swapped: N("Another meter is there, or it was reset."),
  implausible: N("The meter sent values that cannot be; they were left out."), tariff_change: N("The tariff has changed."), message: N("Your grid operator says:")};

function alertWords(alert) {
  const [, kind, line] = /^(.*?)(?:_(l[123]))?$/.exec(alert.name);
  const words = ALERTS[kind] ? t(ALERTS[kind], (line || "").toUpperCase()) : alert.text;
  return kind === "message" ? words + " " + alert.value : words;
}

// ---- questions to the dongle

const GONE = N("The dongle does not answer. Is it plugged in, and is this device in the same network?");
const BROKEN = N("The dongle gave an answer that makes no sense.");

function problem(status, code, detail, found) {
  const error = new Error(said(detail));
  return Object.assign(error, {status, code, document: found || {}});
}

// → the JSON document of the answer. Throws an Error with a message for a person, .status (0: not reached), .code and
// .document. Asks for the password when one is needed, unless `silent`, and then goes on.
// A `signal` (of an AbortController) ends it early, as one that was not reached.
async function api(method, path, body, {timeout_ms = 10000, silent = false, signal} = {}) {
  const stop = window.AbortController && new AbortController();
  if (stop && signal) signal.addEventListener("abort", () => stop.abort());
  const timer = setTimeout(() => stop && stop.abort(), timeout_ms);
  let answer, found = null;
  try {
    answer = await fetch(path, {
      method, signal: stop ? stop.signal : undefined, credentials: "same-origin",
      ...(method === "GET" ? {} : {headers: {"Content-Type": "application/json"}, body: JSON.stringify(body || {})})});
    found = JSON.parse(await answer.text() || "{}");
  } catch (error) {
    if (!answer || error.name === "AbortError" || error.name === "TypeError") throw problem(0, "not_reached", GONE);
  } finally {
    clearTimeout(timer);
  }
  if (answer.ok && found) return found;
  if (answer.status === 401 && !silent && (!found || found.error !== "wrong_password") && await login())
    return api(method, path, body, {timeout_ms, silent: true, signal});
  const {error = "failed", detail = BROKEN} = found || {};
  throw problem(answer.status, error, detail, found);
}

// ---- log-in: a sheet over the page → true when it worked, false when the person gave up

let loggingIn = null;

function login() {
  if (!loggingIn) loggingIn = loginSheet().finally(() => { loggingIn = null; });
  return loggingIn;
}

function loginSheet() {
  return new Promise(resolve => {
    const before = document.activeElement;
    const input = make("input", {type: "password", id: "login-password", autocomplete: "current-password", "aria-describedby": "login-error"});
    const error = make("p", {class: "error", id: "login-error", role: "alert"});
    const go = make("button", {class: "primary"}, t("Log in"));
    const close = result => {
      veil.remove();
      if (before && before.focus) before.focus();
      if (result) document.dispatchEvent(new Event("login"));
      resolve(result);
    };
    const veil = make("div", {class: "veil"},
      make("form", {
        class: "card", role: "dialog", "aria-modal": "true", "aria-labelledby": "login-title",
        onsubmit: event => {
          event.preventDefault();
          error.textContent = "";
          go.disabled = true;
          go.classList.add("busy");
          api("POST", "/api/login", {password: input.value}, {silent: true, timeout_ms: 20000}).then(() => close(true), refused => {
            const wait = refused.document.wait_s;
            error.textContent = refused.message + (wait ? " " + t("Try again in {0}.", span(wait)) : "");
            go.disabled = false;
            go.classList.remove("busy");
            input.select();
          });
        },
        onkeydown: event => {
          if (event.key === "Escape") close(false);
          if (event.key !== "Tab") return;
          const stops = [...veil.querySelectorAll("input, button:not(:disabled)")];
          const ends = event.shiftKey ? [stops[0], stops[stops.length - 1]] : [stops[stops.length - 1], stops[0]];
          if (document.activeElement === ends[0]) {
            event.preventDefault();
            ends[1].focus();
          }
        }},
      make("h2", {id: "login-title"}, t("Log in")),
      make("input", {autocomplete: "username", value: "wattport", hidden: true}),  // a password manager's name for it
      make("p", {class: "field"}, make("label", {for: "login-password"}, t("Password of this dashboard")), input),
      error,
      make("p", {class: "hint"}, t("Forgotten? Press the dongle’s button for 5 seconds: then its own Wi-Fi lets you set a new one.")),
      make("p", {class: "row"}, go, make("button", {type: "button", class: "quiet", onclick: () => close(false)}, t("Cancel")))));
    document.body.append(veil);
    input.focus();
  });
}

// fulfilled when the page speaks the person's language, or cannot; `use` has translated what is there by then
const ready = new Promise(resolve => {
  document.addEventListener("DOMContentLoaded", () => {
    resolve(chosenLanguage() === "en" ? use("en", "") : setLanguage(chosenLanguage(), false));
  });
});
