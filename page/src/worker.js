// The worker: reads tables, runs the networks, and says what it found, so that the page never freezes.

import * as ort from "onnxruntime-web/wasm";

import { Engine } from "./fit/engine.js";
import { fit } from "./fit/fitting.js";
import { predictive } from "./fit/predictive.js";
import { Programs, bytesOf, unpacked } from "./fit/programs.js";
import { normal } from "./numbers/normal.js";
import { describe, tableFor } from "./reading/described.js";
import { inPage } from "./reading/words.js";
import { splitBy } from "./reading/pooled.js";
import { BadInput } from "./reading/problem.js";
import { read } from "./reading/tables.js";
import { textOf } from "./reading/text.js";

const known = { cards: [], programs: [], rules: null, sources: [], fits: [], job: 0 };

const pause = () => new Promise((resolve) => setTimeout(resolve));
const say = (kind, content = {}) => postMessage({ kind, ...content });

const ANSWERS = {
  async runtime({ packed, rules }) {
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmBinary = (await unpacked(bytesOf(packed), "gzip")).buffer;
    known.rules = rules;
    say("runtime");
  },

  network({ card }) {
    if (card.reference) card.reference.summaries = new Float32Array(bytesOf(card.reference.summaries).buffer);
    known.cards.push(card);
    known.programs.push(new Programs(ort, card));
    say("network", { number: known.cards.length });
  },

  /** A first run costs more than the next: it is made before there are data. */
  async warm({ network }) {
    const { model, sizes, frames } = known.cards[network];
    const [p, d] = [model.design.observations[1], Object.keys(model.columns).length];
    const c = model.covariates.length;
    const n = frames[Math.min(1, frames.length - 1)];
    const data = { n, p, d, c, y: new Float32Array(n * p * d).fill(0.5), mask: new Float32Array(n * p).fill(1) };
    const engine = new Engine(known.cards[network], known.programs[network]);
    const framed = engine.frame({ ...data, x: c ? new Float32Array(n * c) : null, sequence: null, components: null });
    for (const name of ["answer", "states"]) {
      await engine.run(name, framed, normal(1, sizes[name] * model.free), model.free);
    }
    say("warm", { network });
  },

  async open({ files, job }) {
    known.sources = [];
    for (const { bytes, where } of files) known.sources.push({ where, text: await textOf(bytes, where) });
    say("opened", { job, ...describe(known.sources, known.cards, known.rules) });
  },

  async fit({ network, prior, reading, by, draws, seed, job }) {
    if (job !== known.job) return;
    known.fits = [];
    for (const programs of known.programs) if (programs !== known.programs[network]) await programs.release();
    const card = known.cards[network];
    const engine = new Engine(card, known.programs[network], prior);
    const parts = partsOf(card, reading, by);
    const fewest = parts.length > 1 ? known.rules.fit.states_of_many : known.rules.fit.states;
    for (const [place, [name, part]] of parts.entries()) {
      await pause();
      if (job !== known.job) return;
      say("fitting", { job, place, number: parts.length, name });
      const found = await fitted(engine, part, { network, reading, by, draws, seed: seed + place, fewest }, name);
      if (job !== known.job) return;
      say("fitted", { job, place, number: parts.length, name, ...found });
    }
    say("done", { job, number: parts.length });
  },

  async predictive({ place, job }) {
    if (job !== known.job) return;
    const { engine, data, theta } = known.fits[place];
    const pictures = await predictive(engine, data, theta);
    say("predictive", { job, place, pictures });
  },
};

/** [[name, table], ...] of the data sets: of each file one, or one for each value of a column. */
function partsOf(card, reading, by) {
  return known.sources.flatMap((source) => {
    const table = tableFor(card, source, reading.columns);
    if (!by) return [[source.where, table]];
    const name = (value) => (known.sources.length > 1 ? `${source.where}: ${value}` : value);
    return splitBy(table, by).map(([value, part]) => [name(value), part]);
  });
}

/** The fit of one part of a table, or what is wrong with it. */
async function fitted(engine, part, options, name) {
  try {
    const table = read(engine.card, part, options.reading, known.rules);
    const refusal = engine.refusal(table.data);
    if (refusal) throw new BadInput(refusal);
    const result = await fit(engine, table, options, known.rules);
    known.fits[known.fits.length] = { engine, data: table.data, theta: result.theta };
    const index = known.fits.length - 1;
    return { fit: { ...result, ...wordsOf(result), index, data: table.data, labels: table.labels } };
  } catch (error) {
    if (!(error instanceof BadInput)) throw error;
    return { problem: inPage(error.message) };
  }
}

/** What is said of a fit, in words of the page. */
const wordsOf = ({ reason, concerns, warnings }) => ({
  reason: inPage(reason),
  concerns: concerns.map(inPage),
  warnings: warnings.map(inPage),
});

async function answer(asked) {
  try {
    await ANSWERS[asked.kind](asked);
  } catch (error) {
    const text = error instanceof BadInput ? inPage(error.message) : `The page failed: ${error.message ?? error}`;
    say("problem", { job: asked.job, text });
  }
}

let last = Promise.resolve();
onmessage = ({ data }) => {
  // a new table or setting ends the fits of the one before it; a picture of a fit does not wait for all others
  if (data.job) known.job = data.job;
  if (data.kind === "predictive") answer(data);
  else last = last.then(() => answer(data));
};
