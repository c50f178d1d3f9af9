// A server process of its own, on ports of its own.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";

async function freePort() {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address();
  probe.close();
  await once(probe, "close");
  return port;
}

export class Server {
  static async start(binary, dataDir) {
    const server = new Server();
    const [http, ops] = [await freePort(), await freePort()];
    Object.assign(server, { binary, dataDir, http, ops, log: "", host: `127.0.0.1:${http}`, url: `http://127.0.0.1:${http}/ui/` });
    await server.restart();
    return server;
  }

  async restart() {
    // A public name that leads nowhere from here: the page does without it.
    const args = ["serve", "--public-url", "https://im.example", "--data-dir", this.dataDir, "--http-listen", this.host, "--ops-listen", `127.0.0.1:${this.ops}`, "--sends-per-minute", "3000"];
    this.child = spawn(this.binary, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on("data", (data) => { this.log += data; });
    const deadline = Date.now() + 30_000;
    while (!(await this.#ready())) {
      if (this.child.exitCode !== null || Date.now() > deadline) throw new Error(`the server did not start:\n${this.log}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async kill() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill("SIGKILL");
    await once(this.child, "exit");
  }

  async #ready() {
    try {
      return (await fetch(`http://127.0.0.1:${this.ops}/readyz`)).ok;
    } catch {
      return false;
    }
  }
}
