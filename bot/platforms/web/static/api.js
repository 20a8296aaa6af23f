/**
 * HTTP: the session, sign-in and photos. Every refusal becomes a `Refusal` with a sentence that can be shown as it is.
 *
 * In a demonstration each tab can be somebody else, so the tab's token lives in sessionStorage. Otherwise the cookie,
 * which no script can read, says who we are.
 */

const TOKEN = "qianshao.token";
let csrf = "";

export class Refusal extends Error {
  /** @param {string} code @param {string} text @param {boolean} [final] */
  constructor(code, text, final = false) {
    super(text);
    this.code = code;
    /** whether the same thing would be refused again, however often it is tried */
    this.final = final;
  }
}

/** @returns {string|null} */
export function tabToken() {
  return sessionStorage.getItem(TOKEN);
}

/** @param {string|null} token */
export function setTabToken(token) {
  if (token) sessionStorage.setItem(TOKEN, token);
  else sessionStorage.removeItem(TOKEN);
}

/** @returns {Record<string, string>} */
function headers() {
  const token = tabToken();
  return { "X-Csrf": csrf, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
}

/** @param {number} status @param {any} body */
function refusal(status, body) {
  const told = body?.error;
  const final = [400, 413, 415, 422].includes(status);
  if (told?.text) return new Refusal(told.code ?? String(status), told.text, final);
  if (status === 413) return new Refusal("too_large", "文件太大了，请换一张小于 15 MB 的照片。", final);
  if (status === 429) return new Refusal("too_fast", "操作太频繁了，请过一会儿再试。");
  return new Refusal(String(status), "服务暂时没有办成这件事，请稍后再试。");
}

const OFFLINE = () => new Refusal("offline", "网络不通，请检查网络后再试。");

/** @param {string} path @param {RequestInit} [init] @returns {Promise<Response>} */
async function call(path, init = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...init, headers: { ...headers(), ...init.headers } });
  } catch {
    throw OFFLINE();
  }
  if (!response.ok) throw refusal(response.status, await response.json().catch(() => null));
  return response;
}

/**
 * A page that stood open for long, or beside which another began, may hold an old token: fetch a new one and try once more.
 * @template T
 * @param {() => Promise<T>} change
 * @returns {Promise<T>}
 */
async function withCsrf(change) {
  try {
    return await change();
  } catch (error) {
    if (!(error instanceof Refusal) || error.code !== "csrf") throw error;
    await session();
    return change();
  }
}

/** @param {string} path @param {object} [body] */
async function post(path, body = {}) {
  const init = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  return (await withCsrf(() => call(path, init))).json();
}

/** Who we are here. Also fetches the token that every change must carry. */
export async function session() {
  const answer = await (await call("/api/session")).json();
  csrf = answer.csrf ?? "";
  return answer;
}

/** @param {string} user */
export async function becomePersona(user) {
  const answer = await post("/api/persona", { user });
  setTabToken(answer.token);
  return answer.me;
}

/** @param {{invite: string, name: string}} body */
export const join = (body) => post("/api/join", body);
/** @param {{badge: string, password: string}} body */
export const signIn = (body) => post("/api/signin", body);
/** @param {{badge: string, code: string, password: string}} body */
export const firstSignIn = (body) => post("/api/firstsignin", body);

export async function signOut() {
  await post("/api/signout");
  setTabToken(null);
}

/** @param {string} id @param {"thumb"|"full"} size */
export async function photo(id, size) {
  return (await call(`/api/photos/${encodeURIComponent(id)}?size=${size}`)).blob();
}

/**
 * Uploads one photo. XMLHttpRequest, because fetch cannot tell how far an upload has come.
 * @param {Blob} blob
 * @param {string} clientId stays the same over retries, so that a photo is kept once
 * @param {(share: number) => void} progress 0 to 1
 * @param {AbortSignal} signal
 * @returns {Promise<{photo: string, width: number, height: number}>}
 */
export function uploadPhoto(blob, clientId, progress, signal) {
  return withCsrf(() => upload(blob, clientId, progress, signal));
}

/** @type {typeof uploadPhoto} */
function upload(blob, clientId, progress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/photos");
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.setRequestHeader("X-Client-Id", clientId);
    request.setRequestHeader("Content-Type", blob.type || "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300 && request.response?.photo) resolve(request.response);
      else reject(refusal(request.status, request.response));
    };
    request.onerror = () => reject(OFFLINE());
    signal.addEventListener("abort", () => request.abort());
    request.send(blob);
  });
}
