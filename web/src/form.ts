// The form over the scenario: a control per field, in groups. It reads the scenario and proposes
// changes of it; it keeps no state of its own.

import { Combobox } from "./combobox.ts";
import { h, set } from "./dom.ts";
import { type Field, GROUPS, type Group, usual } from "./fields.ts";
import type { Forecast, Lists } from "./forecast.ts";
import { read, short } from "./quantity.ts";
import type { Scenario } from "./scenario.ts";

export type Changes = readonly (readonly [path: string, value: string | null])[];

interface Control {
  field: Field;
  element: HTMLElement;
  show(scenario: Scenario, forecast: Forecast | null): void;
}

const STEPS = 1000;

export class Form {
  #controls: Control[] = [];
  #groups: { group: Group; body: HTMLElement; add: HTMLElement; remove: HTMLElement | null }[] = [];
  #scenario!: Scenario;

  /** `change` hears of changes, and whether a slider moves on. */
  constructor(home: HTMLElement, readonly lists: Lists, readonly change: (changes: Changes, moved: boolean) => void) {
    for (const group of GROUPS) home.append(this.#group(group));
  }

  /** Shows what the scenario says, and what flopcast takes where it says nothing. */
  show(scenario: Scenario, forecast: Forecast | null): void {
    this.#scenario = scenario;
    for (const { group, body, add, remove } of this.#groups) {
      const there = !group.section || scenario.has(group.section);
      body.hidden = !there;
      add.hidden = there;
      if (remove) remove.hidden = !there;
    }
    for (const control of this.#controls) {
      const { field } = control;
      const kind = scenario.kind(field.path);
      // A value that is no plain one is for the text; a place of its own only where there is one.
      const own = field.path.startsWith("inference.placement.") && !scenario.has("inference.placement");
      const deep = scenario.kind(field.path.split(".").slice(0, -1).join(".")) === "plain";
      control.element.hidden = own || (deep && field.path.includes("."));
      control.element.classList.toggle("complex", kind === "complex");
      control.show(scenario, forecast);
    }
  }

  #group(group: Group): HTMLElement {
    const body = h("div", { class: "fields" }, ...group.fields.map((field) => {
      const control = field.options ? this.#choice(field) : this.#amount(field);
      this.#controls.push(control);
      return control.element;
    }));
    const add = h("button", {
      type: "button", class: "quietly", hidden: true, onclick: () => this.change(group.begin ?? [], false),
    }, `Add ${group.title.toLowerCase()}`);
    const remove = group.end
      ? h("button", {
        type: "button", class: "quietly end", "aria-label": `Leave out ${group.title.toLowerCase()}`,
        onclick: () => this.change(group.end!.map((path) => [path, null] as const), false),
      }, "leave out")
      : null;
    this.#groups.push({ group, body, add, remove });
    return h("fieldset", {}, h("legend", {}, group.title), remove, add, body);
  }

  #id(field: Field): string {
    return `field-${field.path.replaceAll(".", "-")}`;
  }

  #set(field: Field, value: string, moved = false): void {
    if (value === "" && field.needed) return this.change([], moved);
    const path = field.instead ?? field.path;
    if (value === "") return this.change([[path, null]], moved);
    const clears = field.instead && this.#scenario.kind(field.path) === "absent"
      ? [[field.instead, null] as const]
      : [];
    this.change([...clears, [field.path, value]], moved);
  }

  #choice(field: Field): Control {
    const box = new Combobox(
      this.#id(field), () => field.options!(this.lists, this.#scenario), (value) => this.#set(field, value),
    );
    const element = h("div", { class: "field" },
      h("label", { for: this.#id(field) }, field.label), box.element);
    const show = (scenario: Scenario) => {
      const complex = scenario.kind(field.path) === "complex";
      box.value = scenario.get(field.path);
      set(box.input, "placeholder", complex ? "as in the YAML" : "not said");
    };
    return { field, element, show };
  }

  #amount(field: Field): Control {
    const id = this.#id(field);
    const ends = field.slider!;
    const text = h("input", {
      id, type: "text", class: "amount", inputmode: "text", autocomplete: "off", spellcheck: "false",
      onchange: () => this.#set(field, text.value.trim()),
    });
    const slider = h("input", {
      type: "range", min: 0, max: STEPS, step: 1, "aria-label": `${field.label}, slider`,
      oninput: () => {
        const [from, to] = bounds();
        const share = slider.valueAsNumber / STEPS;
        const raw = ends.even ? from + share * (to - from) : from * (to / from) ** share;
        const unit = read(text.value)?.unit ?? field.unit ?? "";
        text.value = `${(ends.snap ?? short)(ends.whole ? Math.round(raw) : raw)}${unit}`;
        slider.setAttribute("aria-valuetext", text.value);
        this.#set(field, text.value, true);
      },
    });
    // A value in another unit than the usual one has a slider around it, which stays while one drags.
    let around: [number, number] | null = null;
    const bounds = (): [number, number] => around ?? [ends.from, ends.to];
    const element = h("div", { class: "field" }, h("label", { for: id }, field.label), text, slider);
    const show = (scenario: Scenario, forecast: Forecast | null) => {
      const kind = scenario.kind(field.path);
      const value = scenario.get(field.path);
      if (document.activeElement !== text && text.value !== value) text.value = value;
      const said = usual(field, forecast);
      set(text, "placeholder", kind === "complex" ? "as in the YAML" : said ? `auto: ${said}` : "auto");
      const quantity = read(value || said);
      slider.classList.toggle("open", value === "");
      if (document.activeElement === slider) return;
      around = null;
      if (!quantity) return;
      if (value && (quantity.unit.trim() !== (field.unit ?? "").trim() && quantity.unit.trim() !== "tokens" ||
          quantity.value < ends.from || quantity.value > ends.to) && quantity.value > 0) {
        around = ends.even ? [0, 2 * quantity.value] : [quantity.value / 30, quantity.value * 30];
      }
      const [from, to] = bounds();
      const share = ends.even
        ? (quantity.value - from) / (to - from)
        : Math.log(quantity.value / from) / Math.log(to / from);
      const at = String(Math.round(STEPS * Math.min(1, Math.max(0, share))));
      if (slider.value !== at) slider.value = at;
      set(slider, "aria-valuetext", value || said || "auto");
    };
    return { field, element, show };
  }
}

