// How long a move of a slider takes, from the event to the painted figures: P50 and P99 of 10,000 moves; the
// time that the page's thread works for one, which a busy machine stretches less; and how busy it is.
//
//   node tests/bench.mjs [SCENARIO [MOVES]]
import { readFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { deflateRawSync } from "node:zlib";
import { browser, built, serve, settled, visit } from "./browser.mjs";

const [name = "gpt3-175b", moves = "10000"] = process.argv.slice(2);
const root = new URL("../../", import.meta.url);
const site = await serve(built);
// Frames are drawn as soon as there is something to draw: what counts is the work, not the screen's pace.
const chromium = await browser("--disable-frame-rate-limit", "--disable-gpu-vsync");
const text = readFileSync(new URL(`scenarios/${name}.yaml`, root), "utf8");
const hash = `#1.${deflateRawSync(JSON.stringify([[text], {}])).toString("base64url")}`;
const { page } = await visit(chromium, site.address + hash);
await settled(page);
const session = await page.createCDPSession();
await session.send("Performance.enable", { timeDomain: "threadTicks" });
const worked = async () =>
  (await session.send("Performance.getMetrics")).metrics.find((metric) => metric.name === "ThreadTime").value;
const [begun, loaded] = [await worked(), loadavg()[0]];
const times = await page.evaluate(async (moves) => {
  const sliders = [...document.querySelectorAll(".form input[type=range]")].filter((it) => it.offsetParent && !it.classList.contains("open"));
  const painted = () => new Promise((done) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = done;
    port2.postMessage(0);
  }));
  const times = [];
  for (let move = 0; move < moves; move++) {
    // Each slider sweeps to and fro for fifty moves.
    const slider = sliders[Math.floor(move / 50) % sliders.length];
    if (move % 50 === 0) slider.focus();
    const begin = performance.now();
    const shown = new Promise((done) => document.addEventListener("shown", done, { once: true }));
    slider.value = String(500 + Math.round(300 * Math.sin(move / 8)));
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await shown;
    await painted();
    times.push(performance.now() - begin);
  }
  return times;
}, Number(moves));
const thread = (1000 * (await worked() - begun) / times.length).toFixed(2);
times.sort((a, b) => a - b);
const at = (share) => times[Math.min(times.length - 1, Math.floor(share * times.length))].toFixed(2);
console.log(`${name}: ${times.length} moves, P50 ${at(0.5)} ms, P90 ${at(0.9)} ms, P99 ${at(0.99)} ms, most ${at(1)} ms`);
console.log(`the page's thread works ${thread} ms a move; load ${loaded.toFixed(1)} to ${loadavg()[0].toFixed(1)} on ${availableParallelism()} cores`);
await chromium.close();
site.server.close();
