// What to trust: the words that stand on every fit.
//
//     ABI          the networks' draws as they are
//     PSIS         draws corrected by importance weights, of the networks or of proposals adapted to the data
//     MCMC         neither: run MCMC, which needs the density and no network
//     UNRELIABLE   neither, for a learned density that is wrong

/** Verdicts whose draws can be used. */
export const USABLE = ["ABI", "PSIS"];

/** What a verdict asks of its reader. */
export const ADVICE = {
  ABI: "The networks know such data; their importance weights have little to correct.",
  PSIS:
    "The draws are corrected by importance weights. The data or their design are unusual for the networks, or these " +
    "are too far off, which does no harm as long as the weights can be relied on.",
  MCMC: "Do not use these draws. Run MCMC on the same declaration, in Python, or mend what the warnings name.",
  STATES: "Do not use these states; in Python, where the model is declared, the same fit has exact ones.",
  UNRELIABLE: "Do not use these draws: no density can be relied on by which they could be checked or corrected.",
};

/** What is said in the place of it where the data are such that a reader has to decide. */
export const CAUTION =
  "The draws are corrected by importance weights; whether the model is meant for such data, you have to say.";

/** A reason without the sentences that it begins with. */
export const restOf = (reason, sentences) =>
  sentences.length && reason.startsWith(sentences.join("; "))
    ? reason.slice(sentences.join("; ").length).replace(/^(; |, and )/, "")
    : reason;

/** A sentence if the summary of the data is unlike those of the simulations, in a list. */
export const unusual = (p, alpha) =>
  p !== null && p < alpha ? [`the data are unusual among the simulations (MMD p = ${p.toFixed(3)})`] : [];

/** The verdict on one fit, and why in a sentence; `states` says what is wrong with state probabilities, or is null. */
export function judge({ flow, p, concerns, finite, flaw, alpha, adapted, states }) {
  if (flaw) return ["UNRELIABLE", flaw];
  if (adapted && states) {
    return ["MCMC", [...concerns, `${states}: the parameters can be used, run MCMC for the states`].join("; ")];
  }
  if (adapted) {
    const reasons = [...concerns, ...unusual(p, alpha), whyAdapted(flow, adapted)];
    return ["PSIS", `${reasons.join("; ")}: the draws of this fit are corrected by their weights`];
  }
  const { k, threshold, reliable } = flow;
  if (!finite || Number.isNaN(k) || !reliable) return ["MCMC", [...concerns, whyMcmc(finite, k, threshold)].join("; ")];
  const fine = `k-hat ${inWords(k)} is at most ${threshold.toFixed(2)}`;
  const found = [...concerns, ...unusual(p, alpha)];
  if (found.length) return ["PSIS", `${found.join("; ")}, and ${fine}: the draws of this fit are corrected by their weights`];
  if (p === null) return ["PSIS", `${fine}; no simulations are at hand to compare the data with`];
  return ["ABI", `the data look like the simulations (MMD p = ${p.toFixed(3)}) and ${fine}`];
}

/** k-hat with two digits. */
export const inWords = (k) => (Number.isFinite(k) ? k.toFixed(2) : String(k).replace("Infinity", "inf").toLowerCase());

function whyAdapted(flow, { k, threshold }) {
  const worth = `k-hat ${inWords(flow.k)}, worth ${flow.ess.toFixed(0).toLowerCase()} of ${flow.logWeights.length} draws`;
  const own = `the networks by themselves are too far off here (${worth})`;
  return `${own}, and proposals adapted to the data have k-hat ${inWords(k)}, at most ${threshold.toFixed(2)}`;
}

function whyMcmc(finite, k, threshold) {
  if (!finite) return "some draws of the networks are not finite: run MCMC";
  if (Number.isNaN(k)) return "Pareto k-hat is not a number, for too few draws have a weight: run MCMC";
  return `Pareto k-hat ${inWords(k)} is above ${threshold.toFixed(2)}: importance weights cannot correct the flow here`;
}
