/** How people, times and names are shown. */

const DAY = 86_400_000;
const WEEKDAYS = ["星期日", "星期一", "星期二", "星期三", "星期四", "星期五", "星期六"];

/** @param {Date} date */
function clock(date) {
  return `${String(date.getHours()).padStart(2, "0")}:${String(date.getMinutes()).padStart(2, "0")}`;
}

/** Whole days between two moments on the wall calendar of the reader. @param {Date} earlier @param {Date} later */
function daysBetween(earlier, later) {
  const a = new Date(earlier.getFullYear(), earlier.getMonth(), earlier.getDate());
  const b = new Date(later.getFullYear(), later.getMonth(), later.getDate());
  return Math.round((b.getTime() - a.getTime()) / DAY);
}

/** The words between two groups of messages. @param {string} iso @param {Date} [now] */
export function longTime(iso, now = new Date()) {
  const date = new Date(iso);
  const days = daysBetween(date, now);
  if (days <= 0) return `今天 ${clock(date)}`;
  if (days === 1) return `昨天 ${clock(date)}`;
  if (days < 7) return `${WEEKDAYS[date.getDay()]} ${clock(date)}`;
  const year = date.getFullYear() === now.getFullYear() ? "" : `${date.getFullYear()}年`;
  return `${year}${date.getMonth() + 1}月${date.getDate()}日 ${clock(date)}`;
}

/** The short form in the list of groups. @param {string} iso @param {Date} [now] */
export function shortTime(iso, now = new Date()) {
  const date = new Date(iso);
  const days = daysBetween(date, now);
  if (days <= 0) return clock(date);
  if (days === 1) return "昨天";
  if (days < 7) return WEEKDAYS[date.getDay()];
  return `${date.getMonth() + 1}月${date.getDate()}日`;
}

const graphemes = new Intl.Segmenter("zh", { granularity: "grapheme" });

/** What stands in the round picture. @param {string} name */
export function initial(name) {
  const first = graphemes.segment(name.trim())[Symbol.iterator]().next().value;
  return first ? first.segment.toUpperCase() : "？";
}

/** A number that looks random and is the same everywhere (FNV-1a). @param {string} text */
export function scatter(text) {
  let hash = 2166136261;
  for (const char of text) hash = Math.imul(hash ^ char.codePointAt(0), 16777619);
  return hash >>> 0;
}

/** One of ten colours that a person keeps on every screen. @param {string} id */
export const tint = (id) => scatter(id) % 10;

/**
 * The word beside a name: who speaks for the authorities, and who is a machine. Residents need none.
 * @param {{role: string, title: string}} user
 * @returns {{text: string, kind: string}|null}
 */
export function badge(user) {
  if (user.role === "bot") return { text: "机器人", kind: "bot" };
  if (user.role === "officer") {
    const text = user.title || "工作人员";
    return { text, kind: text.includes("警") ? "police" : text.includes("网格") ? "grid" : "staff" };
  }
  return null;
}

/** One line for a preview or a quote. @param {{text: string, photos?: any[], location?: any, recalled?: boolean}} message */
export function gist(message) {
  if (message.recalled) return "撤回了一条消息";
  const photos = message.photos?.length ? (message.photos.length > 1 ? `[图片×${message.photos.length}]` : "[图片]") : "";
  return [photos, message.location ? "[位置]" : "", message.text.replace(/\s+/g, " ").trim()].filter(Boolean).join(" ");
}

/** Characters as the server counts them. @param {string} text */
export function lengthOf(text) {
  return [...text].length;
}
