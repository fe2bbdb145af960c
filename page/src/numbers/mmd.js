// Is a data set like the simulations? The distance of its summary s from those of M simulations,
//
//     MMD^2(s, S) = k(s, s) + mean k(S, S) - 2 mean k(s, S)
//
// with an inverse multiquadratic kernel; the null distribution was computed with the networks.

/** MMD and p of a summary against a reference (`summaries` one after the other). */
export function mmdTest(summary, reference) {
  const { summaries, dimension, scales, null: known } = reference;
  const number = summaries.length / dimension;
  let total = 0;
  for (let i = 0; i < number; i += 1) {
    let distance = 0;
    for (let j = 0; j < dimension; j += 1) distance += (summary[j] - summaries[i * dimension + j]) ** 2;
    for (const scale of scales) total += scale / (scale + distance);
  }
  const mmd = Math.sqrt(Math.max(reference.alone + reference.within - (2 * total) / number, 0));
  const farther = known.filter((value) => value >= mmd).length;
  return { mmd, p: (1 + farther) / (1 + known.length) };
}
