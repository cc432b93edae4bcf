// SPDX-License-Identifier: MIT
// The views of the capacity peaks and of the alerts.

const PEAKS_MS = 10000;
const kw = w => w === null || w === undefined ? "–" : number(w / 1000, 2) + NBSP + "kW";
const monthText = month => String(month).slice(0, 4) + "-" + String(month).slice(4) + "-01";

async function viewPeaks(time, signal) {
  let found;
  try {
    kept.delete("/api/peaks");
    found = await ask("/api/peaks");
  } catch (error) {
    if (error.code !== "off") throw error;
  }
  if (signal.aborted) return;
  $("peaks-found").hidden = !found;
  $("peaks-none").hidden = Boolean(found);
  if (!found) return;
  showPeaks(found);
  setTimeout(() => { if (!signal.aborted) viewPeaks(time, signal).catch(() => {}); }, PEAKS_MS);
}

function showPeaks({window_s, allowed_w, projected_w, limit_w, average_w, until, figure_w, step_w, excess_wh, over, peaks, month, months}) {
  const end = until && clock(until, true);
  setText($("peaks-said"), allowed_w === null ? limit_w === null ? t("There is no limit yet in this month.") : t("Not known at the moment.")
    : allowed_w >= 0 ? t("You may use {0} more until {1}.", kilowatts(allowed_w), end) : t("Use {0} less until {1}, or it becomes a new peak.", kilowatts(-allowed_w), end));
  $("peaks-said").className = allowed_w === null ? "" : over || allowed_w < 0 ? "net much" : "net";
  figures($("peaks-sums"), [[window_s === 900 ? t("This quarter-hour, at the present power") : t("This hour, at the present power"), kw(projected_w)], [t("Limit"), kw(limit_w)],
    [window_s === 900 ? t("The last quarter-hour") : t("The last hour"), kw(average_w)], [t("The month comes to"), kw(figure_w), step_w ? t("step up to {0}", kw(step_w)) : ""],
    ...(excess_wh === undefined ? [] : [[t("Above the reference power"), energy(excess_wh, 2)]])]);
  const all = [...months, ...(month ? [{month, w: figure_w}] : [])], names = all.map(one => written(monthText(one.month), MONTH));
  bars($("peaks-chart"), $("peaks-legend"), {count: Math.max(all.length, 6), unit: "kW", ticks: all.map(one => written(monthText(one.month), {month: "short"})), legend: [],
    list: all.map((one, index) => ({slot: index, values: [[(one.w || 0) / 1000, "in"]], words: names[index] + ": " + kw(one.w)}))});
  fill($("peaks-table"), [t("Month"), t("Peak")], all.map((one, index) => [names[index], kw(one.w)]).reverse());
  fill($("peaks-month"), [t("Begin"), t("Average")], peaks.map(({time, w}) => [clock(time), kw(w)]));
  $("peaks-highest").hidden = !peaks.length;
}

// what the dashboard tells in a notice of its own
const OTHERS = {meter_silent: N("Nothing arrives from the meter."), meter_unreadable: N("Something arrives that is no readable telegram."),
  wrong_key: N("The key does not open the meter’s telegrams."), changed_key: N("The key does not open the meter’s telegrams.")};

async function viewAlerts(time, signal) {
  let found;
  try {
    kept.delete("/api/alerts");
    found = await ask("/api/alerts");
  } catch (error) {
    if (error.code !== "off") throw error;
  }
  if (signal.aborted) return;
  const all = found ? [...found.active, ...found.last] : [];
  $("alerts-table").hidden = !all.length;
  setText($("alerts-none"), !found ? t("Alerts are switched off.") : all.length ? "" : t("Nothing was wrong so far."));
  $("alerts-none").hidden = all.length > 0;
  $("alerts-settings").hidden = Boolean(found);
  const value = ({name, value}) => typeof value !== "number" ? "" : /^voltage/.test(name) ? number(value / 1000, 1) + NBSP + "V" : /^(power_high|reverse_flow|peak)$/.test(name) ? watts(value) : "";
  fill($("alerts-table"), [t("What"), t("Begin"), t("End")], all.map(one => [
    make("span", {class: one.severity}, OTHERS[one.name] ? t(OTHERS[one.name]) : alertWords(one), make("small", {}, value(one))), one.since ? clock(one.since) : "–",
    one.active ? make("b", {}, t("goes on")) : one.until ? clock(one.until) : "–"]));
}
