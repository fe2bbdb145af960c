// Whether the networks' state probabilities are right for the draws of one fit, by exact draws of states.
//
//     share_tk = 1/S sum_s [z_t^(s) = k],   z^(s) ~ p(z | y, theta^(s)),   against   mean_s p_net(z_t = k | y, theta^(s))
//
// Asked where parameters had to be corrected by adapted proposals, whose weights correct no state.

/** A sentence if the probabilities (N x L), means over draws, are too far from shares of exact draws, or null. */
export async function wrongStates(engine, table, theta, probabilities, seed, rules) {
  const width = engine.model.parameters.length;
  const draws = Math.min(theta.length / width, rules.draws);
  const labels = probabilities.length / table.data.n;
  const framed = engine.frame(table.data);
  const paths = await engine.paths(framed, theta.subarray(0, draws * width), seed);
  const shares = new Float64Array(probabilities.length);
  for (let s = 0; s < draws; s += 1) {
    for (let i = 0; i < table.data.n; i += 1) shares[i * labels + paths[s * framed.n + i]] += 1 / draws;
  }
  const beyond = shares.map((share, i) => {
    const p = Math.min(Math.max(probabilities[i], 0.5 / draws), 1 - 0.5 / draws);
    return Math.abs(share - probabilities[i]) - rules.errors * Math.sqrt((p * (1 - p)) / draws);
  });
  const size = beyond.reduce((a, b) => Math.max(a, b), -Infinity);
  if (!(size > rules.largest)) return null;
  const label = table.labels[Math.floor(beyond.indexOf(size) / labels)];
  return `the networks' state probabilities are off by more than ${size.toFixed(2)} at unit ${label}`;
}
