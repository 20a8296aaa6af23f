/** An officer signs in; the first time with a one-time code, choosing a password. */

import { firstSignIn, signIn } from "./api.js";
import { byId } from "./dom.js";
import { showError, startDoor } from "./door.js";

const LEAST_PASSWORD = 10;
let first = false;

function draw() {
  byId("title").textContent = first ? "第一次登录" : "工作人员登录";
  byId("lead").textContent = first
    ? "用管理员给您的一次性绑定码，设一个自己的密码。"
    : "居民不用登录：点开社区发给您的邀请链接就能进群。";
  byId("code-line").hidden = !first;
  byId("repeat-line").hidden = !first;
  byId("code").required = first;
  byId("repeat").required = first;
  byId("password").autocomplete = first ? "new-password" : "current-password";
  byId("password-label").textContent = first ? `新密码（至少 ${LEAST_PASSWORD} 个字符）` : "密码";
  byId("submit").textContent = first ? "设置密码并登录" : "登录";
  byId("switch").textContent = first ? "已经有密码？直接登录" : "第一次登录？用绑定码设置密码";
  showError("");
}

byId("switch").disabled = false;
byId("switch").addEventListener("click", () => {
  first = !first;
  draw();
  byId("badge").focus();
});

startDoor(
  () => {
    if (!first) return "";
    if (byId("password").value.length < LEAST_PASSWORD) return `密码太短了，至少要 ${LEAST_PASSWORD} 个字符。`;
    return byId("password").value === byId("repeat").value ? "" : "两次输入的密码不一样，请再输一遍。";
  },
  async () => {
    const badge = byId("badge").value.trim();
    const password = byId("password").value;
    if (first) await firstSignIn({ badge, code: byId("code").value.trim(), password });
    else await signIn({ badge, password });
    return "/";
  },
);
