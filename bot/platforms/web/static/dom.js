/**
 * Small helpers to build elements. Text goes in through textContent only, so that nothing a person wrote can become markup.
 */

/**
 * @param {string} tag
 * @param {Record<string, any>} [props] `class`, `on…` handlers, `dataset`, boolean or string attributes
 * @param {...(Node|string|null|undefined|false)} children strings become text nodes
 * @returns {HTMLElement}
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(node.dataset, value);
    else if (name === "text") node.textContent = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
  return node;
}

/** A decorative picture; its meaning is always said in words beside it. @param {string} name */
export function icon(name) {
  return el("span", { class: `icon icon-${name}`, "aria-hidden": "true" });
}

/** @param {string} id @returns {any} */
export function byId(id) {
  return document.getElementById(id);
}

/**
 * Moves focus with the arrow keys, Home and End through a vertical list of which only one element is a tab stop.
 * @param {KeyboardEvent} event
 * @param {HTMLElement[]} items
 * @returns {boolean} whether the key was used
 */
export function arrowKeys(event, items) {
  const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const target = {
    ArrowDown: at + 1,
    ArrowUp: at < 0 ? items.length - 1 : at - 1,
    Home: 0,
    End: items.length - 1,
  }[event.key];
  if (target === undefined || !items.length) return false;
  event.preventDefault();
  items[Math.max(0, Math.min(items.length - 1, target))].focus();
  return true;
}

/**
 * Makes a function that draws once for many changes, with the next frame.
 * @param {() => void} draw
 */
export function soon(draw) {
  let scheduled = false;
  const run = () => {
    scheduled = false;
    draw();
  };
  return () => {
    if (scheduled) return;
    scheduled = true;
    // a hidden tab gets no animation frames
    if (document.hidden) setTimeout(run, 50);
    else requestAnimationFrame(run);
  };
}
