// A data set fitted by the networks.
//
//     theta^(s) ~ q(theta | y),   w_s ∝ p(theta^(s), y) / q(theta^(s) | y),   p(z_t | y, theta^(s))

import { mmdTest } from "../numbers/mmd.js";
import { column, deviation, mean, quantileOf } from "../numbers/sums.js";
import { wrongStates } from "./checked.js";
import { countsOf, existsOf } from "./data.js";
import { decisive } from "./influence.js";
import { doubts } from "./members.js";
import { farOutside } from "./reference.js";
import { states } from "./states.js";
import { judge, unusual, USABLE } from "./verdict.js";
import { rowsOf, weighted } from "./weights.js";

/** Everything that is said about one data set, as plain values. */
export async function fit(engine, table, { draws, seed, fewest }, rules) {
  const { card, model } = engine;
  const { data } = table;
  const drawn = await engine.answer(data, draws, seed);
  const { mmd, p } = card.reference ? mmdTest(drawn.summary, card.reference) : { mmd: null, p: null };
  const { best, flow, adapted, said } = await weighted(engine, data, drawn, draws, seed, rules);
  const concerns = engine.warnings(data);
  if (card.reference) concerns.push(...farOutside(card, table, rules.fit.far));
  const { finite, known } = finiteness(drawn, said, model.parameters.length);
  const lost = draws - known.length;
  if (finite && lost) concerns.push(`${lost} of ${draws} draws of the networks are not finite and have no weight`);
  if (finite) concerns.push(...(await judgedByData(engine, table, drawn, known, { best, flow, adapted }, seed, rules)));
  const probabilities = await states(engine, data, best.u, [fewest, draws], rules.fit.states_error);
  const wrong = adapted && (await wrongStates(engine, table, best.theta, probabilities.mean, seed, rules.states));
  const weights = { flow, adapted, states: wrong };
  const [verdict, reason] = judge({ ...weights, p, concerns, finite, flaw: card.flaw, alpha: rules.fit.mmd_alpha });
  return {
    verdict,
    reason,
    concerns,
    warnings: warningsOf(card, [...concerns, ...unusual(p, rules.fit.mmd_alpha)], verdict, reason),
    notes: table.notes,
    parameters: summaryOf(model, best.theta),
    theta: best.theta,
    states: { ...probabilities, wrong: Boolean(wrong) },
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

/** Whether all draws are numbers, or those that are not have no weight; and the places of those that are. */
function finiteness(drawn, said, width) {
  const isKnown = (s) =>
    Number.isFinite(drawn.log_q[s]) && drawn.theta.subarray(s * width, (s + 1) * width).every(Number.isFinite);
  const all = Array.from(drawn.log_q.keys());
  const lost = all.filter((s) => !isKnown(s));
  const harmless = said.posterior === "psis" && (said.adapted || lost.every((s) => drawn.log_joint[s] === -Infinity));
  return { finite: !lost.length || Boolean(harmless), known: all.filter(isKnown) };
}

/** What finite draws of the flow, by their places, give reason to say about the data. */
async function judgedByData(engine, table, drawn, known, { best, flow, adapted }, seed, rules) {
  const found = [];
  const theta = rowsOf(drawn.theta, engine.model.parameters.length, known);
  if (engine.card.learned) {
    // weights that cannot be relied on leave few draws, which would vary too little
    const ours = flow.reliable && !adapted ? known.map((s) => flow.logWeights[s]) : null;
    const of = adapted ? best.theta : theta;
    const weights = ours ?? new Float64Array(of.length / engine.model.parameters.length);
    found.push(...(await doubts(engine, table, of, weights, rules.members)));
  }
  return [...found, ...(await decisive(engine, table, theta, flow.reliable, seed, rules.influence))];
}

/** Every sentence that a user must know; a verdict that does not trust the draws is one. */
function warningsOf(card, concerns, verdict, reason) {
  const found = [...concerns];
  if (!card.meaningful) {
    const what = USABLE.includes(verdict) ? "the draws rest on their weights alone" : "results are not meaningful";
    found.push(`the networks are hardly trained: ${what}`);
  }
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
