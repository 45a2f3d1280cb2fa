// Brings the parts of a page that are marked `data-live` up to date every two seconds. Everything works without it.
"use strict";

const PERIOD = 2000;
const PATIENCE = 10000;
let readAt = performance.now();
let lost = false;

function span(seconds) {
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return `${Math.floor(seconds)} s`;
}

function showAge() {
  const age = document.getElementById("age");
  if (!age || age.dataset.age === undefined) return;
  const seconds = Number(age.dataset.age) + (performance.now() - readAt) / 1000;
  const number = document.createElement("b");
  number.textContent = span(seconds);
  age.replaceChildren("as of ", number, lost ? " ago · connection lost" : " ago");
  age.classList.toggle("old", lost || seconds > 60);
}

function showLoss() {
  const old = lost && performance.now() - readAt > PATIENCE;
  if (document.body.classList.contains("lost") === old) return;
  document.body.classList.toggle("lost", old);
  const banner = document.createElement("p");
  banner.className = "banner warn";
  banner.textContent = "The watcher does not answer: what this page shows is old, and may be wrong by now.";
  document.getElementById("lost").replaceChildren(...(old ? [banner] : []));
}

function show() {
  showAge();
  showLoss();
}

// Once: a page that is there again after it, while its parts are not, would be loaded for ever.
function reloadOnce() {
  if (history.state === "reloaded") return;
  history.replaceState("reloaded", "");
  location.reload();
}

function selects(part) {
  const selection = document.getSelection();
  return selection && !selection.isCollapsed && part.contains(selection.anchorNode);
}

// Finds an element of a part that can have the focus again in the part that takes its place.
function selectorOf(element) {
  if (element.matches("summary")) return `details[id="${CSS.escape(element.parentElement.id)}"] > summary`;
  return element.matches("a") ? `a[href="${CSS.escape(element.getAttribute("href"))}"]` : ".message";
}

// Puts a part in place of another; the reader keeps the focus, and what is scrolled stays so.
function replace(part, fresh) {
  const active = part.contains(document.activeElement) ? document.activeElement : null;
  const selector = active && selectorOf(active);
  const index = active && [...part.querySelectorAll(selector)].indexOf(active);
  const scrolled = [...part.querySelectorAll(".message")].map((one) => one.scrollTop);
  part.replaceWith(fresh);
  fresh.querySelectorAll(".message").forEach((one, number) => (one.scrollTop = scrolled[number] ?? 0));
  const found = active ? fresh.querySelectorAll(selector) : [];
  (found[index] ?? found[0])?.focus({ preventScroll: true });
}

function update(part, fresh) {
  for (const one of part.querySelectorAll("details[id]")) {
    const other = fresh.querySelector(`details[id="${CSS.escape(one.id)}"]`);
    if (other) other.open = one.open;
  }
  if (part.outerHTML === fresh.outerHTML || selects(part)) return;
  replace(part, fresh);
}

async function refresh() {
  const address = location.href;
  const began = performance.now();
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    const answer = await fetch(address, { headers: { "X-Weir-Fragment": "1" }, cache: "no-store", signal });
    if ([401, 404].includes(answer.status) && address === location.href) reloadOnce();
    if (!answer.ok) throw new Error(answer.statusText);
    const text = await answer.text();
    if (address !== location.href) return;
    const fresh = new DOMParser().parseFromString(text, "text/html");
    for (const part of document.querySelectorAll("[data-live][id]")) {
      const other = fresh.getElementById(part.id);
      if (other) update(part, document.adoptNode(other));
    }
    readAt = performance.now();
    lost = false;
    if (history.state === "reloaded") history.replaceState(null, "");
  } catch {
    lost = readAt < began;
  }
  show();
}

async function live() {
  if (!document.hidden) await refresh();
  setTimeout(live, PERIOD);
}

function filterAtOnce(form) {
  let pending;
  form.addEventListener("input", () => {
    clearTimeout(pending);
    pending = setTimeout(() => {
      const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== "")).toString();
      history.replaceState(null, "", query ? `?${query}` : location.pathname);
      refresh();
    }, 150);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.querySelector("button").hidden = true;
}

document.addEventListener("keydown", (event) => {
  const field = document.getElementById("filter");
  if (!field || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) {
    event.preventDefault();
    field.focus();
    field.select();
  } else if (event.key === "Escape" && document.activeElement === field) {
    event.preventDefault();
    field.value = "";
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.blur();
  }
});
document.addEventListener("visibilitychange", () => document.hidden || refresh());
const form = document.querySelector("form[role=search]");
if (form) filterAtOnce(form);
setInterval(show, 1000);
setTimeout(live, PERIOD);
