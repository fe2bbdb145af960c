// Builds the page into the Python package: node build.mjs. What is built is not committed.

import { createHash } from "node:crypto";
import { cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const BUILT = join(HERE, "../src/amortmix/browser/built");
const MODULES = join(HERE, "node_modules");
const RUNTIME = join(MODULES, "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm");
const OPTIONS = { bundle: true, minify: true, format: "iife", target: "es2022", logLevel: "warning", write: false };

/** The text of a bundle, or of the style that it brings. */
async function bundled(entry, ending, options = {}) {
  const { outputFiles } = await build({
    ...OPTIONS,
    entryPoints: [join(HERE, "src", entry)],
    outdir: "out",
    ...options,
  });
  return outputFiles.find((file) => file.path.endsWith(ending)).text;
}

/** Files of text, such as the worker and the examples, as modules. */
const texts = (worker, examples) => ({
  name: "texts",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^text:/ }, ({ path }) => ({ path, namespace: "texts" }));
    onLoad({ filter: /.*/, namespace: "texts" }, ({ path }) => ({
      contents: `export default ${JSON.stringify(path === "text:worker" ? worker : examples)}`,
    }));
  },
});

async function examples() {
  const folder = join(HERE, "examples");
  const names = (await readdir(folder)).filter((name) => name.endsWith(".csv")).sort();
  return Promise.all(names.map(async (name) => ({ name, text: await readFile(join(folder, name), "utf8") })));
}

/** Licences of what is bundled; a package that has none beside it has it in `licences`. */
async function licences() {
  const { dependencies } = JSON.parse(await readFile(join(HERE, "package.json")));
  const found = [];
  for (const name of Object.keys(dependencies)) {
    const { version, license } = JSON.parse(await readFile(join(MODULES, name, "package.json")));
    const file = (await readdir(join(MODULES, name))).find((f) => /^licen[cs]e/i.test(f));
    const text = await readFile(file ? join(MODULES, name, file) : join(HERE, "licences", `${name}.txt`), "utf8");
    found.push(`${name} ${version}, ${license}\n\n${text.trim()}\n`);
  }
  return found.join("\n----\n\n");
}

const worker = await bundled("worker.js", ".js", {
  // in a worker made of text there is no module whose address could be asked for
  define: { "import.meta.url": "self.location.href" },
});
const plugins = [texts(worker, await examples())];
const files = {
  "page.js": await bundled("page.js", ".js", { plugins }),
  "page.css": await bundled("page.js", ".css", { plugins }),
  "runtime.js": `amortmix.runtime=${JSON.stringify(gzipSync(await readFile(RUNTIME), { level: 9 }).toString("base64"))}`,
  "LICENSES.txt": await licences(),
};
await rm(BUILT, { recursive: true, force: true });
await mkdir(BUILT, { recursive: true });
for (const [name, text] of Object.entries(files)) await writeFile(join(BUILT, name), text);
await cp(join(HERE, "src/index.html"), join(BUILT, "index.html"));
const sum = createHash("sha256").update(Object.values(files).join("")).digest("hex").slice(0, 12);
console.log(
  `built ${sum}: ${Object.entries(files)
    .map(([name, text]) => `${name} ${(text.length / 1e6).toFixed(2)} MB`)
    .join(", ")}`,
);
