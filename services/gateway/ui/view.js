// Draws the list and the conversation that is open. Text is only ever set as text.

const byId = (id) => document.getElementById(id);
const BOTTOM = 60;

export function element(tag, props = {}, ...children) {
  const made = Object.assign(document.createElement(tag), props);
  made.append(...children);
  return made;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

function when(ms) {
  if (!ms) return "";
  return Date.now() - ms < 18 * 3600_000 ? clock.format(ms) : day.format(ms);
}

const written = ({ msg_type, msg_body }) => (msg_type === "text" ? msg_body.text : `[${msg_type}]`);
const said = (entry) => (entry.retracted ? "was taken back" : written(entry.message));

const EVENTS = { 8: "created the group with", 9: "left", 10: "added", 11: "removed", 12: "changed the group's details", 65: "changed who may write", 82: "made the new owner" };

function happened(entry) {
  const { event_type, to = [] } = entry.event;
  const people = to.map((p) => p.username).join(", ");
  const who = entry.from?.username;
  return [who, EVENTS[event_type] ?? `event ${event_type}`, event_type === 9 ? "" : people].filter(Boolean).join(" ");
}

function lastLine(conversation, me) {
  const item = conversation.pending.at(-1);
  if (item) return written(item.message);
  const entry = conversation.last;
  if (!entry) return "";
  if (entry.event) return happened(entry);
  if (!entry.message) return "";
  const who = entry.from?.username === me ? "You" : entry.from?.username;
  return conversation.type === "single" && who !== "You" ? said(entry) : `${who}: ${said(entry)}`;
}

export class View {
  // `on` are the handlers {choose(conversation), retry(item), drop(item), retract(entry), older()}.
  constructor({ me, pictures, on }) {
    Object.assign(this, { me, pictures, on });
    this.rows = new Map();
    this.drawn = null;
    byId("entries").onscroll = ({ target }) => { if (target.scrollTop < 80) on.older(); };
  }

  draw(conversations, current) {
    this.#list(conversations, current);
    byId("app").classList.toggle("talking", Boolean(current));
    byId("talk").hidden = !current;
    byId("empty").hidden = Boolean(current);
    if (current) this.#talk(current);
    const unread = conversations.reduce((sum, c) => sum + c.unread, 0);
    document.title = unread ? `(${unread}) mynah` : "mynah";
  }

  #list(conversations, current) {
    byId("nothing").hidden = conversations.length > 0;
    const list = byId("conversations");
    const rows = conversations.map((conversation) => {
      const row = this.rows.get(conversation.key) ?? this.#row(conversation);
      const [name, time, last, unread] = row.firstChild.children;
      row.firstChild.setAttribute("aria-current", String(conversation === current));
      name.textContent = conversation.name;
      time.textContent = when(conversation.at);
      last.textContent = lastLine(conversation, this.me);
      unread.textContent = conversation.unread > 99 ? "99+" : conversation.unread;
      unread.hidden = !conversation.unread;
      unread.setAttribute("aria-label", `${conversation.unread} unread`);
      return row;
    });
    // Only what moved is moved: the focus stays where it is.
    rows.forEach((row, i) => { if (list.children[i] !== row) list.insertBefore(row, list.children[i] ?? null); });
    while (list.children.length > rows.length) list.lastChild.remove();
  }

  #row(conversation) {
    const span = (className) => element("span", { className });
    const button = element("button", { type: "button", onclick: () => this.on.choose(conversation) },
      span("name"), span("time"), span("last"), span("unread"));
    button.dataset.key = conversation.key;
    const row = element("li", {}, button);
    this.rows.set(conversation.key, row);
    return row;
  }

  #talk(conversation) {
    byId("title").textContent = conversation.name;
    byId("add-people").hidden = conversation.type !== "group";
    const list = byId("entries");
    const other = this.drawn !== conversation.key;
    const atEnd = other || list.scrollHeight - list.scrollTop - list.clientHeight < BOTTOM;
    const [height, top] = [list.scrollHeight, list.scrollTop];
    const firstBefore = this.first;
    const items = [...conversation.list.filter((e) => e.message || e.event).map((e) => this.#entry(e)),
      ...conversation.pending.map((p) => this.#pending(p))];
    list.replaceChildren(...items);
    this.drawn = conversation.key;
    this.first = conversation.from;
    if (atEnd) list.scrollTop = list.scrollHeight;
    else if (!other && conversation.from < firstBefore) list.scrollTop = top + list.scrollHeight - height;
    else list.scrollTop = top;
  }

  // What was said; a picture is shown once its message is stored.
  #said(entry) {
    const picture = !entry.retracted && entry.message.msg_type === "image";
    return element("div", { className: "said" }, picture ? this.pictures.element(entry.msg_id, entry.message.msg_body) : said(entry));
  }

  #entry(entry) {
    if (entry.event) return element("li", { className: "event" }, happened(entry));
    const own = entry.from?.username === this.me;
    const under = element("div", { className: "under" }, when(entry.ctime_ms));
    const row = element("li", { className: `message${own ? " own" : ""}${entry.retracted ? " retracted" : ""}` });
    if (!own) row.append(element("div", { className: "who" }, entry.from?.name || entry.from?.username || ""));
    row.append(this.#said(entry), under);
    row.dataset.seq = entry.seq;
    if (own) {
      row.dataset.state = "sent";
      under.append(element("span", { title: "Stored by the server" }, "✓"));
      if (!entry.retracted && entry.target?.type !== "chatroom" && Date.now() - entry.ctime_ms < 180_000) {
        under.prepend(element("button", { type: "button", className: "take-back", onclick: () => this.on.retract(entry) }, "Take back"));
      }
    }
    return row;
  }

  #pending(item) {
    const row = element("li", { className: `message own ${item.state}` }, element("div", { className: "said" }, written(item.message)));
    row.dataset.state = item.state;
    const under = element("div", { className: "under" });
    if (item.state === "sending") under.append("sending …");
    else {
      under.append(element("span", { title: item.why ?? "" }, item.state === "refused" ? `refused: ${item.why}` : "not sent yet"));
      if (item.state === "failed") under.append(element("button", { type: "button", onclick: () => this.on.retry(item) }, "Try again"));
      under.append(element("button", { type: "button", onclick: () => this.on.drop(item) }, "Discard"));
    }
    row.append(under);
    return row;
  }
}

// A dialog that picks people, or a room, or a name. Resolves with {name, chosen} or null.
export function pick({ title, label, items, many, done }) {
  const dialog = byId("pick");
  byId("pick-title").textContent = title;
  byId("pick-name-row").hidden = !label;
  byId("pick-name-label").textContent = label ?? "";
  byId("pick-name").value = "";
  byId("pick-name").required = Boolean(label) && many;
  byId("pick-filter-row").hidden = items.length < 8;
  byId("pick-filter").value = "";
  const nobody = items.length === 0 && (many || !label);
  byId("pick-error").textContent = nobody ? "Nobody else is here yet: open a second window and choose another name." : "";
  byId("pick-done").hidden = !label && !many;
  byId("pick-done").textContent = done ?? "Create";
  return new Promise((resolve) => {
    let result = null;
    const finish = (value) => { result = value; dialog.close(); };
    const row = (item) => many
      ? element("li", {}, element("label", {}, element("input", { type: "checkbox", value: item.id }), item.name))
      : element("li", {}, element("button", { type: "button", onclick: () => finish({ chosen: [item] }) }, item.name));
    const rows = items.map((item) => [item.name.toLowerCase(), row(item)]);
    byId("pick-list").replaceChildren(...rows.map(([, made]) => made));
    byId("pick-filter").oninput = ({ target }) => {
      for (const [name, made] of rows) made.hidden = !name.includes(target.value.toLowerCase());
    };
    byId("pick-form").onsubmit = (event) => {
      event.preventDefault();
      const chosen = [...byId("pick-list").querySelectorAll("input:checked")].map((box) => ({ id: box.value }));
      finish({ name: byId("pick-name").value.trim(), chosen });
    };
    byId("pick-cancel").onclick = () => finish(null);
    dialog.onclose = () => resolve(result);
    dialog.showModal();
  });
}
