// What a fit asks of networks: exported programs of functions of one data set in a frame of training.
//
//     answer   noise (S, d)    theta, u, log q(theta | y), log p(theta, y), and the summary of y
//     states   u (S, d)        {head: probabilities (S, N, K)}
//     units    theta (S, D)    log p(y_i | y_1:i-1, theta): (S, N)
//     paths    theta (S, D)    draws of the states of all units (S, N), of Gumbel noise (S, N, K)

import { gumbel, normal } from "../numbers/normal.js";
import { percent, span } from "../reading/format.js";
import { countsOf, existsOf, oneSequence, padded, seenOf, startsOf } from "./data.js";

/** Networks of one model under one prior; `programs` runs a program by name, see `programs.js`. */
export class Engine {
  constructor(card, programs, prior) {
    Object.assign(this, { card, programs, model: card.model });
    this.prior = card.priors[prior ?? Object.keys(card.priors)[0]] ?? null;
  }

  /** A sentence about a data set that the networks cannot take at all, or null. */
  refusal(data) {
    const { model, card } = this;
    const [most, places] = [card.frames.at(-1), model.design.observations[1]];
    if (data.n > most || data.p > places || (data.components && !model.design.parts)) {
      const what = data.components && !model.design.parts ? "a column missing in some rows, or " : "";
      return `${model.name}: ${what}more than ${most} units x ${places} observations; a page takes no more`;
    }
    const gaps = startsOf(data)?.some(Boolean) || existsOf(data).some((e, i) => e && !countsOf(data)[i]);
    if (!card.filter || !gaps) return null;
    return `${model.name}: units are missing or sequences begin; expected none, for a classifier of kind filter knows neither`;
  }

  /** The data set padded to the next larger frame of training. */
  frame(data) {
    const size = this.card.frames.find((f) => f >= data.n);
    const framed = padded(oneSequence(data), size, Math.max(this.model.design.observations[1], data.p));
    if (this.model.design.parts && !framed.components) framed.components = seenOf(framed);
    framed.prior = this.prior && Float32Array.from(this.prior);
    return framed;
  }

  /** Sentences about a data set outside the range of training; empty if inside. */
  warnings(data) {
    const { design } = this.model;
    const exists = existsOf(data);
    const counts = countsOf(data);
    const n = exists.filter(Boolean).length;
    const holes = exists.filter((e, i) => e && !counts[i]).length;
    const some = counts.filter((c) => c > 0);
    const ends = [Math.min(...some), Math.max(...some)];
    const found = [];
    if (n < design.units[0] || n > design.units[1]) {
      found.push(`N = ${n} units lies outside ${span(design.units)}, the range of training`);
    }
    if (ends[0] < design.observations[0] || ends[1] > design.observations[1]) {
      const known = span(design.observations);
      found.push(`P = ${span(ends)} observations per unit lies outside ${known}, the range of training`);
    }
    const most = (share) => (share ? `at most ${percent(share)}` : "none");
    if (holes > (design.holes ?? 0) * n) {
      found.push(`${holes} of ${n} units were not observed; in training ${most(design.holes)}`);
    }
    const lacks = lacking(data);
    if (lacks > (design.parts ?? 0)) {
      const share = `${percent(lacks)} of the values of a column are missing where others are there`;
      found.push(`${share}; in training ${most(design.parts)}`);
    }
    const sequences = 1 + (startsOf(data) ?? []).filter(Boolean).length;
    if (sequences > (design.sequences ?? 1) && this.model.dependent) {
      found.push(`there are ${sequences} sequences; in training at most ${design.sequences ?? 1}`);
    }
    return found;
  }

  /** Draws of one data set: theta, u, log_q, log_joint and the summary, as flat arrays. */
  async answer(data, draws, seed) {
    return this.answerTo(data, this.noise(draws, seed));
  }

  /** The same of draws that are made of this noise, whatever it was drawn from. */
  async answerTo(data, noise) {
    return this.run("answer", this.frame(data), noise, this.model.free);
  }

  /** Standard normal noise of which so many draws are made. */
  noise(draws, seed) {
    return normal(seed, draws * this.model.free);
  }

  /** Joint draws of the states of all units of a framed data set, one for each draw theta. */
  async paths(framed, theta, seed) {
    const shape = [framed.n, this.model.states.length];
    const gumbels = (skipped, number) => gumbel(seed, number, skipped);
    const { paths } = await this.run("paths", framed, theta, this.model.parameters.length, { shape, numbers: gumbels });
    return paths;
  }

  /** The outputs of a program for rows of so many numbers, those of all rows one after the other; noise of these comes
   * piece by piece, for that of all rows is large. */
  async run(name, framed, rows, width, noise = null) {
    const { sizes, outputs } = this.card;
    const [size, number] = [sizes[name], rows.length / width];
    const pieces = [];
    for (let first = 0; first < number; first += size) {
      const piece = new Float32Array(size * width);
      for (let i = 0; i < size; i += 1) {
        const row = Math.min(first + i, number - 1);
        piece.set(rows.subarray(row * width, (row + 1) * width), i * width);
      }
      const inputs = { ...inputsOf(framed, piece, width), ...noiseOf(noise, first, size) };
      pieces.push(await this.programs.run(`${name}_${framed.n}.onnx`, inputs, outputs[name]));
    }
    return Object.fromEntries(
      outputs[name].map((k) => [k, k === "summary" ? pieces[0][k] : joined(pieces, k, size, number)]),
    );
  }
}

function lacking({ n, p, d, mask, components }) {
  if (!components) return 0;
  const there = new Float64Array(d);
  let number = 0;
  for (let i = 0; i < n * p; i += 1) {
    if (!(mask[i] > 0)) continue;
    number += 1;
    for (let j = 0; j < d; j += 1) there[j] += components[i * d + j];
  }
  return 1 - Math.min(...there) / number;
}

function inputsOf(framed, rows, width) {
  const { n, p, d, c } = framed;
  const all = {
    y: [framed.y, [n, p, d]],
    mask: [framed.mask, [n, p]],
    x: [framed.x, [n, c]],
    sequence: [framed.sequence, [n]],
    prior: [framed.prior, [framed.prior?.length]],
    components: [framed.components, [n, p, d]],
    rows_0: [rows, [rows.length / width, width]],
  };
  return Object.fromEntries(Object.entries(all).filter(([, [values]]) => values));
}

function noiseOf(noise, first, size) {
  if (!noise) return {};
  const each = noise.shape.reduce((a, b) => a * b, 1);
  return { rows_1: [noise.numbers(first * each, size * each), [size, ...noise.shape]] };
}

function joined(pieces, name, size, number) {
  const each = pieces[0][name].length / size;
  const found = new Float32Array(number * each);
  pieces.forEach((piece, i) => {
    const kept = Math.min(size, number - i * size) * each;
    found.set(piece[name].subarray(0, kept), i * size * each);
  });
  return found;
}
