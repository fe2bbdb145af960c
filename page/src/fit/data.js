// A data set in one fixed, padded form: y (N, P, D), mask (N, P), x (N, C), sequence (N), components (N, P, D).
//
// Arrays are flat and in single precision; `x`, `sequence` and `components` are null where there is no word of them.

/** Where a component was observed: (N, P, D). */
export function seenOf({ n, p, d, mask, components }) {
  if (components) return components;
  const found = new Float32Array(n * p * d);
  for (let i = 0; i < found.length; i += 1) found[i] = mask[Math.floor(i / d)];
  return found;
}

/** Number of observations of each unit (N). */
export function countsOf({ n, p, mask }) {
  const found = new Int32Array(n);
  for (let i = 0; i < n * p; i += 1) if (mask[i] > 0) found[Math.floor(i / p)] += 1;
  return found;
}

/** Whether each unit exists, observed or not. */
export function existsOf(data) {
  return data.sequence ? Array.from(data.sequence, (s) => s > 0) : Array.from(countsOf(data), (c) => c > 0);
}

/** Whether a sequence begins at each unit, after another one. */
export const startsOf = ({ sequence }) =>
  sequence ? Array.from(sequence, (s, i) => i > 0 && s > 0 && s !== sequence[i - 1]) : null;

/** The same data set with its sequences written down: one, to the last observed unit, where there is no word. */
export function oneSequence(data) {
  if (data.sequence) return data;
  const counts = countsOf(data);
  const last = counts.findLastIndex((c) => c > 0);
  return { ...data, sequence: Float32Array.from(counts, (_, i) => (i <= last ? 1 : 0)) };
}

/** The same data set in a larger frame; new places hold a copy of its first observation. */
export function padded(data, units, observations) {
  const { n, p, d, c } = data;
  const y = new Float32Array(units * observations * d);
  for (let i = 0; i < y.length; i += 1) y[i] = data.y[i % d];
  const mask = new Float32Array(units * observations);
  const components = data.components ? new Float32Array(y.length) : null;
  for (let i = 0; i < n; i += 1) {
    y.set(data.y.subarray(i * p * d, (i + 1) * p * d), i * observations * d);
    mask.set(data.mask.subarray(i * p, (i + 1) * p), i * observations);
    components?.set(data.components.subarray(i * p * d, (i + 1) * p * d), i * observations * d);
  }
  const x = data.x ? new Float32Array(units * c) : null;
  if (x) for (let i = 0; i < x.length; i += 1) x[i] = data.x[i < n * c ? i : i % c];
  const sequence = data.sequence ? new Float32Array(units) : null;
  sequence?.set(data.sequence);
  return { ...data, n: units, p: observations, y, mask, x, sequence, components };
}

/** A valid value in every place where nothing was observed: the first one of the column that was. */
export function filled(data) {
  const seen = seenOf(data);
  const first = Array.from({ length: data.d }, (_, j) => {
    for (let i = j; i < seen.length; i += data.d) if (seen[i] > 0) return data.y[i];
    return data.y[j];
  });
  return { ...data, y: data.y.map((value, i) => (seen[i] > 0 ? value : first[i % data.d])) };
}

/** The same data set in which some observations, [[unit, place], ...], were not made. */
export function without(data, observations) {
  const found = oneSequence(data);
  const mask = found.mask.slice();
  const components = found.components?.slice() ?? null;
  for (const [unit, place] of observations) {
    const at = unit * found.p + place;
    mask[at] = 0;
    components?.fill(0, at * found.d, (at + 1) * found.d);
  }
  return filled({ ...found, mask, components });
}
