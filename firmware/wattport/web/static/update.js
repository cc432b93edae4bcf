// SPDX-License-Identifier: MIT
// A new version: what runs, what is there, the upload with its bar, and how it ended. docs/update.md has the whole way.

const REFUSALS = {
  not_a_bundle: N("This file is no update for Wattport. Updates have names that end in .wpb."),
  name: N("This file is no update for Wattport. Updates have names that end in .wpb."),
  truncated: N("The update did not arrive whole. Download the file again, then try again."),
  damaged: N("The update is damaged. Download the file again."),
  signature: N("The signature is wrong: this file was changed after it was signed. Do not trust it."),
  unknown_key: N("The update is signed with a key that this dongle does not know. Is it from who made your dongle?"),
  no_key: N("This dongle takes no updates: it was flashed without the key that they are checked with."),
  chip: N("The update is for another kind of chip."),
  micropython: N("The update needs another MicroPython. Install that first."),
  downgrade: N("The update is older than the version that runs. Allow an older version if that is what you want."),
  too_large: N("The update is too large for this dongle."),
  flash_full: N("The dongle cannot store the update: its flash is full, or does not take it."),
  busy: N("The dongle is in the middle of an update, or tries a new version out. Wait some minutes."),
  network: N("The update could not be fetched. Is the address right, and does the dongle get there?"),
  address: N("The address of the update is wrong. It begins with http:// or https://."),
  interrupted: N("The update was interrupted. Try again."),
  broken: N("The connection broke off again and again. Try again closer to the router."),
  timeout: N("The dongle did not come back for the update. Wait some minutes, then try again."),
};
const UNDONE = {
  crash: N("It crashed."),
  hang: N("It hung."),
  start: N("It did not start."),
  damaged: N("What lies in the flash is damaged."),
  wifi: N("It did not get into the Wi-Fi."),
  meter: N("It did not read the meter, as the version before did."),
  mqtt: N("It did not reach the broker, as the version before did."),
  heap: N("It had too little memory."),
  task: N("A part of it failed again and again."),
  micropython: N("The new MicroPython did not prove itself."),
};
const TAKING = ["ready", "receiving", "verifying", "restarting"];
const BUNDLE = "WATTPORT BUNDLE 1\n";
const RECEIVER_MS = 90000, BACK_MS = 300000, TRIAL_MS = 900000, LOOK_MS = 1500;

let updating = false, offered = {};

const refusal = (code, detail) => REFUSALS[code] ? t(REFUSALS[code]) : detail || t("That did not work.");

function failure(code, detail) {
  return Object.assign(new Error(refusal(code, detail)), {code});
}

const undone = found => t("Version {0} did not prove itself: the one before runs again.", found.failed) + " " + (UNDONE[found.why] ? t(UNDONE[found.why]) : "");

const parts = version => version.split(".").map(Number);

function isOlder(version, other) {
  const [a, b] = [parts(version), parts(other)], at = [0, 1, 2].find(index => (a[index] || 0) !== (b[index] || 0));
  return at !== undefined && (a[at] || 0) < (b[at] || 0);
}

// ---- what is shown

function verdictOf(element, text, kind) {
  element.hidden = !text;
  element.className = "verdict " + (kind || "");
  setText(element, text || "");
}

function showOffer(found) {
  offered = found;
  const takes = found.key;
  setText($("update-now"), found.trial ? t("Version {0} runs and is being tried out.", found.version) : t("Version {0} runs.", found.version));
  setText($("update-latest"), !found.slot ? t("This program does not run from a slot: it is updated as it was installed.")
    : !takes ? t(REFUSALS.no_key) : found.newer ? t("Version {0} is there.", found.latest) : found.latest ? t("It is the newest one.") : "");
  verdictOf($("update-last"), found.why && found.failed ? undone(found) : found.error ? t("The last update:") + " " + refusal(found.error, found.detail) : "", "bad");
  $("update-install").hidden = !(takes && found.newer);
  $("update-check").hidden = !(takes && found.url);
  $("upload").hidden = !takes;
}

async function showUpdate() {
  try {
    showOffer(await api("GET", "/api/update"));
    $("update").hidden = false;
  } catch (error) {
    $("update").hidden = error.status === 404;
    setText($("update-error"), error.status === 404 ? "" : error.message);
  }
}

function step(text, done, total) {
  setText($("update-step"), text);
  $("update-bar").hidden = !total;
  $("update-bar").value = total ? 100 * done / total : 0;
  setText($("update-share"), total ? number(Math.floor(100 * done / total)) + NBSP + "%" : "");
}

// ---- the way of an update

// The first answer that `wanted` takes, or null. A restart forgets who was logged in.
async function lookFor(wanted, patience_ms) {
  const end = Date.now() + patience_ms;
  while (Date.now() < end) {
    await pause(LOOK_MS);
    const found = await api("GET", "/api/update", null, {timeout_ms: 4000, silent: true}).catch(async error =>
      error.status === 401 && !await login() ? {state: "left"} : {});
    if (found.state === "left") return null;
    if (found.state && wanted(found)) return found;
  }
  return null;
}

// What the head of the file says, so that nothing restarts for one that is not taken.
async function look(file, downgrade) {
  const text = await file.slice(0, 8192).text();
  if (text.slice(0, BUNDLE.length) !== BUNDLE) throw failure("not_a_bundle");
  let manifest;
  try {
    manifest = JSON.parse(text.split("\n").find(line => line.charAt(0) === "{"));
  } catch (error) {
    throw failure("truncated");
  }
  if (manifest.kind === "application") {
    if (offered.chip && manifest.chip !== offered.chip) throw failure("chip");
    if (!downgrade && isOlder(manifest.version, offered.version)) throw failure("downgrade");
  }
  return manifest;
}

// What a browser calls sent may still wait in its own buffers: the bar shows no more than what the dongle says it has.
function send(file, downgrade, ticket) {
  let sent = 0, had = 0, checks = false, over = false;
  const tell = () => checks ? step(t("The dongle checks what it got."))
    : step(t("The update is sent to the dongle. Leave this page open."), Math.min(sent, had), 1);
  const watch = async () => {
    while (!over) {
      await pause(500);
      const found = await api("GET", "/api/update", null, {timeout_ms: 3000, silent: true}).catch(() => ({}));
      checks = found.state === "verifying";
      if (found.state === "receiving" && found.total) had = found.done / found.total;
      if (found.state && !over) tell();
    }
  };
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/update" + (downgrade ? "?downgrade=1" : ""));
    request.timeout = BACK_MS;
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("Authorization", "Bearer " + ticket);
    request.upload.onprogress = event => { sent = event.loaded / event.total; };
    request.upload.onload = () => { sent = 1; };
    request.onloadend = () => { over = true; };
    request.onerror = request.ontimeout = () => reject(failure("broken"));
    request.onload = () => {
      let found = {};
      try {
        found = JSON.parse(request.responseText);
      } catch (error) { /* said below */ }
      if (request.status === 200) resolve(found);
      else reject(failure(found.error || "failed", found.detail));
    };
    tell();
    request.send(file);
    watch();
  });
}

async function upload(file, downgrade) {
  const manifest = await look(file, downgrade);
  const {ticket} = await api("POST", "/api/update/receive", {}, {timeout_ms: 20000});
  step(t("The dongle restarts, to have room for the update."));
  const waits = found => ["ready", "safe", "idle"].indexOf(found.state) >= 0;
  try {
    if (!await lookFor(found => found.state === "ready" || found.state === "safe", RECEIVER_MS)) throw failure("timeout");
    for (let tries = 3; ; tries--) {
      try {
        await send(file, downgrade, ticket);
        break;
      } catch (error) {
        if (error.code !== "broken" || tries === 1) throw error;
        const found = await lookFor(waits, RECEIVER_MS);
        if (found && found.state === "idle" && (found.trial || found.version === manifest.version)) break;  // the answer alone was lost
        if (!found || found.state === "idle") throw error;
      }
    }
  } catch (error) {
    step(t("The dongle goes back to its program."));
    await fetch("/api/update/cancel", {method: "POST", headers: {Authorization: "Bearer " + ticket}}).catch(() => null);
    await lookFor(found => found.state === "idle", RECEIVER_MS);
    throw error;
  }
  return manifest;
}

// Until it is decided: [sentence, kind].
async function follow(manifest) {
  let on, until = Date.now() + BACK_MS;
  step(t("The dongle restarts into the new version."));
  const found = await lookFor(now => {
    if (now.state === "safe") return true;
    if (TAKING.indexOf(now.state) >= 0) {
      if (now.state === "receiving") step(t("The dongle fetches the update."), now.done, now.total);
      if (now.state === "verifying") step(t("The dongle checks what it got."));
      return false;
    }
    if (!now.trial) return true;
    if (!on) {
      until = Date.now() + TRIAL_MS;
      step(t("The new version is tried out. That takes a minute or two, and this page need not stay open."));
    }
    on = now;
    return Date.now() > until;
  }, TRIAL_MS + BACK_MS);
  const version = manifest.version;
  if (!found) return [t("The dongle has not answered since. A version that is not well is undone within half an hour."), "bad"];
  if (found.state === "safe") return [t("Neither version starts: the dongle is in its safe mode. Reload this page, and give it the update again."), "bad"];
  showOffer(found);
  $("update-last").hidden = true;
  if (found.trial) return [t("Version {0} runs and is still being tried out. If it is not well, the one before comes back by itself.", version), "fair"];
  if (found.why && (found.failed === version || found.version !== version)) return [undone(Object.assign({}, found, {failed: version})), "bad"];
  if (found.error) return [refusal(found.error, found.detail), "bad"];
  if (manifest.kind === "application" && found.version !== version) return [t("The update was interrupted. Try again."), "bad"];
  $("update-reload").hidden = false;
  return [manifest.kind === "application" ? t("Version {0} runs, and has proved itself.", version) : t("MicroPython {0} runs, and has proved itself.", version), "good"];
}

async function run(begin) {
  const place = $("update");
  updating = true;
  for (const one of place.querySelectorAll("button, input")) one.disabled = true;
  $("updating").hidden = false;
  $("update-reload").hidden = $("update-last").hidden = true;
  verdictOf($("update-end"), "");
  setText($("update-error"), "");
  step("");
  let end;
  try {
    end = await follow(await begin());
  } catch (error) {
    end = [REFUSALS[error.code] ? refusal(error.code) : error.message, "bad"];
  }
  updating = false;
  $("updating").hidden = true;
  for (const one of place.querySelectorAll("button, input")) one.disabled = false;
  verdictOf($("update-end"), ...end);
  $("update-end").focus();
}

ready.then(() => {
  $("update-install").onclick = () => run(async () => {
    await api("POST", "/api/update/install", {}, {timeout_ms: 20000});
    return {kind: "application", version: offered.latest};
  });
  $("update-check").onclick = () => act($("update-check"), $("update-error"), async () => {
    try {
      showOffer(await api("POST", "/api/update/check", {}, {timeout_ms: 60000}));
    } catch (error) {
      throw REFUSALS[error.code] ? failure(error.code) : error;
    }
    tell($("update-latest").textContent);
  });
  $("upload").onsubmit = event => {
    event.preventDefault();
    const file = $("bundle").files[0];
    fieldError($("bundle"), file ? "" : t("Choose the file first."));
    if (file) run(() => upload(file, $("downgrade").checked));
    else $("bundle").focus();
  };
  $("bundle").onchange = () => fieldError($("bundle"), "");
  $("update-reload").onclick = () => location.reload();
  window.addEventListener("beforeunload", event => {
    if (updating && !$("update-bar").hidden) event.preventDefault();
  });
  document.addEventListener("language", () => {
    if (!updating && offered.version) showOffer(offered);
  });
});
