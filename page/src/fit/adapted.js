// Proposals fitted to one data set, in the space of the flow's noise, where the flow itself is too far off.
//
//     pi(eps) ∝ p(theta, y) / q(theta | y) N(eps; 0, I),     theta = f(eps; y)
//
// Moments of all noise so far, weighted by pi / mean of its proposals, make the next proposal; the draws of a fit all come
// from the last one. Numbers of draws, seeds and choices are those of Python.

import { logDensity, moments, sample, tempered } from "../numbers/proposals.js";
import { smooth } from "../numbers/psis.js";
import { seedWords } from "../numbers/seeds.js";
import { concatenated, logSumExp } from "../numbers/sums.js";

/** Draws of a proposal, `log_q` its density, with their noise and the log of pi; without weight where one is not finite. */
export function pieceOf(engine, noise, answer, proposal, rules) {
  const { free, parameters } = engine.model;
  const flow = logDensity(noise, free);
  const density = proposal ? logDensity(noise, free, proposal, rules) : flow;
  const own = flow.map((value, s) => answer.log_q[s] - value); // log |d eps / d theta|
  const target = own.map((value, s) => answer.log_joint[s] - value);
  const width = parameters.length;
  const known = Array.from(target, (value, s) => {
    return Number.isFinite(value) && answer.theta.subarray(s * width, (s + 1) * width).every(Number.isFinite);
  });
  const only = (values) => Float64Array.from(values, (value, s) => (known[s] ? value : -Infinity));
  return {
    ...answer,
    noise,
    log_joint: only(answer.log_joint),
    log_q: own.map((value, s) => value + density[s]),
    log_target: only(target),
  };
}

/** Draws of a proposal for a seed. */
export async function drawn(engine, data, draws, proposal, seed, rules) {
  const noise = sample(proposal, draws, seed, rules);
  return pieceOf(engine, noise, await engine.answerTo(data, noise), proposal, rules);
}

/** {proposal, piece} of the best round whose weights can be relied on, null if there is none; `ask` gives draws. */
export async function adapt(ask, first, width, seed, suffices, rules) {
  const [pieces, proposals] = [[first], [null]];
  let best = { ess: 0, found: null };
  for (let round = 0; round < rules.rounds; round += 1) {
    const proposal = fitted(pieces, proposals, width, rules);
    if (!proposal) break;
    const piece = await ask(proposal, seedWords([seed, round, rules.rounds], 1)[0]);
    const weights = smooth(piece.log_joint, piece.log_q);
    if (weights.reliable && weights.ess > best.ess) best = { ess: weights.ess, found: { proposal, piece, weights } };
    if (suffices(weights)) break;
    pieces.push(piece);
    proposals.push(proposal);
  }
  return best.found;
}

/** The proposal fitted to the noise of all rounds; null where too few draws have any weight. */
export function fitted(pieces, proposals, width, rules) {
  const weights = pieces.map(({ noise, log_target: target }) => {
    const densities = proposals.map((proposal) => logDensity(noise, width, proposal, rules));
    return target.map((value, s) => value - logSumExp(densities.map((density) => density[s])));
  });
  const found = tempered(concatenated(weights, Float64Array), rules.for_moments * width);
  return found && moments(concatenated(pieces.map((piece) => piece.noise)), found, width);
}
