// Fits files by the modules of the page, under Node: node test/run.mjs CARD RULES, with [{path, ...options}, ...] from
// standard input; one answer a line.

import { readFileSync } from "node:fs";
import { basename } from "node:path";

import * as ort from "onnxruntime-web/wasm";

import { Engine } from "../src/fit/engine.js";
import { fit } from "../src/fit/fitting.js";
import { predictive } from "../src/fit/predictive.js";
import { Programs, bytesOf } from "../src/fit/programs.js";
import { tableFor } from "../src/reading/described.js";
import { splitBy } from "../src/reading/pooled.js";
import { BadInput } from "../src/reading/problem.js";
import { read } from "../src/reading/tables.js";
import { textOf } from "../src/reading/text.js";

const [card, rules] = process.argv.slice(2).map((path) => JSON.parse(readFileSync(path, "utf8")));
if (card.reference) card.reference.summaries = new Float32Array(bytesOf(card.reference.summaries).buffer);
ort.env.wasm.numThreads = 1;
const programs = new Programs(ort, card);

async function fitted({ path, by, prior, pictures, ...options }) {
  const engine = new Engine(card, programs, prior);
  const where = basename(path);
  const table = tableFor(
    card,
    { text: await textOf(new Uint8Array(readFileSync(path)), where), where },
    options.columns,
  );
  const found = [];
  for (const [i, [name, part]] of (by ? splitBy(table, by) : [["", table]]).entries()) {
    const known = read(card, part, options, rules);
    const refusal = engine.refusal(known.data);
    if (refusal) throw new BadInput(refusal);
    const result = await fit(engine, known, { draws: 1000, seed: 1 + i, fewest: 1000 }, rules);
    const drawn = pictures ? await predictive(engine, known.data, result.theta) : null;
    found.push({ name, labels: known.labels, ...result, predictive: drawn });
  }
  return { found };
}

for (const job of JSON.parse(readFileSync(0, "utf8"))) {
  const said = await fitted(job).catch((error) => {
    if (error instanceof BadInput) return { problem: error.message };
    throw error;
  });
  console.log(JSON.stringify(said, (_, value) => (ArrayBuffer.isView(value) ? Array.from(value) : value)));
}
