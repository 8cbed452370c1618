"use strict";

(() => {
  const form = document.getElementById("gallery-filters");
  const cards = document.getElementById("gallery-cards");
  const count = document.getElementById("gallery-count");
  const more = document.getElementById("gallery-more");
  const files = more ? JSON.parse(more.dataset.files) : [];

  /* Best rank of a card in the lists that are asked for; Infinity where it is in none of them. */
  function rank(card, asked) {
    const ranks = card.dataset.in.split(" ").map((place) => {
      const [modality, list, number, pattern] = place.split(",");
      const found = { modality, list, pattern };
      return Object.keys(found).every((name) => !asked[name] || asked[name] === found[name]) ? Number(number) : Infinity;
    });
    return Math.min(...ranks);
  }

  function wanted(card, values) {
    if (values.get("class") && !card.dataset.class.split(" ").includes(values.get("class"))) return false;
    if (values.get("answer") && card.dataset.answer !== values.get("answer")) return false;
    const lacks = form.elements.lacks;
    return !lacks || !lacks.selectedIndex || card.dataset.lacks === lacks.value;
  }

  function show() {
    const values = new FormData(form);
    const asked = { modality: values.get("modality"), list: values.get("list"), pattern: values.get("pattern") };
    const all = [...cards.children];
    const ranks = new Map(all.map((card) => [card, rank(card, asked)]));
    all.forEach((card) => { card.hidden = ranks.get(card) === Infinity || !wanted(card, values); });
    const sorted = [...all].sort((a, b) => ranks.get(a) - ranks.get(b) || a.dataset.number - b.dataset.number);
    if (sorted.some((card, index) => card !== all[index])) cards.append(...sorted);
    const shown = all.filter((card) => !card.hidden).length;
    count.textContent = `${shown} of ${all.length} ${all.length === 1 ? "sample is" : "samples are"} shown.`;
  }

  function number() {
    [...cards.children].forEach((card, index) => { card.dataset.number = card.dataset.number ?? index; });
  }

  function label() {
    more.hidden = !files.length;
    if (files.length) more.textContent = `Show ${files[0][1]} more sample${files[0][1] === 1 ? "" : "s"}`;
  }

  window.raymmGallery = (html) => {
    const made = document.createElement("template");
    made.innerHTML = html;
    const first = made.content.firstElementChild;
    cards.append(made.content);
    number();
    show();
    first.tabIndex = -1;
    if (!first.hidden) first.focus();
  };

  function load() {
    const [file] = files.shift();
    const script = document.createElement("script");
    script.src = file;
    script.onerror = () => { count.textContent = `${decodeURIComponent(file)} is not there; it lies beside the page when that is written.`; };
    script.onload = label;
    document.head.append(script);
    more.hidden = true;
  }

  form.addEventListener("change", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(show));
  if (more) {
    more.addEventListener("click", load);
    label();
  }
  form.hidden = false;
  number();
  show();
})();
