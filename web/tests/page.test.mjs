// The page in a real browser: its figures are the command line's, nothing is asked for after the load,
// nothing runs that a file or link says, and everybody can use it.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { deflateRawSync, gzipSync } from "node:zlib";
import { browser, built, refused, serve, settled, visit, wait } from "./browser.mjs";

const root = new URL("../../", import.meta.url);
const flopcast = process.env.FLOPCAST ?? new URL("target/debug/flopcast", root).pathname;
const scratch = mkdtempSync(join(tmpdir(), "flopcast-page-"));
let site, chromium;

before(async () => {
  site = await serve(built);
  chromium = await browser();
  assert.ok(chromium, "Chromium is installed by .ci/tools");
});
after(async () => {
  await chromium?.close();
  site.server.close();
});

const scenario = (name) => readFileSync(new URL(`scenarios/${name}.yaml`, root), "utf8");
const fragment = (value) => `#1.${deflateRawSync(JSON.stringify(value)).toString("base64url")}`;
const open = (text, options) => visit(chromium, site.address + fragment([[text], {}]), options);
const answer = (page) => page.$eval("#answer", (it) => it.textContent);

test("figures are the command line's, digit by digit", async () => {
  const { page, seen } = await visit(chromium, site.address);
  const names = readdirSync(new URL("scenarios/", root)).filter((name) => name.endsWith(".yaml"));
  assert.ok(names.length > 15);
  for (const name of names) {
    const run = () => execFileSync(flopcast, ["estimate", `scenarios/${name}`, "--format", "json"], {
      cwd: root.pathname, encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "ignore"],
      env: { ...process.env, XDG_CACHE_HOME: scratch },
    });
    let told;
    try {
      told = run();
    } catch (error) {
      // A forecast that breaks a limit stands, and exits with 1.
      assert.equal(error.status, 1, name);
      told = error.stdout;
    }
    const text = readFileSync(new URL(`scenarios/${name}`, root), "utf8");
    const shown = await page.evaluate(async (text) =>
      new TextDecoder().decode(await window.flopcast.document("json", text)), text);
    // Places in the text are named after the file; the page's text has none.
    const normal = (json) => json.replaceAll(`scenarios/${name}`, "scenario").replaceAll(name, "scenario");
    assert.equal(normal(shown), normal(told), name);
  }
  assert.deepEqual(seen.complaints, []);
});

test("the page is 2.5 MB at most, compressed", () => {
  const sizes = readdirSync(built).map((name) => {
    const bytes = readFileSync(new URL(name, built));
    return name.endsWith(".gz") ? bytes.length : gzipSync(bytes).length;
  });
  assert.ok(sizes.length >= 4 && sizes.reduce((sum, size) => sum + size, 0) <= 2_500_000, sizes.join(" "));
});

test("a slider that rests is shown what it was shown on the way", async () => {
  const { page, close } = await open(scenario("gpt3-175b"));
  await settled(page);
  const told = () => page.$eval("#tiles", (it) => [...it.querySelectorAll(".value")].map((value) => value.textContent).join("|"));
  const before = await told();
  const shown = page.evaluate(() => new Promise((done) => document.addEventListener("shown", () =>
    done([...document.querySelectorAll("#tiles .value")].map((value) => value.textContent).join("|")), { once: true })));
  await page.focus("#field-training-hardware-count ~ input[type=range]");
  await page.keyboard.press("ArrowRight");
  const moved = await shown;
  await settled(page);
  assert.notEqual(moved, before);
  assert.equal(await told(), moved);
  assert.equal(await page.evaluate(() => document.documentElement.classList.contains("moving")), false);
  await close();
});

test("nothing is asked for after the load", async () => {
  const { page, seen, close } = await visit(chromium, site.address);
  const loaded = seen.requests.length;
  assert.ok(loaded <= 5, seen.requests.join(" "));
  await page.click("#examples button");
  await settled(page);
  await page.focus("#field-training-hardware-count ~ input[type=range]");
  await page.keyboard.press("ArrowRight");
  await settled(page);
  await page.click(".figures button");
  await page.click("#compare");
  for (const form of ["json", "html", "xlsx", "markdown", "csv"]) {
    const size = await page.evaluate(async (form) => (await window.flopcast.document(form)).length, form);
    assert.ok(size > 1000, form);
  }
  assert.deepEqual(seen.requests.slice(loaded), []);
  assert.deepEqual(seen.complaints, []);
  await close();
});

for (const [device, width] of [["desktop", 1280], ["phone", 390]]) {
  for (const dark of [false, true]) {
    test(`contrast, labels and frame: ${device}, ${dark ? "dark" : "light"}`, async () => {
      const axe = readFileSync(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
      const look = async (page, where) => {
        await page.evaluate(axe);
        const found = await page.evaluate(() =>
          window.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }));
        const said = found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target).join(", ")}`);
        assert.deepEqual(said, [], where);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(wide <= 0, `${where} is ${wide} px too wide`);
      };
      const first = await visit(chromium, site.address, { width, dark });
      await look(first.page, "start");
      await first.close();
      const { page, close } = await open(scenario("gpt3-175b"), { width, dark });
      await settled(page);
      await page.click(".figures button");
      await page.click("#compare");
      await page.waitForSelector(".why details");
      await look(page, "forecast");
      await close();
    });
  }
}

test("the keyboard reaches and moves everything", async () => {
  const { page, close } = await visit(chromium, site.address);
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.className);
  await page.keyboard.press("Tab");
  assert.equal(await focused(), "skip");
  await page.focus("#start-model");
  await page.keyboard.type("mixtral");
  assert.equal(await page.$eval("#start-model", (it) => it.getAttribute("aria-expanded")), "true");
  // What is typed stands, until the arrows choose.
  assert.equal(await page.$eval("#start-model", (it) => it.getAttribute("aria-activedescendant")), null);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  assert.match(await page.$eval("#start-model", (it) => it.value), /^mixtral-/);
  await page.keyboard.press("Enter");
  await settled(page);
  const first = await answer(page);
  assert.match(first, /The training takes/);
  // Every control of the form is reached by Tab, in the order of the page.
  await page.focus("#field-model");
  const order = [];
  for (let press = 0; press < 30; press++) {
    await page.keyboard.press("Tab");
    order.push(await focused());
  }
  const wanted = ["field-data-tokens", "field-training-hardware-count", "field-placement-provider"];
  assert.deepEqual(order.filter((id) => wanted.includes(id)), wanted);
  await page.focus("#field-data-tokens ~ input[type=range]");
  await page.keyboard.press("ArrowRight");
  await wait(page, (old) => document.getElementById("answer").textContent !== old, first);
  // A figure opens by Enter.
  await page.focus(".figures button");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".why:not([hidden]) .how");
  await close();
});

test("a link restores the state", async () => {
  const { page, close } = await open(scenario("llama-3-8b-ledger"));
  await settled(page);
  await page.click("#compare");
  await page.focus("#field-training-hardware-count ~ input[type=range]");
  for (let press = 0; press < 40; press++) await page.keyboard.press("ArrowRight");
  await settled(page);
  await wait(page, () => location.hash.length > 20);
  await new Promise((done) => setTimeout(done, 300));
  const state = (page) => page.evaluate(() => [
    document.getElementById("yaml").value, document.getElementById("answer").textContent,
    [...document.querySelectorAll(".figures td")].map((it) => it.textContent).join("|"),
  ]);
  const told = await state(page);
  const address = await page.evaluate(() => location.href);
  const again = await visit(chromium, address);
  await settled(again.page);
  await again.page.waitForSelector(".delta");
  assert.deepEqual(await state(again.page), told);
  await again.close();
  await close();
});

const IMAGE = "<img src=x onerror=window.pwned=1><script>window.pwned=1</script><svg onload=window.pwned=1>";

/** Fails where a script ran, or where an element of the page has a foreign tag. */
async function harmless(page, seen, expected) {
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.equal(await page.$("main img, main script, main iframe"), null);
  assert.deepEqual(seen.complaints, []);
  const said = await page.evaluate(() => 
    [...document.querySelectorAll("[role=alert], #loading:not([hidden])")].map((it) => it.textContent).join(""));
  assert.match(said, expected);
}

test("hostile scenarios are refused or shown as text", async () => {
  const bomb = `a: &a [x, x, x, x, x, x, x, x, x]\n${Array.from({ length: 12 }, (_, at) =>
    `${String.fromCharCode(98 + at)}: &${String.fromCharCode(98 + at)} [${Array(9).fill(`*${String.fromCharCode(97 + at)}`)}]`).join("\n")}`;
  const cases = [
    [`name: "${IMAGE}"\nmodel: nonsense\ndata: {tokens: 1T}\ntraining: {precision: bf16, hardware: {accelerator: h100-sxm, count: 8}}\n`, /nonsense/],
    [`"${IMAGE}": 1\n`, /img/],
    [bomb, /aliases/],
    [`model: ${"[".repeat(5000)}`, /YAML/],
    ["__proto__: {polluted: 1}\nconstructor: {prototype: {polluted: 1}}\n", /__proto__|constructor|name/],
    [`extends: ${"../".repeat(20)}etc/passwd\n`, /passwd/],
    ["name: a\nmodel: {onnx: none.onnx}\n", /none\.onnx/],
    ["name: a\nmodel: 1e999\ndata: {tokens: 1e400}\n", /./],
    ["\u0000\u0001", /./],
  ];
  for (const [text, expected] of cases) {
    const { page, seen, close } = await open(text);
    await refused(page);
    await harmless(page, seen, expected);
    assert.equal(await page.evaluate(() => ({}).polluted), undefined);
    await close();
  }
  // A scenario that is right, whose words are markup.
  const { page, seen, close } = await open(scenario("gpt3-175b").replace(/^name: .*$/m, `name: '${IMAGE}'`).replace("Patterson", IMAGE));
  await settled(page);
  assert.equal(await page.$eval("#name", (it) => it.textContent), IMAGE);
  await page.click(".figures button");
  await harmless(page, seen, /^$/);
  await close();
});

test("hostile links are refused", async () => {
  const links = [
    "#1.%3Cscript%3E", "#1.AAAA", "#9.AAAA", `#1.${"A".repeat(200_000)}`, `#${IMAGE}`,
    fragment({ scenarios: 1 }), fragment([[1], {}]), fragment([[], {}]), fragment(["a", {}]), fragment([["a"], { f: 1 }]),
    `#1.${deflateRawSync(Buffer.alloc(30_000_000)).toString("base64url")}`,
  ];
  for (const link of links) {
    const { page, seen, close } = await visit(chromium, site.address + link);
    await harmless(page, seen, /link/);
    await close();
  }
});

test("model files are read, and hostile ones refused", async () => {
  const files = {
    "config.json": [JSON.stringify({
      model_type: "llama", architectures: ["LlamaForCausalLM"], hidden_size: 4096, intermediate_size: 14336,
      num_attention_heads: 32, num_key_value_heads: 8, num_hidden_layers: 32, vocab_size: 128256,
      max_position_embeddings: 8192, tie_word_embeddings: false,
    }), null],
    "broken.json": [`{"model_type": "${IMAGE.replaceAll('"', "'")}"}`, /./],
    "noise.onnx": [Buffer.from(Array.from({ length: 4096 }, (_, at) => (at * 197 + 31) % 256)), /noise\.onnx/],
    "huge.safetensors": [Buffer.from("ffffffffffffff7f7b7d", "hex"), /./],
    "cut.gguf": [Buffer.from("GGUF\u0003\u0000\u0000\u0000\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u007f", "latin1"), /./],
    "bad.yaml": ["name: [\n", /YAML/],
  };
  for (const [name, [content, expected]] of Object.entries(files)) {
    const { page, seen, close } = await visit(chromium, site.address);
    const path = join(scratch, name);
    writeFileSync(path, content);
    const input = await page.$("#start-file");
    await input.uploadFile(path);
    if (expected) {
      await refused(page);
      await harmless(page, seen, expected);
    } else {
      await settled(page);
      assert.match(await answer(page), /The training takes/);
      // A small configuration travels with the link.
      await wait(page, () => location.hash.length > 20);
      const again = await visit(chromium, await page.evaluate(() => location.href));
      await settled(again.page);
      assert.equal(await answer(again.page), await answer(page));
      await again.close();
    }
    await close();
  }
});
