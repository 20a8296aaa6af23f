/** The photos waiting in the composer: preview, upload with progress, retry, removal. */

import { Refusal, uploadPhoto } from "./api.js";
import { el, icon } from "./dom.js";
import { clientId } from "./outbox.js";
import { rememberOwn } from "./photos.js";
import { emit } from "./state.js";

const MOST_PHOTOS = 9;
const MOST_BYTES = 15_000_000;
/** what the server says of pictures that this browser may be able to draw smaller, or in another kind */
const SHRINKABLE = new Set(["too_large", "too_many_pixels", "heic"]);
const LONGEST_SIDE = 2048;
/** the server takes few at once from one person; more would only wait there */
const AT_ONCE = 2;

/**
 * @typedef {{cid: string, file: File|Blob, shrunk: boolean, url: string, share: number, failed: string|null, abort: AbortController,
 *   begun: boolean, done: {id: string, width: number, height: number}|null}} Item
 */

/** The picture upright as JPEG, at most 2,048 pixels long, as the server keeps it. Rejects when the browser cannot read it. @param {Blob} file */
async function drawnSmaller(file) {
  const { naturalWidth, naturalHeight } = await measured(file);
  const share = Math.min(1, LONGEST_SIDE / Math.max(naturalWidth, naturalHeight));
  const [width, height] = [Math.round(naturalWidth * share), Math.round(naturalHeight * share)];
  const bitmap = await createImageBitmap(file, { resizeWidth: width, resizeHeight: height, resizeQuality: "high" });
  const canvas = el("canvas", { width: String(width), height: String(height) });
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  bitmap.close();
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
}

/** @param {Blob} file @returns {Promise<HTMLImageElement>} with its size read */
function measured(file) {
  const url = URL.createObjectURL(file);
  const image = new Image();
  image.src = url;
  return image.decode().then(() => image).finally(() => URL.revokeObjectURL(url));
}

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
      const url = URL.createObjectURL(file);
      const abort = new AbortController();
      this.items.push({ cid: clientId(), file, shrunk: false, url, share: 0, failed: null, begun: false, done: null, abort });
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
      if (item.file.size > MOST_BYTES) await this.shrink(item);
      const { photo, width, height } = await this.offer(item, progress);
      item.done = { id: photo, width, height };
      rememberOwn(photo, item.file);
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      emit("notice", message);
      if (error instanceof Refusal && error.final) {
        this.remove(item);
        return;
      }
      item.failed = message;
    }
    this.next();
    this.draw();
  }

  /** A picture that is too large for the server, or of a kind that it cannot read, is drawn smaller here and tried again.
   * @param {Item} item @param {(share: number) => void} progress */
  async offer(item, progress) {
    try {
      return await uploadPhoto(item.file, item.cid, progress, item.abort.signal);
    } catch (error) {
      if (!(error instanceof Refusal && SHRINKABLE.has(error.code)) || item.shrunk) throw error;
      await this.shrink(item, error);
      return uploadPhoto(item.file, item.cid, progress, item.abort.signal);
    }
  }

  /** @param {Item} item @param {Error} [why] what to say when this browser cannot read the picture either */
  async shrink(item, why = new Refusal("too_large", `“${item.file.name}”太大了，请换一张小于 15 MB 的照片。`, true)) {
    const blob = await drawnSmaller(item.file).catch(() => null);
    if (!blob || blob.size > MOST_BYTES) throw why;
    item.shrunk = true;
    item.file = blob;
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
