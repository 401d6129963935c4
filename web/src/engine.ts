// The engine as the page calls it. One worker answers within a frame; another one simulates and
// samples, and is replaced where its answer is no longer wanted.

import worker from "worker:./worker.ts";

export interface Fault {
  kind: string;
  message: string;
  path?: string;
  place?: { line: number; column: number; width: number; text: string };
  hints: string[];
  others?: Fault[];
}

/** The engine refuses a request, in the words of the command line. */
export class Refusal extends Error {
  constructor(readonly fault: Fault) {
    super(fault.message);
  }
}

/** Another request took this one's place. */
export class Superseded extends Error {}

const SCRIPT = URL.createObjectURL(new Blob([worker], { type: "text/javascript" }));

interface Waiting {
  resolve(reply: { json: string; file: Uint8Array }): void;
  reject(error: Error): void;
}

export class Engine {
  #worker!: Worker;
  #waiting = new Map<number, Waiting>();
  #next = 0;

  constructor(readonly module: WebAssembly.Module, readonly files: Files) {
    this.#start();
  }

  get busy(): boolean {
    return this.#waiting.size > 0;
  }

  /** The answer to a request, with the bytes of the file that it may be. */
  async ask<T>(request: object, file: Uint8Array = new Uint8Array()): Promise<{ answer: T; file: Uint8Array }> {
    const id = this.#next++;
    const reply = await new Promise<{ json: string; file: Uint8Array }>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, json: JSON.stringify(request), file });
    });
    const answer = JSON.parse(reply.json);
    if (answer?.error) throw new Refusal(answer.error);
    return { answer, file: reply.file };
  }

  /** Gives up what is being computed. */
  restart(): void {
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(new Superseded());
    this.#waiting.clear();
    this.#start();
  }

  #start(): void {
    this.#worker = new Worker(SCRIPT);
    this.#worker.postMessage(this.module);
    this.#worker.onmessage = ({ data }) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.broken === undefined) return waiting?.resolve(data);
      // What stopped in the middle is not asked again.
      waiting?.reject(new Error("the engine stopped: this is a fault of flopcast, not of the scenario"));
      this.restart();
    };
    // Nobody waits for an answer to these.
    for (const [name, { bytes, size }] of this.files.all) {
      this.#worker.postMessage({ id: -1, json: JSON.stringify({ ask: "keep", name, size }), file: bytes });
    }
  }
}

/** The files that every engine knows. */
export class Files {
  readonly all = new Map<string, { bytes: Uint8Array; size: number }>();
}

/** Loads the engine: once, compressed, and nothing after it. */
export async function load(url: string): Promise<WebAssembly.Module> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`the engine cannot be loaded: ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  // A server may have unpacked it on the way.
  if (bytes[0] !== 0x1f) return WebAssembly.compile(bytes);
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return WebAssembly.compile(await new Response(unpacked).arrayBuffer());
}
