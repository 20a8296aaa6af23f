/**
 * What this person wrote and the server has not yet confirmed. It survives a reload and goes out again with the same
 * client id, so that nothing is lost and nothing appears twice.
 */

import { dropChoices, emit, on, putOwn, state } from "./state.js";

/**
 * @typedef {{kind: "say"|"tap", cid: string, room: string, at: string, failed: string|null, frame: any,
 *   reply: {id: string, name: string, text: string}|null, photos: {id: string, width: number, height: number}[]}} Entry
 */

/** how long to wait, and up to twice that, when the server asks us to slow down */
const SLOW_DOWN = 1_000;

/** @type {Entry[]} */
let entries = [];
/** @type {(frame: any) => void} */
let transmit = () => {};

const key = () => `qianshao.outbox.${state.me?.id}`;

function keep() {
  try {
    sessionStorage.setItem(key(), JSON.stringify(entries));
  } catch {
    // a full or forbidden store costs the copy for a reload only; the message itself is still on its way
  }
}

/** @param {Entry[]} next @param {string} room */
function replace(next, room) {
  entries = next;
  keep();
  emit("thread", room);
}

export function clientId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  // plain http on a host other than localhost has no randomUUID
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** @param {(frame: any) => void} send called for each frame; does nothing while there is no connection */
export function startOutbox(send) {
  transmit = send;
  let owner = null;
  on("welcome", () => {
    if (owner !== state.me.id) {
      owner = state.me.id;
      entries = JSON.parse(sessionStorage.getItem(key()) ?? "[]");
    }
    for (const entry of entries) {
      if (!entry.failed) transmit(entry.frame);
      emit("thread", entry.room);
    }
  });
  on("ack", ({ cid, id, seq, at }) => {
    const entry = entries.find((e) => e.cid === cid);
    if (!entry) return;
    entries = entries.filter((e) => e !== entry);
    keep();
    if (entry.kind === "say") {
      const { room, reply, photos, frame } = entry;
      const { text, mentions, location } = frame;
      const said = { text, mentions, photos, location, reply, choices: [], recalled: false };
      putOwn({ id, seq, room, from: state.me, at, cid, ...said });
    }
    emit("thread", entry.room);
  });
  on("taken", ({ message, room }) => {
    replace(entries.filter((e) => !(e.kind === "tap" && e.frame.message === message)), room);
  });
  on("refused", ({ cid, code, text }) => {
    const entry = entries.find((e) => e.cid === cid);
    if (!entry) {
      emit("notice", text);
    } else if (code === "slow_down") {
      setTimeout(() => entries.includes(entry) && transmit(entry.frame), SLOW_DOWN + Math.random() * SLOW_DOWN);
    } else if (entry.kind === "tap") {
      emit("notice", text);
      if (code === "gone") dropChoices(entry.room, entry.frame.message);
      replace(entries.filter((e) => e !== entry), entry.room);
    } else {
      replace(entries.map((e) => (e === entry ? { ...e, failed: text } : e)), entry.room);
    }
  });
}

/** @param {Entry} entry */
function add(entry) {
  replace([...entries, entry], entry.room);
  transmit(entry.frame);
}

/**
 * @param {string} room
 * @param {{text: string, photos: {id: string, width: number, height: number}[],
 *   location: {latitude: number, longitude: number}|null,
 *   reply: {id: string, name: string, text: string}|null, mentions: string[]}} said
 */
export function say(room, { text, photos, location, reply, mentions }) {
  const cid = clientId();
  const ids = photos.map((p) => p.id);
  const frame = { t: "say", cid, room, text, photos: ids, location, reply_to: reply?.id ?? null, mentions };
  add({ kind: "say", cid, room, at: new Date().toISOString(), failed: null, frame, reply, photos });
}

/** @param {string} room @param {string} message @param {string} value */
export function tap(room, message, value) {
  const cid = clientId();
  const frame = { t: "tap", cid, room, message, value };
  add({ kind: "tap", cid, room, at: new Date().toISOString(), failed: null, frame, reply: null, photos: [] });
}

/** @param {string} cid */
export function retry(cid) {
  const entry = entries.find((e) => e.cid === cid);
  if (!entry) return;
  replace(entries.map((e) => (e === entry ? { ...e, failed: null } : e)), entry.room);
  transmit(entry.frame);
}

/** Gives up on a refused message. @param {string} cid @returns {string} its text, for the composer */
export function discard(cid) {
  const entry = entries.find((e) => e.cid === cid);
  if (!entry) return "";
  replace(entries.filter((e) => e !== entry), entry.room);
  return entry.frame.text;
}

/** @param {string} room @returns {Entry[]} own messages that the server has not confirmed; some may already have come back */
export function pendingIn(room) {
  return entries.filter((e) => e.kind === "say" && e.room === room);
}

/** Whether a button under this message was pressed and the answer is still on its way. @param {string} message */
export function tapped(message) {
  return entries.some((e) => e.kind === "tap" && e.frame.message === message);
}
