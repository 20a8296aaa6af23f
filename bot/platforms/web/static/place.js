/** The place where one is, found by the browser when asked and shown before it is sent. */

import { byId } from "./dom.js";
import { emit } from "./state.js";

const PATIENCE = 15_000;
/** a place found within this time is still the place */
const FRESH = 30_000;
const SAY_IT = "请打字说在哪里，比如“3号楼2单元门口”。";

/** @typedef {{latitude: number, longitude: number}} Place */

export class PlaceFinder {
  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
    /** @type {Place|null} */
    this.found = null;
    this.finding = false;
    /** grows with every change, so that an answer that comes too late is known as such */
    this.turn = 0;
    byId("place-button").addEventListener("click", () => this.find());
    byId("cancel-pin").addEventListener("click", () => {
      this.put(null);
      byId("text").focus();
    });
  }

  find() {
    if (this.finding) return;
    if (!navigator.geolocation || !isSecureContext) {
      emit("notice", `这个页面取不到位置，${SAY_IT}`);
      return;
    }
    this.put(null);
    const { turn } = this;
    this.finding = true;
    this.draw();
    navigator.geolocation.getCurrentPosition(
      ({ coords: { latitude, longitude } }) => turn === this.turn && this.put({ latitude, longitude }),
      (problem) => {
        if (turn !== this.turn) return;
        this.put(null);
        const denied = problem.code === problem.PERMISSION_DENIED;
        emit("notice", `${denied ? "没有得到取位置的允许" : "没有找到您的位置"}，${SAY_IT}`);
      },
      { enableHighAccuracy: true, timeout: PATIENCE, maximumAge: FRESH },
    );
  }

  /** Shows this place as what will be sent. @param {Place|null} place */
  put(place) {
    this.turn += 1;
    this.finding = false;
    this.found = place;
    this.draw();
  }

  draw() {
    byId("pin").hidden = !this.found && !this.finding;
    byId("pin-text").textContent = this.finding ? "正在找您的位置…" : "您现在的位置会一起发出，这里的人都看得到。";
    this.changed();
  }
}
