/** A small menu at a point of the page: arrows move, Enter takes, Esc and a click elsewhere close. */

import { arrowKeys, el, icon } from "./dom.js";

/** @type {{menu: HTMLElement, back: HTMLElement|null}|null} */
let current = null;

function closeMenu({ refocus = true } = {}) {
  if (!current) return;
  const { menu, back } = current;
  current = null;
  menu.remove();
  back?.setAttribute("aria-expanded", "false");
  if (refocus && back?.isConnected) back.focus();
}

/**
 * @param {{label: string, items: {label: string, icon?: string, checked?: boolean, run: () => void}[], back: HTMLElement|null,
 *   at: {left: number, right: number, top: number, bottom: number}}} options `back` gets the focus again
 */
export function openMenu({ label, items, back, at }) {
  closeMenu({ refocus: false });
  const menu = el("div", { class: "menu", role: "menu", "aria-label": label });
  for (const item of items) {
    const switches = item.checked !== undefined;
    const role = switches ? "menuitemcheckbox" : "menuitem";
    const run = () => {
      closeMenu();
      item.run();
    };
    menu.append(
      el(
        "button",
        { type: "button", role, tabindex: "-1", "aria-checked": switches ? String(item.checked) : null, onclick: run },
        item.icon && icon(item.icon),
        el("span", { text: item.label }),
        item.checked && icon("check"),
      ),
    );
  }
  document.body.append(menu);
  const { width, height } = menu.getBoundingClientRect();
  const gap = 4;
  const left = at.left + width + gap > innerWidth ? at.right - width : at.left;
  const below = at.bottom + height + gap <= innerHeight;
  menu.style.left = `${Math.max(gap, Math.min(left, innerWidth - width - gap))}px`;
  menu.style.top = `${Math.max(gap, below ? at.bottom + gap : at.top - height - gap)}px`;
  const buttons = /** @type {HTMLElement[]} */ ([...menu.children]);
  menu.addEventListener("keydown", (event) => {
    if (arrowKeys(event, buttons)) return;
    if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      event.stopPropagation();
      closeMenu();
    }
  });
  menu.addEventListener("contextmenu", (event) => event.preventDefault());
  current = { menu, back };
  back?.setAttribute("aria-expanded", "true");
  buttons[0].focus({ preventScroll: true });
}

addEventListener("pointerdown", (event) => {
  if (current && !current.menu.contains(/** @type {Node} */ (event.target))) closeMenu({ refocus: false });
});
addEventListener("resize", () => closeMenu({ refocus: false }));
