// SPDX-License-Identifier: MIT
// The view of energy: what came from the grid and what went there, in the steps of a period, and what that cost.

const ESTIMATED = 1, PART = 128;

// → {rows: [{start, flags, import_wh, ...}], columns, sum(name)} of a period, and where each row stands
async function records(time) {
  const answer = await ask("/api/history?from=" + time.from + "&to=" + time.to + "&step=" + time.step);
  const rows = answer.rows.map(row => Object.assign({}, ...row.map((value, index) => ({[answer.columns[index]]: value}))));
  const find = slots(time, answer);
  rows.forEach(row => Object.assign(row, find(row.start)));
  return {rows, find, columns: answer.columns, sum: name => rows.reduce((all, row) => all + (row[name] || 0), 0)};
}

const QUANTITIES = {wh: ["kWh", 1000], l: ["m³", 1000], kj: ["GJ", 1e6]};

// Columns of other meters: [[name, title, unit, divisor, type], ...]
async function others(columns) {
  const found = columns.filter(name => /^\d+\./.test(name) && name.split("_").pop() in QUANTITIES);
  let devices = {};
  if (found.length) devices = (await ask("/api/reading").catch(() => ({}))).devices || {};
  return found.map(name => {
    const channel = name.split(".")[0], {type} = devices[channel] || {};
    return [name, t("{0} (channel {1})", type in TYPES ? t(TYPES[type]) : t("Meter"), channel), ...QUANTITIES[name.split("_").pop()], type];
  });
}

const costKey = row => new Date((row.start + 43200) * 1000).toISOString();

async function viewEnergy(time, signal) {
  const found = await records(time), {rows, columns} = found;
  const has = name => columns.indexOf(name) >= 0;
  const more = await others(columns);
  if (signal.aborted) return;
  const none = !rows.length;
  setText($("energy-none"), none ? t("Nothing is recorded for this time.") + " " + t("Half-hours of 13 months and days of ten years, on the dongle alone.") : "");
  $("energy-none").hidden = !none;
  $("energy-found").hidden = none;
  fileRange(time);
  if (none) return;
  showEnergy(time, found, more, "…");
  const cost = await costs(time).catch(error => signal.aborted ? null : error.message);
  if (!signal.aborted) showEnergy(time, found, more, cost);
}

// cost: what `costs` gives, or a text
function showEnergy(time, {rows, find, columns, sum}, more, cost) {
  const sold = columns.indexOf("export_wh") >= 0, whole = cost && cost.whole;
  const digits = Math.max(...rows.map(row => row.import_wh || 0)) >= 1e5 ? 1 : 2;
  const kwh = value => value === null || value === undefined ? "–" : number(value / 1000, digits);
  const price = row => {
    const step = whole && time.unit !== "day" && cost.steps[costKey(row).slice(0, time.step === "month" ? 7 : 10)];
    return step ? money(step.total, whole.currency) : "";
  };
  figures($("energy-sums"), [[t("From the grid"), kwh(sum("import_wh")) + NBSP + "kWh"], ...(sold ? [[t("To the grid"), kwh(sum("export_wh")) + NBSP + "kWh"]] : []),
    whole ? [whole.total < 0 ? t("Earned") : t("Cost"), money(Math.abs(whole.total), whole.currency)]
      : cost ? [t("Cost"), cost === "…" ? cost : "–", cost === "…" ? "" : cost]
      : [t("Cost"), make("a", {href: "/settings#tariff"}, t("Set your prices"))],
    ...more.map(([name, title, unit, by]) => [title, number(sum(name) / by, 2) + NBSP + unit])]);
  const guessed = rows.some(row => row.flags & ESTIMATED), step = time.unit === "day" ? t("estimated") : t("partly estimated");
  bars($("energy-chart"), $("energy-legend"), {
    count: find.count, unit: "kWh", ticks: find.ticks(),
    legend: [["in", t("From the grid")], ...(sold ? [["out", t("To the grid")]] : []), ...(guessed ? [["in+guess", step]] : [])],
    list: rows.map(row => ({
      slot: row.slot, values: [[(row.import_wh || 0) / 1000, "in"], [-(row.export_wh || 0) / 1000, "out"]], guess: row.flags & ESTIMATED,
      href: row.deeper && address("energy", ...row.deeper),
      words: [row.name + ": " + t("From the grid") + " " + kwh(row.import_wh) + NBSP + "kWh", row.export_wh ? t("To the grid") + " " + kwh(row.export_wh) + NBSP + "kWh" : "", price(row), row.flags & ESTIMATED ? step : ""]
        .filter(Boolean).join(", ")}))});
  const running = time.from <= today() && time.to > today();
  setText($("energy-note"), [guessed ? t("Estimated: there was a gap in what the meter sent. The sum is right, how it spreads is not known.") : "",
    running && time.unit === "day" ? t("The half-hour that runs comes when it is over.") : ""].filter(Boolean).join(" "));
  const priced = rows.some(price), notes = row => [row.flags & ESTIMATED ? step : "", row.flags & PART ? t("not complete") : ""].filter(Boolean).join(", ");
  fill($("energy-table"), [stepName(time), t("From the grid") + " (kWh)", ...(sold ? [t("To the grid") + " (kWh)"] : []),
    ...more.map(([, title, unit]) => title + " (" + unit + ")"), ...(priced ? [t("Cost")] : [])],
    rows.map(row => {
      const name = make("span", {}, row.deeper ? make("a", {href: address("energy", ...row.deeper)}, row.name) : row.name);
      if (notes(row)) name.append(make("small", {}, notes(row)));
      return [name, kwh(row.import_wh), ...(sold ? [kwh(row.export_wh)] : []), ...more.map(([column, , , by]) => row[column] === null ? "–" : number(row[column] / by, 2)), ...(priced ? [price(row)] : [])];
    }),
    [t("Sum"), kwh(sum("import_wh")), ...(sold ? [kwh(sum("export_wh"))] : []), ...more.map(([column, , , by]) => number(sum(column) / by, 2)), ...(priced ? [money(whole.total, whole.currency)] : [])]);
}
