// A link that holds the scenario: `#1.` and the scenarios as compressed JSON. It never leaves the
// browser, since a fragment is not sent to a server.

const VERSION = "1.";
/** Longer links, and scenarios that unfold to more, are refused. */
const MOST_LINK = 100_000;
const MOST_BYTES = 1 << 20;

export interface Shared {
  /** The scenario, and the one that it is compared with. */
  scenarios: string[];
  /** Texts of small model files that the scenario names. */
  files: Record<string, string>;
}

export class LinkError extends Error {}

export async function write(shared: Shared): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify([shared.scenarios, shared.files]));
  const packed = await through(new CompressionStream("deflate-raw"), bytes);
  let binary = "";
  for (const byte of packed) binary += String.fromCharCode(byte);
  return VERSION + btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** The scenarios of a fragment; null for none. */
export async function read(fragment: string): Promise<Shared | null> {
  if (fragment === "") return null;
  if (!fragment.startsWith(VERSION)) {
    throw new LinkError("the link is not one of this page, or of a later version of it");
  }
  if (fragment.length > MOST_LINK) throw new LinkError("the link is too long");
  let value: unknown;
  try {
    const base = fragment.slice(VERSION.length).replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(base), (letter) => letter.charCodeAt(0));
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(
      await through(new DecompressionStream("deflate-raw"), bytes),
    ));
  } catch (error) {
    throw error instanceof LinkError ? error : new LinkError("the link is damaged: it may have been cut");
  }
  const [scenarios, files] = Array.isArray(value) ? value : [];
  const texts = (list: unknown): list is string[] =>
    Array.isArray(list) && list.every((text) => typeof text === "string");
  if (!texts(scenarios) || scenarios.length < 1 || scenarios.length > 2 ||
      typeof files !== "object" || files === null || !texts(Object.values(files))) {
    throw new LinkError("the link holds no scenario");
  }
  return { scenarios, files: files as Record<string, string> };
}

/** What a stream makes of bytes, as long as it is not too much. */
async function through(stream: GenericTransformStream, bytes: Uint8Array): Promise<Uint8Array> {
  const reader = new Blob([bytes as BlobPart]).stream().pipeThrough(stream as ReadableWritablePair).getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > MOST_BYTES) {
      await reader.cancel();
      throw new LinkError("the link unfolds to more than a scenario");
    }
    parts.push(value);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
