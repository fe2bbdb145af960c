// A data set fitted by the networks.
//
//     theta^(s) ~ q(theta | y),   w_s ∝ p(theta^(s), y) / q(theta^(s) | y),   p(z_t | y, theta^(s))

import { mmdTest } from "../numbers/mmd.js";
import { column, deviation, mean, quantileOf } from "../numbers/sums.js";
import { countsOf, existsOf } from "./data.js";
import { decisive } from "./influence.js";
import { doubts } from "./members.js";
import { farOutside } from "./reference.js";
import { states } from "./states.js";
import { judge, unusual } from "./verdict.js";
import { weighted } from "./weights.js";

/** Everything that is said about one data set, as plain values. */
export async function fit(engine, table, { draws, seed, fewest }, rules) {
  const { card, model } = engine;
  const { data } = table;
  const drawn = await engine.answer(data, draws, seed);
  const { mmd, p } = card.reference ? mmdTest(drawn.summary, card.reference) : { mmd: null, p: null };
  const { best, smoothed, said } = await weighted(engine, data, drawn, draws, seed, rules.fit);
  const concerns = engine.warnings(data);
  if (card.reference) concerns.push(...farOutside(card, table, rules.fit.far));
  const { finite, lost } = finiteness(drawn, said, model.parameters.length);
  if (finite && lost) concerns.push(`${lost} of ${draws} draws of the networks are not finite and have no weight`);
  if (finite) concerns.push(...(await judgedByData(engine, table, drawn, draws, smoothed, seed, rules)));
  const [verdict, reason] = judge({ smoothed, p, concerns, finite, flaw: card.flaw, alpha: rules.fit.mmd_alpha });
  const probabilities = await states(engine, data, best.u, [fewest, draws], rules.fit.states_error);
  return {
    verdict,
    reason,
    concerns,
    warnings: warningsOf(card, [...concerns, ...unusual(p, rules.fit.mmd_alpha)], verdict, reason),
    notes: table.notes,
    parameters: summaryOf(model, best.theta),
    theta: best.theta,
    states: probabilities,
    said: {
      ...said,
      mmd,
      mmd_p: p,
      not_observed: existsOf(data).filter(Boolean).length - countsOf(data).filter(Boolean).length,
    },
    seed,
    draws,
  };
}

/** Whether all draws are numbers, or those that are not have no weight. */
function finiteness(drawn, said, width) {
  const lost = Array.from(drawn.log_q.keys()).filter(
    (s) => !Number.isFinite(drawn.log_q[s]) || !drawn.theta.subarray(s * width, (s + 1) * width).every(Number.isFinite),
  );
  const harmless = said.posterior === "psis" && lost.every((s) => drawn.log_joint[s] === -Infinity);
  return { finite: !lost.length || harmless, lost: lost.length };
}

async function judgedByData(engine, table, drawn, draws, smoothed, seed, rules) {
  const found = [];
  if (engine.card.learned) {
    const weights = smoothed.reliable ? smoothed.logWeights : new Float64Array(draws);
    found.push(...(await doubts(engine, table, drawn.theta, weights, rules.members)));
  }
  return [...found, ...(await decisive(engine, table, drawn, draws, smoothed.reliable, seed, rules.influence))];
}

/** Every sentence that a user must know; a verdict that does not trust the draws is one. */
function warningsOf(card, concerns, verdict, reason) {
  const found = [...concerns];
  if (!card.meaningful) found.push("the networks are hardly trained: results are not meaningful");
  if (verdict === "MCMC" || verdict === "UNRELIABLE") found.push(`${verdict}: ${reason}`);
  return found;
}

/** Mean, sd and quantiles of each parameter. */
export function summaryOf(model, theta) {
  return model.parameters.map(([name, , unit], j) => {
    const values = column(theta, model.parameters.length, j);
    const ordered = values.slice().sort();
    const [low, median, high] = [0.025, 0.5, 0.975].map((q) => quantileOf(ordered, q));
    return { name, unit, mean: mean(values), sd: deviation(values, 1), low, median, high };
  });
}
