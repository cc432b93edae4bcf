// SPDX-License-Identifier: MIT
// The household's contracts: which ones are kept, which one is its own, and a form for another one: simple prices, or an
// example or a document of one's own.

const EXAMPLES = {"at-workdays": N("Austria: cheaper at weekends and on summer days"), "be-flat": N("Belgium: one price"), "be-day-night": N("Belgium: day and night"),
  "de-flat": N("Germany: one price, grid fees by hour"), "lu-reference": N("Luxembourg: reference power"), "nl-day-night": N("Netherlands: day and night"),
  "nl-dynamic": N("Netherlands: prices of the market"), "no-spot": N("Norway: prices of the market, steps of capacity"), "se-power-fee": N("Sweden: power fee"),
  "uk-half-hourly": N("United Kingdom: half-hourly prices"), "uk-night": N("United Kingdom: cheap hours at night")};

let currentContract = null, contracts = [], target = null;  // target: {name, document} that gets a new price

function showContracts(tariffs) {
  currentContract = tariffs.current;
  contracts = tariffs.contracts;
  const place = $("contracts");
  empty(place);
  if (!contracts.length) $("adding").open = true;
  const line = (name, title, ...more) => {
    const input = make("input", {type: "radio", name: "own", checked: name === currentContract, onchange: () => change({current: name})});
    place.append(make("li", {}, make("label", {}, input, " ", title), make("span", {}, ...more)));
  };
  const button = (text, title, act) => make("button", {type: "button", class: "quiet", "aria-label": text + ": " + title, onclick: act}, text);
  line(null, t("Prices in the settings"), make("a", {class: "button quiet", href: "/settings#tariff"}, t("Change")));
  for (const {name, title} of contracts)
    line(name, title, button(t("New price"), title, () => edit(name, false)), button(t("Change"), title, () => edit(name, true)),
      button(t("Remove"), title, () => confirm(t("Remove “{0}”?", title)) && change({remove: name})));
}

async function change(document) {
  setText($("contracts-error"), "");
  try {
    await api("POST", "/api/tariffs", document, {timeout_ms: 30000});
    kept.clear();
    showForm();
  } catch (error) {
    const at = error.document && error.document.setting;
    setText($("contracts-error"), (at ? at + ": " : "") + error.message);
    return false;
  }
  await look();
  return true;
}

function showForm(title = "", kind = "flat") {
  $("add").reset();
  $("kind").value = kind;
  $("currency").value = contracts.length ? contracts[0].currency : guessedCurrency();
  $("title-of").value = title;
  formTitle();
  for (const id of ["kind", "currency", "title-of"]) $(id).disabled = Boolean(target) && (id !== "title-of" || kind !== "document");
  $("cancel").hidden = !target;
  $("adding").open = Boolean(target);
  showKind();
}

function formTitle() {
  const title = target && target.document.name;
  setText($("h-add"), !target ? t("Add a contract") : $("kind").value === "document" ? t("Change “{0}”", title) : t("New price for “{0}”", title));
}

function showKind() {
  const kind = $("kind").value;
  for (const element of $("add").querySelectorAll("[data-kind]")) element.hidden = element.dataset.kind.split(" ").indexOf(kind) < 0;
  if (kind === "document" && !target) loadExample();
}

async function edit(name, whole) {
  try {
    const document = await api("GET", "/api/tariffs?name=" + name);
    target = {name, document};
    showForm(document.name, whole ? "document" : "flat");
    if (whole) $("document").value = JSON.stringify(document, null, 1);
    else $("holds").value = today();
    (whole ? $("document") : $("price")).focus();
  } catch (error) {
    setText($("contracts-error"), error.message);
  }
}

async function loadExample() {
  const list = $("example");
  if (!list.options.length) for (const [name, title] of Object.entries(EXAMPLES)) list.append(make("option", {value: name}, t(title)));
  try {
    const found = (await ask("/contracts.json" + EDITION))[list.value];
    $("document").value = JSON.stringify({...found, name: t(EXAMPLES[list.value])}, null, 1);
    $("title-of").value = t(EXAMPLES[list.value]);
  } catch (error) {
    setText($("contracts-error"), error.message);
  }
}

// A name for the dongle's file: small letters, digits and hyphens.
function shortName(title) {
  const bare = title.toLowerCase().normalize("NFD").replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 20) || "contract";
  const names = contracts.map(one => one.name);
  let name = bare;
  for (let count = 2; names.indexOf(name) >= 0; count++) name = bare + "-" + count;
  return name;
}

// A field's price in millionths; what is none stands in `wrong`.
function priced(id, wrong) {
  const text = $(id).value.trim(), value = text ? millionths(text, true) : 0;
  const bad = value === null || Math.abs(value) > 1e9;
  fieldError($(id), bad ? t("A price is a number, such as {0}", decimal(250000)) : "");
  if (bad) wrong.push(id);
  return value;
}

function simpleVersion(wrong) {
  const energy = priced("price", wrong), night = priced("night", wrong), vat = Math.round(priced("vat", wrong) / 1e5);
  const version = {
    energy: $("kind").value === "night" ? {day_register: Number($("register").value), day_micro: energy, night_micro: night, fallback_micro: energy} : {micro: energy},
    export: {micro: priced("export", wrong)}, standing: {month_micro: priced("standing", wrong)}, vat_permille: {energy: vat, standing: vat}};
  return $("holds").value ? {from: $("holds").value, ...version} : version;
}

async function addContract(event) {
  event.preventDefault();
  setText($("contracts-error"), "");
  const title = $("title-of").value.trim(), wrong = [];
  fieldError($("title-of"), title ? "" : t("A name is needed."));
  let document;
  if ($("kind").value === "document") {
    try {
      document = {...JSON.parse($("document").value), name: title};
      fieldError($("document"), "");
    } catch (error) {
      fieldError($("document"), t("This is no JSON document."));
      wrong.push("document");
    }
  } else {
    const version = simpleVersion(wrong), old = target ? target.document.versions.filter(one => one.from !== version.from) : [];
    document = {...(target ? target.document : {tariff: 1, name: title, currency: $("currency").value}),
      versions: [...old, version].sort((a, b) => (a.from || "") < (b.from || "") ? -1 : 1)};
  }
  if (!title || wrong.length) return $(title ? wrong[0] : "title-of").focus();
  const name = target ? target.name : shortName(title), first = !contracts.length && currentContract === null, was = target;
  target = null;
  if (!await change({put: {name, contract: document}})) target = was;
  else if (first) await change({current: name});
}

for (const code of CURRENCIES) $("currency").append(make("option", {}, code));
$("kind").onchange = showKind;
$("example").onchange = loadExample;
$("add").onsubmit = addContract;
$("cancel").onclick = () => { target = null; showForm(); };
document.addEventListener("language", () => { empty($("example")); formTitle(); });
showForm();
