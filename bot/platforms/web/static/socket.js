/**
 * The one WebSocket: says hello, notices a dead line, comes back by itself.
 *
 * States, told as "connection": `connecting` (first time), `online`, `lost` (coming back), `offline` (no network
 * for a while), `closed` (signed out; does not come back).
 */

import { tabToken } from "./api.js";
import { apply, emit, since } from "./state.js";

const PING_EVERY = 20_000;
const ANSWER_WITHIN = 10_000;
const WAIT_LEAST = 500;
const WAIT_MOST = 15_000;
/** after so many vain attempts we say that the network is down, not that we are just reconnecting */
const ATTEMPTS_UNTIL_OFFLINE = 3;

/** @type {WebSocket|null} */
let socket = null;
let attempts = 0;
let ready = false;
let stopped = false;
let waiting = 0;
let pinging = 0;
let deadline = 0;

/** @param {string} state */
function tell(state) {
  emit("connection", state);
}

/** Half of the wait is random, so that a restarted server does not meet everybody in the same second. */
function backOff(attempt) {
  const full = Math.min(WAIT_MOST, WAIT_LEAST * 2 ** Math.min(attempt, 10));
  return Math.max(WAIT_LEAST, full / 2 + (full / 2) * Math.random());
}

function drop() {
  clearInterval(pinging);
  clearTimeout(deadline);
  ready = false;
  if (!socket) return;
  const old = socket;
  socket = null;
  old.onmessage = old.onclose = null;
  // closing a connection that is still being made would be an error in the console
  if (old.readyState === WebSocket.CONNECTING) old.onopen = () => old.close();
  else old.close();
}

function lost() {
  drop();
  if (stopped) return;
  tell(!navigator.onLine || attempts >= ATTEMPTS_UNTIL_OFFLINE ? "offline" : "lost");
  clearTimeout(waiting);
  waiting = setTimeout(connect, backOff(attempts));
  attempts += 1;
}

/** Any frame proves that the line lives; without one in time the line is dead even if the browser has not noticed. */
function ping() {
  if (!ready) return;
  send({ t: "ping" });
  clearTimeout(deadline);
  deadline = setTimeout(lost, ANSWER_WITHIN);
}

/** @param {any} frame */
function heard(frame) {
  clearTimeout(deadline);
  if (frame.t === "bye") {
    if (frame.code === "signed_out") {
      stopped = true;
      drop();
      tell("closed");
      emit("signed-out", frame.text);
    } else if (frame.code !== "restart" && frame.code !== "slow") {
      emit("notice", frame.text);
    }
    return;
  }
  if (frame.t === "welcome") {
    ready = true;
    attempts = 0;
    pinging = setInterval(ping, PING_EVERY);
    tell("online");
  }
  apply(frame);
}

function connect() {
  drop();
  clearTimeout(waiting);
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const fresh = new WebSocket(`${scheme}://${location.host}/ws`);
  socket = fresh;
  deadline = setTimeout(lost, ANSWER_WITHIN);
  fresh.onopen = () => fresh.send(JSON.stringify({ t: "hello", token: tabToken(), since: since() }));
  fresh.onmessage = (event) => heard(JSON.parse(event.data));
  fresh.onclose = lost;
}

/** Does nothing while there is no connection: what must not be lost waits in the outbox. @param {any} frame */
export function send(frame) {
  if (ready && socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
}

export function start() {
  tell("connecting");
  connect();
  addEventListener("online", () => !ready && !stopped && connect());
  addEventListener("offline", () => !stopped && tell("offline"));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || stopped) return;
    // a phone wakes up with timers that slept: find out at once
    if (ready) ping();
    else connect();
  });
}

/** For signing out and changing the person: no more attempts. */
export function stop() {
  stopped = true;
  clearTimeout(waiting);
  drop();
}
