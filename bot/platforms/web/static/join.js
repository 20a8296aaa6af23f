/** Joining a room by an invitation. */

import { join } from "./api.js";
import { byId } from "./dom.js";
import { showError, startDoor } from "./door.js";

const invite = new URLSearchParams(location.search).get("invite") ?? "";

startDoor(
  () => (byId("name").value.trim() ? "" : "请先写一个称呼。"),
  async () => {
    const { room } = await join({ invite, name: byId("name").value.trim() });
    const id = typeof room === "string" ? room : room?.id;
    return id ? `/#/room/${encodeURIComponent(id)}` : "/";
  },
);

if (!invite) {
  showError("这个邀请链接不完整，请让邻居或社区工作人员重新发一次。");
  byId("submit").disabled = true;
}
