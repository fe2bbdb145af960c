// What to trust: the words that stand on every fit.
//
//     ABI          the networks' draws as they are
//     PSIS         draws corrected by importance weights
//     MCMC         neither: run MCMC, which needs the density and no network
//     UNRELIABLE   neither, for a learned density that is wrong

/** Verdicts whose draws can be used. */
export const USABLE = ["ABI", "PSIS"];

/** What a verdict asks of its reader. */
export const ADVICE = {
  ABI: "The draws are those of the networks; importance weights found nothing to correct that matters.",
  PSIS:
    "The draws are corrected by importance weights. The data or their design are unusual for the networks, " +
    "which does no harm as long as the weights can be relied on.",
  MCMC: "Do not use these draws. Run MCMC on the same declaration, in Python, or mend what the warnings name.",
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

/** The verdict on one fit, and why in a sentence. */
export function judge({ smoothed, p, concerns, finite, flaw, alpha }) {
  if (flaw) return ["UNRELIABLE", flaw];
  const { k, threshold, reliable } = smoothed;
  if (!finite || Number.isNaN(k) || !reliable) return ["MCMC", [...concerns, whyMcmc(finite, k, threshold)].join("; ")];
  const fine = `k-hat ${inWords(k)} is at most ${threshold.toFixed(2)}`;
  const found = [...concerns, ...unusual(p, alpha)];
  if (found.length) return ["PSIS", `${found.join("; ")}, and ${fine}: use the importance weighted draws`];
  if (p === null) return ["PSIS", `${fine}; no simulations are at hand to compare the data with`];
  return ["ABI", `the data look like the simulations (MMD p = ${p.toFixed(3)}) and ${fine}`];
}

const inWords = (k) => (Number.isFinite(k) ? k.toFixed(2) : k > 0 ? "inf" : "-inf");

function whyMcmc(finite, k, threshold) {
  if (!finite) return "some draws of the networks are not finite: run MCMC";
  if (Number.isNaN(k)) return "Pareto k-hat is not a number, for too few draws have a weight: run MCMC";
  return `Pareto k-hat ${inWords(k)} is above ${threshold.toFixed(2)}: importance weights cannot correct the flow here`;
}
