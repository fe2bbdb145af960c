// Pareto smoothed importance sampling (Vehtari et al. 2024).
//
//     log w_s = log p(theta_s, y) - log q(theta_s | y)
//
// The largest weights are replaced by quantiles of a generalized Pareto distribution, whose shape is k-hat.

import { Random } from "./seeds.js";
import { logSumExp, mean } from "./sums.js";

// log weights that differ by less are equal: single precision does not tell them apart
const EQUAL = 1e-5;
const PRIOR_B = 3;
const PRIOR_K = 10;

/** Raw log weights; a draw without density under the target has weight zero, whatever the proposal's density. */
export function logRatio(target, proposal) {
  return Float64Array.from(target, (t, s) => (t === -Infinity ? t : t - proposal[s]));
}

/** Largest k-hat at which so many weights can be relied on. */
export const thresholdOf = (number) => Math.min(1 - 1 / Math.log10(number), 0.7);

/** Smoothed, normalized log weights with their k-hat, its threshold and the effective number of draws. */
export function smooth(target, proposal) {
  const ratio = logRatio(target, proposal);
  const range = Math.max(...ratio) - Math.min(...ratio);
  const equal = ratio.every(Number.isFinite) && range < EQUAL;
  const [logWeights, k] = equal ? [ratio.map(() => -Math.log(ratio.length)), -Infinity] : smoothedTail(ratio);
  const threshold = thresholdOf(ratio.length);
  const ess = 1 / logWeights.reduce((total, w) => total + Math.exp(2 * w), 0);
  return { logWeights, k, threshold, reliable: k <= threshold, ess };
}

function smoothedTail(ratio) {
  const number = ratio.length;
  const largest = ratio.reduce((a, b) => (b > a || Number.isNaN(b) ? b : a), -Infinity);
  const found = ratio.map((r) => r - largest);
  const size = Math.floor(number > 225 ? 3 * Math.sqrt(number) : number / 5);
  const order = Array.from(found.keys()).sort((a, b) => found[a] - found[b]);
  const ids = order.slice(number - size);
  const cutoff = Math.exp(found[order[number - size - 1]]);
  const most = found[ids[size - 1]];
  const [k, sigma] = paretoFit(ids.map((i) => Math.exp(found[i]) - cutoff));
  if (Number.isFinite(k)) {
    ids.forEach((id, i) => {
      const value = Math.log(paretoQuantile((i + 0.5) / size, k, sigma, cutoff));
      found[id] = value > most ? most : value;
    });
  }
  const total = logSumExp(found);
  return [found.map((w) => w - total), k];
}

function paretoQuantile(p, k, sigma, from) {
  if (!(sigma > 0)) return NaN;
  const log = Math.log1p(-p);
  return k === 0 ? from - sigma * log : from + (sigma * Math.expm1(-k * log)) / k;
}

/** Shape and scale of excesses in increasing order (Zhang & Stephens 2009), with a weak prior on the shape. */
function paretoFit(excess) {
  const n = excess.length;
  const quartile = excess[Math.floor(n / 4 + 0.5 - 1)];
  if (!(quartile > excess[0])) return [NaN, NaN];
  const number = 30 + Math.floor(Math.sqrt(n));
  const shapeAt = (b) => mean(excess.map((x) => Math.log1p(-b * x)));
  let grid = Array.from({ length: number }, (_, i) => {
    const b = (1 - Math.sqrt(number / (i + 0.5))) / (PRIOR_B * quartile);
    return b + 1 / excess[n - 1];
  });
  const scores = grid.map((b) => {
    const k = shapeAt(b);
    return n * (Math.log(-b / k) - k - 1);
  });
  const total = logSumExp(scores);
  let weights = scores.map((s) => Math.exp(s - total));
  const kept = weights.map((w) => w >= 10 * Number.EPSILON);
  grid = grid.filter((_, i) => kept[i]);
  weights = weights.filter((_, i) => kept[i]);
  const whole = weights.reduce((a, b) => a + b, 0);
  const b = grid.reduce((sum, value, i) => sum + (value * weights[i]) / whole, 0);
  const raw = shapeAt(b);
  const k = (n * raw + PRIOR_K * 0.5) / (n + PRIOR_K);
  return Number.isNaN(k) ? [Infinity, NaN] : [k, -raw / b];
}

/** log p(y) and its standard error, from raw log weights. */
export function evidence(logRatios) {
  const total = logSumExp(logRatios);
  if (!Number.isFinite(total)) return [-Infinity, Infinity];
  const second = logSumExp(logRatios.map((r) => 2 * r));
  const error = Math.sqrt(Math.max(Math.exp(second - 2 * total) - 1 / logRatios.length, 0));
  return [total - Math.log(logRatios.length), error];
}

/** Places of n draws, each as often as its weight says, in random order; null if no draw has a weight. */
export function resample(logWeights, n, seed) {
  if (!logWeights.some(Number.isFinite)) return null;
  const random = new Random(seed);
  const total = logSumExp(logWeights);
  let running = 0;
  const ends = logWeights.map((w) => (running += Math.exp(w - total)));
  const start = random.uniform();
  const found = [];
  for (let i = 0, s = 0; i < n; i += 1) {
    const place = ((start + i) / n) * ends[ends.length - 1];
    while (s < ends.length - 1 && ends[s] <= place) s += 1;
    found.push(s);
  }
  return random.permuted(found);
}
