// Elements of the page. Every text goes in as a text node: nothing that a file, a link or the engine
// says is ever read as markup.

type Child = Node | string | null | undefined | false;
type Handler = (event: Event) => void;

/** An element with attributes; `on...` are listeners, and null or false leaves an attribute out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | number | boolean | null | undefined | Handler> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child): child is Node | string => !!child));
  return element;
}

/** The element of an id that the page always has. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element as T;
}

/** Writes a text where it differs, so that a move of a slider repaints only what it changes. */
export function write(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets an attribute where it differs, likewise. */
export function set(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "g", "title", "desc", "text", "tspan", "rect", "path", "circle", "line", "polyline"]);
const DRAWN_BY = new Set([
  "viewBox", "role", "class", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "width", "height",
  "d", "points", "text-anchor", "dx", "dy", "transform",
]);

/** A picture of the engine's, rebuilt from the elements and attributes that pictures are made of. */
export function picture(text: string): SVGElement | null {
  const root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  const copy = (from: Element): SVGElement | null => {
    if (from.namespaceURI !== SVG || !DRAWN.has(from.localName)) return null;
    const to = document.createElementNS(SVG, from.localName);
    for (const { name, value } of from.attributes) {
      if (DRAWN_BY.has(name)) to.setAttribute(name, value);
    }
    for (const child of from.childNodes) {
      if (child instanceof Text) to.append(child.data);
      else if (child instanceof Element) {
        const inner = copy(child);
        if (inner) to.append(inner);
      }
    }
    return to;
  };
  return copy(root);
}
