/** Puts the parts of the chat page together. */

import { Refusal, session, setTabToken, signOut } from "./api.js";
import { Composer } from "./composer.js";
import { choosePersona, drawTry, personaFromAddress, startDemo, takeIntent } from "./demo.js";
import { byId, el, icon } from "./dom.js";
import { gist } from "./format.js";
import { openMenu } from "./menu.js";
import { avatar, badgeOf } from "./message.js";
import { discard, pendingIn, retry, startOutbox, tap } from "./outbox.js";
import { drawHeading, startRooms } from "./rooms.js";
import { isLarge, setLarge, startSettings } from "./settings.js";
import { send, start, stop } from "./socket.js";
import { on, serverNow, state } from "./state.js";
import { Thread } from "./thread.js";
import { viewPhoto } from "./viewer.js";

const RECALL_WITHIN = 120_000;
const NOTICE_FOR = 6_000;
const CONNECTION = {
  connecting: "连接中…",
  online: "",
  lost: "已断开，正在重连",
  offline: "网络不通，消息会在恢复后发出",
  closed: "已退出",
};

/** @type {Thread} */
let thread;
/** @type {Composer} */
let composer;
let noticeTimer = 0;

/** A sentence that passes. @param {string} text */
function notice(text) {
  const line = byId("notice");
  line.textContent = text;
  line.classList.add("on");
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => line.classList.remove("on"), NOTICE_FOR);
}

/** @param {any} message */
function canRecall(message) {
  return message.from.id === state.me?.id && serverNow() - Date.parse(message.at) < RECALL_WITHIN;
}

const actions = {
  view: (id) => {
    const room = state.rooms.get(state.open ?? "");
    if (!room) return;
    const waiting = pendingIn(room.id).map((entry) => ({ ...entry, from: state.me }));
    viewPhoto([...room.messages, ...waiting], id);
  },
  choose: (message, value) => tap(message.room, message.id, value),
  edit: (text) => composer.fill(text),
  menu: (message, back, at) => {
    const items = [];
    if (!composer.form.hidden) {
      items.push({ label: "引用", icon: "quote", run: () => { composer.quote(message); composer.field.focus(); } });
    }
    if (message.text) items.push({ label: "复制", icon: "copy", run: () => copy(message.text) });
    const room = state.rooms.get(message.room);
    if (message.from.id !== state.me?.id && room?.kind === "group" && room.can_post) {
      items.push({ label: `@${message.from.name}`, icon: "at", run: () => composer.mention(message.from) });
    }
    if (canRecall(message)) {
      items.push({ label: "撤回", icon: "undo", run: () => send({ t: "recall", room: message.room, message: message.id }) });
    }
    if (items.length) openMenu({ label: "对这条消息", items, back, at });
  },
  failed: (entry) => {
    const back = /** @type {HTMLElement} */ (document.activeElement);
    openMenu({
      label: "这条消息没有发出",
      back,
      at: back.getBoundingClientRect(),
      items: [
        { label: "重试", icon: "retry", run: () => retry(entry.cid) },
        { label: "取回修改", icon: "undo", run: () => composer.fill(discard(entry.cid)) },
        { label: "删除", icon: "close", run: () => void discard(entry.cid) },
      ],
    });
  },
};

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    notice("已复制。");
  } catch {
    notice("浏览器不让复制，请长按文字自己选。");
  }
}

function askForHistory(room) {
  room.loading = true;
  send({ t: "older", room: room.id, before: (room.loaded && room.messages[0]?.seq) || room.seq + 1 });
}

/** The newest page again: what was recalled or pressed while we were away is no new message. @param {any} room */
function refresh(room) {
  send({ t: "older", room: room.id, before: room.seq + 1 });
}

function showMembers() {
  const room = state.rooms.get(state.open ?? "");
  if (!room) return;
  byId("members-title").textContent = `群成员（${room.members.length}）`;
  const rank = { bot: 0, officer: 1, resident: 2 };
  const people = [...room.members].sort((a, b) => rank[a.role] - rank[b.role] || a.name.localeCompare(b.name, "zh"));
  byId("members-list").replaceChildren(
    ...people.map((user) =>
      el("li", { class: "member" }, avatar(user), el("span", { class: "member-name", text: user.name }), badgeOf(user), user.id === state.me?.id && el("span", { class: "here", text: "你" })),
    ),
  );
  byId("members-dialog").showModal();
}

/** Shows the room in the address, or on a wide screen the first one. */
function route() {
  const wanted = decodeURIComponent(location.hash.replace(/^#\/room\//, ""));
  const room = state.rooms.get(wanted);
  const wide = matchMedia("(min-width: 768px)").matches;
  if (!room && wide && state.rooms.size) {
    const first = /** @type {HTMLElement|null} */ (byId("rooms").querySelector(".room"))?.dataset.room ?? [...state.rooms.keys()][0];
    history.replaceState(null, "", `#/room/${encodeURIComponent(first)}`);
    showRoom(first);
  } else {
    showRoom(room?.id ?? null);
  }
}

/** @param {string|null} id */
function showRoom(id) {
  const room = state.rooms.get(id ?? "");
  document.body.dataset.screen = room ? "chat" : "list";
  byId("nothing-open").hidden = Boolean(room);
  byId("chat-open").hidden = !room;
  const changed = state.open !== (room?.id ?? null);
  state.open = room?.id ?? null;
  if (!room) {
    drawRooms();
    return;
  }
  drawHeading(room, showMembers);
  byId("log").setAttribute("aria-label", `${room.name}的消息`);
  composer.enter(room);
  if (changed) {
    thread.open();
    composer.focusIfDesk();
  }
  if (!room.loaded && !room.loading) askForHistory(room);
  drawRooms();
}

function drawRooms() {
  state.rooms.size && dispatchRooms();
}
