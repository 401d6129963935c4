// How long a move of a slider takes: P50, P90 and P99 of 10,000 moves, of the work and of the wait.
//
//   node tests/bench.mjs [SCENARIO [MOVES]]
//
// The recalculation is from the event to the new texts in the page; the repaint is the frame that shows them, from
// its begin to its handing over. The screen begins a frame every 16.7 ms, here too: what passes between both is its
// pace, which no work shortens, and is told apart as the time until one sees it. A busy machine stretches all of
// them: the time that the page's thread worked is stretched less, and the load is told.
import { readFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { deflateRawSync } from "node:zlib";
import { browser, built, serve, settled, visit } from "./browser.mjs";

const [name = "gpt3-175b", moves = "10000"] = process.argv.slice(2);
const root = new URL("../../", import.meta.url);
const site = await serve(built);
const chromium = await browser();
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
  // A message that is sent as a frame begins comes after it.
  const frame = () => new Promise((done) => requestAnimationFrame(() => {
    const begin = performance.now();
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => done(performance.now() - begin);
    port2.postMessage(0);
  }));
  const times = { recalculation: [], repaint: [], both: [], seen: [] };
  for (let move = 0; move < moves; move++) {
    // Each slider sweeps to and fro for fifty moves.
    const slider = sliders[Math.floor(move / 50) % sliders.length];
    if (move % 50 === 0) slider.focus();
    const begin = performance.now();
    const shown = new Promise((done) => document.addEventListener("shown", done, { once: true }));
    slider.value = String(500 + Math.round(300 * Math.sin(move / 8)));
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await shown;
    const recalculation = performance.now() - begin;
    const repaint = await frame();
    times.recalculation.push(recalculation);
    times.repaint.push(repaint);
    times.both.push(recalculation + repaint);
    times.seen.push(performance.now() - begin);
  }
  return times;
}, Number(moves));
const thread = (1000 * (await worked() - begun) / times.both.length).toFixed(2);
console.log(`${name}: ${times.both.length} moves, in ms`);
for (const [what, all] of Object.entries(times)) {
  all.sort((a, b) => a - b);
  const at = (share) => all[Math.min(all.length - 1, Math.floor(share * all.length))].toFixed(2);
  console.log(`${what.padEnd(14)}P50 ${at(0.5)}, P90 ${at(0.9)}, P99 ${at(0.99)}, most ${at(1)}`);
}
console.log(`the page's thread works ${thread} ms a move; load ${loaded.toFixed(1)} to ${loadavg()[0].toFixed(1)} on ${availableParallelism()} cores`);
await chromium.close();
site.server.close();
