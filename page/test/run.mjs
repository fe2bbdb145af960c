// Fits a CSV file by the modules of the page, under Node: node test/run.mjs CARD RULES FILE [OPTIONS as JSON].

import { readFile } from "node:fs/promises";
import { basename } from "node:path";

import { Engine } from "../src/fit/engine.js";
import { fit } from "../src/fit/fitting.js";
import { Programs } from "../src/fit/programs.js";
import { tableOf } from "../src/reading/csv.js";
import { splitBy } from "../src/reading/pooled.js";
import { read } from "../src/reading/tables.js";
import { textOf } from "../src/reading/text.js";

const [card, rules] = await Promise.all(process.argv.slice(2, 4).map(async (path) => JSON.parse(await readFile(path))));
const path = process.argv[4];
const options = { draws: 1000, seed: 1, fewest: 1000, ...JSON.parse(process.argv[5] ?? "{}") };

async function main() {
  const ort = await import("onnxruntime-web/wasm");
  ort.env.wasm.numThreads = 1;
  if (card.reference) {
    card.reference.summaries = new Float32Array(Uint8Array.from(Buffer.from(card.reference.summaries, "base64")).buffer);
  }
  const engine = new Engine(card, new Programs(ort, card), options.prior);
  const { columns, codes, scale, sequence, keep, by } = options;
  const named = (name) => columns?.[name] ?? name;
  const numbers = [...Object.keys(card.model.columns), ...card.model.covariates].map(named);
  const text = await textOf(new Uint8Array(await readFile(path)), basename(path));
  const table = tableOf(text, basename(path), card.needed.map(named), numbers);
  const parts = by ? splitBy(table, by) : [["", table]];
  const found = [];
  for (const [i, [name, part]] of parts.entries()) {
    const known = read(card, part, { columns, codes, scale, sequence, keep }, rules);
    const refusal = engine.refusal(known.data);
    if (refusal) throw new Error(refusal);
    const result = await fit(engine, known, { ...options, seed: options.seed + i }, rules);
    found.push({ name, labels: known.labels, ...result, theta: Array.from(result.theta) });
  }
  return found;
}

try {
  const begun = process.cpuUsage();
  const found = await main();
  const used = process.cpuUsage(begun);
  console.log(JSON.stringify({ found, seconds: (used.user + used.system) / 1e6 }, (_, v) => (ArrayBuffer.isView(v) ? Array.from(v) : v)));
} catch (error) {
  console.log(JSON.stringify({ problem: error.message, kind: error.constructor.name, stack: error.stack }));
}
