// What a page does besides showing: clock, countdowns, local times, sorting, acts, and news.

const clock = document.querySelector("[data-clock]");
const offset = Date.parse(clock.dateTime) - Date.now(); // the server's clock may be a simulated one
const serverNow = () => new Date(Date.now() + offset);
const told = document.getElementById("told");
const csrf = () => document.querySelector("meta[name=csrf]").content;
const sorted = new Map(); // caption of a table -> [column, upwards], kept when its rows come anew
const main = () => document.getElementById("main");

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
  for (const line of document.querySelectorAll("[data-now]")) {
    const { start, end, left, width } = line.dataset;
    const part = (now - Date.parse(start)) / (Date.parse(end) - Date.parse(start));
    const x = (Number(left) + Number(width) * Math.min(Math.max(part, 0), 1)).toFixed(2);
    line.setAttribute("x1", x);
    line.setAttribute("x2", x);
    line.classList.toggle("outside", part < 0 || part > 1);
  }
}

function dress(root) {
  for (const one of root.querySelectorAll("time[data-local]")) {
    one.title = `${new Date(one.dateTime).toLocaleString()} local time`;
  }
  for (const row of root.querySelectorAll("tr[data-at]")) {
    row.title = `${new Date(row.dataset.at).toLocaleString()} local time`;
  }
  for (const table of root.querySelectorAll("table[data-sortable]")) {
    [...table.tHead.rows[0].cells].forEach((cell, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = cell.textContent;
      cell.replaceChildren(button);
      button.addEventListener("click", () => sort(table, index, cell.getAttribute("aria-sort") !== "ascending"));
    });
    const kept = sorted.get(columnsOf(table));
    if (kept) sort(table, ...kept);
  }
}

const columnsOf = (table) => table.tHead.textContent;

// Rows that come at once, and those of each frame after it: a thousand at once take a fifth of a second.
const FIRST = 60, EACH = 120;
const filling = new WeakMap(); // body of a table -> the rows that are on their way into it

function sort(table, index, up) {
  const cell = table.tHead.rows[0].cells[index];
  const number = cell.classList.contains("number");
  const value = (row) => {
    const text = row.cells[index].textContent;
    return number ? Number(text.replaceAll(",", "")) || 0 : text;
  };
  const body = table.tBodies[0];
  const rows = [...body.rows, ...(filling.get(body) ?? [])].map((row) => [value(row), row]);
  rows.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0) * (up ? 1 : -1));
  for (const other of cell.parentElement.cells) other.removeAttribute("aria-sort");
  cell.setAttribute("aria-sort", up ? "ascending" : "descending");
  sorted.set(columnsOf(table), [index, up]);
  if (rows.length > FIRST + EACH) hold(table);
  fill(body, rows.map(([, row]) => row));
}

function fill(body, rows) {
  const rest = rows.length > FIRST + EACH ? rows.splice(FIRST) : [];
  filling.set(body, rest);
  body.replaceChildren(...rows);
  const more = () => {
    if (filling.get(body) !== rest) return; // sorted anew meanwhile
    body.append(...rest.splice(0, EACH));
    if (rest.length) requestAnimationFrame(more);
    else body.parentElement.parentElement.style.minHeight = "";
  };
  if (rest.length) requestAnimationFrame(more);
}

// A long table keeps its columns and its place while its rows come: they need no measuring.
function hold(table) {
  const whole = table.offsetWidth;
  const widths = [...table.tHead.rows[0].cells].map((cell) => cell.offsetWidth);
  table.parentElement.style.minHeight = `${table.parentElement.offsetHeight}px`;
  [...table.tHead.rows[0].cells].forEach((cell, index) => { cell.style.width = `${(100 * widths[index]) / whole}%`; });
  table.style.tableLayout = "fixed";
}

addEventListener("resize", () => {
  for (const table of document.querySelectorAll("table[data-sortable]")) {
    table.style.tableLayout = "";
    for (const cell of table.tHead.rows[0].cells) cell.style.width = "";
  }
});

// One line above the page: what was done, or what is wrong. An empty one says nothing.
function tell(text, wrong = false) {
  const line = document.createElement("p");
  line.className = wrong ? "problem" : "done";
  if (wrong) line.setAttribute("role", "alert");
  line.textContent = text;
  told.replaceChildren(...(text ? [line] : []));
}

// Bring a page of this server, and put its contents in place of those here.
async function show(address) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  if (answer.redirected && answer.url.includes("/ui/sign-in")) return location.assign(answer.url);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("main");
  if (!fresh) throw new Error(String(answer.status));
  const focused = document.activeElement;
  const words = main().contains(focused) ? focused.textContent : "";
  const opened = [...main().querySelectorAll("details[open][id]")].map((one) => one.id);
  main().replaceChildren(...fresh.childNodes);
  document.querySelector("meta[name=csrf]").content = page.querySelector("meta[name=csrf]").content;
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  dress(main());
  tick();
  const again = words && [...main().querySelectorAll("a, button")].find((one) => one.textContent === words);
  if (again) again.focus();
}

const GONE = "The server does not answer; what you see may be old. Trying again.";

// A link within [data-swap] brings its page without a reload; without this it is an ordinary link.
document.addEventListener("click", async (event) => {
  const link = event.target.closest("[data-swap] a[href]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  try {
    await show(link.href);
    history.replaceState(null, "", link.href);
  } catch {
    tell(GONE, true);
  }
});

// Acts go to the routes of the API, with the mark of this session.
async function ask(address, method, body, headers = {}) {
  const answer = await fetch(address, {
    method,
    headers: { "X-CSRF-Token": csrf(), ...(body ? { "Content-Type": "application/json" } : {}), ...headers },
    body: body ? JSON.stringify(body) : undefined,
  });
  if (answer.ok) return;
  const problem = await answer.json().catch(() => ({}));
  throw new Error(problem.detail ? `${problem.title}: ${problem.detail}` : `The server says ${answer.status}.`);
}

function bodyOf(form) {
  const body = form.dataset.body ? JSON.parse(form.dataset.body) : {};
  for (const field of form.elements) {
    if (!field.name || (field.value === "" && !field.required)) continue;
    if (field.type === "number") body[field.name] = Number(field.value);
    else if (field.type === "datetime-local") body[field.name] = `${field.value}Z`;
    else body[field.name] = field.value;
  }
  return Object.keys(body).length ? body : null;
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const { act, method = "POST", done = "Done." } = form.dataset;
  if (!act && form.dataset.signIn === undefined) return;
  event.preventDefault();
  const buttons = [...form.querySelectorAll("button")];
  for (const one of buttons) one.disabled = true;
  try {
    if (act) {
      await ask(act, method, bodyOf(form));
      await show(location.href);
      tell(done);
    } else {
      await ask("/session", "POST", null, { Authorization: `Bearer ${form.elements.token.value.trim()}` });
      location.assign(form.dataset.next);
    }
  } catch (error) {
    tell(error instanceof TypeError ? GONE : error.message, true);
  } finally {
    for (const one of buttons) one.disabled = false;
  }
});

document.addEventListener("click", async (event) => {
  if (!event.target.closest("[data-sign-out]")) return;
  try {
    await ask("/session", "DELETE", null);
    location.reload();
  } catch (error) {
    tell(error instanceof TypeError ? GONE : error.message, true);
  }
});

// News: the ledger changed, so the page is asked for anew, but not while somebody fills in a form.
const isTyping = () => main().contains(document.activeElement) && document.activeElement.matches("input, select");
let waiting = 0, lost = false;

async function refresh() {
  waiting = 0;
  if (isTyping()) return later(1000);
  try {
    await show(location.href);
    if (lost) tell("The server answers again.");
    lost = false;
  } catch {
    lost = true;
    tell(GONE, true);
    later(2000);
  }
}

function later(milliseconds) {
  if (!waiting) waiting = setTimeout(refresh, milliseconds);
}

function listen() {
  const news = new EventSource("/events");
  news.addEventListener("change", () => later(150));
  news.addEventListener("open", () => { if (lost) later(0); });
  news.addEventListener("error", () => {
    if (!lost) tell(GONE, true);
    lost = true;
    if (news.readyState !== EventSource.CLOSED) return;
    news.close();
    setTimeout(listen, 2000);
  });
  addEventListener("pagehide", () => news.close());
}

dress(document);
tick();
setInterval(tick, 1000);
if (main().dataset.live !== undefined) listen();
setInterval(() => { if (document.querySelector("[data-poll]") && !isTyping()) later(0); }, 1000);
