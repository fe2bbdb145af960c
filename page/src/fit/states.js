// Probabilities of the states of every unit: means and 95 % bands over as many draws as their error needs.

import { quantileOf } from "../numbers/sums.js";

const ENDS = [0.025, 0.975];

/** {mean, low, high (N, K), error, draws}: of the head that knows all data. */
export async function states(engine, data, u, [few, most], largestError) {
  const framed = engine.frame(data);
  const { free, dependent } = engine.model;
  const head = engine.card.outputs.states.includes("smoothing") || dependent ? "smoothing" : "classification";
  const width = data.n * engine.card.labels.length;
  const total = framed.n * engine.card.labels.length;
  const draws = Math.min(most, u.length / free);
  const rows = [];
  let found = null;
  while (rows.length < draws && !(found && found.error <= largestError)) {
    const piece = u.subarray(rows.length * free, Math.min(rows.length + few, draws) * free);
    const answer = (await engine.run("states", framed, piece, free))[head];
    for (let s = 0; s < piece.length / free; s += 1) rows.push(answer.subarray(s * total, s * total + width));
    found = moments(rows, width);
  }
  return { ...bands(rows, width), ...found, draws: rows.length, head };
}

/** Mean of each place over rows, and the largest standard error of one. */
function moments(rows, width) {
  const mean = new Float64Array(width);
  const spread = new Float64Array(width);
  for (const row of rows) for (let i = 0; i < width; i += 1) mean[i] += row[i] / rows.length;
  for (const row of rows) for (let i = 0; i < width; i += 1) spread[i] += (row[i] - mean[i]) ** 2;
  const largest = spread.reduce((a, b) => Math.max(a, b), 0);
  return { mean, error: Math.sqrt(largest / rows.length) / Math.sqrt(rows.length) };
}

function bands(rows, width) {
  const [low, high] = [new Float64Array(width), new Float64Array(width)];
  const values = new Float32Array(rows.length);
  for (let i = 0; i < width; i += 1) {
    for (let s = 0; s < rows.length; s += 1) values[s] = rows[s][i];
    values.sort();
    [low[i], high[i]] = ENDS.map((q) => quantileOf(values, q));
  }
  return { low, high };
}
