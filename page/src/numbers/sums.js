// Sums, moments and quantiles of arrays.

export const sum = (values) => values.reduce((total, v) => total + v, 0);
export const mean = (values) => sum(values) / values.length;

/** Standard deviation; `spent` 1 for that of a sample. */
export function deviation(values, spent = 0) {
  const centre = mean(values);
  return Math.sqrt(values.reduce((total, v) => total + (v - centre) ** 2, 0) / (values.length - spent));
}

/** log sum exp; -inf where nothing has a weight. */
export function logSumExp(values) {
  const largest = values.reduce((a, b) => (b > a || Number.isNaN(b) ? b : a), -Infinity);
  if (!Number.isFinite(largest)) return largest;
  return largest + Math.log(values.reduce((total, v) => total + Math.exp(v - largest), 0));
}

/** Parts of an array, one after the other. */
export function concatenated(parts, kind = Float32Array) {
  const found = new kind(parts.reduce((total, part) => total + part.length, 0));
  let end = 0;
  for (const part of parts) {
    found.set(part, end);
    end += part.length;
  }
  return found;
}

/** A quantile of values in increasing order, interpolated linearly. */
export function quantileOf(ordered, q) {
  const place = q * (ordered.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, ordered.length - 1);
  return ordered[below] + (place - below) * (ordered[above] - ordered[below]);
}

/** Column j of rows that stand one after the other in an array. */
export function column(rows, width, j) {
  const found = new Float64Array(rows.length / width);
  for (let i = 0; i < found.length; i += 1) found[i] = rows[i * width + j];
  return found;
}
