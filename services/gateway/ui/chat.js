// What this person sees: conversations, their entries in order without holes, what is being sent.

const PAGE = 50;
const ACK_AFTER_MS = 500;

const keyOf = (type, id) => `${type}:${id}`;

class Conversation {
  constructor(type, id, name) {
    Object.assign(this, { type, id, name: name || String(id), convId: "", head: 0, at: 0, unread: 0, readSeq: 0, last: null });
    // Entries from `from` to `have`, without a hole; empty until the conversation is opened.
    this.entries = new Map();
    this.loaded = false;
    this.from = 0;
    this.have = 0;
    this.older = false;
    this.pending = [];
  }

  get key() { return keyOf(this.type, this.id); }
  get list() { return [...this.entries.values()].sort((a, b) => a.seq - b.seq); }
}

export class Chat {
  // `changed()` is called after each change; `saved` keeps what must outlive a reload.
  constructor({ me, saved, changed }) {
    Object.assign(this, { me, saved, changed });
    this.conversations = new Map();
    this.byConvId = new Map();
    this.acks = new Map();
    this.syncing = new Map();
    for (const { type, id, name, cmid, message } of saved.load("outbox") ?? []) {
      this.#get(type, id, name).pending.push({ cmid, message, state: "failed" });
    }
    this.rooms = new Set(saved.load("rooms") ?? []);
  }

  bind(connection) { this.connection = connection; }

  get sorted() { return [...this.conversations.values()].sort((a, b) => b.at - a.at); }

  open(type, id, name) {
    const conversation = this.#get(type, id, name);
    if (!conversation.at) conversation.at = Date.now();
    this.changed();
    return conversation;
  }

  // After each login: the list, then what was missed, then what was not yet acknowledged.
  async ready() {
    await this.#list();
    for (const room of this.rooms) await this.enterRoom(room.id, room.name).catch(() => {});
    const loaded = [...this.conversations.values()].filter((c) => c.loaded && c.type !== "chatroom");
    await Promise.all(loaded.map((c) => this.#catchUp(c)));
    for (const conversation of this.conversations.values()) await this.#flush(conversation);
  }

  push(name, body) {
    if (name === "deliver") for (const entry of body.entries) this.#apply(entry);
    else if (name === "read_changed") this.#readElsewhere(body);
    else if (name === "heads") this.#moved(body);
    else if (name === "skipped") this.#skipped(body);
    this.changed();
  }

  // Opens a conversation: its newest page.
  async load(conversation) {
    if (conversation.loaded || !conversation.convId || conversation.type === "chatroom") return;
    const page = await this.#sync(conversation.convId, 0, "latest");
    const item = page.items?.[0];
    if (!item || item.error) return;
    this.#reset(conversation, item.entries ?? [], item.from_seq ?? 1, item.covered_to ?? 0);
    conversation.older = (item.from_seq ?? 1) > Math.max(1, item.min_seq ?? 1);
    this.changed();
    if (conversation.head > conversation.have) await this.#catchUp(conversation);
  }

  async loadOlder(conversation) {
    if (!conversation.older || conversation.loadingOlder) return false;
    conversation.loadingOlder = true;
    try {
      const page = await this.connection.request("history", { conv_id: conversation.convId, before_seq: conversation.from, limit: PAGE });
      for (const entry of page.entries ?? []) this.#keep(conversation, entry);
      conversation.from = page.from_seq || conversation.from;
      conversation.older = Boolean(page.more) && (page.entries ?? []).length > 0;
    } finally {
      conversation.loadingOlder = false;
    }
    this.changed();
    return true;
  }

  async enterRoom(id, name) {
    const known = this.conversations.get(keyOf("chatroom", id));
    const state = await this.connection.request("room_enter", { room_id: String(id), last_seq: known?.have ?? 0 });
    const conversation = this.#get("chatroom", String(id), state.info?.name || name);
    this.#learn(conversation, state.conv_id);
    const entries = state.entries ?? [];
    const first = entries[0]?.seq ?? (state.head_seq ?? 0) + 1;
    if (!conversation.loaded || first > conversation.have + 1) this.#reset(conversation, entries, first, state.head_seq ?? 0);
    else for (const entry of entries) this.#apply(entry);
    conversation.have = Math.max(conversation.have, state.head_seq ?? 0);
    conversation.older = conversation.from > 1;
    conversation.at = Math.max(conversation.at, entries.at(-1)?.ctime_ms ?? Date.now());
    this.rooms = new Set([...this.rooms].filter((r) => r.id !== String(id)).concat({ id: String(id), name: conversation.name }));
    this.saved.store("rooms", [...this.rooms]);
    this.changed();
    return conversation;
  }

  // Shows a message {msg_type, msg_body} at once; it is sent with one client message id until it is acknowledged.
  send(conversation, message) {
    const item = { cmid: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, message, state: "sending" };
    conversation.pending.push(item);
    conversation.at = Date.now();
    this.#saveOutbox();
    this.changed();
    return this.#flush(conversation);
  }

  // Again, with the same client message id: what was in fact stored before is not stored twice.
  retry(conversation, item) {
    item.state = "sending";
    this.changed();
    return this.#flush(conversation);
  }

  drop(conversation, item) {
    conversation.pending = conversation.pending.filter((p) => p !== item);
    this.#saveOutbox();
    this.changed();
  }

  retract(conversation, entry) {
    return this.connection.request("retract", { conv_id: conversation.convId, msg_id: entry.msg_id });
  }

  // Tells the server, and the own other devices, how far this person has read.
  read(conversation) {
    conversation.unread = 0;
    const upTo = conversation.have;
    if (conversation.type === "chatroom" || !conversation.convId || upTo <= conversation.readSeq) return;
    conversation.readSeq = upTo;
    this.connection.request("read", { conv_id: conversation.convId, read_seq: upTo }).catch(() => { conversation.readSeq = 0; });
    this.changed();
  }

  // Sends what waits in a conversation, oldest first, one at a time, and stops at the first that has to be sent again: nothing
  // overtakes it.
  async #flush(conversation) {
    if (conversation.flushing) return; // It comes to what was added meanwhile.
    conversation.flushing = true;
    try {
      const waiting = () => conversation.pending.filter((item) => item.state !== "refused");
      for (let [item] = waiting(); item; [item] = waiting()) {
        await this.#sendNow(conversation, item);
        if (item.state !== "failed" || !conversation.pending.includes(item)) continue;
        for (const behind of waiting()) Object.assign(behind, { state: "failed", why: item.why });
        break;
      }
    } finally {
      conversation.flushing = false;
    }
    this.changed();
  }

  async #sendNow(conversation, item) {
    const body = { cmid: item.cmid, target_type: conversation.type, target_id: String(conversation.id), ...item.message };
    try {
      item.state = "sending";
      const ack = await this.connection.request("send", body);
      this.#learn(conversation, ack.conv_id);
      const from = { username: this.me, type: "user" };
      const stored = { conv_id: ack.conv_id, seq: ack.seq, msg_id: ack.msg_id, ctime_ms: ack.ctime_ms, cmid: item.cmid, from,
        target: { type: conversation.type, id: conversation.id }, message: item.message };
      this.#sent(conversation, item.cmid);
      conversation.loaded ? this.#apply(ack.entry ?? stored) : await this.load(conversation);
      this.#preview(conversation, ack.entry ?? stored);
    } catch (error) {
      if (error.retryAfterMs) {
        await new Promise((resolve) => setTimeout(resolve, error.retryAfterMs));
        return; // It is still the oldest that waits.
      }
      item.state = error.retryable ? "failed" : "refused";
      item.why = error.message;
    }
    this.changed();
  }

  #sent(conversation, cmid) {
    const before = conversation.pending.length;
    conversation.pending = conversation.pending.filter((p) => p.cmid !== cmid);
    if (conversation.pending.length !== before) this.#saveOutbox();
  }

  #saveOutbox() {
    const outbox = [];
    for (const { type, id, name, pending } of this.conversations.values()) {
      for (const { cmid, message } of pending) outbox.push({ type, id, name, cmid, message });
    }
    this.saved.store("outbox", outbox);
  }

  #get(type, id, name) {
    const key = keyOf(type, id);
    if (!this.conversations.has(key)) this.conversations.set(key, new Conversation(type, id, name));
    const conversation = this.conversations.get(key);
    if (name) conversation.name = name;
    return conversation;
  }

  #learn(conversation, convId) {
    conversation.convId = convId;
    this.byConvId.set(convId, conversation);
  }

  // The conversation of an entry; a single chat's is named by the one who is not me.
  #of(entry) {
    const known = this.byConvId.get(entry.conv_id);
    if (known) return known;
    const { type, id } = entry.target ?? {};
    const peer = type === "single" && entry.from?.username !== this.me ? entry.from.username : id;
    if (!type || !peer) return null;
    const conversation = this.#get(type, peer, entry.event?.group_name || "");
    this.#learn(conversation, entry.conv_id);
    return conversation;
  }

  // The rule of the protocol: the next one is applied, an older one is a repeat, a later one shows a hole.
  #apply(entry) {
    // What concerns the user alone (friends, blacklist, settings) is not shown here.
    if (entry.target?.type === "feed") return this.#ack(entry.conv_id, entry.seq);
    const conversation = this.#of(entry);
    if (!conversation) return this.#list();
    if (entry.from?.username === this.me && entry.cmid) this.#sent(conversation, entry.cmid);
    const fresh = entry.seq > Math.max(conversation.have, conversation.head);
    conversation.head = Math.max(conversation.head, entry.seq);
    if (fresh) this.#count(conversation, entry);
    this.#ack(entry.conv_id, entry.seq);
    if (!conversation.loaded) return;
    if (entry.seq === conversation.have + 1) {
      this.#keep(conversation, entry);
      conversation.have = entry.seq;
    } else if (entry.seq > conversation.have + 1) {
      this.#catchUp(conversation);
    }
  }

  #count(conversation, entry) {
    if (!entry.message) return entry.event && this.#preview(conversation, entry);
    this.#preview(conversation, entry);
    if (entry.from?.username === this.me) conversation.unread = 0;
    else if (conversation.type !== "chatroom") conversation.unread += entry.message.unread_delta ?? 0;
  }

  #preview(conversation, entry) {
    if ((conversation.last?.seq ?? 0) > entry.seq) return;
    conversation.last = entry;
    conversation.at = entry.ctime_ms;
  }

  #keep(conversation, entry) {
    if (entry.retract) {
      const taken = conversation.entries.get(entry.retract.seq);
      if (taken) taken.retracted = true;
    }
    conversation.entries.set(entry.seq, entry);
  }

  #reset(conversation, entries, from, have) {
    conversation.entries.clear();
    for (const entry of entries) this.#keep(conversation, entry);
    Object.assign(conversation, { loaded: true, from, have, head: Math.max(conversation.head, have) });
    for (const entry of entries) {
      if (entry.from?.username === this.me && entry.cmid) this.#sent(conversation, entry.cmid);
      this.#preview(conversation, entry);
    }
  }

  // Asks for what lies after the last entry held, until there is no more. One at a time for each conversation.
  async #catchUp(conversation) {
    if (this.syncing.has(conversation.key)) { this.syncing.set(conversation.key, true); return; }
    this.syncing.set(conversation.key, false);
    try {
      let more = true;
      while (more) {
        const item = conversation.type === "chatroom" ? await this.#roomPage(conversation) : await this.#page(conversation);
        if (!item) break;
        more = item.more || this.syncing.get(conversation.key);
        this.syncing.set(conversation.key, false);
      }
    } catch {
      // The next push, or the next login, asks again.
    } finally {
      this.syncing.delete(conversation.key);
    }
    this.changed();
  }

  async #page(conversation) {
    const page = await this.#sync(conversation.convId, conversation.have, "forward");
    const item = page.items?.[0];
    if (!item || item.error) return null;
    if (item.reset) this.#reset(conversation, [], item.from_seq ?? 1, (item.from_seq ?? 1) - 1);
    for (const entry of item.entries ?? []) this.#take(conversation, entry);
    conversation.have = Math.max(conversation.have, item.covered_to ?? 0);
    this.#ack(conversation.convId, conversation.have);
    return item;
  }

  async #roomPage(conversation) {
    const page = await this.connection.request("history", { conv_id: conversation.convId, after_seq: conversation.have, limit: PAGE });
    for (const entry of page.entries ?? []) this.#take(conversation, entry);
    if (page.to_seq) conversation.have = Math.max(conversation.have, page.to_seq);
    return { more: page.more && page.entries?.length };
  }

  #take(conversation, entry) {
    if (entry.from?.username === this.me && entry.cmid) this.#sent(conversation, entry.cmid);
    if (entry.seq > conversation.head) this.#count(conversation, entry);
    conversation.head = Math.max(conversation.head, entry.seq);
    this.#keep(conversation, entry);
  }

  #sync(convId, after, mode) {
    return this.connection.request("sync", { ranges: [{ conv_id: convId, after_seq: after, limit: PAGE }], mode });
  }

  async #list() {
    let cursor = "";
    for (let pages = 0; pages < 50; pages++) {
      const page = await this.connection.request("conv_list", { kinds: ["single", "group"], limit: 200, with_last: true, ...(cursor && { cursor }) });
      for (const item of page.items ?? []) this.#listed(item);
      if (!page.more || !page.cursor) break;
      cursor = page.cursor;
    }
    this.changed();
  }

  #listed(item) {
    if (!item.target?.id) return;
    const conversation = this.#get(item.type, item.target.id, item.name);
    this.#learn(conversation, item.conv_id);
    Object.assign(conversation, { head: item.head_seq ?? 0, unread: item.unread ?? 0, readSeq: item.read_seq ?? 0 });
    conversation.at = Math.max(conversation.at, item.head_ms ?? 0);
    if (item.last) this.#preview(conversation, item.last);
  }

  #readElsewhere({ conv_id, read_seq, unread }) {
    const conversation = this.byConvId.get(conv_id);
    if (!conversation || read_seq < conversation.readSeq) return;
    Object.assign(conversation, { readSeq: read_seq, unread: unread ?? 0 });
  }

  #moved({ items, resync_all }) {
    if (resync_all) return this.ready();
    for (const { conv_id, head_seq } of items ?? []) {
      const conversation = this.byConvId.get(conv_id);
      if (conversation?.loaded && head_seq > conversation.have) this.#catchUp(conversation);
    }
    this.#list().catch(() => {});
  }

  #skipped({ conv_id }) {
    const conversation = this.byConvId.get(conv_id);
    if (conversation?.loaded) this.#catchUp(conversation);
  }

  // Batched: frees the window that the server keeps for this connection.
  // Chatrooms need none.
  #ack(convId, seq) {
    if (convId.startsWith("r.")) return;
    if (seq > (this.acks.get(convId) ?? 0)) this.acks.set(convId, seq);
    this.ackTimer ??= setTimeout(() => {
      this.ackTimer = undefined;
      const items = [...this.acks].map(([conv_id, seq]) => ({ conv_id, seq }));
      this.acks.clear();
      this.connection.tell("ack", { items });
    }, ACK_AFTER_MS);
  }
}
