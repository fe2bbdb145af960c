"""Rule fit_abi: amortized posterior of one data set, with importance weights where the likelihood is known."""

import time

from amortmix.job import job

with job(snakemake):
    from pathlib import Path

    import jax
    import numpy as np
    from amortmix import fits
    from amortmix.diagnostics import psis
    from amortmix.diagnostics.simulated import log_joint
    from amortmix.posterior import Amortized

    params = snakemake.params
    amortized = Amortized.load(Path(snakemake.input.bundle).parent, params.smoothing_rule)
    case = amortized.case
    data, _, data_attrs = fits.load_data(snakemake.input.data)

    def fit(seed):
        drawn = amortized.sample(data, params.draws, seed)
        return drawn, amortized.probabilities(data, drawn.u)

    fit(params.seed + 1)  # compiles; the time of a fit is that of the second
    began = time.perf_counter()
    drawn, probabilities = fit(params.seed)
    seconds = time.perf_counter() - began

    stats, weights = {"log_q": drawn.log_q}, None
    attrs = {"engine": "abi", "seconds": seconds, "smoothing_rule": params.smoothing_rule, **data_attrs}
    if case.exact is not None:
        evaluate = jax.jit(lambda t, d: log_joint(case, params.prior, t, d))
        stats["log_joint"] = np.asarray(evaluate(drawn.theta, amortized.frame(data)))
        smoothed = psis.smooth(stats["log_joint"], stats["log_q"])
        stats["log_weight"], weights = smoothed.log_weights, smoothed.weights
        attrs |= {"pareto_k": smoothed.pareto_k, "ess": smoothed.ess}
    warnings = amortized.warnings(data)
    for sentence in warnings:
        print(f"WARNING: {snakemake.wildcards.dataset}: {sentence}")
    attrs |= {
        "warnings": "; ".join(warnings),
        "meaningful": int(amortized.card["meaningful"]),
        "summary": amortized.summarize(data).tolist(),
    }
    latent = fits.summarize_probabilities(probabilities, weights)
    stats = {k: v[None] for k, v in stats.items()}
    fits.save(snakemake.output[0], case, drawn.theta[None], stats, latent, data, attrs)
