/**
 * The list that opens over the composer after `@` (people of the room, the bot first) or after a slash at the very start
 * (commands). Focus stays in the text, the list is followed through aria-activedescendant.
 */

import { COMMANDS } from "./commands.js";
import { el } from "./dom.js";
import { avatar, badgeOf } from "./message.js";
import { mentionable, state } from "./state.js";

const MOST = 50;

/** What is being completed before the caret. @param {HTMLTextAreaElement} field */
function openWord(field) {
  if (field.selectionStart !== field.selectionEnd) return null;
  const before = field.value.slice(0, field.selectionStart);
  const slash = /^[/／]([^\s]*)$/.exec(before);
  if (slash) return { kind: "command", query: slash[1], start: 0 };
  // not inside an address such as a@b
  const at = /(?:^|[^A-Za-z0-9._-])[@＠]([^\s@＠]{0,20})$/.exec(before);
  if (at) return { kind: "person", query: at[1], start: before.length - at[1].length - 1 };
  return null;
}

export class Completion {
  /**
   * @param {HTMLTextAreaElement} field
   * @param {HTMLElement} list
   * @param {() => any} room the open room
   * @param {() => void} changed the text was completed
   */
  constructor(field, list, room, changed) {
    this.field = field;
    this.list = list;
    this.room = room;
    this.changed = changed;
    /** @type {{insert: string, user?: any}[]} */
    this.options = [];
    this.at = 0;
    this.dismissed = "";
    field.addEventListener("input", () => this.update());
    field.addEventListener("click", () => this.update());
    field.addEventListener("blur", () => this.close());
    // keeps the focus, and with it the keyboard of a phone, in the text
    list.addEventListener("pointerdown", (event) => event.preventDefault());
  }

  get isOpen() {
    return !this.list.hidden;
  }

  update() {
    const word = openWord(this.field);
    const room = this.room();
    if (!word || !room || (word.kind === "person" && room.kind === "private")) {
      this.dismissed = "";
      this.close();
      return;
    }
    if (this.dismissed === word.kind) return;
    const found = word.kind === "person" ? this.people(room, word.query) : this.commands(word.query);
    this.word = word;
    this.options = found;
    this.at = 0;
    if (!found.length) {
      this.close();
      return;
    }
    this.list.setAttribute("aria-label", word.kind === "person" ? "提到谁" : "命令");
    this.list.replaceChildren(...found.map((option, index) => this.draw(option, index)));
    this.list.hidden = false;
    this.mark();
  }

  /** @param {any} room @param {string} query */
  people(room, query) {
    const wanted = query.toLowerCase();
    return mentionable(room)
      .filter((user) => user.name.toLowerCase().includes(wanted))
      .slice(0, MOST)
      .map((user) => ({ insert: `@${user.name} `, user }));
  }

  /** @param {string} query */
  commands(query) {
    const officer = state.me?.role === "officer";
    return COMMANDS.filter(({ name, officer: only }) => (officer || !only) && name.slice(1).startsWith(query)).map((command) => ({
      insert: `${command.name} `,
      command,
    }));
  }

  /** @param {any} option @param {number} index */
  draw(option, index) {
    const { user, command } = option;
    const content = user
      ? [avatar(user), el("span", { class: "option-name", text: user.name }), badgeOf(user)]
      : [el("span", { class: "option-name", text: command.name }), el("span", { class: "option-hint", text: command.hint })];
    const about = { id: `option-${index}`, role: "option", class: "option", "aria-selected": "false" };
    const row = el("li", about, ...content);
    row.addEventListener("click", () => this.take(index));
    return row;
  }

  mark() {
    [...this.list.children].forEach((row, index) => {
      row.setAttribute("aria-selected", String(index === this.at));
      if (index === this.at) row.scrollIntoView({ block: "nearest" });
    });
    this.field.setAttribute("aria-activedescendant", `option-${this.at}`);
  }

  /** @param {KeyboardEvent} event @returns {boolean} whether the key was for the list */
  keyed(event) {
    if (!this.isOpen) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      this.at = (this.at + step + this.options.length) % this.options.length;
      this.mark();
    } else if (event.key === "Enter" && this.written()) {
      // nothing is left to complete: Enter sends
      this.close();
      return false;
    } else if (event.key === "Enter" || event.key === "Tab") {
      this.take(this.at);
    } else if (event.key === "Escape") {
      this.dismissed = this.word?.kind ?? "";
      this.close();
    } else {
      return false;
    }
    event.preventDefault();
    event.stopPropagation();
    return true;
  }

  /** Whether the chosen command stands in the text already. */
  written() {
    return this.word?.kind === "command" && this.options[this.at].insert === `/${this.word.query} `;
  }

  /** @param {number} index */
  take(index) {
    const { insert } = this.options[index];
    const { field } = this;
    field.setRangeText(insert, this.word?.start ?? 0, field.selectionStart, "end");
    this.close();
    this.changed();
    field.focus();
  }

  close() {
    this.list.hidden = true;
    this.field.removeAttribute("aria-activedescendant");
  }
}

/**
 * Members whose names stand after an @ in the text; of two names that begin alike the longer one counts.
 * @param {any} room
 * @param {string} text
 */
export function mentionsIn(room, text) {
  if (room.kind === "private") return [];
  const people = mentionable(room).sort((a, b) => b.name.length - a.name.length);
  const found = new Set();
  for (const { index } of text.matchAll(/[@＠]/g)) {
    const who = people.find((user) => user.name && text.startsWith(user.name, index + 1));
    if (who) found.add(who.id);
  }
  return [...found];
}
