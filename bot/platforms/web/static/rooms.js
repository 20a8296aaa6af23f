/** The list of groups at the left: filter, unread counts, last message. */

import { arrowKeys, byId, el, soon } from "./dom.js";
import { initial, scatter, shortTime, tint } from "./format.js";
import { avatar, preview } from "./message.js";
import { on, state } from "./state.js";

/** The private chat with the bot stays on top; groups follow by their last message. */
export function ordered() {
  const when = (room) => (room.last ? Date.parse(room.last.at) : 0);
  return [...state.rooms.values()].sort(
    (a, b) => Number(b.kind === "private") - Number(a.kind === "private") || when(b) - when(a) || a.name.localeCompare(b.name, "zh"),
  );
}

function totalUnread() {
  let sum = 0;
  for (const room of state.rooms.values()) sum += room.unread;
  return sum;
}

/**
 * A group shows four of its members, not the same in every group, so that two groups of one street are told apart.
 * @param {any} room
 */
function roomPicture(room) {
  const bot = room.members.find((user) => user.role === "bot");
  if (room.kind === "private" && bot) return avatar(bot);
  const few = room.members
    .filter((user) => user.role !== "bot")
    .sort((a, b) => scatter(room.id + a.id) - scatter(room.id + b.id))
    .slice(0, 4);
  const tiles = few.map((user) => el("span", { class: `tint-${tint(user.id)}`, text: initial(user.name) }));
  return el("span", { class: "avatar mosaic", "aria-hidden": "true" }, ...tiles);
}

/** @param {string[]} labels */
function chips(labels) {
  return labels.length ? el("span", { class: "chips" }, ...labels.map((label) => el("span", { class: "chip", text: label }))) : null;
}

/** @param {number} count */
const unreadText = (count) => (count > 99 ? "99+" : String(count));

/** What stands inside a room's button. @param {any} room */
function content(room) {
  return [
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
      chips(room.labels),
    ),
  ];
}

/** @param {(id: string) => void} open */
export function startRooms(open) {
  const list = byId("rooms");
  const search = byId("search");
  const none = byId("no-rooms");
  /** Buttons are kept and only filled anew, so that a click is not lost when a message comes. @type {Map<string, HTMLElement>} */
  const buttons = new Map();

  /** @param {string} id */
  function buttonOf(id) {
    let button = buttons.get(id);
    if (!button) {
      button = el("button", { type: "button", class: "room", dataset: { room: id }, onclick: () => open(id) });
      buttons.set(id, button);
      el("li", {}, button);
    }
    return button;
  }

  const shown = () => /** @type {HTMLElement[]} */ ([...list.querySelectorAll(".room")]);

  function draw() {
    const focused = /** @type {HTMLElement|null} */ (list.contains(document.activeElement) ? document.activeElement : null);
    const wanted = search.value.trim().toLowerCase();
    const fits = (room) => !wanted || [room.name, ...room.labels].some((word) => word.toLowerCase().includes(wanted));
    const rooms = ordered().filter(fits);
    rooms.forEach((room, index) => {
      const button = buttonOf(room.id);
      button.replaceChildren(...content(room));
      if (room.id === state.open) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      const item = /** @type {HTMLElement} */ (button.parentElement);
      if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
    });
    while (list.children.length > rooms.length) list.lastElementChild?.remove();
    none.hidden = rooms.length > 0;
    none.textContent = wanted ? "没有找到这个群。" : "您还没有加入任何群。";
    if (focused?.isConnected && focused !== document.activeElement) focused.focus({ preventScroll: true });
    const all = shown();
    const here = all.find((button) => button === document.activeElement);
    const stop = here ?? all.find((button) => button.dataset.room === state.open) ?? all[0];
    for (const button of all) button.tabIndex = button === stop ? 0 : -1;
    const unread = totalUnread();
    document.title = `${unread ? `(${unreadText(unread)}) ` : ""}前哨 · 邻里群聊`;
  }

  on("rooms", soon(draw));
  search.addEventListener("input", draw);
  search.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    shown()[0]?.focus();
  });
  list.addEventListener("keydown", (event) => arrowKeys(event, shown()));
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

