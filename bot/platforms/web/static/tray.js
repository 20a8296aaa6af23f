/** The photos waiting in the composer: preview, upload with progress, retry, removal. */

import { uploadPhoto } from "./api.js";
import { el, icon } from "./dom.js";
import { clientId } from "./outbox.js";
import { rememberOwn } from "./photos.js";
import { emit } from "./state.js";

const MOST_PHOTOS = 9;
const MOST_BYTES = 15_000_000;
/** the server takes few at once from one person; more would only wait there */
const AT_ONCE = 2;

/**
 * @typedef {{cid: string, file: File, url: string, share: number, failed: string|null, abort: AbortController,
 *   begun: boolean, done: {id: string, width: number, height: number}|null}} Item
 */

export class Tray {
  /** @param {HTMLElement} list @param {() => void} changed */
  constructor(list, changed) {
    this.list = list;
    this.changed = changed;
    /** @type {Item[]} */
    this.items = [];
  }

  get uploading() {
    return this.items.some((item) => !item.done && !item.failed);
  }

  get failed() {
    return this.items.some((item) => item.failed);
  }

  /** Another room has other photos. @param {Item[]} items */
  swap(items) {
    this.items = items;
    this.draw();
  }

  /** @param {Iterable<File>} files */
  add(files) {
    for (const file of files) {
      if (this.items.length >= MOST_PHOTOS) {
        emit("notice", `一次最多发 ${MOST_PHOTOS} 张照片，多出来的没有加上。`);
        break;
      }
      if (file.type && !file.type.startsWith("image/")) {
        emit("notice", `“${file.name}”不是照片，没有加上。`);
        continue;
      }
      if (file.size > MOST_BYTES) {
        emit("notice", `“${file.name}”超过 15 MB，请换一张小一些的照片。`);
        continue;
      }
      const url = URL.createObjectURL(file);
      const abort = new AbortController();
      this.items.push({ cid: clientId(), file, url, share: 0, failed: null, begun: false, done: null, abort });
    }
    this.next();
    this.draw();
  }

  /** Begins the next upload when there is room for one. */
  next() {
    const waiting = this.items.find((item) => !item.begun);
    if (!waiting || this.items.filter((item) => item.begun && !item.done && !item.failed).length >= AT_ONCE) return;
    this.upload(waiting);
    this.next();
  }

  /** @param {Item} item */
  async upload(item) {
    item.begun = true;
    item.failed = null;
    item.share = 0;
    const progress = (share) => {
      item.share = share;
      this.showProgress(item);
    };
    try {
      const { photo, width, height } = await uploadPhoto(item.file, item.cid, progress, item.abort.signal);
      item.done = { id: photo, width, height };
      rememberOwn(photo, item.file);
    } catch (error) {
      item.failed = /** @type {Error} */ (error).message;
      emit("notice", item.failed);
    }
    this.next();
    this.draw();
  }

  /** @param {Item} item */
  remove(item) {
    item.abort.abort();
    URL.revokeObjectURL(item.url);
    this.items.splice(this.items.indexOf(item), 1);
    this.next();
    this.draw();
  }

  /** The finished photos; the tray is empty afterwards. */
  takeAll() {
    const photos = this.items.map((item) => item.done).filter(Boolean);
    for (const item of this.items) URL.revokeObjectURL(item.url);
    this.items.length = 0;
    this.draw();
    return photos;
  }

  draw() {
    const focused = [...this.list.children].findIndex((row) => row.contains(document.activeElement));
    this.list.replaceChildren(...this.items.map((item, index) => this.row(item, index)));
    this.list.hidden = this.items.length === 0;
    const near = this.list.children[Math.min(focused, this.items.length - 1)];
    if (near) /** @type {HTMLElement} */ (near.querySelector("button")).focus();
    this.changed();
  }

  /** @param {Item} item @param {number} index */
  row(item, index) {
    const image = el("img", { src: item.url, alt: `第 ${index + 1} 张照片` });
    // a browser that cannot show the format (HEIC, say) may still send it
    image.addEventListener("error", () => row.classList.add("no-preview"));
    const which = `第 ${index + 1} 张照片`;
    const retry = () => {
      this.upload(item);
      this.draw();
    };
    const state = item.failed
      ? el(
          "button",
          { type: "button", class: "tray-retry", "aria-label": `${which}没有传上去：${item.failed} 重试`, onclick: retry },
          icon("retry"),
        )
      : !item.done && el("progress", { max: "1", value: String(item.share), "aria-label": `${which}正在上传` });
    const remove = el(
      "button",
      { type: "button", class: "tray-remove", "aria-label": `删除${which}`, onclick: () => this.remove(item) },
      icon("close"),
    );
    const kind = item.failed ? " failed" : item.done ? " done" : "";
    const row = el("li", { class: `tray-item${kind}` }, image, state, remove);
    return row;
  }

  /** @param {Item} item */
  showProgress(item) {
    const row = this.list.children[this.items.indexOf(item)];
    const bar = /** @type {HTMLProgressElement|null} */ (row?.querySelector("progress") ?? null);
    if (bar) bar.value = item.share;
  }
}
