// Standard normal numbers from uniform ones, x = Phi^-1(u): Wichura (1988), algorithm AS 241; and Gumbel ones.

import { uniform } from "./philox.js";

// numerator and denominator, the highest power first: in the middle, and in two parts of the tails
const MIDDLE = [
  [
    2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457, 13731.693765509461125,
    1971.5909503065514427, 133.14166789178437745, 3.387132872796366608,
  ],
  [
    5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867, 5394.1960214247511077,
    687.1870074920579083, 42.313330701600911252, 1,
  ],
];
const TAIL = [
  [
    7.7454501427834140764e-4, 2.27238449892691845833e-2, 2.4178072517745061177e-1, 1.27045825245236838258,
    3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734,
  ],
  [
    1.05075007164441684324e-9, 5.475938084995344946e-4, 1.51986665636164571966e-2, 1.4810397642748007459e-1,
    6.8976733498510000455e-1, 1.6763848301838038494, 2.05319162663775882187, 1,
  ],
];
const FAR = [
  [
    2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.2426609473880784386e-3, 2.6532189526576123093e-2,
    2.9656057182850489123e-1, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772,
  ],
  [
    2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4,
    1.48753612908506148525e-2, 1.3692988092273580531e-1, 5.9983220655588793769e-1, 1,
  ],
];

function ratio([above, below], r) {
  const value = (coefficients) => coefficients.reduce((sum, c) => sum * r + c, 0);
  return value(above) / value(below);
}

/** Phi^-1(p). */
export function quantile(p) {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) return q * ratio(MIDDLE, 0.180625 - q * q);
  const r = Math.sqrt(-Math.log(q <= 0 ? p : 1 - p));
  return Math.sign(q) * (r <= 5 ? ratio(TAIL, r - 1.6) : ratio(FAR, r - 5));
}

/** Standard normal numbers of a seed, in single precision: the noise of which draws are made. */
export function normal(seed, number) {
  return Float32Array.from(uniform(2n * BigInt(seed), number), quantile);
}

/** Standard Gumbel numbers of a seed, in single precision: the largest of log p_k + g_k is a draw of k from p. */
export function gumbel(seed, number, skipped = 0) {
  return Float32Array.from(uniform(2n * BigInt(seed) + 1n, number, skipped), (u) => -Math.log(-Math.log(u)));
}
