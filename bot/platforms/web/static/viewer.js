/** Photos on the full screen: buttons, arrow keys and swiping go through the photos of the room; Esc closes. */

import { byId } from "./dom.js";
import { longTime } from "./format.js";
import { photoUrl } from "./photos.js";

const SWIPE = 50;

const dialog = byId("viewer");
const image = byId("viewer-image");
const caption = byId("viewer-caption");
/** @type {{id: string, message: any}[]} */
let photos = [];
let at = 0;

async function show() {
  const { id, message } = photos[at];
  const count = photos.length > 1 ? ` · ${at + 1}/${photos.length}` : "";
  caption.textContent = `${message.from.name} · ${longTime(message.at)}${count}`;
  image.alt = `${message.from.name}发的照片`;
  byId("viewer-previous").disabled = at === 0;
  byId("viewer-next").disabled = at === photos.length - 1;
  // a button that has just been disabled would take the keyboard with it
  if (!dialog.contains(document.activeElement) || /** @type {any} */ (document.activeElement).disabled) byId("viewer-close").focus();
  image.removeAttribute("src");
  dialog.classList.add("loading");
  try {
    // the thumbnail is here already and bridges the time until the photo is
    const small = await photoUrl(id, "thumb").catch(() => null);
    if (photos[at].id === id && small) image.src = small;
    const large = await photoUrl(id, "full");
    if (photos[at].id === id) image.src = large;
  } catch (error) {
    if (photos[at].id === id) caption.textContent = `照片没有加载出来。${/** @type {Error} */ (error).message}`;
  } finally {
    dialog.classList.remove("loading");
  }
}

/** @param {number} step */
function go(step) {
  const next = at + step;
  if (next < 0 || next >= photos.length) return;
  at = next;
  show();
}

/** @param {any[]} messages of the room, oldest first @param {string} id the photo to begin with */
export function viewPhoto(messages, id) {
  photos = messages.flatMap((message) => message.photos.map((photo) => ({ id: photo.id, message })));
  at = Math.max(0, photos.findIndex((photo) => photo.id === id));
  if (!photos.length) return;
  dialog.showModal();
  show();
}

byId("viewer-close").addEventListener("click", () => dialog.close());
byId("viewer-previous").addEventListener("click", () => go(-1));
byId("viewer-next").addEventListener("click", () => go(1));
dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") go(-1);
  if (event.key === "ArrowRight") go(1);
});
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

let from = 0;
dialog.addEventListener("pointerdown", (event) => {
  from = event.clientX;
});
dialog.addEventListener("pointerup", (event) => {
  const moved = event.clientX - from;
  if (event.pointerType !== "mouse" && Math.abs(moved) > SWIPE) go(moved < 0 ? 1 : -1);
});
