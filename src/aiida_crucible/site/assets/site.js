"use strict";
(() => {
  const table = document.getElementById("results");
  const rows = [...table.tBodies[0].rows];
  const words = document.getElementById("words");
  const verdict = document.getElementById("verdict");
  const model = document.getElementById("model");
  const plain = (text) => text.toLowerCase().replace(/[₀-₉]/g, (digit) => String(digit.charCodeAt(0) - 0x2080));

  const filter = () => {
    const asked = plain(words.value).split(/[\s,]+/).filter(Boolean);
    const named = plain(model.value);
    for (const cell of table.querySelectorAll("[data-model]")) cell.hidden = !plain(cell.dataset.model).includes(named);
    let shown = 0;
    for (const row of rows) {
      const elements = row.dataset.elements.toLowerCase().split(" ");
      const name = plain(row.cells[0].textContent);
      const fits = asked.every((word) => elements.includes(word) || name.includes(word));
      let links = 0;
      for (const link of row.querySelectorAll("a")) {
        link.hidden = Boolean(verdict.value) && link.dataset.verdict !== verdict.value;
        if (!link.hidden && !link.closest("td").hidden) links += 1;
      }
      row.hidden = !fits || links === 0;
      if (!row.hidden) shown += 1;
    }
    document.getElementById("told").textContent = `${shown} of ${rows.length} materials`;
  };
  for (const field of [words, verdict, model]) field.addEventListener("input", filter);

  const RANK = { yes: 0, "cannot-tell": 1, none: 2, no: 3 };
  const key = (row, column) => {
    if (column === 0) return row.cells[0].textContent;
    const link = row.cells[column].querySelector("a");
    return link ? RANK[link.dataset.verdict] : 9;
  };
  for (const button of table.querySelectorAll("[data-sort]")) {
    button.addEventListener("click", () => {
      const column = button.dataset.sort === "material" ? 0 : Number(button.dataset.sort);
      const descending = button.getAttribute("aria-pressed") === "true";
      button.setAttribute("aria-pressed", String(!descending));
      const sorted = [...rows].sort((a, b) => {
        const [x, y] = [key(a, column), key(b, column)];
        const order = typeof x === "string" ? x.localeCompare(y) : x - y;
        return (descending ? -order : order) || a.cells[0].textContent.localeCompare(b.cells[0].textContent);
      });
      table.tBodies[0].append(...sorted);
    });
  }
  filter();
  document.documentElement.dataset.drawn = "0";
})();
