// What a page does besides showing: clock, countdowns, local times, sorting, toggles without a reload.

const clock = document.querySelector("[data-clock]");
const offset = Date.parse(clock.dateTime) - Date.now(); // the server's clock may be a simulated one
const serverNow = () => new Date(Date.now() + offset);

function inWords(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const days = Math.floor(seconds / 86400), hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days) return `in ${days} d ${hours} h`;
  if (hours) return `in ${hours} h ${minutes} min`;
  return minutes ? `in ${minutes} min ${seconds % 60} s` : `in ${seconds} s`;
}

function tick() {
  const now = serverNow();
  clock.textContent = now.toISOString().slice(0, 19).replace("T", " ");
  for (const one of document.querySelectorAll("[data-until]")) {
    const left = Date.parse(one.dataset.until) - now;
    one.textContent = left > 0 ? inWords(left) : "under way";
  }
}

function dress(root) {
  for (const one of root.querySelectorAll("time[data-local]")) {
    one.title = `${new Date(one.dateTime).toLocaleString()} local time`;
  }
  for (const table of root.querySelectorAll("table[data-sortable]")) {
    [...table.tHead.rows[0].cells].forEach((cell, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = cell.textContent;
      cell.replaceChildren(button);
      button.addEventListener("click", () => sort(table, cell, index));
    });
  }
}

function sort(table, cell, index) {
  const up = cell.getAttribute("aria-sort") !== "ascending";
  const number = cell.classList.contains("number");
  const value = (row) => {
    const text = row.cells[index].textContent;
    return number ? Number(text.replaceAll(",", "")) || 0 : text;
  };
  const rows = [...table.tBodies[0].rows].map((row) => [value(row), row]);
  rows.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0) * (up ? 1 : -1));
  for (const other of cell.parentElement.cells) other.removeAttribute("aria-sort");
  cell.setAttribute("aria-sort", up ? "ascending" : "descending");
  table.tBodies[0].replaceChildren(...rows.map(([, row]) => row));
}

// A link within [data-swap] brings the same part of its page; without this it is an ordinary link.
document.addEventListener("click", async (event) => {
  const link = event.target.closest("[data-swap] a[href]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  const box = link.closest("[data-swap]");
  try {
    const answer = await fetch(link.href, { headers: { "X-Part": "body" } });
    if (!answer.ok) throw new Error(String(answer.status));
    box.innerHTML = await answer.text();
    history.replaceState(null, "", link.href);
    dress(box);
    const again = [...box.querySelectorAll("a")].find((a) => a.textContent === link.textContent);
    if (again) again.focus();
  } catch {
    const told = document.createElement("p");
    told.className = "problem";
    told.setAttribute("role", "alert");
    told.textContent = "The server does not answer; what you see may be old. Try again in a moment.";
    box.prepend(told);
  }
});

dress(document);
tick();
setInterval(tick, 1000);
