// SPDX-License-Identifier: MIT
// Periods of the household's calendar, and its clock. Dates are texts such as 2026-03-29; what lies between two of them
// is reckoned in UTC, where every day has 24 hours.

const UNITS = {day: N("Day"), week: N("Week"), month: N("Month"), year: N("Year"), months: N("12 months")};
const STEPS = {day: "halfhour", week: "day", month: "day", year: "month", months: "month"};

const date = (year, month, day) => new Date(Date.UTC(year, month, day)).toISOString().slice(0, 10);
const moment = text => Date.parse(text + "T00:00Z") / 1000;
const days = (from, to) => Math.round((moment(to) - moment(from)) / 86400);

function parts(text) {
  const day = new Date(moment(text) * 1000);
  return [day.getUTCFullYear(), day.getUTCMonth(), day.getUTCDate(), (day.getUTCDay() + 6) % 7];
}

// → {unit, from, to: the first day behind it, step}: the period that a date lies in, or `by` of them later.
function period(unit, text, by = 0) {
  const [year, month, day, weekday] = parts(text);
  const [from, to] = unit === "day" ? [date(year, month, day + by), date(year, month, day + by + 1)]
    : unit === "week" ? [date(year, month, day - weekday + 7 * by), date(year, month, day - weekday + 7 * by + 7)]
    : unit === "month" ? [date(year, month + by, 1), date(year, month + by + 1, 1)]
    : unit === "year" ? [date(year + by, 0, 1), date(year + by + 1, 0, 1)]
    : [date(year, month - 11 + 12 * by, 1), date(year, month + 1 + 12 * by, 1)];
  return {unit, from, to, step: STEPS[unit]};
}

const before = text => date(...parts(text).slice(0, 2), parts(text)[2] - 1);

const written = (text, options) => new Intl.DateTimeFormat(locale, {timeZone: "UTC", ...options}).format(new Date(moment(text) * 1000));
const MONTH = {month: "long", year: "numeric"}, DATE = {day: "numeric", month: "short"};

function periodTitle({unit, from, to}) {
  const last = before(to);
  return unit === "day" ? written(from, {weekday: "long", day: "numeric", month: "long", year: "numeric"})
    : unit === "week" ? written(from, DATE) + " – " + written(last, {...DATE, year: "numeric"})
    : unit === "month" ? written(from, MONTH)
    : unit === "year" ? written(from, {year: "numeric"})
    : written(from, {month: "short", year: "numeric"}) + " – " + written(last, {month: "short", year: "numeric"});
}

// A day's half-hours on the household's clock, wherever who looks is. Europe changes its clocks at 01:00 UTC.
// from, to: the day's ends in UTC seconds. → {count, ahead(utc), again(utc): the clock showed this before}
function dayClock(text, from, to) {
  const hours = [23, 24, 25].find(count => count * 3600 === to - from) || 25;  // the dongle cuts off tomorrow
  const first = moment(text) - from, change = moment(text) + 3600;
  const ahead = utc => utc < change ? first : first + (24 - hours) * 3600;
  return {count: 2 * hours, ahead, again: utc => hours > 24 && utc >= change && utc < change + 3600};
}

const stepName = ({unit, step}) => unit === "day" ? t("Time") : step === "month" ? t("Month") : t("Day");

// Where a row stands in a period and what it is called: start → {slot, name, short, deeper: [unit, date] or undefined};
// .count of slots, and .ticks(), a text for each or "". answer: of the history, for a day.
function slots({unit, from, to}, answer) {
  const made = (find, count, starts) => Object.assign(find, {count, ticks: () => Array.from({length: count}, (_, slot) => find(starts(slot)).short)});
  if (unit === "day") {
    const {count, ahead, again} = dayClock(from, answer.from, answer.to);
    const find = start => {
      const name = new Intl.DateTimeFormat(locale, {timeZone: "UTC", hour: "2-digit", minute: "2-digit"}).format(new Date((start + ahead(start)) * 1000));
      const minutes = (start + ahead(start)) / 60 % 1440;
      return {slot: Math.floor((start - answer.from) / 1800), name: again(start) ? t("{0} again", name) : name, short: minutes % 180 ? "" : name};
    };
    return made(find, count, slot => answer.from + 1800 * slot);
  }
  const noon = start => new Date((start + 43200) * 1000).toISOString().slice(0, 10);  // a day begins between 21:00 and 01:00 UTC
  if (STEPS[unit] === "day") {
    const find = start => {
      const text = noon(start);
      return {slot: days(from, text), name: written(text, {weekday: "short", ...DATE}), deeper: ["day", text],
        short: written(text, unit === "week" ? {weekday: "short"} : {day: "numeric"})};
    };
    return made(find, days(from, to), slot => moment(from) + 86400 * slot);
  }
  const [year, month] = parts(from);
  const find = start => {
    const text = noon(start), [y, m] = parts(text);
    return {slot: (y - year) * 12 + m - month, name: written(text, MONTH), short: written(text, {month: "narrow"}), deeper: ["month", text]};
  };
  return made(find, 12, slot => moment(date(year, month + slot, 1)));
}
