// The engine in a thread of its own: messages in and out of WebAssembly's memory.

interface Exports {
  memory: WebAssembly.Memory;
  reserve(length: number): number;
  answer(): number;
  reply(): number;
}

let engine: Promise<Exports>;

/** What the engine would import, it does not need. The library of workbooks asks a clock for a date that it does
 * not keep: here it is always 1970. */
function imports(module: WebAssembly.Module): WebAssembly.Imports {
  const wanted: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    (wanted[from] ??= {})[name] = name.startsWith("__wbg_now_") ? () => 0 : () => {
      throw new Error(`the engine asks for ${name}`);
    };
  }
  return wanted;
}

function ask(exports: Exports, json: string, file: Uint8Array): [string, Uint8Array] {
  const text = new TextEncoder().encode(json);
  const length = 4 + text.length + file.length;
  const at = exports.reserve(length);
  const request = new Uint8Array(exports.memory.buffer, at, length);
  new DataView(exports.memory.buffer).setUint32(at, text.length, true);
  request.set(text, 4);
  request.set(file, 4 + text.length);
  const size = exports.answer();
  const reply = new Uint8Array(exports.memory.buffer, exports.reply(), size);
  const end = 4 + new DataView(exports.memory.buffer).getUint32(reply.byteOffset, true);
  return [new TextDecoder().decode(reply.subarray(4, end)), reply.slice(end)];
}

onmessage = async ({ data }: MessageEvent) => {
  if (data instanceof WebAssembly.Module) {
    engine = WebAssembly.instantiate(data, imports(data)).then(
      (instance) => instance.exports as unknown as Exports,
    );
    return;
  }
  const { id, json, file } = data as { id: number; json: string; file: Uint8Array };
  try {
    const [reply, bytes] = ask(await engine, json, file);
    postMessage({ id, json: reply, file: bytes }, { transfer: [bytes.buffer] });
  } catch (error) {
    postMessage({ id, broken: String(error) });
  }
};
