// SPDX-License-Identifier: MIT
// The board that is chosen says which manifest the button takes.
const install = document.getElementById("install");

function chosen() {
  const board = document.querySelector("input[name=board]:checked");
  if (!board) return;
  install.manifest = `manifest-${board.value}.json`;
  install.hidden = false;
  document.getElementById("choose").hidden = true;
}

document.getElementById("boards").addEventListener("change", chosen);
chosen();  // the browser remembers it over a reload
