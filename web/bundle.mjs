// Bundles the page: src/ becomes dist/index.html, app.js and style.css, the engine dist/flopcast.wasm.gz.
//
//   node bundle.mjs [ENGINE.wasm [FOLDER]]
import { readdirSync, readFileSync, writeFileSync, mkdirSync } from "node:fs";
import zopfli from "@gfx/zopfli";
import * as esbuild from "esbuild";

const usual = { bundle: true, minify: true, target: "es2022", charset: "utf8", legalComments: "none", logLevel: "warning" };

/** `worker:PATH` is the script of a worker, as a text. */
const worker = {
  name: "worker",
  setup(build) {
    build.onResolve({ filter: /^worker:/ }, ({ path }) => ({ path: `src/${path.slice(9)}`, namespace: "worker" }));
    build.onLoad({ filter: /.*/, namespace: "worker" }, async ({ path }) => {
      const script = await esbuild.build({ ...usual, entryPoints: [path], format: "iife", write: false });
      return { contents: script.outputFiles[0].text, loader: "text" };
    });
  },
};

/** `examples:all` are the shipped scenarios, by name. */
const examples = {
  name: "examples",
  setup(build) {
    build.onResolve({ filter: /^examples:/ }, ({ path }) => ({ path, namespace: "examples" }));
    build.onLoad({ filter: /.*/, namespace: "examples" }, () => {
      const names = readdirSync("../scenarios").filter((name) => name.endsWith(".yaml")).sort();
      const texts = names.map((name) => [name, readFileSync(`../scenarios/${name}`, "utf8")]);
      return { contents: JSON.stringify(texts), loader: "json" };
    });
  },
};

/** A WebAssembly module without its custom sections: names and notes that no browser needs. */
function bare(module) {
  const parts = [module.subarray(0, 8)];
  for (let at = 8; at < module.length;) {
    let [size, shift, next] = [0, 0, at + 1];
    do {
      size += (module[next] & 127) * 2 ** shift;
      shift += 7;
    } while (module[next++] & 128);
    if (module[at] !== 0) parts.push(module.subarray(at, next + size));
    at = next + size;
  }
  return Buffer.concat(parts);
}

const [engine, folder = "dist"] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
await esbuild.build({
  ...usual, entryPoints: ["src/main.ts"], format: "esm", outfile: `${folder}/app.js`, plugins: [worker, examples],
});
const style = readFileSync("../crates/report/src/chart/chart.css", "utf8") + readFileSync("src/style.css", "utf8");
const { code } = await esbuild.transform(style, { loader: "css", minify: true, charset: "utf8" });
writeFileSync(`${folder}/style.css`, code);
writeFileSync(`${folder}/index.html`, readFileSync("src/index.html"));
// Everybody who comes loads it, so that half a minute for 5 % less is well spent.
if (engine) writeFileSync(`${folder}/flopcast.wasm.gz`, await zopfli.gzipAsync(bare(readFileSync(engine)), { numiterations: 5 }));
