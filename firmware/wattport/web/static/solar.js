// SPDX-License-Identifier: MIT
// The view of one's own power: what went to the grid, and with a meter for the production what stayed in the house.

async function viewSolar(time, signal) {
  const found = await records(time), {rows, find, columns, sum} = found;
  // another meter that counts electricity may be that of the panels; one that is known to count gas is not
  const meters = (await others(columns)).filter(([name, , , , type]) => /energy_wh$/.test(name) && (type || "electricity") === "electricity");
  if (signal.aborted) return;
  const chosen = remembered("panels"), panels = chosen === "" ? "" : (meters.find(([name]) => name === chosen) || meters[0] || [""])[0];
  $("panels-field").hidden = !meters.length;
  empty($("panels"));
  for (const [name, title] of [...meters, ["", t("none")]]) $("panels").append(make("option", {value: name}, title));
  $("panels").value = panels;
  const bought = sum("import_wh"), sold = sum("export_wh"), made = panels ? sum(panels) : 0, own = Math.max(0, made - sold);
  const none = !rows.length || !sold && !made;
  $("solar-found").hidden = none;
  setText($("solar-none"), !none ? "" : rows.length ? t("Nothing went to the grid in this time.") : t("Nothing is recorded for this time."));
  $("solar-none").hidden = !none;
  if (none) return;
  const kwh = wh => number(wh / 1000, made + bought > 1e6 ? 1 : 2), share = (part, all) => all ? number(Math.round(100 * part / all)) + NBSP + "%" : "–";
  const unit = wh => kwh(wh) + NBSP + "kWh";
  figures($("solar-sums"), [...(panels ? [[t("Produced"), unit(made)], [t("Used yourself"), unit(own), t("{0} of what was produced", share(own, made))]] : []),
    [t("To the grid"), unit(sold)], [t("From the grid"), unit(bought)], ...(panels ? [[t("Self-sufficiency"), share(own, own + bought), t("of what the house used")]] : [])]);
  setText($("solar-note"), !panels ? t("With a meter for the production, read through the smart meter, this page shows what you use yourself.")
    : made < sold ? t("This meter counted less than what went to the grid: it does not count all of the panels.") : "");
  const use = row => panels ? Math.max(0, (row[panels] || 0) - (row.export_wh || 0)) : 0;
  bars($("solar-chart"), $("solar-legend"), {
    count: find.count, unit: "kWh", ticks: find.ticks(), legend: [...(panels ? [["sun", t("Used yourself")]] : []), ["in", t("From the grid")], ["out", t("To the grid")]],
    list: rows.map(row => ({
      slot: row.slot, values: [[use(row) / 1000, "sun"], [(row.import_wh || 0) / 1000, "in"], [-(row.export_wh || 0) / 1000, "out"]], guess: row.flags & ESTIMATED,
      href: row.deeper && address("solar", ...row.deeper),
      words: row.name + ": " + (panels ? t("Used yourself") + " " + unit(use(row)) + ", " : "") + t("To the grid") + " " + unit(row.export_wh || 0)}))});
  const cells = row => [...(panels ? [kwh(row[panels] || 0), kwh(use(row))] : []), kwh(row.export_wh || 0), kwh(row.import_wh || 0)];
  fill($("solar-table"), [stepName(time), ...(panels ? [t("Produced"), t("Used yourself")] : []), t("To the grid"), t("From the grid")].map((text, index) => index ? text + " (kWh)" : text),
    rows.map(row => [row.name, ...cells(row)]), [t("Sum"), ...(panels ? [kwh(made), kwh(own)] : []), kwh(sold), kwh(bought)]);
}

$("panels").onchange = () => { remember("panels", $("panels").value); look(); };
