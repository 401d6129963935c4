// The scenario's YAML is the one state of the page: the form, the link and the engine read this text,
// and a change of the form edits it in place, comments and order kept.

import { Document, isMap, isScalar, parseDocument } from "yaml";

/** Longer texts are edited as text alone. */
const MOST_CHARACTERS = 200_000;

export type Kind = "absent" | "plain" | "complex";

export class Scenario {
  readonly text: string;
  readonly #document: Document | null;

  constructor(text: string, document: Document | null = parsed(text)) {
    this.text = text;
    this.#document = document;
  }

  /** False where the text is no YAML of keys, so that a form has nothing to hold on to. */
  get editable(): boolean {
    return this.#document !== null;
  }

  /** How the value of a dotted path is written; `{value: ..., source: ...}` counts as plain. */
  kind(path: string): Kind {
    const node = this.#at(path);
    if (node === undefined || node === null) return "absent";
    if (isScalar(node)) return node.value === null || node.value === "" ? "absent" : "plain";
    return isMap(node) && isScalar(node.get("value", true)) ? "plain" : "complex";
  }

  /** The value of a path as it is written; an empty text where there is none, or no plain one. */
  get(path: string): string {
    let node = this.#at(path);
    if (isMap(node)) node = node.get("value", true);
    return isScalar(node) && node.value !== null ? String(node.value) : "";
  }

  /** True if the file has the section or key. */
  has(path: string): boolean {
    return this.kind(path) !== "absent";
  }

  /** The scenario with these values; null takes a key out. The one before is used up. */
  with(changes: readonly (readonly [path: string, value: string | null])[]): Scenario {
    const document = this.#document;
    if (!document) return this;
    for (const [path, value] of changes) {
      const keys = path.split(".");
      if (value === null) {
        document.deleteIn(keys);
        // A section that became empty goes as well.
        for (let depth = keys.length - 1; depth > 0; depth--) {
          const parent = document.getIn(keys.slice(0, depth));
          if (isMap(parent) && parent.items.length === 0) document.deleteIn(keys.slice(0, depth));
        }
        continue;
      }
      for (let depth = 1; depth < keys.length; depth++) {
        const parent = document.getIn(keys.slice(0, depth), true);
        if (!isMap(parent)) {
          const section = document.createNode({});
          // Deep sections stand in one line, as people write them.
          section.flow = depth > 1;
          document.setIn(keys.slice(0, depth), section);
        }
      }
      document.setIn(keys, document.createNode(value));
    }
    // A short text is never cut off: what was read once is not read again.
    const text = document.toString({ lineWidth: 0, flowCollectionPadding: false });
    return text.length > MOST_CHARACTERS ? new Scenario(text) : new Scenario(text, document);
  }

  #at(path: string): unknown {
    return path === "" ? null : this.#document?.getIn(path.split("."), true);
  }
}

/** The document, all scalars of which are texts that are written as they were read. */
function parsed(text: string): Document | null {
  if (text.length > MOST_CHARACTERS) return null;
  try {
    const document = parseDocument(text, { schema: "failsafe", uniqueKeys: true, logLevel: "silent" });
    return document.errors.length === 0 && isMap(document.contents) ? (document as Document) : null;
  } catch {
    return null;
  }
}
