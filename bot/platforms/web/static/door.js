/** What the two pages before the chat share: one form, one sentence when it does not work. */

import { session, setTabToken } from "./api.js";
import { byId } from "./dom.js";
import { startSettings } from "./settings.js";

/** @param {string} text empty for none */
export function showError(text) {
  const line = byId("error");
  line.textContent = text;
  line.hidden = !text;
}

/**
 * Sends the form and leads on to the chat.
 * @param {() => string} check a sentence when the form cannot be sent as it is
 * @param {() => Promise<string>} submit answers the address to go to
 */
export function startDoor(check, submit) {
  startSettings();
  const button = byId("submit");
  // until here a form sent by the browser itself would put a password into the address
  button.disabled = false;
  byId("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const wrong = check();
    showError(wrong);
    if (wrong) return;
    button.disabled = true;
    try {
      await session();
      const next = await submit();
      // from here on the cookie says who we are
      setTabToken(null);
      location.replace(next);
    } catch (error) {
      showError(/** @type {Error} */ (error).message);
      button.disabled = false;
    }
  });
}
