/** The demonstration: choosing who one is in this tab, and a short list of things to try. */

import { becomePersona } from "./api.js";
import { byId, el, icon } from "./dom.js";
import { avatar, badgeOf } from "./message.js";
import { emit, state } from "./state.js";

const INTENT = "qianshao.intent";
const TRIED = "qianshao.tried";

/** @param {string} room @param {string} text */
export function keepIntent(room, text) {
  sessionStorage.setItem(INTENT, JSON.stringify({ room, text }));
}

/** The text to put into a room once the page has come back as somebody else. @returns {{room: string, text: string}|null} */
export function takeIntent() {
  const kept = sessionStorage.getItem(INTENT);
  sessionStorage.removeItem(INTENT);
  return kept ? JSON.parse(kept) : null;
}

/** `?as=…` in the address makes a new tab somebody else at once. */
export async function personaFromAddress() {
  const wanted = new URLSearchParams(location.search).get("as");
  if (!wanted) return false;
  history.replaceState(null, "", location.pathname + location.hash);
  await becomePersona(wanted);
  return true;
}

/** @param {string} user */
async function become(user) {
  try {
    await becomePersona(user);
  } catch (error) {
    emit("notice", /** @type {Error} */ (error).message);
    return;
  }
  // a fresh page holds nothing of the person one was before
  location.replace("/");
  location.reload();
}

/** @param {any} user */
function card(user) {
  const here = user.id === state.me?.id;
  const choose = () => (here ? byId("personas").close() : become(user.id));
  const label = `在新标签页里扮演${user.name}`;
  const href = `/?as=${encodeURIComponent(user.id)}`;
  return el(
    "li",
    { class: "persona" },
    el(
      "button",
      { type: "button", class: "persona-be", "aria-pressed": String(here), onclick: choose },
      avatar(user),
      el(
        "span",
        { class: "persona-name" },
        el("span", { text: user.name }),
        badgeOf(user) ?? (user.title && el("span", { class: "persona-about", text: user.title })),
        here && el("span", { class: "here", text: "现在是您" }),
      ),
    ),
    el(
      "a",
      { class: "persona-tab", href, target: "_blank", rel: "noopener", "aria-label": label, title: label },
      icon("newtab"),
    ),
  );
}

/** The chooser; the first visit cannot close it. */
export function choosePersona() {
  const dialog = byId("personas");
  const { personas } = state.session;
  byId("persona-residents").replaceChildren(...personas.filter((user) => user.role === "resident").map(card));
  byId("persona-officers").replaceChildren(...personas.filter((user) => user.role === "officer").map(card));
  byId("personas-close").hidden = !state.me;
  dialog.oncancel = (event) => {
    if (!state.me) event.preventDefault();
  };
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
}

/** @returns {number[]} */
const tried = () => JSON.parse(sessionStorage.getItem(TRIED) ?? "[]");

/**
 * @param {any} step
 * @param {number} index
 * @param {(room: string, text: string) => void} fill
 */
function tryStep(step, index, fill) {
  const { personas } = state.session;
  const persona = personas.find((user) => user.id === step.persona);
  const room = state.rooms.get(step.room);
  const done = tried().includes(index);
  const run = () => {
    sessionStorage.setItem(TRIED, JSON.stringify([...new Set([...tried(), index])]));
    byId("try-dialog").close();
    if (!persona || persona.id === state.me?.id) {
      fill(step.room, step.text);
      drawTry(fill);
      return;
    }
    keepIntent(step.room, step.text);
    become(persona.id);
  };
  return el(
    "li",
    {},
    el(
      "button",
      { type: "button", class: done ? "try-step done" : "try-step", onclick: run },
      el("span", { class: "try-number", "aria-hidden": "true" }, done ? icon("check") : String(index + 1)),
      el(
        "span",
        { class: "try-main" },
        el("span", { class: "try-title", text: step.title }),
        el("span", { class: "try-text", text: step.text }),
        el("span", { class: "try-who", text: [persona && `扮演 ${persona.name}`, room?.name].filter(Boolean).join(" · ") }),
        done && el("span", { class: "vh", text: "，已试过" }),
      ),
    ),
  );
}

/** The list stands beside the chat on a wide screen and in a dialog elsewhere. @param {(room: string, text: string) => void} fill */
export function drawTry(fill) {
  for (const list of document.querySelectorAll(".try-list")) {
    list.replaceChildren(...state.session.try.map((step, index) => tryStep(step, index, fill)));
  }
}

/** @param {(room: string, text: string) => void} fill */
export function startDemo(fill) {
  document.body.classList.add("demo");
  byId("demo-banner").hidden = false;
  byId("switch-button").addEventListener("click", choosePersona);
  byId("try-button").addEventListener("click", () => byId("try-dialog").showModal());
  drawTry(fill);
}
