// How much of a posterior hangs on what a learned density cannot know.
//
//     s = sd[delta(theta)] over the posterior,    delta an error of the log likelihood

import { general } from "../reading/format.js";

/** Sentences about a posterior that hangs on what its density does not know, for draws with log weights. */
export async function doubts(engine, table, theta, logWeights, rules) {
  const { data, labels } = table;
  const [width, framed] = [engine.model.parameters.length, engine.frame(data)];
  const number = theta.length / width;
  const largest = Math.max(...logWeights);
  const weights = Array.from(logWeights, (w) => Math.exp(w - largest));
  const { members } = await engine.run("members", framed, theta, width);
  const { tails } = await engine.run("tails", framed, theta.subarray(0, rules.draws * width), width);
  const units = Array.from({ length: data.n }, (_, i) => i).filter((i) => medianAt(tails, framed.n, i) < rules.rare);
  const told = units.length ? toldBy(units, (await engine.run("units", framed, theta, width)).units, framed.n) : null;
  const between = largestDeviation(pairs(members, members.length / number), weights) / 2;
  const far = told ? largestDeviation([told], weights) : 0;
  const found = [];
  if (between > rules.largest) found.push(`the learned density is not certain here: ${means(between)}`);
  if (far > rules.largest) {
    const each = data.p * data.d;
    let named = units
      .slice(0, rules.named)
      .map((u) => `${general(data.y[u * each], 3)} of unit ${labels[u]}`)
      .join(", ");
    if (units.length > rules.named) named += ", ...";
    found.push(
      `${Object.keys(engine.model.columns)[0]} ${named} is farther out than simulated units, of which the learned ` +
        `density knows nothing: ${means(far)}; if it is another process, declare it missing`,
    );
  }
  return found;
}

const means = (shift) => `means may be off by ${shift.toFixed(2)} posterior sd`;

function medianAt(rows, width, i) {
  const values = [];
  for (let s = i; s < rows.length; s += width) values.push(rows[s]);
  values.sort((a, b) => a - b);
  const middle = (values.length - 1) / 2;
  return (values[Math.floor(middle)] + values[Math.ceil(middle)]) / 2;
}

function toldBy(units, rows, width) {
  return Array.from({ length: rows.length / width }, (_, s) => units.reduce((sum, u) => sum + rows[s * width + u], 0));
}

/** Differences of each pair of members, as columns. */
function pairs(members, width) {
  const rows = Array.from({ length: members.length / width }, (_, s) => members.subarray(s * width, (s + 1) * width));
  const found = [];
  for (let a = 0; a < width; a += 1) for (let b = 0; b < a; b += 1) found.push(rows.map((row) => row[a] - row[b]));
  return found;
}

function largestDeviation(columns, weights) {
  const whole = weights.reduce((a, b) => a + b, 0);
  const average = (values) => values.reduce((sum, v, s) => sum + v * weights[s], 0) / whole;
  return Math.sqrt(
    Math.max(
      0,
      ...columns.map((values) => {
        const centre = average(values);
        return average(values.map((v) => (v - centre) ** 2));
      }),
    ),
  );
}
