/**
 * The messages of the open room. Only a window of them is in the page, so that a room with thousands stays smooth: it grows
 * upwards while one scrolls back and lets go of the far end.
 */

import { el, soon } from "./dom.js";
import { longTime } from "./format.js";
import { drawMessage, drawTail, spoken } from "./message.js";
import { pendingIn, tapped } from "./outbox.js";
import { emit, markRead, on, state } from "./state.js";

const FIRST = 100;
const STEP = 50;
const MOST = 250;
const NEAR = 400;
const AT_END = 60;
const PAUSE = 5 * 60_000;
const LONG_PRESS = 500;
const MENU_KEYS = ["Enter", "ContextMenu"];
/** lower than any `seq`: the window begins with whatever comes first */
const TOP = -1;

/** @param {any} item */
const keyOf = (item) => item.cid || item.id;

/** @type {WeakMap<any, any>} */
const drafts = new WeakMap();

/** An outbox entry in the shape of a message; the same object for the same entry. @param {any} entry */
function asMessage(entry) {
  let message = drafts.get(entry);
  if (!message) {
    const { cid, room, at, reply, photos, frame } = entry;
    const rest = { id: "", seq: Infinity, choices: [], mentions: frame.mentions, recalled: false };
    message = { ...rest, cid, room, at, from: state.me, text: frame.text, location: frame.location, photos, reply };
    drafts.set(entry, message);
  }
  return message;
}

/** Whether two versions of a message look alike, so that its row need not be read out again. @param {any} a @param {any} b */
function looksLike(a, b) {
  const look = ({ text, photos, location, reply, recalled, choices }) =>
    JSON.stringify([text, photos, location ?? null, reply, recalled, choices]);
  return look(a) === look(b);
}

/** Buttons are for whom the bot called by name, or for everybody when it called nobody. @param {any} message */
function asked({ mentions }) {
  return mentions.length === 0 || mentions.includes(state.me?.id);
}

export class Thread {
  /**
   * @param {HTMLElement} log the scrolling list
   * @param {HTMLButtonElement} jump the button that leads to the newest message
   * @param {any} actions what clicks on messages do
   * @param {{older: (room: any) => void, read: (room: any) => void}} ask
   */
  constructor(log, jump, actions, ask) {
    this.log = log;
    this.jump = jump;
    this.actions = { ...actions, jump: (id) => this.show(id) };
    this.ask = ask;
    /** @type {Map<string, any>} what is in the page, by key */
    this.rows = new Map();
    this.stick = true;
    this.schedule = soon(() => this.sync());
    log.addEventListener("scroll", () => this.scrolled(), { passive: true });
    log.addEventListener("keydown", (event) => this.keyed(event));
    log.addEventListener("focusin", (event) => this.focused(event));
    this.watchPress();
    jump.addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this.stick && this.bottom()).observe(log);
    document.addEventListener("visibilitychange", () => this.noteRead());
    on("thread", (room) => room === state.open && this.schedule());
  }

  get room() {
    return state.rooms.get(state.open ?? "");
  }

  /** Shows the room that `state.open` names, from its end. */
  open() {
    this.log.replaceChildren();
    this.rows.clear();
    this.low = null;
    this.high = null;
    this.stick = true;
    this.current = null;
    // neighbours' messages after this mark are new; own ones never are
    this.firstUnread = this.room && this.room.unread > 0 ? this.room.read : null;
    this.unseen = 0;
    this.log.setAttribute("aria-live", "off");
    this.sync();
    requestAnimationFrame(() => this.log.setAttribute("aria-live", "polite"));
  }

  /** The part of the history that belongs into the page. @param {any[]} messages */
  window(messages) {
    let end = this.high === null ? messages.length : messages.findLastIndex((m) => m.seq <= this.high) + 1;
    if (end === 0) end = messages.length;
    let start = this.low === null ? Math.max(0, end - FIRST) : messages.findIndex((m) => m.seq >= this.low);
    if (start < 0 || start > end) start = Math.max(0, end - FIRST);
    if (end - start > MOST && this.stick) start = end - FIRST;
    if (end - start > MOST && this.low === TOP) {
      end = start + MOST;
      this.high = messages[end - 1].seq;
    }
    this.start = start;
    this.end = end;
    if (messages.length) this.low = messages[start].seq;
    return messages.slice(start, end);
  }

  sync() {
    const { room, log } = this;
    if (!room) return;
    const shown = this.window(room.messages);
    const waiting = new Map(pendingIn(room.id).map((entry) => [entry.cid, entry]));
    const anchor = this.stick ? null : this.anchor();
    const keys = new Set();
    let previous = room.messages[this.start - 1] ?? null;
    let before = log.firstElementChild;
    const stale = new Map(this.rows);
    const place = (message, entry) => {
      const key = keyOf(message);
      if (keys.has(key)) return;
      keys.add(key);
      stale.delete(key);
      const row = this.row(key, message, entry, previous);
      if (row === before) before = before.nextElementSibling;
      else log.insertBefore(row, before);
      previous = message;
    };
    for (const message of shown) place(message, waiting.get(message.cid) ?? null);
    if (this.high === null) {
      for (const entry of waiting.values()) if (!room.cids.has(entry.cid)) place(asMessage(entry), entry);
    }
    for (const [key, { row }] of stale) {
      if (row === before) before = before.nextElementSibling;
      row.remove();
      this.rows.delete(key);
    }
    this.empty(room, keys.size);
    this.tabStop();
    if (this.stick) this.bottom();
    else if (anchor) log.scrollTop += anchor.row.offsetTop - anchor.top;
    this.noteRead();
    this.jumpLabel();
    if (log.scrollTop < NEAR) this.needOlder();
  }

  /** @param {any} room @param {number} count */
  empty(room, count) {
    const text = count ? "" : room.loaded ? "还没有消息，说句话吧。" : "正在取消息…";
    let line = this.log.parentElement?.querySelector(".empty");
    if (text && !line) {
      line = el("p", { class: "empty", role: "status" });
      this.log.before(line);
    }
    if (text && line) line.textContent = text;
    else line?.remove();
  }

  /** Draws a row again only when its message, its neighbour above or its way to the server changed. */
  row(key, message, entry, previous) {
    const { room, actions } = this;
    const failed = entry ? (entry.failed ?? "") : null;
    const choosable = message.choices.length > 0 && asked(message) && !tapped(message.id);
    const gap = !previous || Date.parse(message.at) - Date.parse(previous.at) > PAUSE;
    const fresh =
      this.firstUnread !== null && message.seq > this.firstUnread && (previous?.seq ?? 0) <= this.firstUnread;
    let known = this.rows.get(key);
    if (!known) {
      known = { row: el("div", { class: "row", role: "article", tabindex: "-1", dataset: { key } }) };
      this.rows.set(key, known);
    }
    const { row } = known;
    const around = choosable === known.choosable && gap === known.gap && fresh === known.fresh;
    if (around && known.message === message && failed === known.failed) return row;
    const had = row.contains(document.activeElement) && row !== document.activeElement;
    if (around && known.message && !known.failed && !failed && looksLike(known.message, message)) {
      row.querySelector(".tail")?.replaceWith(drawTail(message, entry, actions));
    } else {
      row.setAttribute("aria-label", spoken(message));
      row.replaceChildren(
        ...[
          gap && el("div", { class: "sep", text: longTime(message.at) }),
          fresh && el("div", { class: "sep fresh", text: "以下是新消息" }),
          drawMessage(message, { room, pending: entry, choosable, actions }),
        ].filter(Boolean),
      );
    }
    if (had) row.focus({ preventScroll: true });
    Object.assign(known, { message, entry, failed, choosable, gap, fresh });
    return row;
  }

  /** The first visible row and where it is, to put it back there after the page has changed. */
  anchor() {
    const top = this.log.scrollTop;
    for (const row of /** @type {any} */ (this.log.children)) {
      if (row.offsetTop + row.offsetHeight > top) return { row, top: row.offsetTop };
    }
    return null;
  }

  bottom() {
    this.log.scrollTop = this.log.scrollHeight;
  }

  toEnd() {
    this.high = null;
    this.low = null;
    this.stick = true;
    this.sync();
  }

  scrolled() {
    const { log, room } = this;
    if (!room) return;
    const left = log.scrollHeight - log.scrollTop - log.clientHeight;
    this.stick = this.high === null && left < AT_END;
    if (this.stick) this.unseen = 0;
    if (log.scrollTop < NEAR) this.needOlder();
    else if (left < NEAR && this.high !== null) this.needNewer();
    this.noteRead();
    this.jumpLabel();
  }

  needOlder() {
    const { room } = this;
    if (!room?.loaded) return;
    if (this.start > 0) {
      if (this.stick) return;
      const start = Math.max(0, this.start - STEP);
      this.low = room.messages[start].seq;
      if (this.end - start > MOST) this.high = room.messages[start + MOST - 1].seq;
      this.schedule();
    } else if (room.more && !room.loading) {
      this.low = TOP;
      this.ask.older(room);
    }
  }

  needNewer() {
    const { messages } = this.room;
    const end = Math.min(messages.length, this.end + STEP);
    this.high = end === messages.length ? null : messages[end - 1].seq;
    if (end - this.start > MOST) this.low = messages[end - MOST].seq;
    this.schedule();
  }

  /** A message that came while this room is open. @param {any} message */
  arrived(message) {
    if (message.from.id === state.me?.id) return;
    if (!this.stick) this.unseen += 1;
  }

  jumpLabel() {
    const { jump, unseen, stick } = this;
    jump.hidden = stick;
    const text = unseen ? `${unseen} 条新消息` : "回到最新";
    const label = /** @type {HTMLElement} */ (jump.querySelector("span:last-child"));
    if (label.textContent !== text) label.textContent = text;
  }

  /** What is on the screen of a visible tab counts as read. */
  noteRead() {
    const { room } = this;
    if (!room?.loaded || document.hidden || !this.stick || !this.log.offsetParent) return;
    const first = room.seq === 0 && !room.met;
    room.met = true;
    // the bot greets whoever opens the private chat for the first time, and learns of it by this mark
    if (markRead(room) || first) this.ask.read(room);
  }

  /** Leads to a quoted message. @param {string} id */
  show(id) {
    const { room } = this;
    const message = room?.byId.get(id);
    if (!room || !message) {
      emit("notice", "那条消息比较早，请往上翻一翻。");
      return;
    }
    const at = room.messages.indexOf(message);
    if (at < this.start || at >= this.end) {
      const start = Math.max(0, at - STEP);
      const end = Math.min(room.messages.length, start + FIRST);
      this.low = room.messages[start].seq;
      this.high = end === room.messages.length ? null : room.messages[end - 1].seq;
      this.stick = false;
      this.sync();
    }
    const { row } = this.rows.get(keyOf(message));
    this.stick = false;
    row.scrollIntoView({ block: "center" });
    row.focus({ preventScroll: true });
    row.classList.remove("flash");
    requestAnimationFrame(() => row.classList.add("flash"));
  }

  /** One tab stop for the whole list; its buttons are reachable while their row has it. */
  tabStop() {
    const rows = /** @type {HTMLElement[]} */ ([...this.log.children]);
    if (!this.current?.isConnected) this.current = rows.at(-1) ?? null;
    if (!this.log.contains(document.activeElement)) this.current = rows.at(-1) ?? null;
    for (const row of rows) {
      const stop = row === this.current ? 0 : -1;
      if (row.tabIndex !== stop) row.tabIndex = stop;
      for (const control of row.querySelectorAll("button:not(.choice, .retry)")) {
        /** @type {HTMLElement} */ (control).tabIndex = stop;
      }
    }
  }

  /** @param {FocusEvent} event */
  focused(event) {
    const row = /** @type {HTMLElement} */ (event.target).closest(".row");
    if (!row || row === this.current) return;
    this.current = row;
    this.tabStop();
  }

  /** @param {KeyboardEvent} event */
  keyed(event) {
    const row = /** @type {HTMLElement|null} */ (/** @type {HTMLElement} */ (event.target).closest(".row"));
    if (!row) return;
    const next = { ArrowUp: row.previousElementSibling, ArrowDown: row.nextElementSibling }[event.key];
    if (next) {
      event.preventDefault();
      /** @type {HTMLElement} */ (next).focus();
      next.scrollIntoView({ block: "nearest" });
    } else if (event.target === row && (MENU_KEYS.includes(event.key) || (event.shiftKey && event.key === "F10"))) {
      event.preventDefault();
      this.menuOf(row);
    }
  }

  /** @param {HTMLElement} row @param {{x: number, y: number}} [point] */
  menuOf(row, point) {
    const { message, entry } = this.rows.get(row.dataset.key ?? "");
    if (entry?.failed) this.actions.failed(entry);
    if (entry || message.recalled) return;
    const box = row.querySelector(".bubble")?.getBoundingClientRect() ?? row.getBoundingClientRect();
    const at = point ? { left: point.x, right: point.x, top: point.y, bottom: point.y } : box;
    this.actions.menu(message, row, at);
  }

  /** Right click and, where a browser sends none for touch, a long press open the menu of a bubble. */
  watchPress() {
    let timer = 0;
    const cancel = () => clearTimeout(timer);
    const rowAt = (event) => event.target.closest(".bubble")?.closest(".row");
    this.log.addEventListener("contextmenu", (event) => {
      const row = rowAt(event);
      // selected text keeps the browser's own menu, to copy a part of it
      if (!row || !getSelection()?.isCollapsed) return;
      event.preventDefault();
      cancel();
      this.menuOf(row, { x: event.clientX, y: event.clientY });
    });
    this.log.addEventListener(
      "touchstart",
      (event) => {
        cancel();
        const row = rowAt(event);
        if (!row || event.touches.length > 1) return;
        const { clientX: x, clientY: y } = event.touches[0];
        timer = setTimeout(() => this.menuOf(row, { x, y }), LONG_PRESS);
      },
      { passive: true },
    );
    for (const end of ["touchend", "touchmove", "touchcancel", "scroll"]) this.log.addEventListener(end, cancel, { passive: true });
  }
}
