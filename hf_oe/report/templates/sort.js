// A click on a heading sorts its table by that column, a second click the other way round.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const heading = button.closest("th");
    const table = heading.closest("table");
    const column = heading.cellIndex;
    const ascending = heading.ariaSort !== "ascending";
    for (const other of table.querySelectorAll("th")) other.ariaSort = null;
    heading.ariaSort = ascending ? "ascending" : "descending";
    const order = ascending ? 1 : -1;
    const rows = [...table.tBodies[0].rows].sort((a, b) => order * compare(a.cells[column], b.cells[column]));
    table.tBodies[0].append(...rows);
  });
}

function compare(a, b) {
  const [left, right] = [a, b].map((cell) => parseFloat(cell.dataset.value));
  if (isNaN(left) && isNaN(right)) return a.textContent.localeCompare(b.textContent);
  // What has no figure comes first upwards.
  return (isNaN(left) ? -Infinity : left) - (isNaN(right) ? -Infinity : right);
}
