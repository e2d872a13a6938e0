"use strict";
// Nothing here is needed to read the page: it remembers the colours, puts the focus on a pair that is linked to and
// moves it through the matrix by arrow keys.
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
document.documentElement.classList.add("scripted");

try {
  const kept = localStorage.getItem("meshkit-theme");
  const input = kept && document.getElementById(`theme-${kept}`);
  if (input) input.checked = true;
  all("input[name=theme]").forEach((radio) =>
    radio.addEventListener("change", () => localStorage.setItem("meshkit-theme", radio.value)),
  );
} catch {
  // A browser may refuse storage to files; the switch works all the same.
}

const reveal = () => {
  const pair = document.getElementById(location.hash.slice(1))?.closest("details.pair");
  if (!pair) return;
  pair.open = true;
  pair.querySelector("summary").focus({ preventScroll: true });
};
addEventListener("hashchange", reveal);
reveal();

all("[data-open]").forEach((button) =>
  button.addEventListener("click", () =>
    all("details.pair").forEach((pair) => { pair.open = button.dataset.open === "all"; }),
  ),
);

let opened = [];
addEventListener("beforeprint", () => {
  opened = all("details.pair:not([open])");
  opened.forEach((pair) => { pair.open = true; });
});
addEventListener("afterprint", () => opened.forEach((pair) => { pair.open = false; }));

const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
all("table.heat").forEach((table) => {
  const links = all("td a", table);
  links.forEach((link, i) => { link.tabIndex = i ? -1 : 0; });
  table.addEventListener("keydown", (event) => {
    const move = moves[event.key];
    const cell = event.target.closest("td");
    if (!move || !cell) return;
    let [row, column] = [cell.parentElement.rowIndex, cell.cellIndex];
    let found = null;
    do {
      row += move[0];
      column += move[1];
      found = table.rows[row]?.cells[column]?.querySelector("a");
    } while (!found && table.rows[row]?.cells[column]);
    if (!found) return;
    event.preventDefault();
    links.forEach((link) => { link.tabIndex = -1; });
    found.tabIndex = 0;
    found.focus();
  });
});
