// SPDX-License-Identifier: MIT
// The tables of the dashboard: phases, registers, other meters, and all that is left of a reading.

const LINES = ["l1", "l2", "l3"];
const UNITS = {mv: ["V", 1000, 1], ma: ["A", 1000, 2], mhz: ["Hz", 1000, 2], milli: ["", 1000, 3], w: ["W", 1, 0], var: ["var", 1, 0],
  va: ["VA", 1, 0], wh: ["kWh", 1000, 3], varh: ["kvarh", 1000, 3], vah: ["kVAh", 1000, 3], micro: ["£", 1000000, 5]};

const capital = text => text.charAt(0).toUpperCase() + text.slice(1);

function net(line) {
  const bought = reading["power_import" + line + "_w"], sold = reading["power_export" + line + "_w"];
  return bought === undefined && sold === undefined ? undefined : (bought || 0) - (sold || 0);
}

// rows: [[name, cell, ...], ...], a cell is a text or [text, class, text in small]. Texts only, never HTML. Cells that
// stay are kept, so that a selection lives on.
function table(id, rows, head) {
  const place = $(id);
  place.closest("section").hidden = !rows.length;
  const all = head ? [head, ...rows] : rows;
  const shape = all.map(row => row.length + ":" + row[0]).join();
  if (place.dataset.shape !== shape) {
    place.dataset.shape = shape;
    empty(place);
    const body = make("tbody");
    all.forEach((row, index) => {
      const heads = head && !index;
      const line = make("tr", {}, ...row.map((cell, column) =>
        heads || !column ? make("th", {scope: heads ? "col" : "row"}) : make("td")));
      if (heads) place.append(make("thead", {}, line));
      else body.append(line);
    });
    place.append(body);
  }
  all.forEach((row, index) => row.forEach((cell, column) => {
    const [value, look, small] = Array.isArray(cell) ? cell : [cell, ""];
    const shown = place.rows[index].cells[column];
    if (shown.className !== look) shown.className = look;
    if (shown.said === value + "|" + small) return;
    shown.said = value + "|" + small;
    shown.textContent = value;
    if (small) shown.append(make("small", {}, small));
  }));
}

function showReading() {
  const used = new Set(["time", "devices", "power_import_w", "power_export_w"]);
  showPower();
  showToday();
  const columns = [[t("Voltage"), "voltage_", "_mv", value => number(value / 1000, 1) + NBSP + "V"],
    [t("Current"), "current_", "_ma", value => number(value / 1000, 2) + NBSP + "A"]]
    .filter(([, start, end]) => LINES.some(line => reading[start + line + end] !== undefined));
  const lines = LINES.filter(line => columns.some(([, start, end]) => reading[start + line + end] !== undefined));
  table("phases", lines.map(line => [line.toUpperCase(), ...columns.map(([, start, end, show]) => {
    const value = reading[start + line + end];
    used.add(start + line + end);
    return value === undefined ? "–" : show(value);
  })]), [t("Phase"), ...columns.map(column => column[0])]);
  for (const line of LINES) used.add("power_import_" + line + "_w").add("power_export_" + line + "_w");

  const registers = [];
  for (const [way, all, part] of [["import", N("From the grid, in all"), N("From the grid, tariff {0}")],
    ["export", N("To the grid, in all"), N("To the grid, tariff {0}")]])
    for (const number of ["", "t1_", "t2_", "t3_", "t4_"]) {
      const name = way + "_" + number + "wh";
      if (reading[name] === undefined) continue;
      used.add(name);
      registers.push([number ? t(part, number[1]) : t(all), energy(reading[name])]);
    }
  if (reading.tariff !== undefined) registers.push([t("Tariff now"), String(reading.tariff)]);
  used.add("tariff");
  table("registers", registers);

  table("devices", Object.values(reading.devices || {}).map(device => {
    const value = device.volume_l !== undefined ? number(device.volume_l / 1000, 3) + NBSP + "m³"
      : device.energy_kj !== undefined ? number(device.energy_kj / 1e6, 3) + NBSP + "GJ"
      : device.energy_wh !== undefined ? energy(device.energy_wh) : "–";
    const name = device.type in TYPES ? t(TYPES[device.type]) : capital(device.type || t("Meter"));
    return [t("{0} (channel {1})", name, device.channel), [value, "", device.time ? clock(device.time) : ""]];
  }));

  const rest = [];
  for (const [name, value] of Object.entries(reading).sort()) {
    if (used.has(name) || value === "") continue;
    const end = name.lastIndexOf("_");
    const unit = UNITS[name.slice(end + 1)];
    // the vocabulary's own names: whoever looks here compares them with MQTT or the meter's papers
    const label = capital((unit ? name.slice(0, end) : name).replace(/_/g, " ").replace(/\bl([123])\b/, "L$1"));
    if (name.slice(-5) === "_time") rest.push([label, clock(value)]);
    else if (unit && typeof value === "number") rest.push([label, (number(value / unit[1], unit[2]) + NBSP + unit[0]).trim()]);
    else if (name === "power_failure_log") rest.push([label, [value.map(([end, length]) => clock(end) + ", " + span(length)).join("\n"), "words"]]);
    else if (name === "peak_history") rest.push([label, [value.map(([at, peak]) => clock(at) + ": " + watts(peak)).join("\n"), "words"]]);
    else rest.push([label, [String(value), "words"]]);
  }
  table("rest", rest);
}
