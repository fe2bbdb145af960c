// Does the model describe the data? The density of one more value under the fitted model, beside the observed ones:
//
//     p(y | data) = mean over draws of p(y | theta^(s)),   where the state is not known
//
// by the program of the density of each unit. In a chain some units that were not observed stand before each value.

import { quantileOf } from "../numbers/sums.js";
import { kindOf } from "../reading/kinds.js";
import { seenOf } from "./data.js";

const POINTS = 60;
/** Units before a value, after which a chain has forgotten where it began. */
const UNSEEN = 19;
/** Values of which the density is asked at once, at least. */
const FEWEST = 5;
const BINS = 30;

/** One picture for each column of numbers, and each code beside it: [{column, code, bins, grid, ...}], or []. */
export async function predictive(engine, data, theta) {
  const { model } = engine;
  const names = Object.keys(model.columns);
  const kinds = names.map((name) => kindOf(model.columns[name]));
  const numbers = names.filter((_, j) => kinds[j].name !== "Choice");
  if (numbers.length !== 1 || names.length > 2 || model.lags || data.x) return [];
  const at = names.indexOf(numbers[0]);
  const other = names.length === 2 ? 1 - at : null;
  const codes = other === null ? [[null, null]] : kinds[other].codes;
  const observed = valuesOf(data, at, other);
  const grid = kinds[at].name === "NonNegativeInteger" ? counts(observed) : evenly(observed, kinds[at]);
  const found = [];
  for (const [code, stored] of codes) {
    const ours = observed.filter((o) => stored === null || o.code === stored).map((o) => o.value);
    const density = await densityOf(engine, data, theta, grid.points, at, other, stored);
    found.push({
      column: numbers[0],
      other: other === null ? null : names[other],
      code,
      ...grid,
      ...density,
      observed: histogram(ours, observed.length, grid),
    });
  }
  return found;
}

function valuesOf(data, at, other) {
  const seen = seenOf(data);
  const found = [];
  for (let i = 0; i < data.n * data.p; i += 1) {
    if (!(seen[i * data.d + at] > 0)) continue;
    found.push({ value: data.y[i * data.d + at], code: other === null ? null : data.y[i * data.d + other] });
  }
  return found;
}

function evenly(observed, kind) {
  const values = observed.map((o) => o.value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const margin = 0.1 * (high - low || 1);
  const from = kind.accepts(low - margin) ? low - margin : low / 2;
  const width = (high + margin - from) / BINS;
  const points = Array.from({ length: POINTS }, (_, i) => from + ((i + 0.5) * (high + margin - from)) / POINTS);
  return { points, edges: Array.from({ length: BINS + 1 }, (_, i) => from + i * width), counts: false };
}

function counts(observed) {
  const most = Math.max(...observed.map((o) => o.value)) + 2;
  const step = Math.ceil((most + 1) / POINTS);
  const points = Array.from({ length: Math.floor(most / step) + 1 }, (_, i) => i * step);
  return { points, edges: [...points.map((v) => v - step / 2), points.at(-1) + step / 2], counts: true };
}

/** Share of all observations in each bin, for one unit of width. */
function histogram(values, number, { edges }) {
  const found = new Array(edges.length - 1).fill(0);
  const width = edges[1] - edges[0];
  for (const value of values) {
    const bin = Math.min(Math.floor((value - edges[0]) / width), found.length - 1);
    found[Math.max(bin, 0)] += 1 / (number * width);
  }
  return found;
}

/** Mean and 95 % band over draws of the density at each point. */
async function densityOf(engine, data, theta, points, at, other, stored) {
  const { model, card } = engine;
  const before = model.dependent ? UNSEEN : 0;
  // in pieces of a small frame, for the programs of large ones need much memory
  const size = card.frames.find((frame) => frame >= FEWEST * (before + 1)) ?? card.frames.at(-1);
  const each = Math.min(Math.floor(size / (before + 1)), points.length);
  const found = { mean: [], low: [], high: [] };
  for (let first = 0; first < points.length; first += each) {
    const some = points.slice(first, first + each);
    const framed = framedPoints(engine, data, some, before, at, other, stored);
    const { units } = await engine.run("units", framed, theta, model.parameters.length);
    for (let i = 0; i < some.length; i += 1) {
      const values = new Float64Array(units.length / framed.n);
      for (let s = 0; s < values.length; s += 1) values[s] = Math.exp(units[s * framed.n + i * (before + 1) + before]);
      values.sort();
      found.mean.push(values.reduce((a, b) => a + b, 0) / values.length);
      found.low.push(quantileOf(values, 0.025));
      found.high.push(quantileOf(values, 0.975));
    }
  }
  return found;
}

/** A data set of points, each in a sequence of its own. */
function framedPoints(engine, data, points, before, at, other, stored) {
  const { d } = data;
  const n = points.length * (before + 1);
  const [y, mask, sequence] = [new Float32Array(n * d), new Float32Array(n), new Float32Array(n)];
  points.forEach((point, i) => {
    for (let j = 0; j <= before; j += 1) {
      const unit = i * (before + 1) + j;
      y[unit * d + at] = point;
      if (other !== null) y[unit * d + other] = stored;
      sequence[unit] = i + 1;
      mask[unit] = j === before ? 1 : 0;
    }
  });
  return engine.frame({ n, p: 1, d, c: 0, y, mask, x: null, sequence, components: null });
}
