/** Puts the parts of the chat page together. */

import { Refusal, session, setTabToken, signOut } from "./api.js";
import { Composer } from "./composer.js";
import { choosePersona, drawTry, keepIntent, personaFromAddress, startDemo, takeIntent } from "./demo.js";
import { byId, el } from "./dom.js";
import { openMenu } from "./menu.js";
import { avatar, badgeOf } from "./message.js";
import { discard, pendingIn, retry, startOutbox, tap } from "./outbox.js";
import { drawHeading, ordered, startRooms } from "./rooms.js";
import { isLarge, setLarge, startSettings } from "./settings.js";
import { send, start, stop } from "./socket.js";
import { emit, on, serverNow, state } from "./state.js";
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
      const quote = () => {
        composer.quoteMessage(message);
        composer.field.focus();
      };
      items.push({ label: "引用", icon: "quote", run: quote });
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
    const items = [{ label: "重试", icon: "retry", run: () => retry(entry.cid) }];
    // what the others see already cannot be unsaid by forgetting it here
    if (!state.rooms.get(entry.room)?.cids.has(entry.cid)) {
      items.push({ label: "取回修改", icon: "undo", run: () => composer.fill(discard(entry.cid)) });
      items.push({ label: "删除", icon: "close", run: () => void discard(entry.cid) });
    }
    openMenu({ label: "这条消息没有发出", back, at: back.getBoundingClientRect(), items });
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

/** Earlier messages, or the newest ones of a room we know nothing of. @param {any} room */
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
    ...people.map((user) => {
      const here = user.id === state.me?.id && el("span", { class: "here", text: "我" });
      return el("li", { class: "member" }, avatar(user), el("span", { class: "member-name", text: user.name }), badgeOf(user), here);
    }),
  );
  byId("members-dialog").showModal();
}

/** @param {string} id */
const addressOf = (id) => `#/room/${encodeURIComponent(id)}`;

/** Shows the room in the address, or on a wide screen the first group. */
function route() {
  const wanted = decodeURIComponent(location.hash.replace(/^#\/room\//, ""));
  const first = ordered().find((room) => room.kind === "group") ?? ordered()[0];
  if (!state.rooms.has(wanted) && first && matchMedia("(min-width: 768px)").matches) {
    history.replaceState(null, "", addressOf(first.id));
    showRoom(first.id);
  } else {
    showRoom(wanted);
  }
}

/** @param {string} id a room, or anything else for the list alone */
function showRoom(id) {
  const room = state.rooms.get(id);
  const changed = state.open !== (room?.id ?? null);
  state.open = room?.id ?? null;
  document.body.dataset.screen = room ? "chat" : "list";
  byId("nothing-open").hidden = Boolean(room);
  byId("chat-open").hidden = !room;
  if (room) {
    drawRoom(room);
    if (changed) {
      thread.open();
      composer.focusIfDesk();
    }
    if (!room.loaded && !room.loading) askForHistory(room);
  }
  emit("rooms");
}

/** @param {any} room */
function drawRoom(room) {
  drawHeading(room, showMembers);
  byId("log").setAttribute("aria-label", `${room.name}的消息`);
  composer.enter(room);
}

let cameFromList = false;

/** @param {string} id */
function openRoom(id) {
  cameFromList = document.body.dataset.screen === "list";
  if (location.hash === addressOf(id)) showRoom(id);
  else location.hash = addressOf(id);
}

function backToList() {
  // the way back of the phone and ours are the same, so that neither leads in circles
  if (cameFromList) history.back();
  else location.hash = "#/";
  cameFromList = false;
}

/** Puts a text into the composer of a room; sending it is for the person to decide. @param {string} room @param {string} text */
function fill(room, text) {
  if (!state.rooms.size) {
    keepIntent(room, text);
    return;
  }
  if (!state.rooms.has(room)) {
    notice("现在的身份不在那个群里，换个身份再试。");
    return;
  }
  openRoom(room);
  showRoom(room);
  composer.fill(text);
}

function drawMe() {
  const { me } = state;
  byId("me").replaceChildren(avatar(me), el("span", { class: "me-name" }, el("span", { text: me.name }), badgeOf(me)));
  byId("me").setAttribute("aria-label", `我是${me.name}，打开我的菜单`);
}

let leaving = false;

async function leave() {
  leaving = true;
  try {
    await signOut();
  } catch (error) {
    leaving = false;
    notice(/** @type {Error} */ (error).message);
    return;
  }
  stop();
  // nothing of this person stays for the next one at this screen
  sessionStorage.clear();
  location.replace("/signin");
}

function openMyMenu() {
  const back = byId("me");
  const demo = state.session.mode === "demo";
  openMenu({
    label: "我的菜单",
    back,
    at: back.getBoundingClientRect(),
    items: [
      { label: "大字", checked: isLarge(), run: () => setLarge(!isLarge()) },
      { label: "隐私说明", run: () => open("/static/privacy.html", "_blank", "noopener") },
      demo ? { label: "换个身份", run: choosePersona } : { label: "退出登录", run: leave },
    ],
  });
}

/** A phone's keyboard must not cover the composer in browsers that do not shrink the page for it. */
function followKeyboard() {
  const view = window.visualViewport;
  view?.addEventListener("resize", () => {
    const covered = innerHeight - view.height > 80 && view.scale === 1;
    document.documentElement.style.setProperty("--screen", covered ? `${view.height}px` : "100dvh");
  });
}

function listen() {
  on("notice", notice);
  on("connection", (name) => {
    byId("connection").textContent = CONNECTION[name];
    byId("connection").hidden = !CONNECTION[name];
  });
  on("welcome", () => {
    drawMe();
    const open = state.rooms.get(state.open ?? "");
    if (open?.loaded) refresh(open);
    route();
    if (state.session.mode !== "demo") return;
    drawTry(fill);
    const intent = takeIntent();
    if (intent) fill(intent.room, intent.text);
  });
  on("room", (id) => id === state.open && drawRoom(state.rooms.get(id)));
  on("arrived", ({ room, message }) => room === state.open && thread.arrived(message));
  on("signed-out", () => {
    if (leaving) return;
    setTabToken(null);
    location.replace(state.session.mode === "demo" ? "/" : "/signin");
  });
  addEventListener("hashchange", route);
  byId("skip").addEventListener("click", (event) => {
    // the address names the open room and has no place for another target
    event.preventDefault();
    byId("text").focus();
  });
  byId("back").addEventListener("click", backToList);
  byId("me").addEventListener("click", openMyMenu);
  for (const button of document.querySelectorAll("[data-closes]")) {
    button.addEventListener("click", () => button.closest("dialog")?.close());
  }
}

/** The session, as the person whom the address asks for. */
async function enter() {
  let answer = await session();
  if (answer.mode === "demo" && (await personaFromAddress())) answer = await session();
  return answer;
}

async function main() {
  startSettings();
  followKeyboard();
  listen();
  try {
    state.session = await enter();
  } catch (error) {
    byId("connection").hidden = true;
    byId("nothing-text").textContent = error instanceof Refusal ? error.message : "页面没有打开，请重试。";
    byId("reload").hidden = false;
    byId("reload").addEventListener("click", () => location.reload());
    return;
  }
  state.me = state.session.me;
  const demo = state.session.mode === "demo";
  if (demo) startDemo(fill);
  if (!state.me) {
    byId("connection").hidden = true;
    if (demo) choosePersona();
    else location.replace("/signin");
    return;
  }
  composer = new Composer(() => thread.toEnd());
  thread = new Thread(byId("log"), byId("jump"), actions, {
    older: askForHistory,
    read: (room) => send({ t: "read", room: room.id, seq: room.seq }),
  });
  startRooms(openRoom);
  startOutbox(send);
  start();
}

main();
