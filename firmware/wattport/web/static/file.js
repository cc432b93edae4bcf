// SPDX-License-Identifier: MIT
// The history as a file: CSV of any range out, and half-hours that were mended back in.

const PIECE = 5000;  // letters of a request: the dongle takes 8 KB

function fileRange(time) {
  $("since").value = time.from;
  $("until").value = before(time.to) < today() ? before(time.to) : today();
  fileAddress();
}

function fileAddress() {
  const [since, until] = [$("since").value, $("until").value];
  const link = $("save"), fine = since && until && since <= until;
  if (fine) link.href = "/api/history.csv?from=" + since + "&to=" + period("day", until, 1).from + "&step=" + $("step").value;
  else link.removeAttribute("href");
}

// [first line, lines], or null for a file that is none in half-hours
function halfHours(text) {
  const lines = text.replace(/^\ufeff/, "").split(/\r?\n/).filter(line => line.trim());
  const first = lines.shift() || "", times = lines.map(line => Date.parse(line.split(",")[0]) / 1000);
  const wrong = times.some((time, index) => isNaN(time) || time % 1800 || index && time - times[index - 1] < 1800);
  const coarse = times.length > 1 && !times.some((time, index) => index && time - times[index - 1] === 1800);
  return first.indexOf("start,note,") || !lines.length || wrong || coarse ? null : [first, lines];
}

async function bring(file) {
  const found = halfHours(await file.text());
  if (!found) throw new Error(t("This is no history in half-hours, as the download gives it."));
  const [first, lines] = found, all = lines.length;
  let count = 0;
  while (lines.length) {
    const piece = [first];
    for (let size = first.length; lines.length && size < PIECE; size += piece[piece.length - 1].length + 2) piece.push(lines.shift());
    count += (await api("POST", "/api/history", {csv: piece.join("\n"), last: !lines.length}, {timeout_ms: 120000})).rows;
    setText($("mend-told"), lines.length ? t("{0} of {1} rows", number(all - lines.length), number(all)) : t("{0} rows are kept.", number(count)));
  }
}

$("download").onchange = fileAddress;
$("download").onsubmit = event => event.preventDefault();
$("mend").onsubmit = async event => {
  event.preventDefault();
  const [file] = $("mended").files, button = $("mend").querySelector("button");
  setText($("mend-told"), "");
  setText($("mend-error"), file ? "" : t("Choose the file first."));
  if (!file) return;
  button.disabled = true;
  try {
    await bring(file);
    kept.clear();
    look();
  } catch (error) {
    setText($("mend-error"), error.message);
  }
  button.disabled = false;
};
