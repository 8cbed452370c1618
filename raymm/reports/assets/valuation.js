"use strict";

const PAGE = 100;
const data = JSON.parse(document.getElementById("data").textContent);
const state = { column: 0, descending: false, page: 0 };
const form = document.getElementById("choices");
const body = document.querySelector("#values tbody");

function wanted(row) {
  const values = new FormData(form);
  const text = (values.get("text") || "").toLowerCase();
  const named = (column, index) => column.kind === "text" && String(row[index]).toLowerCase().includes(text);
  if (text && !data.columns.some(named)) return false;
  return data.columns.every((column, index) => {
    const choice = values.get("c" + index);
    if (!choice) return true;
    if (column.kind !== "phi") return row[index] === choice;
    if (row[index] === null) return choice === "missing";
    if (choice === "low") return row[index] < data.fairShare;
    if (choice === "negative") return row[index] < 0;
    return choice === "fair" && row[index] >= data.fairShare;
  });
}

function compare(a, b) {
  const x = a[state.column];
  const y = b[state.column];
  if (x === null || y === null) return (x === null) - (y === null);
  const order = typeof x === "number" ? x - y : String(x).localeCompare(String(y));
  return state.descending ? -order : order;
}

function mark(value) {
  if (value === null) return "";
  if (value < 0) return " negative";
  return data.fairShare !== null && value < data.fairShare ? " low" : "";
}

function cell(value, column) {
  const element = document.createElement("td");
  if (column.kind === "phi") {
    element.className = "number" + mark(value);
    element.textContent = value === null ? "missing" : value.toFixed(3);
  } else {
    element.textContent = value;
  }
  return element;
}

function draw() {
  const rows = data.rows.filter(wanted).sort(compare);
  const pages = Math.max(1, Math.ceil(rows.length / PAGE));
  state.page = Math.min(state.page, pages - 1);
  body.replaceChildren(
    ...rows.slice(state.page * PAGE, (state.page + 1) * PAGE).map((row) => {
      const line = document.createElement("tr");
      line.append(...row.map((value, index) => cell(value, data.columns[index])));
      return line;
    })
  );
  document.getElementById("where").textContent =
    `${rows.length} of ${data.rows.length} samples, page ${state.page + 1} of ${pages}`;
  document.querySelectorAll("#values th").forEach((head, index) => {
    const order = state.descending ? "descending" : "ascending";
    head.setAttribute("aria-sort", index === state.column ? order : "none");
  });
}

document.querySelectorAll("#values th button").forEach((button, index) =>
  button.addEventListener("click", () => {
    state.descending = index === state.column && !state.descending;
    state.column = index;
    draw();
  })
);
form.addEventListener("input", () => { state.page = 0; draw(); });
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(draw));
document.getElementById("back").addEventListener("click", () => { state.page = Math.max(0, state.page - 1); draw(); });
document.getElementById("next").addEventListener("click", () => { state.page += 1; draw(); });
draw();
