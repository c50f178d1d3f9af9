// The page of the API in a real Chromium: every endpoint of the description, found, opened, on a phone and in the dark.
// Usage: node api.mjs <path of the mynah binary> [folder for pictures]. Needs chromium on the PATH (or CHROMIUM=path).

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { Server } from "./server.mjs";

const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

const folder = mkdtempSync(join(tmpdir(), "mynah-api-"));
const server = await Server.start(process.argv[2] ?? "target/debug/mynah", join(folder, "data"));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGS });
const faults = [];

async function opened(name, options) {
  const page = await (await browser.newContext(options)).newPage();
  page.setDefaultTimeout(15_000);
  page.on("pageerror", (error) => faults.push(`${name}: ${error}`));
  page.on("console", (message) => message.type() === "error" && faults.push(`${name}: ${message.text()}`));
  page.on("request", (request) => {
    if (new URL(request.url()).host !== server.host) faults.push(`${name} asked ${request.url()}`);
  });
  await page.goto(`http://${server.host}/ui/api.html`);
  await page.waitForSelector("details.call");
  return page;
}

async function picture(page, name) {
  if (process.argv[3]) await page.screenshot({ path: join(process.argv[3], `${name}.png`) });
}

const fits = async (page, name) => {
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wider <= 0, `${name} is ${wider} px wider than the window`);
};

try {
  const description = await (await fetch(`http://${server.host}/openapi.json`)).json();
  const calls = Object.values(description.paths).flatMap((path) => Object.keys(path));

  const desk = await opened("desk", { viewport: { width: 1280, height: 900 } });
  assert.equal(await desk.locator("details.call").count(), calls.length);
  await picture(desk, "desk");
  // Each opens, and shows its line to paste and its answers.
  for (const call of await desk.locator("details.call").all()) {
    await call.locator(":scope > summary").click();
    await call.locator(".curl pre").waitFor();
    assert.ok((await call.locator("tr").count()) >= 5, await call.getAttribute("id"));
    await fits(desk, await call.getAttribute("id"));
    await call.locator(":scope > summary").click();
  }
  await desk.fill("#find", "847002");
  assert.deepEqual(await desk.locator("details.call:visible .path").allTextContents(), ["/v1/messages"]);
  await desk.fill("#find", "");

  const dark = await opened("dark", { viewport: { width: 1280, height: 900 }, colorScheme: "dark" });
  await dark.goto(`http://${server.host}/ui/api.html#post_v1_messages`);
  await dark.reload();
  await dark.locator("#post_v1_messages .curl").waitFor();
  await picture(dark, "dark");

  const phone = await opened("phone", { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  await phone.locator("#post_v1_users > summary").tap();
  await phone.locator("#post_v1_users .curl").waitFor();
  await fits(phone, "phone");
  await phone.locator("#post_v1_users").scrollIntoViewIfNeeded();
  await picture(phone, "phone");

  assert.deepEqual(faults, []);
  console.log(`${calls.length} endpoints are shown`);
} finally {
  await browser.close();
  await server.kill();
  rmSync(folder, { recursive: true, force: true });
}
