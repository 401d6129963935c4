// A text field with a list that narrows while one types: the combobox of the ARIA practices, with free
// text, since a scenario may name what no list has.

import { h } from "./dom.ts";

export interface Option {
  value: string;
  /** What it is, beside its name. */
  note?: string;
}

/** Longer lists are narrowed by typing. */
const MOST_SHOWN = 60;
let count = 0;

export class Combobox {
  readonly element: HTMLElement;
  readonly input: HTMLInputElement;
  #list: HTMLElement;
  #options: () => Option[];
  #shown: Option[] = [];
  #active = -1;
  #commit: (value: string) => void;
  #committed = "";

  constructor(id: string, options: () => Option[], commit: (value: string) => void, placeholder = "") {
    const listId = `list-${count++}`;
    this.#options = options;
    this.#commit = commit;
    this.#list = h("ul", { id: listId, role: "listbox", "aria-label": "Suggestions", hidden: true });
    this.input = h("input", {
      id, type: "text", role: "combobox", autocomplete: "off", spellcheck: "false", autocapitalize: "off",
      "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": listId, placeholder,
      onfocus: () => this.input.select(),
      oninput: () => this.#open(this.input.value),
      onkeydown: (event) => this.#key(event as KeyboardEvent),
      onclick: () => this.#list.hidden && this.#open(""),
      onblur: () => {
        this.#close();
        this.#take(this.input.value.trim());
      },
    });
    this.element = h("div", { class: "combobox" }, this.input, this.#list);
  }

  set value(value: string) {
    this.#committed = value;
    if (document.activeElement !== this.input || this.#list.hidden) this.input.value = value;
  }

  #take(value: string): void {
    if (value === this.#committed) return;
    this.#committed = value;
    this.#commit(value);
  }

  #key(event: KeyboardEvent): void {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (move) {
      event.preventDefault();
      if (this.#list.hidden) this.#open("");
      else this.#activate((this.#active + move + this.#shown.length) % this.#shown.length);
    } else if (event.key === "Enter") {
      const picked = this.#list.hidden ? undefined : this.#shown[this.#active];
      if (picked) {
        event.preventDefault();
        this.input.value = picked.value;
      }
      this.#close();
      this.#take(this.input.value.trim());
    } else if (event.key === "Escape" && !this.#list.hidden) {
      event.preventDefault();
      this.input.value = this.#committed;
      this.#close();
    }
  }

  #open(typed: string): void {
    const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
    const has = ({ value, note }: Option) => {
      const text = `${value} ${note ?? ""}`.toLowerCase();
      return words.every((word) => text.includes(word));
    };
    // Those that begin as typed come first.
    const begins = (option: Option) => Number(!option.value.toLowerCase().startsWith(words[0] ?? ""));
    this.#shown = this.#options().filter(has).sort((a, b) => begins(a) - begins(b)).slice(0, MOST_SHOWN);
    this.#list.replaceChildren(...this.#shown.map((option, at) =>
      h("li", {
        id: `${this.#list.id}-${at}`, role: "option", "aria-selected": "false",
        onmousedown: (event) => {
          event.preventDefault();
          this.input.value = option.value;
          this.#close();
          this.#take(option.value);
        },
      }, h("span", {}, option.value), option.note ? h("small", {}, option.note) : null)));
    this.#list.hidden = this.#shown.length === 0;
    this.input.setAttribute("aria-expanded", String(!this.#list.hidden));
    // What was typed stands: Enter takes a suggestion only where the arrows chose one.
    this.#activate(-1);
  }

  #activate(at: number): void {
    this.#list.children[this.#active]?.setAttribute("aria-selected", "false");
    this.#active = at;
    const item = this.#list.children[at];
    if (!item) return this.input.removeAttribute("aria-activedescendant");
    item.setAttribute("aria-selected", "true");
    item.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", item.id);
  }

  #close(): void {
    this.#list.hidden = true;
    this.#active = -1;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
}

