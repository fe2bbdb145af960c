// The best draws of one data set: those of the flow, or draws chosen by importance weight among enough proposals.
//
//     w_s ∝ p(theta_s, y) / q(theta_s),     theta_s ~ q
//
// q is the flow, or a proposal adapted to the data where weights of the flow cannot be relied on, or would leave too few.

import { evidence, logRatio, resample, smooth } from "../numbers/psis.js";
import { seedWords } from "../numbers/seeds.js";
import { concatenated } from "../numbers/sums.js";
import { adapt, drawn as drawnBy, pieceOf } from "./adapted.js";

/** Rows of a flat array, by their places. */
export function rowsOf(values, width, places) {
  const found = new Float32Array(places.length * width);
  places.forEach((place, i) => found.set(values.subarray(place * width, (place + 1) * width), i * width));
  return found;
}

/** The best draws {theta, u}, weights of the flow's draws and of adapted proposals, if used, and what they say. */
export async function weighted(engine, data, drawn, draws, seed, rules) {
  const { parameters, free } = engine.model;
  const flow = smooth(drawn.log_joint, drawn.log_q);
  const ample = (weights, number) => weights.reliable && number * weights.ess >= rules.fit.ample * draws;
  const suffices = (weights) => ample(weights, rules.fit.most);
  const ask = (proposal, own) =>
    proposal ? drawnBy(engine, data, draws, proposal, own, rules.adapted) : engine.answer(data, draws, own);
  const adapted = suffices(flow)
    ? null
    : await adapt(ask, pieceOf(engine, engine.noise(draws, seed), drawn), free, seed, suffices, rules.adapted);
  const { pieces, used } = await more(
    (own) => ask(adapted?.proposal, own),
    adapted ?? { piece: drawn, weights: flow },
    (weights, number) => number >= rules.fit.most || ample(weights, 1),
    seed,
  );
  const [joint, density] = ["log_joint", "log_q"].map((k) => together(pieces, k, Float64Array));
  const [value, error] = evidence(logRatio(joint, density));
  const chosen = resample(used.logWeights, draws, seed);
  // a tail that the first draws of the flow have is not gone because more draws hide it
  const reliable = adapted ? used.reliable : flow.reliable;
  const usable = reliable && chosen !== null && used.ess >= rules.fit.enough * draws;
  const best = usable
    ? {
        theta: rowsOf(together(pieces, "theta"), parameters.length, chosen),
        u: rowsOf(together(pieces, "u"), free, chosen),
      }
    : { theta: drawn.theta, u: drawn.u };
  const said = {
    posterior: usable ? "psis" : "flow",
    pareto_k: flow.k,
    ess: flow.ess,
    adapted: adapted ? 1 : 0,
    proposals: density.length,
    proposals_k: used.k,
    proposals_ess: used.ess,
    log_evidence: value,
    log_evidence_se: error,
  };
  return { best, flow, adapted: adapted && usable ? used : null, said };
}

/** As many pieces of draws as it takes, and the weights of all. */
async function more(ask, { piece, weights }, enough, seed) {
  const pieces = [piece];
  let used = weights;
  while (!enough(used, pieces.length)) {
    pieces.push(await ask(seedWords([seed, pieces.length], 1)[0]));
    used = smooth(...["log_joint", "log_q"].map((k) => together(pieces, k, Float64Array)));
  }
  return { pieces, used };
}

const together = (pieces, key, kind) =>
  concatenated(
    pieces.map((piece) => piece[key]),
    kind,
  );
