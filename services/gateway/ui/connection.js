// One connection to /v1/ws that comes back by itself: hello, login, requests with answers, pushes.

const SILENT_AFTER_MS = 75_000;
const ANSWER_WITHIN_MS = 15_000;
// Close codes from here on are not for reconnecting (device protocol, close codes).
const FINAL_CLOSE = 4500;

export class Refused extends Error {
  constructor(error) {
    super(error.message || `error ${error.code}`);
    this.code = error.code;
    this.retryable = Boolean(error.retryable);
    this.retryAfterMs = error.retry_after_ms || 0;
  }
}

const unreachable = () => new Refused({ message: "not connected", retryable: true });

export class Connection {
  // `who` has appkey-independent credentials: {session} or {username, password}; `on` are the handlers
  // {status(text), ready(login_ack), push(name, body), ended(reason)}.
  constructor({ deviceId, who, sign, on }) {
    Object.assign(this, { deviceId, who, sign, on });
    this.waiting = new Map();
    this.nextId = 1;
    this.attempt = 0;
    this.base = 500;
    this.cap = 20_000;
    this.stopped = false;
    this.online = false;
    window.addEventListener("online", this.#hurry);
    this.#open();
  }

  stop() {
    this.stopped = true;
    window.removeEventListener("online", this.#hurry);
    clearTimeout(this.retryTimer);
    this.socket?.close(1000);
  }

  // Sends one frame and resolves with its answer's body; rejects with Refused.
  request(name, body) {
    if (!this.online) return Promise.reject(unreachable());
    return this.#request(name, body);
  }

  // Sends a frame that has no answer.
  tell(name, body) {
    if (this.online) this.socket.send(JSON.stringify({ [name]: body }));
  }

  #hurry = () => {
    this.attempt = 0;
    if (!this.online && !this.stopped) this.#again(0);
  };

  #request(name, body) {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(new Refused({ message: "no answer in time", retryable: true }));
      }, ANSWER_WITHIN_MS);
      this.waiting.set(id, { resolve, reject, timer });
      this.socket.send(JSON.stringify({ id, [name]: body }));
    });
  }

  async #open() {
    this.on.status("connecting");
    let auth;
    try {
      auth = await this.sign();
    } catch (error) {
      if (error.final) return this.#end(error.message);
      return this.#again();
    }
    if (this.stopped) return;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/v1/ws`, ["mynah.v1.json"]);
    this.socket = socket;
    socket.onopen = () => this.#greet(auth).catch((error) => this.#refusedAtStart(error));
    socket.onmessage = ({ data }) => this.#read(data);
    socket.onclose = ({ code, reason }) => this.#closed(socket, code, reason);
  }

  async #greet({ appkey, ...auth_payload }) {
    const hello = { appkey, platform: "j", device_id: this.deviceId, sdk: "mynah-page", auth_payload };
    const [welcome, ack] = await Promise.all([this.#request("hello", hello), this.#request("login", this.who)]);
    this.base = welcome.reconnect?.base_ms ?? this.base;
    this.cap = welcome.reconnect?.cap_ms ?? this.cap;
    this.who = { session: ack.session };
    this.online = true;
    this.pings = setInterval(() => this.#ping(), (welcome.ping_ms || 30_000) * (0.8 + 0.2 * Math.random()));
    this.settled = setTimeout(() => { this.attempt = 0; }, 30_000);
    this.on.status("online");
    this.on.ready(ack);
  }

  #refusedAtStart(error) {
    if (error.retryable) return this.socket.close(4000);
    this.#end(error.message, error);
    this.socket.close(1000);
  }

  #ping() {
    if (Date.now() - this.heard > SILENT_AFTER_MS) return this.socket.close(4001);
    this.tell("ping", { ts: Date.now() });
  }

  #read(data) {
    this.heard = Date.now();
    for (const line of data.split("\n")) {
      if (!line) continue;
      const { id, error, ...rest } = JSON.parse(line);
      const [name, body] = Object.entries(rest)[0] ?? ["ok", {}];
      const waiting = id && this.waiting.get(id);
      if (waiting) {
        this.waiting.delete(id);
        clearTimeout(waiting.timer);
        error ? waiting.reject(new Refused(error)) : waiting.resolve(body);
      } else if (name === "goaway") {
        this.spread = (body.reconnect_after_ms || 0) + Math.random() * (body.spread_ms || 0);
      } else if (name === "kicked") {
        this.kicked = body.reason;
      } else if (!id && !error) {
        this.on.push(name, body);
      }
    }
  }

  #closed(socket, code, reason) {
    if (socket !== this.socket) return;
    this.online = false;
    clearInterval(this.pings);
    clearTimeout(this.settled);
    for (const { reject, timer } of this.waiting.values()) {
      clearTimeout(timer);
      reject(unreachable());
    }
    this.waiting.clear();
    if (this.stopped) return;
    if (this.kicked || (code >= FINAL_CLOSE && code < 5000)) return this.#end(this.kicked || reason);
    this.#again();
  }

  // Full jitter, growing; told by the server how long to spread after a goaway.
  #again(wait) {
    const full = Math.min(this.cap, this.base * 2 ** this.attempt++);
    const delay = wait ?? (this.spread ?? Math.random() * full) + (this.attempt > 1 ? this.base : 0);
    this.spread = undefined;
    clearTimeout(this.retryTimer);
    this.on.status("reconnecting");
    this.retryTimer = setTimeout(() => this.#open(), delay);
  }

  #end(reason, error) {
    this.stopped = true;
    this.on.ended(reason, error);
  }
}
