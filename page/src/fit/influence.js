// Whether a few observations decide a fit alone: the posterior is asked again without them.
//
//     | E[theta_j | y] - E[theta_j | y without y_i] |  >  3 sd[theta_j | y without y_i]     for some j

import { smooth } from "../numbers/psis.js";
import { column, deviation, mean, quantileOf } from "../numbers/sums.js";
import { general } from "../reading/format.js";
import { kindOf } from "../reading/kinds.js";
import { seenOf, without } from "./data.js";

/** Sentences about observations that decide a fit alone; theta are draws of the flow. */
export async function decisive(engine, table, theta, reliable, seed, rules) {
  const width = engine.model.parameters.length;
  const draws = Math.min(theta.length / width, rules.draws);
  const found = [];
  for (const extreme of extremes(engine.model, table.data, rules.together).slice(0, rules.most)) {
    if (extreme.apart <= (reliable ? rules.apart : rules.somewhat)) break;
    const rest = without(table.data, extreme.places);
    const other = await engine.answer(rest, draws, seed);
    const moved = movement(width, theta, other.theta);
    const judged = !reliable && other.log_joint.some(Number.isFinite);
    const mended = judged && smooth(other.log_joint, other.log_q).reliable;
    if (mended || (extreme.apart > rules.apart && moved > rules.moved)) {
      found.push(
        `${words(extreme, table.labels)}, and decides the fit alone; if it is another process, declare it missing ` +
          `(${advice(extreme)})`,
      );
    }
  }
  return found;
}

/** The largest movement of a mean, in standard deviations of the second draws. */
function movement(width, theta, others) {
  const moved = Array.from({ length: width }, (_, j) => {
    const [ours, theirs] = [theta, others].map((rows) => column(rows, width, j));
    return (
      Math.abs(mean(ours.filter(Number.isFinite)) - mean(theirs.filter(Number.isFinite))) / (deviation(theirs) + 1e-9)
    );
  });
  return Math.max(...moved);
}

/** Values at both ends of every column, those that lie farthest apart first. */
export function extremes(model, data, together) {
  const seen = seenOf(data);
  const found = Object.entries(model.columns).flatMap(([name, known], j) => {
    const { feature } = kindOf(known);
    const rows = [];
    for (let i = j; i < seen.length; i += data.d) {
      if (seen[i] > 0) rows.push({ at: Math.floor(i / data.d), value: data.y[i], feature: feature(data.y[i]) });
    }
    const order = [...rows].sort((a, b) => a.feature - b.feature);
    const ordered = order.map((r) => r.feature);
    const [low, high] = [0.05, 0.95].map((q) => quantileOf(ordered, q));
    if (rows.length < 2 * together || high <= low) return [];
    const ends = [
      ["min", order.slice(0, together + 1)],
      ["max", order.slice(-together - 1).reverse()],
    ];
    return ends.map(([end, ranked]) => extremeOf(name, end, ranked, high - low, data.p));
  });
  return found.sort((a, b) => b.apart - a.apart);
}

function extremeOf(name, end, ranked, width, p) {
  const gaps = ranked.slice(1).map((row, i) => Math.abs(row.feature - ranked[i].feature) / width);
  const apart = Math.max(...gaps);
  const n = gaps.indexOf(apart) + 1;
  const rows = ranked.slice(0, n).sort((a, b) => a.at - b.at);
  const places = rows.map(({ at }) => [Math.floor(at / p), at % p]);
  return { column: name, end, places, values: rows.map((r) => r.value), next: ranked[n].value, apart };
}

function words({ column: name, end, places, values, next }, labels) {
  const named = values.map((v, i) => `${general(v, 3)} of unit ${labels[places[i][0]]}`).join(", ");
  const than = end === "min" ? "smaller" : "larger";
  const nearest = end === "min" ? Math.max(...values) : Math.min(...values);
  if (Math.min(nearest, next) <= 0)
    return `${name} ${named} is ${general(Math.abs(nearest - next), 3)} ${than} than any other`;
  const times = Math.max(nearest, next) / Math.min(nearest, next);
  return `${name} ${named} is ${general(times, 2)} times ${than} than any other`;
}

const advice = ({ end, column: name }) => (name === "rt" ? `${end}_rt` : `keep={'${name}': ...}`);
