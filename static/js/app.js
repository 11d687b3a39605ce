// What pages do in the browser beyond htmx. Everything works without it except where marked "needs-js".
// All listeners are delegated from the document, so swapped-in fragments need no set-up.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
const words = () => $("#words").dataset;
const on = (name, handler, options) => document.addEventListener(name, handler, options);
const store = {
  get(key) { try { return localStorage.getItem(key); } catch { return null; } },
  set(key, value) { try { value ? localStorage.setItem(key, value) : localStorage.removeItem(key); } catch { /* forbidden */ } },
};

// ---- said and shown ---------------------------------------------------------------------------------------------------
function announce(text) {
  const region = $("#announcer");
  region.textContent = "";
  setTimeout(() => { region.textContent = text; }, 50);
}

function toast(message, tone = "success") {
  const source = $("#toast-template").content;
  const box = ($(`.tone-${CSS.escape(tone)}`, source) ?? $(".tone-info", source)).cloneNode(true);
  $("span", box).textContent = message;
  $("#toasts").append(box);
  expire(box);
}

// Good news leaves by itself; what went wrong stays until it is dismissed.
function expire(box) {
  if (box.matches(".tone-danger, .tone-warning")) return;
  const leave = () => (box.matches(":hover, :focus-within") ? setTimeout(leave, 2000) : box.remove());
  setTimeout(leave, 6000);
}

on("toast", (event) => toast(event.detail.message ?? event.detail.value, event.detail.tone));

// A passkey that the browser did not give: the person gave up, or there is none for this site.
on("allauth.error", (event) => {
  event.preventDefault();
  toast(words().passkeyFailed, "warning");
});

// ---- theme --------------------------------------------------------------------------------------------------------------
function chooseTheme(theme) {
  store.set("theme", theme);
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  document.dispatchEvent(new CustomEvent("themechange"));
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => document.dispatchEvent(new CustomEvent("themechange")));

// ---- copy and secrets ---------------------------------------------------------------------------------------------------
async function copy(button) {
  const from = button.dataset.copyFrom;
  const source = from && (from.startsWith("#") ? $(from) : $(from, button.parentElement));
  const text = button.dataset.copy || source?.value || source?.textContent || "";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (!copyBySelection(text, button)) return toast(words().copyFailed, "warning");
  }
  button.dataset.copied = "";
  announce(words().copied);
  setTimeout(() => delete button.dataset.copied, 1600);
}

function copyBySelection(text, button) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  (button.closest("dialog") ?? document.body).append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  button.focus();
  return done;
}

// What was revealed as a whole brings its masked form along, in a template; a single secret keeps its mask.
function hide(box) {
  if (!box.isConnected || !box.dataset.hideAfter) return;
  const masked = $(":scope > template", box)?.content.firstElementChild;
  if (!masked) return hideSecret(box);
  const focused = box.contains(document.activeElement);
  box.replaceWith(masked);
  window.htmx?.process(masked);
  if (focused) $("button", masked)?.focus();
  announce(words().hidden);
}

function hideSecret(box) {
  const text = $("[data-secret-text]", box);
  text.textContent = text.dataset.mask;
  $(".copy-button", box)?.remove();
  delete box.dataset.hideAfter;
  const [hide, show] = [$("[data-hide-secret]", box), $("[data-show-secret]", box)];
  const focused = document.activeElement === hide;
  if (hide) hide.hidden = true;
  if (show) show.hidden = false;
  if (focused) show.focus();
  announce(words().hidden);
}

// ---- dialogs and menus --------------------------------------------------------------------------------------------------
function openDialog(id) {
  const dialog = document.getElementById(id);
  if (!dialog || dialog.open) return;
  $$(":popover-open").forEach((menu) => menu.hidePopover());
  if (id === "shortcuts") listShortcuts();
  dialog.showModal();
  if (id === "palette") openPalette(dialog);
}

const KNOWS_COMMAND = "command" in HTMLButtonElement.prototype;
const KNOWS_ANCHOR = CSS.supports("position-area: bottom");

function placeMenu(menu) {
  const button = $(`[popovertarget="${CSS.escape(menu.id)}"]`).getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const left = menu.matches(".start") ? button.left : button.right - width;
  const below = button.bottom + height + 8 < innerHeight;
  Object.assign(menu.style, { inset: "auto", left: `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`, top: `${below ? button.bottom : button.top - height - 8}px` });
}

on("toggle", (event) => {
  if (!event.target.matches?.("[data-menu]") || event.newState !== "open") return;
  if (!KNOWS_ANCHOR) placeMenu(event.target);
  if (event.target.id === "theme-menu") {
    for (const choice of $$("[data-theme-choice]")) {
      choice.toggleAttribute("aria-current", choice.dataset.themeChoice === (document.documentElement.dataset.theme ?? ""));
    }
  }
  if (document.documentElement.dataset.keys) menuItems(event.target)[0]?.focus();
}, true);

const menuItems = (menu) => $$("a, button:not(:disabled)", menu);

function moveInMenu(event, menu) {
  const items = menuItems(menu);
  const at = items.indexOf(document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at < 0 ? -1 : at - 1, Home: 0, End: -1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  items.at(next % items.length)?.focus();
}

// ---- command palette ----------------------------------------------------------------------------------------------------
function openPalette(dialog) {
  const input = $("input", dialog);
  input.select();
  input.dispatchEvent(new Event("palette:open"));
}

function choose(option) {
  for (const other of $$("[role=option]")) other.setAttribute("aria-selected", other === option);
  const input = $("#palette input");
  if (!option) return input.removeAttribute("aria-activedescendant");
  option.id ||= "palette-choice";
  $$("#palette-results [id=palette-choice]").forEach((other) => { if (other !== option) other.removeAttribute("id"); });
  input.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

function moveInPalette(event) {
  const options = $$("#palette-results [role=option]");
  const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown") choose(options[(at + 1) % options.length]);
  else if (event.key === "ArrowUp") choose(options.at(at - 1));
  else if (event.key === "Enter" && options.length) (options[at] ?? options[0]).click();
  else return;
  event.preventDefault();
}

// ---- keyboard -----------------------------------------------------------------------------------------------------------
let prefix = "";

function listShortcuts() {
  const list = $("#shortcut-list");
  $$("[data-added]", list).forEach((item) => item.remove());
  for (const target of $$("[data-shortcut]")) {
    const [key, what] = [document.createElement("dt"), document.createElement("dd")];
    for (const part of target.dataset.shortcut.split(" ")) key.append(Object.assign(document.createElement("kbd"), { textContent: part }), " ");
    what.textContent = target.getAttribute("aria-label") ?? $("span", target)?.textContent ?? target.textContent;
    key.dataset.added = what.dataset.added = "";
    list.append(key, what);
  }
  $("#single-keys").checked = store.get("single-keys") !== "off";
}

function shortcut(event) {
  if (event.target.closest("input, textarea, select, [contenteditable], dialog") || store.get("single-keys") === "off") return;
  if (event.key === "?") return openDialog("shortcuts");
  const typed = `${prefix} ${event.key}`.trim();
  const target = $$("[data-shortcut]").find((item) => item.dataset.shortcut === typed);
  prefix = !target && $$("[data-shortcut]").some((item) => item.dataset.shortcut.startsWith(`${event.key} `)) ? event.key : "";
  if (target) { event.preventDefault(); target.click(); }
  if (prefix) setTimeout(() => { prefix = ""; }, 1200);
}

on("keydown", (event) => {
  document.documentElement.dataset.keys = "1";
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); return openDialog("palette"); }
  if (event.target.closest("#palette")) return moveInPalette(event);
  const menu = event.target.closest("[data-menu]") ?? $("[data-menu]:popover-open");
  if (menu) return moveInMenu(event, menu);
  if (!event.ctrlKey && !event.metaKey && !event.altKey) shortcut(event);
});
on("pointerdown", () => { delete document.documentElement.dataset.keys; }, true);

// ---- clicks -------------------------------------------------------------------------------------------------------------
on("click", (event) => {
  const hit = (selector) => event.target.closest(selector);
  let target;
  if ((target = hit("[data-copy], [data-copy-from]"))) return copy(target);
  if ((target = hit("[data-add-row]"))) return addRow(target);
  if ((target = hit("[data-hide-secret]"))) return hideSecret(target.closest(".secret"));
  if ((target = hit("[data-theme-choice]"))) { chooseTheme(target.dataset.themeChoice); return target.closest("[popover]").hidePopover(); }
  if ((target = hit("[data-dismiss]"))) return (target.closest("[data-toast], .alert") ?? target.parentElement).remove();
  if ((target = hit("[data-modal]")) && document.getElementById(target.dataset.modal) && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    return openDialog(target.dataset.modal);
  }
  if (!KNOWS_COMMAND && (target = hit("[commandfor]"))) {
    if (target.getAttribute("command") === "close") return document.getElementById(target.getAttribute("commandfor"))?.close();
    return openDialog(target.getAttribute("commandfor"));
  }
  if (event.target.matches("dialog.modal")) event.target.close(); // the backdrop belongs to the dialog
});

// One more row like the last one, empty.
function addRow(button) {
  const last = $$("[data-row]", button.closest("form")).at(-1);
  const row = last.cloneNode(true);
  for (const input of $$("input", row)) { input.value = ""; for (const name of ["id", "aria-invalid", "aria-describedby", "autofocus"]) input.removeAttribute(name); }
  $$(".field-error", row).forEach((error) => error.remove());
  last.after(row);
  $("input", row).focus();
}

// ---- forms --------------------------------------------------------------------------------------------------------------
const submitters = (form) => $$("button:not([type=button]), input[type=submit]", form);

function checkName(input) {
  const matches = input.value.trim() === input.dataset.confirmName;
  for (const button of submitters(input.form)) button.disabled = !matches && !button.formNoValidate;
}

on("input", (event) => {
  if (event.target.matches("[data-confirm-name]")) checkName(event.target);
});
on("change", (event) => {
  if (event.target.id === "single-keys") store.set("single-keys", event.target.checked ? "" : "off");
  if (event.target.matches("[data-submit-on-change]")) event.target.form.requestSubmit();
});

// A form is sent once: the second click finds it busy.
on("submit", (event) => {
  if (event.target.dataset.busy) { event.preventDefault(); event.stopImmediatePropagation(); }
}, true);
// htmx asks for its own forms; one that the browser sends by itself is asked for here.
on("submit", (event) => {
  const form = event.target, question = form.getAttribute("hx-confirm");
  if (!question || htmxForm(form) || form.dataset.sure) return;
  event.preventDefault();
  ask(question, () => { form.dataset.sure = "1"; form.requestSubmit(event.submitter); }, () => {});
});
on("submit", (event) => {
  const form = event.target;
  if (form.method === "dialog" || form.dataset.busy || (event.defaultPrevented && !htmxForm(form))) return;
  if (form.method === "get" && !htmxForm(form)) return;
  form.dataset.busy = "1";
  (event.submitter ?? submitters(form)[0])?.setAttribute("aria-busy", "true");
  if (form.hasAttribute("data-download")) setTimeout(() => free(form), 3000);
});

const htmxForm = (form) => ["hx-post", "hx-get", "hx-put", "hx-patch", "hx-delete"].some((name) => form.hasAttribute(name));

function free(form) {
  delete form.dataset.busy;
  delete form.dataset.sure;
  $$("[aria-busy]", form).forEach((button) => button.removeAttribute("aria-busy"));
}
addEventListener("pageshow", () => $$("form[data-busy]").forEach(free)); // back from the next page

// ---- htmx ---------------------------------------------------------------------------------------------------------------
const polls = (element) => /\b(every|load delay)\b/.test(element.getAttribute("hx-trigger") ?? "");

// A poll never takes away what a person has open or is typing in, and asks for nothing while nobody sees the page.
on("htmx:beforeRequest", (event) => {
  const { elt, target } = event.detail;
  if (!polls(elt)) return;
  if (document.hidden || $(":popover-open, dialog[open], [data-hide-after], :is(input, textarea, select):focus", target)) event.preventDefault();
});

function ask(question, yes, no) {
  const dialog = $("#confirm-dialog");
  $("[data-question]", dialog).textContent = question;
  dialog.returnValue = "";
  dialog.addEventListener("close", () => dialog.returnValue === "yes" ? yes() : no(), { once: true });
  dialog.showModal();
}

on("htmx:confirm", (event) => {
  if (!event.detail.question) return;
  event.preventDefault();
  ask(event.detail.question, () => event.detail.issueRequest(true), () => event.target.dataset.busy && free(event.target));
});

on("htmx:beforeSwap", (event) => {
  const { xhr, target } = event.detail;
  const landed = new URL(xhr.responseURL || location.href);
  if (landed.pathname.startsWith("/sign-in") && location.pathname !== landed.pathname) { // the session has ended
    event.detail.shouldSwap = false;
    location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
    return;
  }
  kept.set(xhr, {
    open: $$("details[open][id]", target).map((details) => details.id),
    scrolled: $$("[data-follow]", target).map((box) => [box.id, box.scrollTop, atEnd(box)]),
    chosen: target.matches("[data-keep-choice]") ? $$("input:checked", target).map((input) => input.id) : [],
  });
});

const kept = new WeakMap(); // what was open, scrolled or chosen before a swap, by its request
const atEnd = (box) => box.scrollHeight - box.scrollTop - box.clientHeight < 24;

function restore(event) {
  const { open, scrolled, chosen } = kept.get(event.detail.xhr) ?? { open: [], scrolled: [], chosen: [] };
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  for (const id of chosen) Object.assign(document.getElementById(id) ?? {}, { checked: true });
  for (const [id, top, end] of scrolled) {
    const box = document.getElementById(id);
    if (box) box.scrollTop = end ? box.scrollHeight : top;
  }
}
on("htmx:afterSwap", restore);
on("htmx:afterSettle", restore); // prepare() has scrolled new logs to their end in between

on("htmx:afterRequest", (event) => {
  const form = event.target.closest?.("form[data-busy]");
  if (form) free(form);
  if (event.detail.successful) connected(true);
});

on("htmx:validation:halted", (event) => free(event.target));

on("htmx:load", (event) => prepare(event.detail.elt));

on("htmx:sendError", (event) => {
  connected(false);
  if (!polls(event.detail.elt)) toast(words().offline, "warning");
});
on("htmx:timeout", () => connected(false));

on("htmx:responseError", (event) => {
  const { status } = event.detail.xhr;
  if (/"toast"/.test(event.detail.xhr.getResponseHeader("HX-Trigger") ?? "")) return; // the answer says it itself
  if (polls(event.detail.elt) && status !== 404) return connected(status < 500);
  const said = { 403: words().forbidden, 404: words().gone, 409: words().conflict, 410: words().gone, 429: words().busy }[status] ?? words().failed;
  const request = status >= 500 && event.detail.xhr.getResponseHeader("X-Request-Id");
  toast(request ? `${said} (${words().request} ${request})` : said, "danger");
});

let probing = 0;
function connected(yes) {
  $("#connection").hidden = yes;
  clearTimeout(probing);
  if (yes) return;
  probing = setTimeout(async () => {
    const answer = await fetch("/healthz", { cache: "no-store" }).catch(() => null);
    connected(Boolean(answer?.ok));
  }, 3000);
}
addEventListener("offline", () => connected(false));

// ---- time ---------------------------------------------------------------------------------------------------------------
const language = document.documentElement.lang || "en";
const distance = new Intl.RelativeTimeFormat(language);
const STEPS = [[45, 1, ""], [2700, 60, "minute"], [79200, 3600, "hour"], [2246400, 86400, "day"], [27648000, 2630016, "month"], [Infinity, 31557600, "year"]];

function ago(when) {
  const seconds = (when - Date.now()) / 1000;
  const [, size, unit] = STEPS.find(([limit]) => Math.abs(seconds) < limit);
  return unit ? distance.format(Math.sign(seconds) * Math.max(1, Math.round(Math.abs(seconds) / size)), unit) : words().now;
}

function took(seconds) {
  const [d, h, m, s] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  const two = (n) => String(n).padStart(2, "0");
  if (d) return `${d} d ${h} h`;
  if (h) return `${h} h ${two(m)} min`;
  return m ? `${m} min ${two(s)} s` : `${s} s`;
}

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

let ticks = 0;
function tick() {
  if (document.hidden) return;
  for (const time of $$("[data-elapsed-since]")) say(time, took(Math.max(0, (Date.now() - Date.parse(time.dataset.elapsedSince)) / 1000)));
  if (ticks++ % 20 === 0) for (const time of $$("time[data-relative]")) say(time, ago(Date.parse(time.dateTime)));
}
setInterval(tick, 1000);

// ---- each piece of page, once -------------------------------------------------------------------------------------------
function prepare(root) {
  const all = (selector) => [...(root.matches?.(selector) ? [root] : []), ...$$(selector, root)];
  for (const input of all("[data-confirm-name]")) checkName(input);
  for (const box of all("[data-hide-after]")) setTimeout(() => hide(box), Number(box.dataset.hideAfter) * 1000);
  for (const box of all("[data-follow]")) box.scrollTop = box.scrollHeight;
  for (const box of all("[data-toast]")) expire(box);
  for (const dialog of all("dialog[data-open]")) { delete dialog.dataset.open; dialog.showModal(); }
  for (const time of all("time[data-relative]")) time.title = new Date(time.dateTime).toLocaleString(language, { dateStyle: "medium", timeStyle: "medium" });
  for (const tab of all(".tabs [aria-current]")) tab.parentElement.scrollLeft = tab.offsetLeft - (tab.parentElement.clientWidth - tab.offsetWidth) / 2;
}
const MAC = /Mac|iPhone|iPad/.test(navigator.platform);
if (MAC) for (const key of $$("kbd")) key.textContent = key.textContent.replace(/^Ctrl/, "⌘");
if (!window.htmx) prepare(document.body); // else htmx:load fires for the body
tick();
