// Tables. A click on the title of a column sorts by it: rising, falling, then in the original order.
// A button copies a table as CSV. Without scripts they are plain tables.
(() => {
  "use strict";
  const number = (text) => {
    const found = text.replaceAll(",", "").replace("−", "-").match(/^[<+]?-?\d+(\.\d+)?/);
    return found ? Number(found[0].replace(/^[<+]/, "")) : NaN;
  };
  const text = (cell) => cell.textContent.replace(/\s+/g, " ").trim();
  const ORDERS = { none: "ascending", ascending: "descending", descending: "none" };

  function compare(a, b) {
    const [x, y] = [number(a), number(b)];
    if (!Number.isNaN(x) && !Number.isNaN(y)) return x - y;
    if (Number.isNaN(x) !== Number.isNaN(y)) return Number.isNaN(x) ? 1 : -1; // entries without a number come last
    return a.localeCompare(b, "en", { numeric: true });
  }

  function sort(table, rows, head) {
    const heads = [...table.tHead.rows[0].cells];
    const order = ORDERS[head.getAttribute("aria-sort") ?? "none"];
    heads.forEach((one) => one.removeAttribute("aria-sort"));
    if (order !== "none") head.setAttribute("aria-sort", order);
    const column = heads.indexOf(head);
    const sorted = [...rows];
    if (order !== "none") sorted.sort((a, b) => compare(text(a.cells[column]), text(b.cells[column])));
    if (order === "descending") sorted.reverse();
    table.tBodies[0].append(...sorted);
  }

  const field = (value) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const csv = (table) => [...table.rows].map((row) => [...row.cells].map((cell) => field(text(cell))).join(",")).join("\n");

  async function copy(table, button) {
    try {
      await navigator.clipboard.writeText(csv(table));
    } catch { // not allowed for files in some browsers
      const area = document.createElement("textarea");
      area.value = csv(table);
      table.after(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy as CSV"; }, 2000);
  }

  for (const table of document.querySelectorAll(".scroll > table")) {
    const rows = [...table.tBodies[0].rows];
    if (table.tHead && rows.length > 2) {
      for (const head of table.tHead.rows[0].cells) {
        const button = document.createElement("button");
        button.type = "button";
        button.className = "sort";
        button.append(...head.childNodes);
        head.append(button);
        button.addEventListener("click", () => sort(table, rows, head));
      }
    }
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy as CSV";
    button.setAttribute("aria-live", "polite");
    button.setAttribute("aria-label", `Copy as CSV: ${text(table.caption)}`);
    button.addEventListener("click", () => { button.removeAttribute("aria-label"); copy(table, button); });
    table.parentElement.after(button);
  }
})();
