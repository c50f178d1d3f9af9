// The page in a real Chromium against a real server: two people, a group, a room, a crash in between, a phone, a keyboard.
// Usage: node run.mjs <path of the mynah binary>. Needs chromium on the PATH (or CHROMIUM=path).

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { Server } from "./server.mjs";

const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const WITHIN = 15_000;

const folder = mkdtempSync(join(tmpdir(), "mynah-page-"));
const server = await Server.start(process.argv[2] ?? "target/debug/mynah", join(folder, "data"));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGS });
const faults = [];

async function person(name, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(WITHIN);
  page.on("pageerror", (error) => faults.push(`${name}: ${error}`));
  page.on("console", (message) => {
    // A server that is down shows as a failed load; anything else is the page's own fault.
    if (message.type() === "error" && !/ERR_CONNECTION|WebSocket connection/.test(message.text())) faults.push(`${name}: ${message.text()}`);
  });
  page.on("request", (request) => {
    const { host } = new URL(request.url());
    if (!["", server.host].includes(host)) faults.push(`${name} asked ${request.url()}`);
  });
  await page.goto(server.url);
  await page.fill("#enter-name", name);
  await page.press("#enter-name", "Enter");
  await online(page);
  return page;
}

const online = (page) => page.waitForSelector("body[data-status=online]");
const row = (page, name) => page.locator("#conversations button", { has: page.locator(".name", { hasText: new RegExp(`^${name}$`) }) });
const texts = (page) => page.locator("#entries .said").allTextContents();

async function say(page, text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
}

// Says it in the very moment in which the page is connected again, before it has asked the server anything.
const sayOnceOnline = (page, text) => page.evaluate((text) => {
  const observer = new MutationObserver(() => {
    if (document.body.dataset.status !== "online") return;
    observer.disconnect();
    document.querySelector("#text").value = text;
    document.querySelector("#compose").requestSubmit();
  });
  observer.observe(document.body, { attributeFilter: ["data-status"] });
}, text);

// Waits until the conversation shows exactly these texts, in this order.
async function shows(page, wanted) {
  const same = (wanted) => {
    const got = [...document.querySelectorAll("#entries .said")].map((e) => e.textContent);
    return JSON.stringify(got) === JSON.stringify(wanted);
  };
  await page.waitForFunction(same, wanted).catch(async () => assert.deepEqual(await texts(page), wanted));
}

const steps = {
  async "two people chat, with unread counts"() {
    anna = await person("anna01");
    tommy = await person("tommy01");
    await anna.click("#new-chat");
    await anna.locator("#pick-list button", { hasText: "tommy01" }).click();
    await say(anna, "hello");
    await anna.waitForSelector("#entries [data-state=sent]");
    await row(tommy, "anna01").locator(".unread", { hasText: "1" }).waitFor();
    await row(tommy, "anna01").click();
    await shows(tommy, ["hello"]);
    await row(tommy, "anna01").locator(".unread").waitFor({ state: "hidden" });
    await say(tommy, "<b>hi</b> 你好");
    await shows(anna, ["hello", "<b>hi</b> 你好"]);
  },

  async "a message is taken back"() {
    await anna.locator("#entries button", { hasText: "Take back" }).click();
    await shows(tommy, ["was taken back", "<b>hi</b> 你好"]);
    await shows(anna, ["was taken back", "<b>hi</b> 你好"]);
  },

  async "a picture is sent, and shown on both sides"() {
    const png = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAIAAAA2iEnWAAAAEElEQVR4nGP4z8AARAwoFABE0AX7pM/egAAAAABJRU5ErkJggg==", "base64");
    await anna.setInputFiles("#picture", { name: "my dot (1) 写真.png", mimeType: "image/png", buffer: png });
    const loaded = () => document.querySelector("#entries img.picture")?.naturalHeight === 3;
    await Promise.all([anna.waitForFunction(loaded), tommy.waitForFunction(loaded)]);
    // It is taken back, and no longer shown.
    await anna.locator("#entries .message", { has: anna.locator("img") }).locator("button", { hasText: "Take back" }).click();
    await Promise.all([anna, tommy].map((page) => page.locator("#entries img").waitFor({ state: "detached" })));
    // What is no picture is refused with words, and nothing is sent.
    await anna.setInputFiles("#picture", { name: "no.png", mimeType: "image/png", buffer: Buffer.from("<svg/>") });
    await anna.locator("#status", { hasText: "file" }).waitFor();
    assert.equal(await anna.locator("#entries img").count(), 0);
    // The browser itself tells of the refused upload.
    assert.match(faults.pop() ?? "", /400/);
  },

  async "a group: events and messages in one order"() {
    await anna.click("#new-group");
    await anna.fill("#pick-name", "hikers");
    await anna.locator("#pick-list label", { hasText: "tommy01" }).click();
    await anna.click("#pick-done");
    await anna.locator("#title", { hasText: "hikers" }).waitFor();
    await row(tommy, "hikers").click();
    for (const i of [1, 2, 3]) {
      await say(anna, `a${i}`);
      await say(tommy, `t${i}`);
    }
    await anna.waitForFunction(() => document.querySelectorAll("#entries .said").length === 6);
    const order = await texts(anna);
    assert.deepEqual(order.filter((t) => t.startsWith("a")), ["a1", "a2", "a3"]);
    await shows(tommy, order);
    assert.ok((await anna.locator("#entries .event").count()) >= 1, "the group's making is shown");
  },

  async "people are added to a group"() {
    lucy = await person("lucy01", { viewport: { width: 390, height: 720 }, hasTouch: true, isMobile: true });
    await anna.click("#add-people");
    await anna.locator("#pick-list label", { hasText: "lucy01" }).click();
    await anna.click("#pick-done");
    await row(lucy, "hikers").waitFor();
  },

  async "a room"() {
    await tommy.click("#new-room");
    await tommy.fill("#pick-name", "lounge");
    await tommy.click("#pick-done");
    await tommy.locator("#title", { hasText: "lounge" }).waitFor();
    await say(tommy, "first");
    await anna.click("#new-room");
    await anna.locator("#pick-list button", { hasText: "lounge" }).click();
    await shows(anna, ["first"]);
    await say(anna, "second");
    await shows(tommy, ["first", "second"]);
  },

  async "a phone: one pane at a time, nothing wider than the screen"() {
    await row(lucy, "hikers").tap();
    await lucy.locator("#title", { hasText: "hikers" }).waitFor();
    await lucy.locator(".side").waitFor({ state: "hidden" });
    await say(lucy, "w".repeat(300));
    await lucy.waitForSelector("#entries [data-state=sent]");
    assert.ok(await lucy.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "no sideways scrolling");
    await lucy.tap("#back");
    await lucy.locator(".side").waitFor();
  },

  async "by keyboard alone"() {
    const page = await person("karl01");
    await page.focus("#new-chat");
    await page.keyboard.press("Enter");
    await page.locator("#pick-list button").first().waitFor();
    await page.locator("#pick-list button", { hasText: "tommy01" }).focus();
    await page.keyboard.press("Enter");
    await page.locator("#title", { hasText: "tommy01" }).waitFor();
    await page.keyboard.type("typed");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#entries [data-state=sent]");
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => document.activeElement.dataset.key === "single:tommy01");
    await page.context().close();
  },

  async "the server is killed while a message is written: it arrives once"() {
    await row(anna, "tommy01").click();
    await row(tommy, "anna01").click();
    await server.kill();
    await anna.waitForSelector("body[data-status=reconnecting]");
    await say(anna, "written while it was down");
    await anna.waitForSelector("#entries [data-state=failed]");
    await sayOnceOnline(anna, "written when it was back");
    await server.restart();
    await Promise.all([online(anna), online(tommy)]);
    const all = ["was taken back", "<b>hi</b> 你好", "was taken back", "written while it was down", "written when it was back"];
    await shows(anna, all);
    await shows(tommy, all);
    await anna.waitForFunction(() => !document.querySelector("#entries [data-state=failed]"));
  },

  async "a long history: reloaded, then scrolled up to its beginning"() {
    for (let i = 1; i <= 120; i++) await say(anna, `line ${i}`);
    await anna.waitForFunction(() => document.querySelectorAll("#entries [data-state=sent]").length >= 120);
    await tommy.reload();
    await online(tommy);
    await row(tommy, "anna01").click();
    await tommy.waitForFunction(() => document.querySelectorAll("#entries .said").length >= 40);
    await tommy.waitForFunction(() => {
      document.querySelector("#entries").scrollTop = 0;
      return document.querySelectorAll("#entries .said").length === 125;
    }, undefined, { polling: 100 });
    const got = await texts(tommy);
    assert.deepEqual(got.slice(5), Array.from({ length: 120 }, (_, i) => `line ${i + 1}`));
  },
};

let anna, tommy, lucy;
let failed = 0;
for (const [name, step] of Object.entries(steps)) {
  try {
    await step();
    console.log(`ok    ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL  ${name}\n${error.stack}`);
    break;
  }
}
if (faults.length) {
  failed++;
  console.log(`FAIL  the page's own errors:\n${faults.join("\n")}`);
}
await browser.close();
await server.kill();
if (failed) console.log(server.log);
rmSync(folder, { recursive: true, force: true });
process.exit(failed ? 1 : 0);
