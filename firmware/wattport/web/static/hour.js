// SPDX-License-Identifier: MIT
// The last hour of the dashboard in means of 10 s, or the last day in means of a minute: from the dongle at first and then
// from the readings as they come; drawn by uPlot when that has arrived, and told in words and as a table.

const power = [];  // [[steps since 1970, W or null, how many values], ...], oldest first
let STEP_S = 10, STEPS = 360, pastSpan = "hour";
let plot = null, plotAsked = false;

const step = ms => Math.floor(ms / 1000 / STEP_S);

function record(watts) {
  const at = step(Date.now()), last = power[power.length - 1];
  if (last && last[0] === at && last[1] !== null) last[1] += (watts - last[1]) / ++last[2];
  else {
    for (let gap = last ? last[0] + 1 : at; gap < at && at - gap < STEPS; gap++)
      power.push([gap, at - gap <= STALE_S / STEP_S ? last[1] : null, 0]);  // meters that send every 30 s have no gaps
    power.push([at, watts, 1]);
  }
  while (power[0][0] <= at - STEPS) power.shift();
}

function takeHour(hour) {
  today = hour.today || null;
  if (today && reading) today.at = reading;
  tariff = hour.tariff || null;
  const kept = power.slice(), values = hour.power_w || [];
  power.length = 0;
  // by the clock of whoever looks: the dongle's may not be set
  const end = step(Date.now()) - 1;
  values.forEach((value, index) => power.push([end - values.length + 1 + index, value, 1]));
  while (power.length && power[0][1] === null) power.shift();
  showSpan(hour.day);
  for (const point of kept) {
    const last = power[power.length - 1];
    if (!last || point[0] > last[0]) power.push(point);
  }
  hourAt = Date.now();
}

function showHour() {
  const values = power.map(point => point[1]).filter(value => value !== null);
  $("past").hidden = !values.length;
  if (!values.length) return;
  const low = Math.round(Math.min(...values)), high = Math.round(Math.max(...values));
  const mean = Math.round(values.reduce((sum, value) => sum + value, 0) / values.length);
  setText($("summary"), t("{0} to {1}, on average {2}", signed(low), signed(high), signed(mean)));
  showMinutes();
  draw();
}

function showSpan(has) {
  const day = pastSpan === "day", hour = t("The last hour"), all = t("The last day");
  setText($("h-past"), day ? all : hour);
  $("chart").setAttribute("aria-label", day ? t("Power over the last day") : t("Power over the last hour"));
  setText($("span"), day ? hour : all);
  if (has !== undefined) $("span").hidden = !has;
}

function otherSpan() {
  [pastSpan, STEP_S, STEPS] = pastSpan === "hour" ? ["day", 60, 1440] : ["hour", 10, 360];
  power.length = 0;
  setText($("pointed"), "");
  showSpan();
  redraw();
  askHour();
}

// the chart in words: five minutes a line, or half-hours, the newest first
function showMinutes() {
  if (!$("minutes").open) return;
  const sums = new Map();
  for (const [at, value] of power) {
    if (value === null) continue;
    const start = Math.floor(at / 30) * 30 * STEP_S;
    const sum = sums.get(start) || [0, 0];
    sums.set(start, [sum[0] + value, sum[1] + 1]);
  }
  const body = $("minutes").querySelector("tbody");
  empty(body);
  for (const [start, [sum, count]] of [...sums].reverse())
    body.append(make("tr", {}, make("th", {scope: "row"}, clock(start, true)), make("td", {}, signed(Math.round(sum / count)))));
}

function data() {
  const times = [], all = [], bought = [], sold = [];
  for (const [at, value] of power) {
    times.push(at * STEP_S);
    all.push(value);
    bought.push(value === null ? null : Math.max(0, value));
    sold.push(value === null ? null : Math.min(0, value));
  }
  return [times, all, bought, sold];
}

function size() {
  return {width: $("chart").clientWidth || 300, height: $("chart").clientHeight || 160};
}

// An hour up to now; after a start what there is of it, five minutes at least.
function hourShown() {
  const now = step(Date.now()), first = power.length ? power[0][0] : now;  // none while the other span is on its way
  return [Math.min(now - 30, Math.max(now - STEPS, first)) * STEP_S, now * STEP_S];
}

function draw() {
  if (!window.uPlot) {
    if (!plotAsked) {
      plotAsked = true;
      document.head.append(make("script", {src: "/uplot.js" + EDITION, onload: draw, onerror: () => { plotAsked = false; }}));
    }
    return;
  }
  if (plot) return plot.setData(data());
  const style = getComputedStyle(document.documentElement);
  const color = name => style.getPropertyValue("--" + name).trim();
  const font = (WALL ? 16 : 12) + "px system-ui, sans-serif";
  const axis = {stroke: color("soft"), font, grid: {stroke: color("line"), width: 1}, ticks: {show: false}};
  const fill = (name, alpha) => color(name) + alpha;
  plot = new uPlot({
    ...size(), padding: [8, 20, 0, 0], legend: {show: false}, cursor: {y: false, drag: {setScale: false}, points: {show: false}},
    scales: {
      x: {time: true, range: hourShown},
      y: {range: (u, low, high) => {
        const from = Math.min(0, low || 0), to = Math.max(0, high || 0, from + 100);
        return [from && from - (to - from) * .05, to + (to - from) * .05];
      }}},
    axes: [
      {...axis, space: 60, values: (u, ticks) => ticks.map(at => clock(at, true)), incrs: [60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 14400, 21600], size: WALL ? 34 : 28, gap: 4},
      {...axis, size: WALL ? 78 : 56, gap: 4, incrs: [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000], values: (u, ticks) => {
        const kilo = Math.max(...ticks.map(Math.abs)) >= 2000;
        return ticks.map(value => kilo ? number(value / 1000, ticks.some(one => one % 1000) ? 1 : 0) + NBSP + "kW" : watts(value));
      }}],
    series: [{}, {stroke: color("text"), width: 1.5, points: {show: false}},
      {fill: fill("in", "40"), points: {show: false}}, {fill: fill("out", "40"), points: {show: false}}],
    hooks: {
      setCursor: [u => {
        const index = u.cursor.idx, value = index === null || index === undefined ? null : u.data[1][index];
        setText($("pointed"), value === null || value === undefined ? "" : clock(u.data[0][index], true) + ": " + signed(Math.round(value)));
      }],
      drawAxes: [u => {  // the line between buying and selling
        const y = Math.round(u.valToPos(0, "y", true));
        u.ctx.save();
        u.ctx.strokeStyle = color("soft");
        u.ctx.beginPath();
        u.ctx.moveTo(u.bbox.left, y);
        u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
        u.ctx.stroke();
        u.ctx.restore();
      }]},
  }, data(), $("chart"));
}

function redraw() {
  if (plot) plot.destroy();
  plot = null;
  if (power.length) draw();
}
