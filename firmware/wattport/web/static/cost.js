// SPDX-License-Identifier: MIT
// What the energy cost by the household's contract, and the view of its parts.

const PARTS = [["energy", "a", N("Energy")], ["grid", "b", N("Grid fees")], ["tax", "c", N("Taxes")], ["standing", "d", N("Standing charge")],
  ["capacity", "e", N("Capacity")], ["vat", "f", N("VAT")], ["export", "out", N("For energy to the grid")]];
const MISSED = {rows: N("Half-hours without a record: {0}."), contract: N("Half-hours before the contract begins: {0}."),
  prices: N("Half-hours without a price of the market, charged by the fallback: {0}."), registers: N("Half-hours without registers of day and night, charged by the fallback: {0}."),
  peaks: N("Months without a known peak: {0}.")};

// The end of a period for the engine, which charges days to come as well: nothing is asked for them.
const costRange = ({from, to}) => "?from=" + from + (to > today() ? "" : "&to=" + to);

// {steps: {"2026-01-31": figures}, whole}; null without a contract
async function costs(time) {
  if (time.from > today()) return null;
  try {
    const answer = await ask("/api/cost" + costRange(time) + "&step=" + (time.step === "month" ? "month" : "day"), 300000);
    const steps = {};
    for (const one of answer.costs) if (one.step) steps[one.step] = one;
    return {steps, whole: answer.costs.find(one => !one.step)};
  } catch (error) {
    if (error.code === "no_contract") return null;
    throw error;
  }
}

const contractTitle = one => one.contract === null ? t("Prices in the settings") : one.title;

function missedWords(steps) {
  const all = {}, months = new Set();
  for (const {step, missing} of steps)
    for (const [name, count] of Object.entries(missing || {})) all[name] = name === "peaks" ? months.add(step.slice(0, 7)).size : (all[name] || 0) + count;
  return Object.keys(MISSED).filter(name => all[name]).map(name => t(MISSED[name], number(all[name]))).join(" ");
}

async function viewCost(time, signal) {
  const found = await costs(time);
  if (signal.aborted) return;
  const whole = found && found.whole, steps = found ? Object.values(found.steps) : [];
  $("cost-none").hidden = Boolean(whole);
  $("cost-found").hidden = !whole;
  if (!whole) return;
  const amount = micro => money(micro, whole.currency), there = PARTS.filter(([name]) => steps.some(step => step[name]));
  figures($("cost-sums"), [[whole.total < 0 ? t("Earned") : t("Cost"), amount(Math.abs(whole.total)), contractTitle(whole)]]);
  fill($("cost-parts"), [t("Part"), t("Amount")], there.map(([name, look, title]) => [make("span", {}, swatch(look), t(title)), amount(whole[name])]), [t("Sum"), amount(whole.total)]);
  setText($("cost-note"), missedWords(steps));
  const many = time.unit !== "day", find = many && slots(time);
  $("cost-figure").hidden = $("cost-steps").hidden = !many;
  if (!many) return;
  const rows = steps.map(step => ({...step, ...find(moment((step.step + "-01").slice(0, 10)))}));
  bars($("cost-chart"), $("cost-legend"), {
    count: find.count, unit: whole.currency, ticks: find.ticks(), legend: [],
    list: rows.map(row => ({slot: row.slot, values: there.map(([name, look]) => [row[name] / 1e6, look]), words: row.name + ": " + amount(row.total), href: address("cost", ...row.deeper)}))});
  fill($("cost-table"), [time.step === "month" ? t("Month") : t("Day"), ...there.map(part => t(part[2])), t("Sum")],
    rows.map(row => [row.name, ...there.map(([name]) => amount(row[name])), amount(row.total)]),
    [t("Sum"), ...there.map(([name]) => amount(whole[name])), amount(whole.total)]);
}
