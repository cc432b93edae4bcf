// SPDX-License-Identifier: MIT
// The view of the comparison: what the same half-hours would have cost by each contract that is kept.

const comparePath = time => "/api/compare" + costRange(time);

async function viewCompare(time, signal) {
  const tariffs = await ask("/api/tariffs");
  if (signal.aborted) return;
  showContracts(tariffs);
  setText($("compare-told"), "");
  $("compare-found").hidden = true;
  $("compare").disabled = false;
  if (kept.has(comparePath(time))) await compare(time);
}

async function compare(time) {
  const {signal} = stop;
  $("compare").disabled = true;
  setText($("compare-told"), t("The dongle calculates. Over many months that takes a minute or two."));
  $("compare-told").classList.add("busy");
  try {
    const {costs} = await ask(comparePath(time), 600000);
    if (!signal.aborted) showCompared(costs);
  } catch (error) {
    if (!signal.aborted) setText($("compare-told"), error.code === "no_contract" ? t("There is nothing to compare yet: add contracts below.") : error.message);
  }
  if (signal.aborted) return;
  $("compare-told").classList.remove("busy");
  $("compare").disabled = false;
}

function showCompared(costs) {
  const all = costs.filter(one => !one.step), own = all[0], known = own.contract === null || own.contract === currentContract;
  const sorted = all.slice().sort((a, b) => (a.currency !== own.currency) - (b.currency !== own.currency) || a.total - b.total);
  const best = sorted[0], alike = sorted.filter(one => one.currency === own.currency), most = Math.max(1, ...alike.map(one => Math.abs(one.total)));
  setText($("compare-told"), all.length < 2 ? t("There is nothing to compare yet: add contracts below.")
    : !known ? t("The cheapest is “{0}”: {1}.", contractTitle(best), money(best.total, best.currency))
    : best === own ? t("Your contract is the cheapest of these.")
    : t("You would have saved {0} with “{1}”.", money(best.saved, best.currency), contractTitle(best)));
  $("compare-found").hidden = false;
  empty($("compare-bars"));
  for (const one of alike) {
    const bar = make("div", {class: "bar" + (one === own && known ? " own" : "")});
    bar.style.width = Math.round(Math.abs(one.total) / most * 1000) / 10 + "%";
    $("compare-bars").append(make("p", {}, contractTitle(one), make("b", {}, money(one.total, one.currency))), bar);
  }
  const row = one => [make("span", {}, contractTitle(one), make("small", {}, one === own && known ? t("your contract") : "")), money(one.total, one.currency),
    one === own ? "–" : one.saved === null ? t("another currency") : one.saved < 0 ? t("{0} more", money(-one.saved, one.currency)) : t("{0} less", money(one.saved, one.currency))];
  fill($("compare-table"), [t("Contract"), t("Cost"), known ? t("Against yours") : t("Difference")], sorted.map(row));
  const missed = costs.filter(one => one.step && one.contract === own.contract);
  setText($("compare-note"), missedWords(missed));
}

$("compare").onclick = () => compare(shown);
