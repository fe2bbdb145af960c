// Draws corrected by importance weights: more proposals are drawn only where their effective number asks for it.

import { evidence, logRatio, resample, smooth } from "../numbers/psis.js";
import { seedWords } from "../numbers/seeds.js";

/** Rows of a flat array, by their places. */
function rowsOf(values, width, places) {
  const found = new Float32Array(places.length * width);
  places.forEach((place, i) => found.set(values.subarray(place * width, (place + 1) * width), i * width));
  return found;
}

function concatenated(parts) {
  const found = new Float32Array(parts.reduce((total, part) => total + part.length, 0));
  let end = 0;
  for (const part of parts) {
    found.set(part, end);
    end += part.length;
  }
  return found;
}

/** The best draws {theta, u}, `smoothed` of the flow's own draws, and what the weights say. */
export async function weighted(engine, data, drawn, draws, seed, rules) {
  const smoothed = smooth(drawn.log_joint, drawn.log_q);
  const pieces = [drawn];
  let among = smoothed;
  while (pieces.length < rules.most && !(among.reliable && among.ess >= rules.ample * draws)) {
    const own = seedWords([seed, pieces.length], 1)[0];
    pieces.push(await engine.answer(data, draws, own));
    among = smooth(...["log_joint", "log_q"].map((k) => concatenated(pieces.map((p) => p[k]))));
  }
  const all = Object.fromEntries(
    ["theta", "u", "log_joint", "log_q"].map((k) => [k, concatenated(pieces.map((p) => p[k]))]),
  );
  const [value, error] = evidence(logRatio(all.log_joint, all.log_q));
  const chosen = resample(among.logWeights, draws, seed);
  const usable = smoothed.reliable && chosen !== null && among.ess >= rules.enough * draws;
  const { parameters, free } = engine.model;
  const best = usable
    ? { theta: rowsOf(all.theta, parameters.length, chosen), u: rowsOf(all.u, free, chosen) }
    : { theta: drawn.theta, u: drawn.u };
  const said = {
    posterior: usable ? "psis" : "flow",
    pareto_k: smoothed.k,
    ess: smoothed.ess,
    proposals: all.log_q.length,
    proposals_ess: among.ess,
    log_evidence: value,
    log_evidence_se: error,
  };
  return { best, smoothed, said };
}
