// Files that are dropped on the page: scenarios, and descriptions of models, of whose weights only the
// header is read.

import type { Engine, Files } from "./engine.ts";

/** Larger texts and graphs are refused; of weights, only so much of the head is taken. */
const MOST_TEXT = 16 << 20;
const MOST_GRAPH = 512 << 20;
const MOST_HEAD = 96 << 20;

export interface Dropped {
  name: string;
  /** The scenario's text, or nothing for a model. */
  scenario?: string;
  /** How a scenario names the model: the value of `model`. */
  model?: [key: string, name: string];
  parameters?: number;
}

/** Reads a file; a model is kept by the engines under its name. */
export async function read(file: File, files: Files, engines: Engine[]): Promise<Dropped> {
  const ending = file.name.slice(file.name.lastIndexOf(".") + 1).toLowerCase();
  // The name becomes a word of the scenario and the path of a file.
  const name = file.name.replace(/[^A-Za-z0-9._-]/g, "_").slice(-80);
  const bound = (most: number) => {
    if (file.size > most) throw new Error(`${file.name} has ${file.size >> 20} MB; a page reads at most ${most >> 20}`);
  };
  if (ending === "yaml" || ending === "yml") {
    bound(1 << 20);
    return { name, scenario: await file.text() };
  }
  let bytes: Uint8Array;
  if (ending === "safetensors" || ending === "gguf") bytes = await head(file, ending);
  else {
    bound(ending === "onnx" ? MOST_GRAPH : MOST_TEXT);
    bytes = new Uint8Array(await file.arrayBuffer());
  }
  const kept = { bytes, size: file.size };
  const ask = { ask: "model", name, size: file.size };
  const { answer } = await engines[0]!.ask<{ parameters: number }>(ask, bytes);
  files.all.set(name, kept);
  for (const engine of engines.slice(1)) await engine.ask({ ...ask, ask: "keep" }, bytes);
  const key = ending === "json" ? "hf_config" : ending === "onnx" ? "onnx" : "file";
  return { name, model: [key, name], parameters: answer.parameters };
}

/** The head of a file of weights: for safetensors the length is its first number. */
async function head(file: File, ending: string): Promise<Uint8Array> {
  let length = MOST_HEAD;
  if (ending === "safetensors" && file.size >= 8) {
    const start = new DataView(await file.slice(0, 8).arrayBuffer());
    length = Math.min(MOST_HEAD, 8 + Number(start.getBigUint64(0, true)));
  }
  return new Uint8Array(await file.slice(0, length).arrayBuffer());
}
