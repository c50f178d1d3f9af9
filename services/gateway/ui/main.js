// Ties the page together: entering, the connection, the chat, the view.

import { Chat } from "./chat.js";
import { Connection } from "./connection.js";
import { Pictures, upload } from "./pictures.js";
import { View, pick } from "./view.js";

const byId = (id) => document.getElementById(id);

// Kept for this window only: a second window is another person.
const saved = {
  load(name) { try { return JSON.parse(sessionStorage.getItem(name)); } catch { return null; } },
  store(name, value) { sessionStorage.setItem(name, JSON.stringify(value)); },
};

async function api(path, body) {
  const response = await fetch(`/ui/api/${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { "Content-Type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const answer = response.status === 204 ? {} : await response.json();
  if (response.ok) return answer;
  const error = new Error(answer.error?.message ?? `status ${response.status}`);
  error.code = answer.error?.code;
  error.final = response.status === 404;
  throw error;
}

const sign = () => api("sign", {});
const USER_EXISTS = 899001;

function deviceId() {
  const known = saved.load("device");
  if (known) return known;
  const made = `page-${Math.random().toString(36).slice(2)}`;
  saved.store("device", made);
  return made;
}

let connection, chat, view, current = null, drawing = false, focusNext = null;

// On a touch screen the focus would open the keyboard over the conversation.
const byTouch = matchMedia("(pointer: coarse)").matches;

// Many changes, one drawing.
function changed() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    if (!chat) return;
    if (current && visible()) chat.read(current);
    view.draw(chat.sorted, current);
    focusNext?.focus();
    focusNext = null;
  });
}

const visible = () => document.visibilityState === "visible" && document.hasFocus();

function connectionOf(who) {
  return new Connection({
    deviceId: deviceId(), who, sign,
    on: {
      status: (text) => { byId("status").textContent = text; document.body.dataset.status = text; },
      ready: (ack) => {
        saved.store("who", { me: ack.user.username, session: ack.session });
        chat.ready().then(() => current && chat.load(current)).catch((error) => alertStatus(error.message));
      },
      push: (name, body) => chat.push(name, body),
      ended: (reason, error) => leave(error?.message ?? words(reason)),
    },
  });
}

function start(me, who) {
  byId("enter").hidden = true;
  byId("app").hidden = false;
  byId("me").textContent = me;
  chat = new Chat({ me, saved, changed });
  connection = connectionOf(who);
  chat.bind(connection);
  view = new View({
    me,
    pictures: new Pictures(connection),
    on: {
      choose: (conversation) => choose(conversation),
      retry: (item) => chat.retry(current, item),
      drop: (item) => chat.drop(current, item),
      retract: (entry) => chat.retract(current, entry).catch((error) => alertStatus(error.message)),
      older: () => current && chat.loadOlder(current).catch(() => {}),
    },
  });
  changed();
}

function words(reason) {
  const known = { other_device: "You came in somewhere else.", disabled: "This user is disabled.", deleted: "This user was deleted." };
  return known[reason] ?? `The connection ended: ${reason || "no reason given"}`;
}

function alertStatus(text) {
  byId("status").textContent = text;
}

function leave(message = "") {
  connection?.stop();
  connection = chat = view = undefined;
  current = null;
  for (const name of ["who", "outbox", "rooms"]) sessionStorage.removeItem(name);
  byId("app").hidden = true;
  byId("enter").hidden = false;
  byId("enter-error").textContent = message;
  byId("conversations").replaceChildren();
  byId("enter-name").focus();
}

async function enter(event) {
  event.preventDefault();
  const username = byId("enter-name").value.trim();
  const password = byId("enter-password").value;
  byId("enter-error").textContent = "";
  try {
    await api("users", { username, password });
  } catch (error) {
    if (error.code !== USER_EXISTS) {
      byId("enter-error").textContent = error.message;
      return;
    }
  }
  start(username, { username, password });
}

async function choose(conversation) {
  current = conversation;
  if (!byTouch) focusNext = byId("text");
  changed();
  try {
    await chat.load(conversation);
  } catch (error) {
    if (!error.retryable) alertStatus(error.message);
  }
}

const others = async () => {
  const { users } = await api("users");
  return users.filter((u) => u.username !== chat.me).map((u) => ({ id: u.username, name: u.nickname ? `${u.nickname} (${u.username})` : u.username }));
};

async function newChat() {
  const picked = await pick({ title: "Chat with", items: await others() });
  if (picked) await choose(chat.open("single", picked.chosen[0].id));
}

async function newGroup() {
  const picked = await pick({ title: "New group", label: "Name", items: await others(), many: true });
  if (!picked) return;
  const group = await api("groups", { owner: chat.me, name: picked.name, members: picked.chosen.map((c) => c.id) });
  await choose(chat.open("group", String(group.gid), group.name));
}

async function newRoom() {
  const { rooms } = await api("rooms");
  const items = rooms.map((room) => ({ id: String(room.room_id), name: room.name }));
  const picked = await pick({ title: "Enter a room", label: "Or make a new one", items, done: "Make" });
  if (!picked) return;
  let room = picked.chosen[0];
  if (!room) {
    if (!picked.name) return;
    const made = await api("rooms", { owner: chat.me, name: picked.name });
    room = { id: String(made.room_id), name: made.name };
  }
  await choose(await chat.enterRoom(room.id, room.name));
}

async function addPeople() {
  const group = await api(`groups/${encodeURIComponent(current.id)}`);
  const items = (await others()).filter((person) => !group.members.includes(person.id));
  const picked = await pick({ title: "Add people", items, many: true, done: "Add" });
  if (picked?.chosen.length) await api(`groups/${encodeURIComponent(current.id)}/members`, { add: picked.chosen.map((c) => c.id) });
}

const shown = (action) => () => action().catch((error) => alertStatus(error.message));

function say(event) {
  event?.preventDefault();
  const text = byId("text").value.trim();
  if (!text || !current) return;
  byId("text").value = "";
  chat.send(current, { msg_type: "text", msg_body: { text } });
}

async function sendPicture() {
  const [file] = byId("picture").files;
  const conversation = current;
  byId("picture").value = "";
  if (file && conversation) await chat.send(conversation, { msg_type: "image", msg_body: await upload(connection, file) });
}

function back() {
  const key = current?.key;
  current = null;
  focusNext = document.querySelector(`#conversations button[data-key="${CSS.escape(key ?? "")}"]`);
  changed();
}

byId("enter-form").onsubmit = enter;
byId("compose").onsubmit = say;
byId("text").onkeydown = (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) say(event);
};
byId("picture").onchange = shown(sendPicture);
byId("back").onclick = back;
byId("new-chat").onclick = shown(newChat);
byId("new-group").onclick = shown(newGroup);
byId("new-room").onclick = shown(newRoom);
byId("add-people").onclick = shown(addPeople);
byId("leave").onclick = () => {
  connection.request("logout", {}).catch(() => {}).finally(() => leave());
};
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && current && !byId("pick").open) back();
});
document.addEventListener("visibilitychange", changed);
window.addEventListener("focus", changed);

const who = saved.load("who");
if (who?.session) start(who.me, { session: who.session });
else {
  byId("enter").hidden = false;
  const names = ["anna", "tommy", "lucy", "oscar", "frida", "bruno", "carla", "diego"];
  byId("enter-name").value = names[Math.floor(Math.random() * names.length)] + Math.floor(Math.random() * 90 + 10);
  byId("enter-password").value = "secret";
  byId("enter-name").select();
}
