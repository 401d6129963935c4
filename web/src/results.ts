// The forecast on the page: the answer first, then tiles, figures, pictures, tables. A move of a slider
// writes over the texts that it changes; elements are made anew only where other figures appear.

import { h, picture, write } from "./dom.ts";
import type { Forecast, Grid, Row, Step } from "./forecast.ts";
import { change } from "./quantity.ts";

interface Line {
  was: HTMLElement;
  amount: HTMLElement;
  unit: HTMLElement;
  delta: HTMLElement;
  range: HTMLElement;
  why: HTMLElement;
  button: HTMLElement;
}

export interface Shown {
  forecast: Forecast;
  /** The one that it is compared with. */
  before: Forecast | null;
  /** False while ranges and simulation are still of an earlier scenario. */
  whole: boolean;
}

let count = 0;

export class Results {
  /** The figures whose derivation is open. */
  readonly explained = new Set<string>();
  #lines = new Map<string, Line>();
  #tiles = new Map<string, { number: HTMLElement; unit: HTMLElement; note: HTMLElement }>();
  #facts = new Map<string, HTMLElement>();
  #pictures = new Map<string, { text: string; figure: HTMLElement; home: HTMLElement; below: HTMLElement }>();
  #shape = "";
  #head: HTMLElement;
  #figures = h("div", { class: "columns" });
  #drawn = h("div", { class: "charts" });
  #tables = h("div", {});
  /** Whether the pictures are near the screen, and the forecast that they are still to show. */
  #near = true;
  #awaited: Forecast | null = null;
  #notes = h("div", {});

  constructor(head: HTMLElement, body: HTMLElement, readonly explain: () => void) {
    this.#head = head;
    const part = (title: string, id: string, ...content: HTMLElement[]) =>
      h("section", { "aria-labelledby": id }, h("h2", { id }, title), ...content);
    body.append(
      this.#notes,
      part("Figures", "figures", h("p", { class: "quiet" }, "Open a figure to see how it comes about."), this.#figures),
      part("Pictures", "pictures", this.#drawn),
      part("Tables", "tables", this.#tables),
    );
    // What nobody sees is drawn when it comes near.
    new IntersectionObserver((seen) => {
      this.#near = seen.some(({ isIntersecting }) => isIntersecting);
      if (this.#near && this.#awaited) this.#draw(this.#awaited, false);
    }, { rootMargin: "50%" }).observe(this.#drawn.parentElement!);
  }

  show({ forecast, before, whole }: Shown): void {
    const shape = JSON.stringify([
      forecast.tiles.map(({ path }) => path), forecast.sections.map(({ title, rows, facts }) =>
        [title, rows.map(({ path }) => path), facts.map(([label]) => label)]), before !== null,
    ]);
    if (shape !== this.#shape) {
      this.#shape = shape;
      this.#makeHead(forecast);
      this.#makeFigures(forecast, before !== null);
    }
    const rows = new Map(before?.sections.flatMap((section) => section.rows).map((row) => [row.path, row]));
    this.#figures.classList.toggle("compared", before !== null);
    this.#fill(forecast, rows, whole);
    if (before) this.#beside(before);
    if (whole || this.#near) this.#draw(forecast, whole);
    else this.#awaited = forecast;
    this.#figures.classList.toggle("stale", false);
    this.#tables.classList.toggle("stale", !whole);
    if (whole) this.#makeTables(forecast);
    // Some warnings come with the whole forecast alone: what stands below them is not to jump.
    if (whole || !this.#notes.hasChildNodes()) this.#makeNotes(forecast);
  }

  #makeHead(forecast: Forecast): void {
    this.#tiles.clear();
    const tiles = forecast.tiles.map((tile) => {
      const [number, unit, note] = [h("span", {}), h("span", { class: "unit" }), h("div", { class: "note" })];
      this.#tiles.set(tile.path, { number, unit, note });
      return h("div", { class: "tile" }, h("dt", {}, tile.name),
        h("dd", {}, h("span", { class: "value" }, number, " ", unit), note));
    });
    this.#head.replaceChildren(...tiles);
  }

  #makeFigures(forecast: Forecast, compared: boolean): void {
    this.#lines.clear();
    this.#facts.clear();
    const columns = ["figure", ...(compared ? ["before", "now", "change"] : ["value"])];
    const sections = forecast.sections.map((section) => {
      const id = `section-${count++}`;
      const rows = section.rows.flatMap((row) => this.#row(row, compared));
      const facts = section.facts.flatMap(([label]) => {
        const text = h("dd", {});
        this.#facts.set(`${section.title}\n${label}`, text);
        return [h("dt", {}, label), text];
      });
      return h("section", { "aria-labelledby": id },
        h("h3", { id }, section.title),
        h("table", { class: "figures", "aria-labelledby": id },
          h("thead", { class: compared ? "" : "hidden" }, h("tr", {}, ...columns.map((column, at) =>
            h("th", { scope: "col", class: at ? "num" : "" }, column)))),
          h("tbody", {}, ...rows)),
        facts.length ? h("dl", { class: "facts" }, ...facts) : null);
    });
    // Two columns of about one length. Columns of CSS would be balanced anew at every move of a slider.
    const lengths = forecast.sections.map(({ rows, facts }) => 2 + rows.length + facts.length);
    const ends = lengths.map((length, at) => lengths.slice(0, at).reduce((sum, it) => sum + it, length / 2));
    const half = lengths.reduce((sum, it) => sum + it, 0) / 2;
    this.#figures.replaceChildren(...[true, false].map((first) =>
      h("div", {}, ...sections.filter((_, at) => ends[at]! <= half === first))));
  }

  #row(row: Row, compared: boolean): HTMLElement[] {
    const whyId = `why-${count++}`;
    const line: Line = {
      was: h("td", { class: "num was" }), amount: h("span", {}), unit: h("span", { class: "unit" }),
      delta: h("td", { class: "num delta" }), range: h("small", { class: "range" }),
      why: h("tr", { class: "why", id: whyId, hidden: !this.explained.has(row.path) },
        h("td", { colspan: compared ? 4 : 2 })),
      button: h("button", {
        type: "button", "aria-expanded": String(this.explained.has(row.path)), "aria-controls": whyId,
        onclick: () => {
          const open = !this.explained.delete(row.path);
          if (open) this.explained.add(row.path);
          line.button.setAttribute("aria-expanded", String(open));
          line.why.hidden = !open;
          if (open) this.explain();
        },
      }, row.label),
    };
    this.#lines.set(row.path, line);
    return [
      h("tr", { class: row.part ? "part" : "" },
        h("th", { scope: "row" }, line.button),
        compared ? line.was : null,
        h("td", { class: "num" }, line.amount, " ", line.unit, line.range),
        compared ? line.delta : null),
      line.why,
    ];
  }

  #fill(forecast: Forecast, before: Map<string, Row>, whole: boolean): void {
    for (const tile of forecast.tiles) {
      const parts = this.#tiles.get(tile.path);
      if (!parts) continue;
      write(parts.number, tile.number);
      write(parts.unit, tile.unit);
      parts.note.classList.toggle("stale", !whole);
      if (whole || tile.note) write(parts.note, tile.note ?? "");
    }
    for (const section of forecast.sections) {
      for (const [label, text] of section.facts) {
        const fact = this.#facts.get(`${section.title}\n${label}`);
        if (fact) write(fact, text);
      }
      for (const row of section.rows) {
        const line = this.#lines.get(row.path);
        if (!line) continue;
        write(line.amount, row.number);
        write(line.unit, row.unit);
        line.range.classList.toggle("stale", !whole);
        if (whole) write(line.range, row.range ?? "");
        const was = before.get(row.path);
        write(line.was, was ? `${was.number} ${was.unit}`.trim() : "");
        write(line.delta, was ? change(was.value, row.value) : "");
        const derivation = forecast.derivations[row.path];
        if (derivation && this.explained.has(row.path)) {
          line.why.firstElementChild!.replaceChildren(tree(derivation, 0));
        }
      }
    }
  }

  /** On the tiles, what each was. */
  #beside(before: Forecast): void {
    for (const { path, number, unit } of before.tiles) {
      const parts = this.#tiles.get(path);
      if (parts) write(parts.note, `before: ${number} ${unit}`);
    }
  }

  #draw(forecast: Forecast, whole: boolean): void {
    this.#awaited = null;
    const titles = new Set(forecast.pictures.map(({ title }) => title));
    for (const [title, { figure }] of this.#pictures) {
      if (titles.has(title)) continue;
      figure.classList.toggle("stale", !whole);
      if (whole) {
        figure.remove();
        this.#pictures.delete(title);
      }
    }
    for (const { title, below, svg } of forecast.pictures) {
      let shown = this.#pictures.get(title);
      if (!shown) {
        const note = h("span", {});
        const home = h("div", {});
        const figure = h("figure", {}, h("figcaption", {}, title, note), home);
        shown = { text: "", figure, home, below: note };
        this.#pictures.set(title, shown);
        this.#drawn.append(figure);
      }
      shown.figure.classList.remove("stale");
      write(shown.below, below);
      if (shown.text === svg) continue;
      shown.text = svg;
      const drawn = picture(svg);
      shown.home.replaceChildren(...(drawn ? [drawn] : []));
    }
    this.#drawn.parentElement!.hidden = this.#pictures.size === 0;
  }

  #makeTables(forecast: Forecast): void {
    const open = new Set([...this.#tables.querySelectorAll("details[open]")].map((it) => it.getAttribute("data-title")));
    this.#tables.replaceChildren(...(forecast.tables ?? []).map(({ title, grid }) =>
      h("details", { open: open.has(title), "data-title": title },
        h("summary", {}, title, h("span", { class: "count" }, String(grid.rows.length))),
        h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": title }, table(grid)))));
  }

  #makeNotes(forecast: Forecast): void {
    const texts = [...forecast.notes, ...forecast.warnings];
    const said = this.#notes.textContent;
    if (said === texts.join("")) return;
    this.#notes.replaceChildren(...(texts.length
      ? [h("ul", { class: "warnings", "aria-label": "Warnings" }, ...texts.map((text) => h("li", {}, text)))]
      : []));
  }
}

/** A derivation: what a figure comes from, and what that comes from. */
function tree(step: Step, depth: number): HTMLElement {
  const head = [h("span", { class: "step" }, step.name), " = ", h("b", {}, step.shown)];
  const how = step.how !== step.name ? h("div", { class: "how" }, step.again ? "told above" : step.how) : null;
  if (step.steps.length === 0) return h("div", { class: "leaf" }, ...head, how);
  return h("details", { open: depth < 2 }, h("summary", {}, ...head), how,
    h("ul", {}, ...step.steps.map((below) => h("li", {}, tree(below, depth + 1)))));
}

export function table(grid: Grid): HTMLElement {
  return h("table", {},
    h("thead", {}, h("tr", {}, ...grid.columns.map(([heading, numeric]) =>
      h("th", { scope: "col", class: numeric ? "num" : "" }, heading)))),
    h("tbody", {}, ...grid.rows.map((row) => h("tr", {}, ...row.map((text, at) =>
      at === 0 ? h("th", { scope: "row" }, text) : h("td", { class: grid.columns[at]?.[1] ? "num" : "" }, text))))));
}
