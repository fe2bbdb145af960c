// Noise of which proposals are made: the flow's own, and a mixture with a t distribution.
//
//     p(eps) = N(eps; 0, I),     p_r(eps) = a N(eps; 0, I) + (1 - a) t(eps; m_r, C_r),     C = L L'
//
// A proposal is {location (d), shape (d x d)}, or null for the flow's own; rows of noise stand one after the other.

import { normal } from "./normal.js";
import { uniform } from "./philox.js";
import { logSumExp } from "./sums.js";

/** log p(eps) of rows of so many numbers; of a proposal also its share `own` and its degrees of `freedom`. */
export function logDensity(eps, width, proposal = null, { own, freedom } = {}) {
  const found = new Float64Array(eps.length / width);
  const moved = proposal && { ...proposal, ...studentOf(proposal, width, freedom) };
  for (let s = 0; s < found.length; s += 1) {
    let squares = 0;
    for (let j = s * width; j < (s + 1) * width; j += 1) squares += eps[j] ** 2;
    found[s] = -0.5 * squares - 0.5 * width * Math.log(2 * Math.PI);
    if (moved) {
      const other = moved.constant - ((freedom + width) / 2) * Math.log1p(distance(eps, s, width, moved) / freedom);
      found[s] = logSumExp([Math.log(own) + found[s], Math.log1p(-own) + other]);
    }
  }
  return found;
}

/** The factor L of a t distribution, and the log of its density where that is highest. */
function studentOf({ shape }, width, freedom) {
  const factor = cholesky(shape, width);
  let constant = logGammaOfHalf(freedom + width) - logGammaOfHalf(freedom) - (width / 2) * Math.log(freedom * Math.PI);
  for (let j = 0; j < width; j += 1) constant -= Math.log(factor[j * width + j]);
  return { factor, constant };
}

/** |x|^2 of L x = eps - m, by substitution. */
function distance(eps, s, width, { location, factor }) {
  const x = new Float64Array(width);
  let found = 0;
  for (let i = 0; i < width; i += 1) {
    let rest = eps[s * width + i] - location[i];
    for (let j = 0; j < i; j += 1) rest -= factor[i * width + j] * x[j];
    x[i] = rest / factor[i * width + i];
    found += x[i] ** 2;
  }
  return found;
}

/** The lower triangle L of a positive definite matrix L L'. */
export function cholesky(matrix, width) {
  const found = new Float64Array(width * width);
  for (let i = 0; i < width; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let rest = matrix[i * width + j];
      for (let k = 0; k < j; k += 1) rest -= found[i * width + k] * found[j * width + k];
      found[i * width + j] = i === j ? Math.sqrt(rest) : rest / found[j * width + j];
    }
  }
  return found;
}

/** log Gamma(n / 2) of a whole number n > 0. */
function logGammaOfHalf(n) {
  let found = n % 2 ? Math.log(Math.PI) / 2 : 0;
  for (let x = n % 2 ? 0.5 : 1; x < n / 2; x += 1) found += Math.log(x);
  return found;
}

/** So many rows of noise of a proposal, in single precision as the flow takes it. */
export function sample({ location, shape }, size, seed, { own, freedom }) {
  const width = location.length;
  const factor = cholesky(shape, width);
  const found = normal(seed, size * width);
  const each = freedom / 2 + 1;
  const u = uniform(2n * BigInt(seed) + 1n, size * each);
  for (let s = 0; s < size; s += 1) {
    if (u[s * each] < own) continue;
    let chiSquared = 0; // of an even number of degrees of freedom
    for (let j = 1; j < each; j += 1) chiSquared -= 2 * Math.log(u[s * each + j]);
    const wider = Math.sqrt(freedom / chiSquared);
    const row = found.slice(s * width, (s + 1) * width);
    for (let i = 0; i < width; i += 1) {
      let sum = 0;
      for (let j = 0; j <= i; j += 1) sum += factor[i * width + j] * row[j];
      found[s * width + i] = location[i] + sum * wider;
    }
  }
  return found;
}

/** Normalized weights w^b, b <= 1 the largest power of so large an effective number; null if fewer have any weight. */
export function tempered(logWeights, fewest) {
  let [possible, highest] = [0, -Infinity];
  for (const w of logWeights) {
    if (!Number.isFinite(w)) continue;
    possible += 1;
    highest = Math.max(highest, w);
  }
  if (possible <= fewest) return null;
  const powered = (b) => {
    const found = Float64Array.from(logWeights, (w) => (Number.isFinite(w) ? Math.exp(b * (w - highest)) : 0));
    const total = found.reduce((sum, w) => sum + w, 0);
    return found.map((w) => w / total);
  };
  const enough = (weights) => 1 / squaresOf(weights) >= fewest;
  const whole = powered(1);
  if (enough(whole)) return whole;
  let [low, high] = [0, 1];
  for (let i = 0; i < 40; i += 1) {
    const middle = (low + high) / 2;
    if (enough(powered(middle))) low = middle;
    else high = middle;
  }
  return powered(low);
}

const squaresOf = (weights) => weights.reduce((total, w) => total + w ** 2, 0);

/** The proposal {location, shape} of weighted rows of noise; correlations of few draws are shrunk. */
export function moments(eps, weights, width) {
  const [location, shape] = [new Float64Array(width), new Float64Array(width * width)];
  weights.forEach((w, s) => {
    for (let i = 0; i < width; i += 1) location[i] += w * eps[s * width + i];
  });
  weights.forEach((w, s) => {
    for (let i = 0; i < width; i += 1) {
      const moved = w * (eps[s * width + i] - location[i]);
      for (let j = 0; j < width; j += 1) shape[i * width + j] += moved * (eps[s * width + j] - location[j]);
    }
  });
  const shrunk = Math.min(1, width * squaresOf(weights));
  return { location, shape: shape.map((c, i) => (i % (width + 1) ? (1 - shrunk) * c : c + 1e-8)) };
}
