/** One message as people see it: picture, name, bubble, photos, buttons. Draws only; what happens on a click is `actions`. */

import { el, icon } from "./dom.js";
import { badge, gist, initial, longTime, tint } from "./format.js";
import { thumbnail } from "./photos.js";
import { state } from "./state.js";

/** largest size of a photo that is alone in its message, in rem */
const ALONE_WIDTH = 15;
const ALONE_HEIGHT = 17;

/** @param {{id: string, name: string, role: string}} user */
export function avatar(user) {
  if (user.role === "bot") return el("span", { class: "avatar avatar-bot", "aria-hidden": "true" }, icon("bot"));
  return el("span", { class: `avatar tint-${tint(user.id)}`, "aria-hidden": "true", text: initial(user.name) });
}

/** @param {{role: string, title: string}} user */
export function badgeOf(user) {
  const told = badge(user);
  return told && el("span", { class: `badge badge-${told.kind}`, text: told.text });
}

/**
 * The bot's text with its addresses to be opened. Only the bot's: what anybody else pastes stays words, because a link in a group
 * is how most fraud begins.
 * @param {string} text
 */
function textWithLinks(text) {
  const body = el("div", { class: "text" });
  let from = 0;
  for (const found of text.matchAll(/https:\/\/[\x21-\x7e]+/g)) {
    body.append(text.slice(from, found.index));
    body.append(el("a", { class: "out", href: found[0], target: "_blank", rel: "noopener noreferrer", text: found[0] }));
    from = found.index + found[0].length;
  }
  body.append(text.slice(from));
  return body;
}

/**
 * The text with the mentions of real members set apart.
 * @param {string} text
 * @param {string[]} mentions
 * @param {import("./state.js").User[]} members
 */
function textWithMentions(text, mentions, members) {
  const body = el("div", { class: "text" });
  const names = members.filter((user) => mentions.includes(user.id)).sort((a, b) => b.name.length - a.name.length);
  let rest = text;
  while (names.length && rest) {
    let best = -1;
    let who = names[0];
    for (const user of names) {
      const at = rest.indexOf(`@${user.name}`);
      if (at >= 0 && (best < 0 || at < best)) {
        best = at;
        who = user;
      }
    }
    if (best < 0) break;
    const word = `@${who.name}`;
    body.append(rest.slice(0, best), el("span", { class: who.id === state.me?.id ? "mention mention-me" : "mention", text: word }));
    rest = rest.slice(best + word.length);
  }
  body.append(rest);
  return body;
}

/** @param {any} message @param {any} actions */
function photoGrid(message, actions) {
  const { photos } = message;
  const grid = el("div", { class: photos.length === 1 ? "photos one" : "photos" });
  photos.forEach((photo, index) => {
    const label = photos.length > 1 ? `打开第 ${index + 1} 张照片，共 ${photos.length} 张` : "打开照片";
    const view = () => actions.view(photo.id);
    const button = el("button", { type: "button", class: "photo", "aria-label": label, onclick: view }, thumbnail(photo));
    if (photos.length === 1) {
      // a photo alone keeps its shape, as far as that is bearable
      const shape = Math.max(0.6, Math.min(2.2, photo.width / photo.height || 1));
      button.style.aspectRatio = String(shape);
      button.style.width = `${Math.min(ALONE_WIDTH, ALONE_HEIGHT * shape)}rem`;
    }
    grid.append(button);
  });
  return grid;
}

/** A place opens in the phone's own map. @param {{latitude: number, longitude: number}} location */
function placeLink({ latitude, longitude }) {
  const digits = `${latitude.toFixed(5)},${longitude.toFixed(5)}`;
  return el("a", { class: "place", href: `geo:${digits}`, "aria-label": "一个位置，点开看地图" }, icon("place"), `位置 ${digits}`);
}

/** @param {any} message @param {any} actions */
function choiceButtons(message, actions) {
  const group = el("div", { class: "choices", role: "group", "aria-label": "请选择" });
  for (const { label, value } of message.choices) {
    group.append(el("button", { type: "button", class: "choice", text: label, onclick: () => actions.choose(message, value) }));
  }
  return group;
}

/** @param {any} message @param {any} actions */
function recalledLine(message, actions) {
  const by = message.by ?? message.from;
  const mine = by.id === state.me?.id;
  const draft = mine && state.recalledTexts.get(message.id);
  return el(
    "div",
    { class: "note" },
    `${mine ? "您" : by.name} 撤回了一条消息`,
    draft && el("button", { type: "button", class: "link", text: "重新编辑", onclick: () => actions.edit(draft) }),
  );
}

/**
 * Beside the bubble: on its way, not sent, or what can be done with it.
 * @param {any} message
 * @param {any} pending the outbox entry while the server has not confirmed the message
 * @param {any} actions
 */
export function drawTail(message, pending, actions) {
  if (pending?.failed) {
    const label = `没有发出：${pending.failed} 点这里重试或删除`;
    const open = () => actions.failed(pending);
    return el("button", { type: "button", class: "tail retry", "aria-label": label, onclick: open }, icon("warn"));
  }
  if (pending) return el("span", { class: "tail sending" }, icon("clock"), el("span", { class: "vh", text: "正在发送" }));
  const more = el(
    "button",
    { type: "button", class: "tail more", "aria-label": "更多操作", "aria-haspopup": "menu", "aria-expanded": "false" },
    icon("more"),
  );
  more.addEventListener("click", () => actions.menu(message, more, more.getBoundingClientRect()));
  return more;
}

/**
 * The content of a row. `pending` is the outbox entry while the server has not confirmed the message.
 * @param {any} message
 * @param {{room: any, pending: any, choosable: boolean, actions: any}} context
 * @returns {HTMLElement}
 */
export function drawMessage(message, { room, pending, choosable, actions }) {
  if (message.recalled) return recalledLine(message, actions);
  const { from } = message;
  const mine = from.id === state.me?.id;
  const side = mine ? "mine" : from.role === "bot" ? "theirs bot" : "theirs";

  const bubble = el("div", { class: message.text || message.location ? "bubble" : "bubble bare" });
  if (message.reply) {
    const { id, name } = message.reply;
    const said = message.reply.text || "[图片或位置]";
    const about = { type: "button", class: "quote", "aria-label": `引用 ${name}：${said}`, onclick: () => actions.jump(id) };
    bubble.append(el("button", about, el("b", { text: name }), `：${said}`));
    bubble.classList.remove("bare");
  }
  if (message.text) {
    const ours = from.role === "bot" && !message.mentions.length;
    bubble.append(ours ? textWithLinks(message.text) : textWithMentions(message.text, message.mentions, room.members));
  }
  if (message.photos.length) bubble.append(photoGrid(message, actions));
  if (message.location) bubble.append(placeLink(message.location));

  return el(
    "div",
    { class: `line ${side}` },
    avatar(from),
    el(
      "div",
      { class: "body" },
      !mine && el("div", { class: "who" }, el("span", { class: "name", text: from.name }), badgeOf(from)),
      el(
        "div",
        { class: "beside" },
        bubble,
        drawTail(message, pending, actions),
        el("time", { class: "at", datetime: message.at, title: longTime(message.at), text: clockOnly(message.at) }),
      ),
      pending?.failed && el("p", { class: "why", text: pending.failed }),
      choosable && message.choices.length > 0 && choiceButtons(message, actions),
    ),
  );
}

/** @param {string} iso */
function clockOnly(iso) {
  return longTime(iso).split(" ")[1];
}

/** What a screen reader says when it comes to the message. @param {any} message */
export function spoken(message) {
  const who = message.from.id === state.me?.id ? "我" : message.from.name;
  const title = badge(message.from);
  return `${who}${title ? `，${title.text}` : ""}，${longTime(message.at)}：${gist(message)}`;
}

/** A line of the list of groups. @param {any} room */
export function preview(room) {
  const { last } = room;
  if (!last) return "还没有消息";
  const mine = last.from.id === state.me?.id;
  if (last.recalled) return `${mine ? "您" : last.from.name} 撤回了一条消息`;
  return room.kind === "private" || mine ? gist(last) : `${last.from.name}：${gist(last)}`;
}

