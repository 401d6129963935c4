// The page: one scenario, its forecast, and what changes either.

import examples from "examples:all";
import { byId, h, write } from "./dom.ts";
import { read as readDropped } from "./drop.ts";
import { Engine, type Fault, Files, load, Refusal, Superseded } from "./engine.ts";
import { type Changes, Form } from "./form.ts";
import type { Forecast, Layout, Lists } from "./forecast.ts";
import * as link from "./link.ts";
import { Results } from "./results.ts";
import { Scenario } from "./scenario.ts";
import { start } from "./start.ts";

/** Files that others can read and small enough for a link. */
const MOST_LINKED = 20_000;
/** A pause after which ranges are sampled, a service is simulated, and the link is written. */
const PAUSE = 250;

const FORMS: [name: string, ending: string, type: string][] = [
  ["html", "html", "text/html"], ["xlsx", "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"],
  ["markdown", "md", "text/markdown"], ["csv", "csv", "text/csv"],
];

class Page {
  readonly files = new Files();
  readonly quick: Engine;
  readonly thorough: Engine;
  readonly results: Results;
  #form: Form;
  #scenario = new Scenario("");
  #forecast: Forecast | null = null;
  #layout: Layout | null = null;
  #before: { text: string; forecast: Forecast } | null = null;
  #asking = false;
  #wanted = false;
  #pause = 0;
  #turn = 0;
  readonly #yaml = byId<HTMLTextAreaElement>("yaml");

  constructor(module: WebAssembly.Module, lists: Lists, files: Files, quick: Engine) {
    this.files = files;
    this.quick = quick;
    this.thorough = new Engine(module, files);
    this.results = new Results(byId("tiles"), byId("results"), () => this.#explain());
    this.#form = new Form(byId("form"), lists, (changes, moved) => this.#edit(changes, moved));
    this.#yaml.addEventListener("input", () => this.open(this.#yaml.value, this.#yaml));
    byId("share").addEventListener("click", () => void this.#share());
    byId("compare").addEventListener("click", () => this.#compare());
    byId("copy").addEventListener("click", () => void copy(byId("sentence").textContent ?? "", byId("copy")));
    byId("downloads").querySelector("ul")!.append(...[["yaml", "yaml", "text/yaml"], ["json", "json", "application/json"], ...FORMS]
      .map(([name, ending, type]) => h("li", {}, h("button", {
        type: "button", onclick: () => void this.#download(name!, ending!, type!),
      }, name!.toUpperCase()))));
  }

  /** Shows a scenario; `by` is the part of the page that it comes from, which is left as it is. */
  open(text: string, by?: HTMLElement): void {
    this.#layout = null;
    this.#open(new Scenario(text), by);
    this.#form.show(this.#scenario, this.#forecast);
  }

  #open(scenario: Scenario, by?: HTMLElement): void {
    // The way back leads to the start.
    if (!byId("start").hidden) history.pushState(null, "", location.href);
    this.#scenario = scenario;
    const { text } = scenario;
    if (by !== this.#yaml && this.#yaml.value !== text) this.#yaml.value = text;
    for (const [id, shown] of [["start", false], ["desk", true], ["tools", true], ["loading", false]] as const) {
      byId(id).hidden = !shown;
    }
    document.documentElement.dataset.shown = "";
    this.#askQuick();
    this.#later();
  }

  /** Goes back to the start. */
  close(): void {
    this.#turn++;
    clearTimeout(this.#pause);
    this.#before = null;
    document.title = "flopcast";
    for (const [id, shown] of [["start", true], ["desk", false], ["tools", false], ["loading", false]] as const) {
      byId(id).hidden = !shown;
    }
  }

  get text(): string {
    return this.#scenario.text;
  }

  /** Changes the scenario. A slider that moves changes no more than an amount: the layout of a service
   * stays until it rests, and the form is shown with the answer. */
  #edit(changes: Changes, moved = false): void {
    if (!moved) this.#layout = null;
    this.#open(this.#scenario.with(changes));
    if (!moved) this.#form.show(this.#scenario, this.#forecast);
  }

  /** Asks for what can be told within a frame; while an answer is on its way, only the last counts. */
  #askQuick(): void {
    if (this.#asking) {
      this.#wanted = true;
      return;
    }
    this.#asking = true;
    this.#wanted = false;
    const text = this.text;
    const explain = [...this.results.explained];
    this.quick.ask<Forecast>({ ask: "view", scenario: text, explain, layout: this.#layout })
      .then(({ answer }) => this.#show(answer, false, text), (error) => this.#refused(error))
      .finally(() => {
        this.#asking = false;
        if (this.#wanted) this.#askQuick();
      });
  }

  /** Asks for the derivations that were opened, of the forecast that is shown. */
  #explain(): void {
    if (document.documentElement.dataset.shown === "whole") void this.#settle(this.#turn);
    else this.#askQuick();
  }

  /** After a pause, asks for all that the command line tells. */
  #later(): void {
    const turn = ++this.#turn;
    clearTimeout(this.#pause);
    if (this.thorough.busy) this.thorough.restart();
    this.#pause = window.setTimeout(() => void this.#settle(turn), PAUSE);
  }

  async #settle(turn: number): Promise<void> {
    const text = this.text;
    try {
      const explain = [...this.results.explained];
      const { answer } = await this.thorough.ask<Forecast>({ ask: "view", scenario: text, whole: true, explain });
      if (turn === this.#turn) this.#show(answer, true, text);
    } catch (error) {
      if (turn === this.#turn) this.#refused(error as Error);
    }
    if (turn === this.#turn && this.#scenario.text === text) await this.#writeLink();
  }

  #show(forecast: Forecast, whole: boolean, of: string): void {
    if (of === this.text) this.#layout = forecast.layout;
    this.#forecast = forecast;
    byId("fault").replaceChildren();
    byId("desk").classList.remove("stale");
    const title = `${forecast.name} - flopcast`;
    if (document.title !== title) document.title = title;
    write(byId("name"), forecast.name);
    write(byId("answer"), forecast.answer);
    write(byId("status"), whole ? dated(forecast)
      : forecast.open ? "The service is being simulated: until then, its figures are means …" : dated(forecast));
    write(byId("sentence"), forecast.sentence ?? "");
    byId("cited").hidden = !forecast.sentence;
    this.results.show({ forecast, before: this.#before?.forecast ?? null, whole });
    document.documentElement.classList.toggle("moving", !whole);
    glance(forecast);
    this.#form.show(this.#scenario, forecast);
    document.documentElement.dataset.shown = whole ? "whole" : "quick";
    document.dispatchEvent(new Event("shown"));
  }

  #refused(error: Error, home = byId("fault")): void {
    if (error instanceof Superseded) return;
    document.dispatchEvent(new Event("shown"));
    byId("desk").classList.add("stale");
    write(byId("status"), "");
    if (!byId("name").textContent) write(byId("name"), this.#scenario.get("name") || "A scenario");
    home.replaceChildren(error instanceof Refusal ? faultOf(error.fault) : h("p", {}, error.message));
  }

  async #writeLink(): Promise<void> {
    const fragment = await link.write(this.#shared());
    history.replaceState(null, "", `#${fragment}`);
  }

  #shared(): link.Shared {
    const scenarios = [this.text, ...(this.#before ? [this.#before.text] : [])];
    const files: Record<string, string> = {};
    const shipped = new Set(examples.map(([name]) => name));
    for (const [name, { bytes }] of this.files.all) {
      if (shipped.has(name) || !name.endsWith(".json") || bytes.length > MOST_LINKED) continue;
      if (scenarios.some((text) => text.includes(name))) files[name] = new TextDecoder().decode(bytes);
    }
    return { scenarios, files };
  }

  async #share(): Promise<void> {
    await this.#writeLink();
    const named = [...this.files.all.keys()].filter((name) => this.text.includes(name));
    const linked = this.#shared().files;
    const left = named.filter((name) => !(name in linked) && !examples.some(([known]) => known === name));
    await copy(location.href, byId("share"));
    if (left.length) write(byId("status"), `The link does not hold ${left.join(", ")}: who opens it drops the file again.`);
  }

  #compare(): void {
    this.#before = this.#before || !this.#forecast ? null : { text: this.text, forecast: this.#forecast };
    this.#pressed();
    this.#showBeside();
    this.#later();
  }

  #pressed(): void {
    byId("compare").setAttribute("aria-pressed", String(this.#before !== null));
  }

  /** Compares with another scenario. */
  async compareWith(text: string): Promise<void> {
    const { answer } = await this.thorough.ask<Forecast>({ ask: "view", scenario: text, whole: true });
    this.#before = { text, forecast: answer };
    this.#pressed();
    this.#showBeside();
  }

  /** The forecast that is there, with what it is compared with now. */
  #showBeside(): void {
    const whole = document.documentElement.dataset.shown === "whole";
    const before = this.#before?.forecast ?? null;
    if (this.#forecast) this.results.show({ forecast: this.#forecast, before, whole });
  }

  async #download(name: string, ending: string, type: string): Promise<void> {
    byId<HTMLDetailsElement>("downloads").open = false;
    try {
      const bytes = name === "yaml" ? new TextEncoder().encode(this.text) : await this.document(name);
      const url = URL.createObjectURL(new Blob([bytes as BlobPart], { type }));
      const title = (this.#scenario.get("name") || "forecast").toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 60);
      h("a", { href: url, download: `${title}.${ending}` }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    } catch (error) {
      this.#refused(error as Error);
    }
  }

  /** The forecast in a form, byte for byte as the command line writes it. */
  async document(name: string, scenario = this.text): Promise<Uint8Array> {
    return (await this.thorough.ask({ ask: "document", scenario, form: name })).file;
  }

  /** Takes files that were dropped or chosen. */
  async take(list: FileList): Promise<void> {
    for (const file of [...list].slice(0, 8)) {
      try {
        const dropped = await readDropped(file, this.files, [this.quick, this.thorough]);
        if (dropped.scenario !== undefined) this.open(dropped.scenario);
        else if (dropped.model) this.#useModel(...dropped.model);
      } catch (error) {
        this.#refused(error as Error, byId(byId("desk").hidden ? "start-fault" : "fault"));
      }
    }
  }

  #useModel(key: string, name: string): void {
    const model = `{${key}: ${name}}`;
    if (byId("desk").hidden) {
      return this.open(`flopcast: 1\nname: ${name}\nmodel: ${model}\ndata: {tokens: 1T}\ntraining:\n  precision: bf16\n  hardware: {accelerator: h100-sxm, count: 512}\n`);
    }
    // A description of another kind goes; a name is replaced where it stands.
    const others = ["hf_config", "onnx", "file", "parameters", "transformer", "layers"].filter((known) =>
      known !== key && this.#scenario.has(`model.${known}`));
    this.#edit([[`model.${key}`, name], ...others.map((known) => [`model.${known}`, null] as const)]);
  }
}

/** On a phone, the answer while one moves the sliders: the first figures of three units. */
function glance(forecast: Forecast): void {
  const units = new Set<string>();
  const first = forecast.tiles.filter(({ unit }) => unit && !units.has(unit) && units.add(unit)).slice(0, 3);
  byId("glance").replaceChildren(...first.map(({ number, unit }) => h("span", {}, `${number} ${unit}`)));
}

/** The dates that the figures rest on. */
function dated(forecast: Forecast): string {
  return forecast.dates.map(([what, date]) => `${what.replaceAll("_", " ")} ${date}`).join(" · ");
}

/** A refusal: what is wrong, where, and what to do next. */
function faultOf(fault: Fault): HTMLElement {
  const { place } = fault;
  return h("div", { class: "fault" },
    h("p", {}, fault.message),
    place ? h("pre", {}, `${place.line} | ${place.text}\n${" ".repeat(String(place.line).length)} | ${" ".repeat(Math.max(0, place.column - 1))}${"^".repeat(Math.min(place.width, 80))}`) : null,
    ...fault.hints.map((hint) => h("p", { class: "quiet" }, hint)),
    ...(fault.others ?? []).map((other) => h("p", {}, other.message)));
}

async function copy(text: string, button: HTMLElement): Promise<void> {
  const label = button.textContent ?? "";
  try {
    await navigator.clipboard.writeText(text);
    write(button, "Copied");
  } catch {
    write(button, "The address bar has it");
  }
  setTimeout(() => write(button, label), 1500);
}

async function run(): Promise<void> {
  const files = new Files();
  for (const [name, text] of examples) {
    const bytes = new TextEncoder().encode(text);
    files.all.set(name, { bytes, size: bytes.length });
  }
  const module = await load("flopcast.wasm.gz");
  const quick = new Engine(module, files);
  const { answer: lists } = await quick.ask<Lists>({ ask: "lists" });
  const page = new Page(module, lists, files, quick);
  start(lists, (text) => page.open(text), (list) => void page.take(list));
  write(byId("about"), `flopcast ${lists.version}. ${byId("about").textContent}`);

  const follow = async () => {
    const fragment = location.hash.slice(1);
    try {
      const shared = await link.read(fragment);
      if (!shared) return page.close();
      for (const [name, text] of Object.entries(shared.files)) {
        const bytes = new TextEncoder().encode(text);
        files.all.set(name, { bytes, size: bytes.length });
        for (const engine of [page.quick, page.thorough]) await engine.ask({ ask: "keep", name, size: bytes.length }, bytes);
      }
      const [text, before] = shared.scenarios;
      page.open(text!);
      if (before !== undefined) await page.compareWith(before).catch(() => {});
    } catch (error) {
      page.close();
      byId("loading").hidden = false;
      write(byId("loading"), (error as Error).message);
    }
  };
  window.addEventListener("hashchange", () => void follow());
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer) void page.take(event.dataTransfer.files);
  });
  document.addEventListener("click", ({ target }) => {
    const menu = byId<HTMLDetailsElement>("downloads");
    if (menu.open && !menu.contains(target as Node)) menu.open = false;
  });
  // For tests, which ask for what the buttons download.
  Object.assign(window, { flopcast: page });
  await follow();
  document.documentElement.dataset.ready = "true";
}

run().catch((error) => {
  byId("loading").hidden = false;
  write(byId("loading"), `The page cannot start: ${(error as Error).message}`);
});
