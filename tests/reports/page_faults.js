// What is wrong with a page for its readers. Evaluated in the page by browser_checks.py; each function gives a list of
// sentences, which is empty where nothing is wrong.
"use strict";

const painter = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const colours = new Map();

// Red, green, blue in 0..255 and opacity in 0..1 of any CSS colour.
function rgba(text) {
  if (!colours.has(text)) {
    painter.clearRect(0, 0, 1, 1);
    painter.fillStyle = text;
    painter.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = painter.getImageData(0, 0, 1, 1).data;
    colours.set(text, [r, g, b, a / 255]);
  }
  return colours.get(text);
}

function over(front, back) {
  const a = front[3];
  return [0, 1, 2].map((i) => a * front[i] + (1 - a) * back[i]).concat(1);
}

// Relative luminance and contrast ratio of WCAG 2.2.
function luminance(colour) {
  const [r, g, b] = colour.slice(0, 3).map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

// The colour that a page without a background of its own has.
function canvasColour() {
  const probe = document.createElement("i");
  probe.style.cssText = "position: absolute; background: Canvas";
  document.body.append(probe);
  const colour = rgba(getComputedStyle(probe).backgroundColor);
  probe.remove();
  return colour;
}

// What lies behind an element, from the page to its own background. Text of a drawing lies over other shapes of it.
function behind(element, canvas) {
  const layers = [];
  for (let node = element; node; node = node.parentElement) layers.push(rgba(getComputedStyle(node).backgroundColor));
  let colour = layers.reduceRight((back, front) => over(front, back), canvas);
  const drawing = element.closest("svg");
  if (!drawing) return colour;
  const box = element.getBoundingClientRect();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const below = document.elementsFromPoint(x, y).filter((node) => drawing.contains(node) && node !== drawing);
  const shapes = below.filter((node) => !["text", "tspan", "g", "line", "polyline", "title"].includes(node.tagName));
  for (const shape of shapes.reverse()) {
    const style = getComputedStyle(shape);
    if (style.fill.startsWith("url") || style.fill === "none") continue;
    const [r, g, b, a] = rgba(style.fill);
    colour = over([r, g, b, a * style.fillOpacity * style.opacity], colour);
  }
  return colour;
}

function shown(element) {
  return element.checkVisibility({ opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true });
}

function cut(text) {
  return text.trim().replace(/\s+/g, " ").slice(0, 40);
}

// Elements that have text of their own and are seen.
function written() {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const skipped = element.closest("script, style, noscript, template, title, option, datalist, audio, video");
    if (walker.currentNode.data.trim() && !skipped && shown(element)) found.push(element);
  }
  const fields = [...document.querySelectorAll("input, select, textarea")].filter(shown);
  return [...new Set([...found, ...fields])];
}

function faintText() {
  const canvas = canvasColour();
  const faults = new Map();
  for (const element of written()) {
    if (element.closest(":disabled")) continue;
    const drawing = element.closest("svg") !== null;
    if (drawing) element.scrollIntoView({ block: "center" });
    const style = getComputedStyle(element);
    const back = behind(element, canvas);
    let opacity = 1;
    for (let node = element; node; node = node.parentElement) opacity *= getComputedStyle(node).opacity;
    const [r, g, b, a] = rgba(drawing ? style.fill : style.color);
    const ratio = contrast(over([r, g, b, a * opacity], back), back);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio >= (large ? 3 : 4.5)) continue;
    const name = element.tagName.toLowerCase() + (element.classList.length ? "." + [...element.classList].join(".") : "");
    const said = cut(element.textContent || element.value || "");
    if (!faults.has(name)) faults.set(name, `contrast ${ratio.toFixed(2)} of <${name}> "${said}"`);
  }
  scrollTo(0, 0);
  return [...faults.values()];
}

function named(control) {
  const labels = control.getAttribute("aria-labelledby") || "";
  const others = labels.split(/\s+/).filter(Boolean).map((id) => document.getElementById(id));
  const texts = [...(control.labels || []), ...others].map((node) => (node ? node.textContent : ""));
  const own = ["aria-label", "title"].map((name) => control.getAttribute(name) || "");
  return [...texts, ...own, control.tagName === "INPUT" ? "" : control.innerText || ""].some((text) => text.trim());
}

function unnamedParts() {
  const faults = [];
  const hidden = (node) => node.closest("[aria-hidden=true]") !== null;
  for (const image of document.querySelectorAll("img")) {
    if (!image.hasAttribute("alt")) faults.push(`<img> without alt: ${image.src.slice(0, 40)}`);
    if (shown(image) && image.complete && !image.naturalWidth) faults.push(`a picture that is not one: ${cut(image.alt)}`);
  }
  for (const drawing of document.querySelectorAll("svg")) {
    const title = drawing.querySelector(":scope > title");
    const said = drawing.getAttribute("aria-label") || drawing.getAttribute("aria-labelledby") || (title && title.textContent);
    if (!hidden(drawing) && !(drawing.getAttribute("role") === "img" && said)) {
      faults.push(`<svg> without role "img" and a text: ${cut(drawing.outerHTML)}`);
    }
  }
  for (const control of document.querySelectorAll("input, select, textarea, button, summary, audio, video, a[href]")) {
    const picture = control.querySelector("img[alt]:not([alt='']), svg[aria-label]");
    if (shown(control) && !named(control) && !picture) faults.push(`without a name: ${cut(control.outerHTML)}`);
  }
  const counts = new Map();
  for (const node of document.querySelectorAll("[id]")) counts.set(node.id, (counts.get(node.id) || 0) + 1);
  for (const [id, count] of counts) if (count > 1) faults.push(`${count} elements have the id ${id}`);
  if (!document.documentElement.lang) faults.push("the page does not say its language");
  if (!document.title) faults.push("the page has no title");
  if (document.querySelectorAll("h1").length !== 1) faults.push("the page needs one h1");
  for (const link of document.querySelectorAll("a[href^='#']")) {
    const place = decodeURIComponent(link.getAttribute("href").slice(1));
    if (place && !document.getElementById(place)) faults.push(`a link to #${place}, which is not there`);
  }
  return faults;
}

// What reaches beyond the window although it is not in a box that scrolls.
function cutOff() {
  const boxed = (node) => {
    for (let box = node.parentElement; box && box !== document.body; box = box.parentElement) {
      if (/auto|scroll|hidden|clip/.test(getComputedStyle(box).overflowX)) return true;
    }
    return false;
  };
  const beyond = [...document.body.querySelectorAll("*")].filter(
    (node) => shown(node) && node.getBoundingClientRect().right > innerWidth + 1 && !boxed(node)
  );
  const faults = beyond.slice(0, 3).map((node) => `cut off at ${innerWidth} px: <${node.tagName.toLowerCase()}> ${cut(node.textContent)}`);
  if (document.documentElement.scrollWidth > innerWidth) faults.push(`the page is wider than ${innerWidth} px`);
  return faults;
}

// Boxes that scroll are reached by the keyboard: they can be focused, or hold something that can.
function unreachableBoxes() {
  const boxes = [...document.querySelectorAll("body *")].filter((node) => {
    const scrolls = /auto|scroll/.test(getComputedStyle(node).overflowX) && node.scrollWidth > node.clientWidth + 1;
    return scrolls && shown(node) && node.tabIndex < 0 && !node.querySelector("a, button, input, select, [tabindex]");
  });
  return boxes.map((node) => `scrolls, and the keyboard does not reach it: <${node.tagName.toLowerCase()}> ${cut(node.textContent)}`);
}

// Every player starts and its time goes on.
async function silentPlayers() {
  const faults = [];
  const players = [...document.querySelectorAll("audio, video")];
  for (let start = 0; start < players.length; start += 8) {
    faults.push(...(await Promise.all(players.slice(start, start + 8).map(plays))).filter(Boolean));
  }
  return faults;
}

async function plays(player) {
  const name = cut(player.getAttribute("aria-label") || player.outerHTML);
  const deadline = performance.now() + 20000;
  player.muted = true;
  try {
    await player.play();
  } catch (error) {
    return `does not play: ${name}: ${error}`;
  }
  while (player.currentTime === 0 && !player.ended && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const went = player.currentTime > 0 && player.duration > 0;
  player.pause();
  return went ? "" : `stands still: ${name}`;
}

// Elements that Tab should reach, in their order.
function controls() {
  const found = document.querySelectorAll("a[href], button, input, select, textarea, summary, audio[controls], video[controls], [tabindex]");
  return [...found].filter((node) => shown(node) && (node.tabIndex >= 0 || node.controls) && !node.disabled && node.type !== "hidden");
}

// How the element in focus looks: it must differ from how it looks without.
function look(element) {
  if (element.controls) return Math.random(); // a player draws its parts itself
  const style = getComputedStyle(element);
  return [style.outlineStyle, style.outlineWidth, style.outlineColor, style.boxShadow, style.borderColor, style.backgroundColor].join(" ");
}

// On paper: what only a screen can use is not there, and the heads of tables are.
function screenControls() {
  const controls = [...document.querySelectorAll("button, select, input, audio, nav")].filter(shown);
  const stray = controls.filter((node) => !node.closest("th"));
  const heads = [...document.querySelectorAll("thead th")].filter(shown);
  const empty = heads.filter((node) => !node.innerText.trim());
  return [
    ...stray.map((node) => `is printed: ${cut(node.outerHTML)}`),
    ...empty.map((node) => `a head without its words: ${cut(node.outerHTML)}`),
  ];
}

// On paper nothing scrolls: all that is wider than the paper is cut.
function tooWide(width) {
  const nodes = [...document.querySelectorAll("table, img, figure, pre, svg, p, h1, h2, h3, article")].filter(shown);
  const wide = nodes.filter((node) => node.getBoundingClientRect().right > width + 1 || node.scrollWidth > width + 1);
  const boxes = [...document.querySelectorAll(".wide, pre")].filter(shown);
  const clipped = boxes.filter((node) => getComputedStyle(node).overflowX !== "visible" && node.scrollWidth > node.clientWidth + 1);
  const short = boxes.filter((node) => getComputedStyle(node).maxHeight !== "none");
  return [...wide, ...clipped, ...short].map((node) => `is cut on paper: ${cut(node.outerHTML)}`);
}

// Every player is replaced by words, and every light colour by a dark one.
function unprinted() {
  const players = document.querySelectorAll("article:not([hidden]) audio").length;
  const words = [...document.querySelectorAll("article:not([hidden]) .printed")].filter(shown).length;
  const white = luminance(behind(document.body, canvasColour())) > 0.9;
  return [
    ...(players === words ? [] : [`${players} players, and ${words} words in their place`]),
    ...(white ? [] : ["the paper is not white"]),
  ];
}
