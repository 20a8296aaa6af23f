/** What a reader chose for this browser: large letters. */

const LARGE = "qianshao.large";

export function isLarge() {
  return localStorage.getItem(LARGE) === "1";
}

/** @param {boolean} large */
export function setLarge(large) {
  localStorage.setItem(LARGE, large ? "1" : "0");
  applySettings();
}

function applySettings() {
  document.documentElement.classList.toggle("large", isLarge());
  for (const button of document.querySelectorAll(".large-toggle")) button.setAttribute("aria-pressed", String(isLarge()));
}

/** Makes every 大字 button of the page work. */
export function startSettings() {
  applySettings();
  for (const button of document.querySelectorAll(".large-toggle")) button.addEventListener("click", () => setLarge(!isLarge()));
  addEventListener("storage", applySettings);
}
