/**
 * What this tab knows, and the one place where frames of the server change it. Views listen with `on` and read `state`.
 *
 * Messages are never changed in place: a changed message is a new object, so a view sees by identity what to draw again.
 *
 * @typedef {{id: string, name: string, role: "resident"|"officer"|"bot", title: string}} User
 * @typedef {{id: string, seq: number, room: string, from: User, at: string, text: string,
 *   photos: {id: string, width: number, height: number}[], location: {latitude: number, longitude: number}|null,
 *   reply: {id: string, name: string, text: string}|null,
 *   choices: {label: string, value: string}[], mentions: string[], recalled: boolean, cid: string|null}} Message
 * @typedef {{id: string, name: string, kind: "group"|"private", labels: string[], members: User[], last: Message|null,
 *   seq: number, read: number, unread: number, can_post: boolean, messages: Message[], byId: Map<string, Message>,
 *   cids: Set<string>, heard: number, more: boolean, loaded: boolean, loading: boolean}} Room
 */

const bus = new EventTarget();

/** @param {string} name @param {any} [detail] */
export function emit(name, detail) {
  bus.dispatchEvent(new CustomEvent(name, { detail }));
}

/** @param {string} name @param {(detail: any) => void} handler */
export function on(name, handler) {
  bus.addEventListener(name, (event) => handler(/** @type {CustomEvent} */ (event).detail));
}

export const state = {
  /** @type {any} answer of /api/session */
  session: null,
  /** @type {User|null} */
  me: null,
  /** @type {Map<string, Room>} */
  rooms: new Map(),
  /** @type {string|null} the room on the screen */
  open: null,
  /** server clock minus ours in ms, so that "within two minutes" holds on a phone whose clock is wrong */
  clockOffset: 0,
  /** own texts taken back in this tab, to offer them for editing: message id to text */
  recalledTexts: new Map(),
};

export const serverNow = () => Date.now() + state.clockOffset;

/** The last `seq` heard in each room whose history we hold. An `ack` does not count: it may overtake a neighbour's message. */
export function since() {
  const marks = {};
  for (const room of state.rooms.values()) if (room.loaded) marks[room.id] = room.heard;
  return marks;
}

/** @param {Room} room */
const touched = (room) => emit("thread", room.id);

const NO_HISTORY = () => ({ messages: [], byId: new Map(), cids: new Set(), heard: 0, more: true, loaded: false, loading: false });

/** @param {any} wire a room as the server sends it */
function putRoom(wire) {
  const room = Object.assign(state.rooms.get(wire.id) ?? NO_HISTORY(), wire);
  state.rooms.set(wire.id, room);
  return room;
}

/** @param {Room} room @param {Message} message */
function put(room, message) {
  const { messages, byId } = room;
  const known = byId.get(message.id);
  byId.set(message.id, message);
  if (message.cid) room.cids.add(message.cid);
  if (known) {
    messages[messages.indexOf(known)] = message;
    return;
  }
  let at = messages.length;
  while (at > 0 && messages[at - 1].seq > message.seq) at -= 1;
  messages.splice(at, 0, message);
}

/** @param {Room} room @param {string} id @param {Partial<Message>} change */
function change(room, id, change) {
  const known = room.byId.get(id);
  if (known) put(room, { ...known, ...change });
  if (room.last?.id === id) room.last = { ...room.last, ...change };
}

/** @param {Room} room @param {Message} message */
function noteLast(room, message) {
  room.seq = Math.max(room.seq, message.seq);
  if (!room.last || message.seq >= room.last.seq) room.last = message;
}

/** @param {Room} room */
function countUnread(room) {
  if (room.read >= room.seq) room.unread = 0;
  else if (room.loaded) room.unread = room.messages.filter((m) => m.seq > room.read && m.from.id !== state.me?.id).length;
}

const frames = {
  welcome(frame) {
    state.me = frame.me;
    const present = new Set(frame.rooms.map((room) => room.id));
    for (const id of [...state.rooms.keys()]) if (!present.has(id)) state.rooms.delete(id);
    for (const wire of frame.rooms) {
      const room = putRoom(wire);
      // a first page that never came: what happened to arrive meanwhile may have holes
      if (!room.loaded) Object.assign(room, NO_HISTORY());
      room.loading = false;
    }
    emit("welcome");
    emit("rooms");
  },

  room(frame) {
    touched(putRoom(frame.room));
    emit("room", frame.room.id);
    emit("rooms");
  },

  message(frame) {
    const room = state.rooms.get(frame.room);
    if (!room) return;
    const { message } = frame;
    // what was missed while away is already in the count that came with `welcome`
    const fresh = message.seq > room.seq;
    noteLast(room, message);
    if (room.loaded || room.loading) {
      put(room, message);
      room.heard = Math.max(room.heard, message.seq);
    }
    const mine = message.from.id === state.me?.id;
    if (fresh && !mine) room.unread += 1;
    emit("arrived", { room: room.id, message });
    touched(room);
    emit("rooms");
  },

  messages(frame) {
    const room = state.rooms.get(frame.room);
    if (!room) return;
    const page = frame.messages;
    const first = room.messages[0]?.seq ?? Infinity;
    for (const message of page) {
      put(room, message);
      noteLast(room, message);
    }
    if (!room.loaded || (page[0]?.seq ?? 0) <= first) room.more = frame.more;
    // later pages lie before what was heard, or repeat it; what was missed comes as `message`
    if (!room.loaded) room.heard = Math.max(room.heard, room.seq);
    room.loaded = true;
    room.loading = false;
    touched(room);
    emit("rooms");
  },

  recalled(frame) {
    const room = state.rooms.get(frame.room);
    if (!room) return;
    const known = room.byId.get(frame.message);
    if (known && known.from.id === state.me?.id && known.text) state.recalledTexts.set(known.id, known.text);
    room.seq = Math.max(room.seq, frame.seq);
    if (room.loaded || room.loading) room.heard = Math.max(room.heard, frame.seq);
    change(room, frame.message, { recalled: true, text: "", photos: [], location: null, choices: [], reply: null, by: frame.by });
    // what quotes it must not go on showing its words
    for (const { id, reply } of room.messages.filter((message) => message.reply?.id === frame.message))
      change(room, id, { reply: { ...reply, text: "原消息已撤回" } });
    emit("recalled", frame.message);
    touched(room);
    emit("rooms");
  },

  changed(frame) {
    const room = state.rooms.get(frame.room);
    if (!room) return;
    room.seq = Math.max(room.seq, frame.seq);
    if (room.loaded || room.loading) room.heard = Math.max(room.heard, frame.seq);
    change(room, frame.message, { text: frame.text, choices: frame.choices });
    touched(room);
    emit("rooms");
  },

  read(frame) {
    const room = state.rooms.get(frame.room);
    if (!room) return;
    room.read = Math.max(room.read, frame.seq);
    countUnread(room);
    emit("rooms");
  },

  taken(frame) {
    const room = state.rooms.get(frame.room);
    if (!room) return;
    dropChoices(frame.room, frame.message);
    emit("taken", frame);
  },

  ack(frame) {
    state.clockOffset = new Date(frame.at).getTime() - Date.now();
    emit("ack", frame);
  },

  refused(frame) {
    emit("refused", frame);
  },
};

/** @param {any} frame one frame of the server; kinds we do not know are left for newer pages */
export function apply(frame) {
  if (Object.hasOwn(frames, frame.t)) frames[frame.t](frame);
}

/** The buttons of a message go away. @param {string} room @param {string} message */
export function dropChoices(room, message) {
  const place = state.rooms.get(room);
  if (!place) return;
  change(place, message, { choices: [] });
  touched(place);
}

/** Our own message, stored by the server before its copy came back. @param {Message} message */
export function putOwn(message) {
  const room = state.rooms.get(message.room);
  if (!room) return;
  if (room.loaded && !room.byId.has(message.id)) put(room, message);
  noteLast(room, message);
  touched(room);
  emit("rooms");
}

/** Everything in the open room up to now was on the screen. @param {Room} room @returns {boolean} whether that was news */
export function markRead(room) {
  if (room.read >= room.seq && room.unread === 0) return false;
  room.read = room.seq;
  room.unread = 0;
  emit("rooms");
  return true;
}

/** @param {Room} room the bot first, then officers, then neighbours; never oneself */
export function mentionable(room) {
  const rank = { bot: 0, officer: 1, resident: 2 };
  return room.members
    .filter((user) => user.id !== state.me?.id)
    .sort((a, b) => rank[a.role] - rank[b.role] || a.name.localeCompare(b.name, "zh"));
}
