/** Where one writes: text that grows, photos, a quoted message, drafts per room. */

import { Completion, mentionsIn } from "./completion.js";
import { byId } from "./dom.js";
import { gist, lengthOf } from "./format.js";
import { say } from "./outbox.js";
import { PlaceFinder } from "./place.js";
import { on } from "./state.js";
import { Tray } from "./tray.js";

const MOST_TEXT = 5000;
const WARN_TEXT = 4500;
const touch = matchMedia("(pointer: coarse)");

export class Composer {
  /** @param {() => void} sent the own message should be in view */
  constructor(sent) {
    this.sent = sent;
    this.form = byId("composer");
    this.field = byId("text");
    this.button = byId("send");
    this.note = byId("composer-note");
    this.file = byId("file");
    /** @type {Map<string, {text: string, reply: any, photos: any[], place: any}>} */
    this.drafts = new Map();
    this.room = null;
    this.reply = null;
    this.tray = new Tray(byId("tray"), () => this.refresh());
    this.place = new PlaceFinder(() => this.refresh());
    this.completion = new Completion(this.field, byId("completion"), () => this.room, () => this.refresh());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    this.field.addEventListener("input", () => this.refresh());
    this.field.addEventListener("keydown", (event) => this.keyed(event));
    byId("cancel-reply").addEventListener("click", () => {
      this.quote(null);
      this.field.focus();
    });
    byId("photo-button").addEventListener("click", () => this.file.click());
    byId("at-button").addEventListener("click", () => this.typeAt());
    this.file.addEventListener("change", () => {
      this.tray.add(this.file.files);
      this.file.value = "";
      this.field.focus();
    });
    this.takeImages();
    on("recalled", (id) => this.reply?.id === id && this.quote(null));
  }

  /** Pasted and dropped pictures are photos to send. */
  takeImages() {
    this.field.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (!files.length) return;
      event.preventDefault();
      this.tray.add(files);
    });
    const zone = byId("chat");
    const carriesFiles = (event) => !this.form.hidden && event.dataTransfer?.types.includes("Files");
    zone.addEventListener("dragover", (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      zone.classList.add("dropping");
    });
    zone.addEventListener("dragleave", (event) => {
      if (!zone.contains(event.relatedTarget)) zone.classList.remove("dropping");
    });
    zone.addEventListener("drop", (event) => {
      zone.classList.remove("dropping");
      if (!carriesFiles(event)) return;
      event.preventDefault();
      this.tray.add(event.dataTransfer.files);
    });
  }

  /** Changes to another room and keeps what was begun here. @param {any} room */
  enter(room) {
    if (this.room && this.room.id !== room.id) {
      this.drafts.set(this.room.id, {
        text: this.field.value,
        reply: this.reply,
        photos: this.tray.items,
        place: this.place.found,
      });
    }
    if (this.room?.id !== room.id) {
      const draft = this.drafts.get(room.id) ?? { text: "", reply: null, photos: [], place: null };
      this.field.value = draft.text;
      this.room = room;
      this.tray.swap(draft.photos);
      this.place.put(draft.place);
      this.quote(draft.reply);
    }
    this.room = room;
    this.form.hidden = !room.can_post;
    byId("cannot-post").hidden = room.can_post;
    byId("at-button").hidden = room.kind === "private";
    this.completion.close();
    this.refresh();
  }

  /** On a phone the keyboard should only come up when one taps into the text. */
  focusIfDesk() {
    if (!touch.matches && !this.form.hidden) this.field.focus();
  }

  /** @param {string} text */
  fill(text) {
    this.field.value = text;
    this.refresh();
    this.field.focus();
    this.field.setSelectionRange(text.length, text.length);
  }

  /** @param {any} message the message to quote */
  quoteMessage(message) {
    this.quote({ id: message.id, name: message.from.name, text: gist(message) });
  }

  /** @param {{id: string, name: string, text: string}|null} reply what the next message answers */
  quote(reply) {
    this.reply = reply;
    byId("replying").hidden = !reply;
    byId("replying-text").textContent = this.reply ? `引用 ${this.reply.name}：${this.reply.text}` : "";
  }

  /** @param {any} user */
  mention(user) {
    this.field.setRangeText(`@${user.name} `, this.field.selectionStart, this.field.selectionEnd, "end");
    this.field.focus();
    this.refresh();
  }

  typeAt() {
    const { field } = this;
    const before = field.value.slice(0, field.selectionStart);
    field.setRangeText(/[A-Za-z0-9._-]$/.test(before) ? " @" : "@", field.selectionStart, field.selectionEnd, "end");
    field.focus();
    this.refresh();
    this.completion.update();
  }

  refresh() {
    const { field, tray, place } = this;
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
    const length = lengthOf(field.value);
    const tooLong = length > MOST_TEXT;
    const note = tooLong
      ? `太长了：已写 ${length} 字，最多 ${MOST_TEXT} 字，请分几条发。`
      : tray.uploading
        ? "照片上传中，传完就能发送。"
        : tray.failed
          ? "有照片没有传上去，点照片重试，或点右上角的叉删掉。"
          : length > WARN_TEXT
            ? `还可以写 ${MOST_TEXT - length} 字。`
            : "";
    if (this.note.textContent !== note) this.note.textContent = note;
    this.note.hidden = !note;
    this.note.classList.toggle("bad", tooLong || tray.failed);
    this.button.disabled = tooLong || tray.uploading || tray.failed || place.finding || !(field.value.trim() || tray.items.length || place.found);
  }

  /** @param {KeyboardEvent} event */
  keyed(event) {
    // while an input method is open Enter chooses characters
    if (event.isComposing || event.keyCode === 229) return;
    if (this.completion.keyed(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !touch.matches) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "Escape" && this.reply) {
      event.stopPropagation();
      this.quote(null);
    }
  }

  submit() {
    this.refresh();
    if (this.button.disabled || !this.room) return;
    const text = this.field.value.trim();
    const { reply, room } = this;
    this.field.value = "";
    const photos = this.tray.takeAll();
    const location = this.place.found;
    this.place.put(null);
    say(room.id, { text, photos, location, reply, mentions: mentionsIn(room, text) });
    this.quote(null);
    this.completion.close();
    this.refresh();
    this.field.focus();
    this.sent();
  }
}
