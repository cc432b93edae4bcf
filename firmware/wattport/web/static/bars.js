// SPDX-License-Identifier: MIT
// A chart of bars that stand on a line or hang from it, as SVG in the pixels of its place. It is told in words too, and
// as a table: by whoever draws it.

const SVG = "http://www.w3.org/2000/svg";

function drawn(tag, properties, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(properties)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// A step of 1, 2 or 5 and zeros, for some five lines.
function lines(low, high) {
  const rough = (high - low) / 5 || 1, ten = Math.pow(10, Math.floor(Math.log10(rough)));
  const step = [1, 2, 5, 10].find(count => count * ten >= rough * .999) * ten;
  const found = [];
  for (let at = Math.ceil(low / step - .001); at <= high / step + .001; at++) found.push(at * step + 0);  // no −0
  return [found, Math.max(0, -Math.floor(Math.log10(step) + .001))];
}

const swatch = look => drawn("svg", {viewBox: "0 0 10 10", class: "swatch", "aria-hidden": "true"}, ...look.split("+").map(one => drawn("rect", {width: 10, height: 10, class: one})));

const stripes = () => drawn("pattern", {id: "stripes", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)"},
  drawn("rect", {width: 2.5, height: 5, class: "gap"}));

// list: [{slot, values: [[value, class], ...], guess: hatched, words, href}] of `count` slots; ticks: a text for each slot,
// or ""; unit: of the axis; legend: [[class, text], ...], two classes with a + between lie on each other. The words of what
// is pointed at stand in `caption`.
function bars(place, caption, {count, list, ticks, unit, legend}) {
  const sum = (one, side) => one.values.reduce((all, [value]) => all + Math.max(0, side * value), 0);
  const high = Math.max(0, ...list.map(one => sum(one, 1))), low = -Math.max(0, ...list.map(one => sum(one, -1)));
  const [marks, digits] = lines(low, high || (low ? 0 : 1));
  const named = marks.map(value => number(value, digits));
  const said = make("p");
  empty(caption);
  caption.append(...legend.map(([look, text]) => make("span", {}, swatch(look), text)), said);
  place.draw = () => {
    const width = place.clientWidth, height = place.clientHeight;
    if (!width) return;
    const left = 12 + 7 * Math.max(unit.length, ...named.map(text => text.length)), wide = (width - left - 4) / count;
    const top = 20, bottom = height - 20, span = (high - low) || 1;
    const y = value => top + (bottom - top) * (high - value) / span;
    const svg = drawn("svg", {width, height}, drawn("defs", {}, stripes()), drawn("text", {x: 0, y: 12}, unit));
    marks.forEach((value, index) => {
      const at = Math.round(y(value)) + .5;
      svg.append(drawn("line", {x1: left, x2: width, y1: at, y2: at, class: value ? "grid" : "zero"}),
        drawn("text", {x: left - 6, y: at + 4, "text-anchor": "end"}, named[index]));
    });
    const pad = Math.min(wide * .15, 6), chosen = drawn("rect", {y: top, width: wide, height: bottom - top, class: "chosen", visibility: "hidden"});
    svg.append(chosen);
    for (const one of list) {
      const ends = {1: 0, "-1": 0};
      for (const [value, look] of one.values) {
        if (!value) continue;
        const side = value > 0 ? 1 : -1, from = ends[side], to = ends[side] = from + value;
        const box = {x: left + wide * one.slot + pad, width: Math.max(1, wide - 2 * pad), y: y(Math.max(from, to)), height: Math.max(1, Math.abs(y(from) - y(to)))};
        svg.append(drawn("rect", {...box, class: look}));
        if (one.guess) svg.append(drawn("rect", {...box, class: "guess"}));
      }
    }
    // as many names below as there is room for
    const widest = 8 + 7 * Math.max(...ticks.map(text => text.length)), there = ticks.map((text, slot) => [text, slot]).filter(([text]) => text);
    const every = Math.ceil(widest / (there.length > 1 ? wide * (there[1][1] - there[0][1]) : width));
    there.forEach(([text, slot], index) => {
      if (index % every) return;
      const starts = there.length < ticks.length;  // a time stands where it is, a day in the middle of its bar
      svg.append(drawn("text", {x: left + wide * (slot + (starts ? 0 : .5)), y: height - 4, "text-anchor": starts && !slot ? "start" : "middle"}, text));
    });
    const point = event => {
      const slot = Math.floor((event.clientX - svg.getBoundingClientRect().left - left) / wide);
      const one = list.find(one => one.slot === slot);
      chosen.setAttribute("visibility", one ? "visible" : "hidden");
      if (one) chosen.setAttribute("x", left + wide * slot);
      empty(said);
      if (one) said.append(one.words + " ", one.href ? make("a", {href: one.href}, t("Show")) : "");
    };
    svg.onpointermove = svg.onpointerdown = point;
    empty(place);
    place.append(svg);
  };
  place.draw();
  if (window.ResizeObserver && !place.watched) {
    place.watched = new ResizeObserver(() => place.draw());
    place.watched.observe(place);
  }
}
