/**
 * Photos that others may see only as members of a room: fetched with the tab's token, shown from memory.
 */

import { photo } from "./api.js";
import { byId } from "./dom.js";

const KEEP = 150;

/** @type {Map<string, Promise<string>>} most recently used last */
const cache = new Map();

/** @param {string} key @param {Promise<string>} url */
function remember(key, url) {
  cache.delete(key);
  cache.set(key, url);
  if (cache.size <= KEEP) return;
  const [oldest, stale] = cache.entries().next().value;
  cache.delete(oldest);
  stale.then(URL.revokeObjectURL, () => {});
}

/** @param {string} id @param {"thumb"|"full"} size @returns {Promise<string>} an address for an img element */
export function photoUrl(id, size) {
  const key = `${size}:${id}`;
  const url = cache.get(key) ?? photo(id, size).then(URL.createObjectURL);
  remember(key, url);
  // a failed fetch is not kept: the next look may succeed
  url.catch(() => cache.delete(key));
  return url;
}

/** What we have just uploaded need not be fetched. @param {string} id @param {Blob} blob */
export function rememberOwn(id, blob) {
  remember(`thumb:${id}`, Promise.resolve(URL.createObjectURL(blob)));
}

const watcher = new IntersectionObserver(
  (seen) => {
    for (const { target, isIntersecting } of seen) {
      if (!isIntersecting) continue;
      watcher.unobserve(target);
      load(/** @type {HTMLImageElement} */ (target));
    }
  },
  // the list scrolls inside the page, so the margin must be the list's
  { root: byId("log"), rootMargin: "600px" },
);

/** @param {HTMLImageElement} image */
async function load(image) {
  try {
    image.src = await photoUrl(image.dataset.photo ?? "", "thumb");
  } catch {
    image.closest("button")?.classList.add("broken");
    image.alt = "照片没有加载出来";
  }
}

/**
 * A thumbnail that is fetched when it comes near the screen.
 * @param {{id: string}} photo
 */
export function thumbnail({ id }) {
  const image = document.createElement("img");
  image.dataset.photo = id;
  image.alt = "";
  image.draggable = false;
  watcher.observe(image);
  return image;
}
