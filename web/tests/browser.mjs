// A static server for dist/ and a browser that looks at it.
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { pathToFileURL } from "node:url";
import puppeteer from "puppeteer-core";

const TYPES = { html: "text/html", js: "text/javascript", css: "text/css", gz: "application/gzip" };

/** The page that is looked at: web/dist/, or the folder that FLOPCAST_PAGE names. */
export const built = process.env.FLOPCAST_PAGE ? pathToFileURL(`${process.env.FLOPCAST_PAGE}/`) : new URL("../dist/", import.meta.url);

/** Serves a folder as a host of static files does, and nothing else. */
export async function serve(folder) {
  const server = createServer((request, response) => {
    const name = new URL(request.url, "http://localhost").pathname.slice(1) || "index.html";
    try {
      const body = readFileSync(new URL(name, folder));
      response.writeHead(200, { "content-type": TYPES[name.split(".").pop()] ?? "text/plain" }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { server, address: `http://127.0.0.1:${server.address().port}/` };
}

export async function browser(...args) {
  const named = ["chromium", "chromium-browser", "google-chrome"].find((name) => {
    try {
      execFileSync("which", [name], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  });
  if (!named) return null;
  const executablePath = execFileSync("which", [named], { encoding: "utf8" }).trim();
  return puppeteer.launch({ executablePath, headless: true, args: ["--no-sandbox", "--disable-gpu", ...args], protocolTimeout: 600_000 });
}

/** A page of the site that tells what it asked for and complained of. */
export async function visit(chromium, address, { width = 1280, height = 900, dark = false } = {}) {
  const context = await chromium.createBrowserContext();
  const page = await context.newPage();
  const seen = { requests: [], complaints: [] };
  page.on("request", (request) => request.url().startsWith("blob:") || seen.requests.push(request.url()));
  page.on("console", (message) => ["error", "warn"].includes(message.type()) && seen.complaints.push(message.text()));
  page.on("pageerror", (error) => seen.complaints.push(String(error)));
  await page.setViewport({ width, height, isMobile: width < 600, hasTouch: width < 600 });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]);
  await page.goto(address);
  await page.waitForSelector("html[data-ready]", { timeout: 120_000 });
  return { page, seen, close: () => context.close() };
}

/** Waits until something is so, also on a page that is not in front. */
export function wait(page, so, ...given) {
  return page.waitForFunction(so, { polling: 50, timeout: 300_000 }, ...given);
}

/** Waits until the whole forecast of the text is there. */
export function settled(page) {
  return wait(page, () => document.documentElement.dataset.shown === "whole");
}

/** Waits until the page refuses something. */
export function refused(page) {
  return wait(page, () => [...document.querySelectorAll("[role=alert]")].some((it) => it.textContent));
}
