/** The list of groups at the left: filter, unread counts, last message. */

import { arrowKeys, byId, el } from "./dom.js";
import { shortTime } from "./format.js";
import { avatar, preview } from "./message.js";
import { on, state } from "./state.js";

/** The private chat with the bot stays on top; groups follow by their last message. */
function ordered() {
  const when = (room) => (room.last ? Date.parse(room.last.at) : 0);
  return [...state.rooms.values()].sort(
    (a, b) => Number(b.kind === "private") - Number(a.kind === "private") || when(b) - when(a) || a.name.localeCompare(b.name, "zh"),
  );
}

export function totalUnread() {
  let sum = 0;
  for (const room of state.rooms.values()) sum += room.unread;
  return sum;
}

/** @param {any} room */
export function roomPicture(room) {
  const bot = room.kind === "private" && room.members.find((user) => user.role === "bot");
  return bot ? avatar(bot) : avatar({ ...room, role: "group" });
}

/** @param {string[]} labels */
export function chips(labels) {
  return labels.length ? el("span", { class: "chips" }, ...labels.map((label) => el("span", { class: "chip", text: label }))) : null;
}

/** @param {number} count */
const unreadText = (count) => (count > 99 ? "99+" : String(count));

/** @param {any} room @param {(id: string) => void} open */
function item(room, open) {
  const current = room.id === state.open;
  return el(
    "li",
    {},
    el(
      "button",
      { type: "button", class: "room", dataset: { room: room.id }, "aria-current": current ? "true" : null, tabindex: "-1", onclick: () => open(room.id) },
      roomPicture(room),
      el(
        "span",
        { class: "room-main" },
        el(
          "span",
          { class: "room-top" },
          el("span", { class: "room-name", text: room.name }),
          room.last && el("span", { class: "room-time", text: shortTime(room.last.at) }),
        ),
        chips(room.labels),
        el(
          "span",
          { class: "room-bottom" },
          el("span", { class: "room-last", text: preview(room) }),
          room.unread > 0 &&
            el(
              "span",
              { class: "unread" },
              el("span", { "aria-hidden": "true", text: unreadText(room.unread) }),
              el("span", { class: "vh", text: `，${room.unread} 条未读` }),
            ),
        ),
      ),
    ),
  );
}

/** @param {(id: string) => void} open */
export function startRooms(open) {
  const list = byId("rooms");
  const search = byId("search");
  const none = byId("no-rooms");
  let scheduled = false;

  const buttons = () => /** @type {HTMLElement[]} */ ([...list.querySelectorAll(".room")]);

  function draw() {
    scheduled = false;
    const focused = list.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.room : null;
    const wanted = search.value.trim().toLowerCase();
    const rooms = ordered().filter((room) => !wanted || [room.name, ...room.labels].some((word) => word.toLowerCase().includes(wanted)));
    list.replaceChildren(...rooms.map((room) => item(room, open)));
    none.hidden = rooms.length > 0;
    none.textContent = wanted ? "没有找到这个群。" : "你还没有加入任何群。";
    const all = buttons();
    const stop = all.find((b) => b.dataset.room === focused) ?? all.find((b) => b.dataset.room === state.open) ?? all[0];
    if (stop) stop.tabIndex = 0;
    if (focused) stop?.focus({ preventScroll: true });
    const unread = totalUnread();
    document.title = `${unread ? `(${unreadText(unread)}) ` : ""}前哨 · 邻里群聊`;
  }

  function schedule() {
    if (scheduled) return;
    scheduled = true;
    queueMicrotask(draw);
  }

  on("rooms", schedule);
  search.addEventListener("input", draw);
  search.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") {
      event.preventDefault();
      buttons()[0]?.focus();
    }
  });
  list.addEventListener("keydown", (event) => arrowKeys(event, buttons()));
}

/** The heading of the open room. @param {any} room @param {() => void} showMembers */
export function drawHeading(room, showMembers) {
  const people = room.members.length;
  const bot = room.members.find((user) => user.role === "bot");
  const tagged = room.kind === "private" ? `和${bot?.name ?? "机器人"}的私聊，别人看不到` : `${people} 人`;
  byId("room-heading").replaceChildren(
    el("h2", { id: "room-title", text: room.name }),
    el("div", { class: "room-sub" }, el("span", { text: tagged }), chips(room.labels)),
  );
  const button = byId("members-button");
  button.hidden = room.kind === "private";
  button.onclick = showMembers;
}

