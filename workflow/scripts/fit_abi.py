"""Rules fit_abi: amortized posteriors of data sets, with importance weights where the likelihood is known."""

import time

from amortmix.job import job

with job(snakemake):
    from functools import partial
    from pathlib import Path

    import jax
    import numpy as np
    from amortmix import fits
    from amortmix.diagnostics import psis
    from amortmix.posterior import Amortized
    from amortmix.progress import progress

    params = snakemake.params
    amortized = Amortized.load(Path(snakemake.input.bundle).parent, params.smoothing_rule)
    case = amortized.case
    exact = jax.jit(partial(psis.log_joint, case, params.prior)) if case.exact is not None else None
    compiled = set()

    def timed_fit(data, seed):
        """Draws, probabilities and seconds; what a new shape costs to compile is not part of the time."""
        shape = amortized.frame(data).y.shape
        for _ in range(1 if shape in compiled else 2):
            began = time.perf_counter()
            drawn = amortized.sample(data, params.draws, seed)
            probabilities = amortized.probabilities(data, drawn.u)
        compiled.add(shape)
        return drawn, probabilities, time.perf_counter() - began

    def fit(name, seed, source, target):
        data, _, data_attrs = fits.load_data(source)
        drawn, probabilities, seconds = timed_fit(data, seed)
        stats, weights, corrected = {"log_q": drawn.log_q}, None, None
        attrs = {"engine": "abi", "seconds": seconds, "smoothing_rule": params.smoothing_rule, **data_attrs}
        if exact is not None:
            stats["log_joint"] = np.asarray(exact(drawn.theta, amortized.frame(data)))
            smoothed = psis.smooth(stats["log_joint"], stats["log_q"])
            stats["log_weight"], weights = smoothed.log_weights, smoothed.weights
            chosen, ess = psis.correct(amortized, exact, data, params.draws, params.proposals, seed)
            corrected = chosen[None]
            attrs |= {"pareto_k": smoothed.pareto_k, "ess": smoothed.ess}
            attrs |= {"proposals": params.proposals, "proposals_ess": ess}
        warnings = amortized.warnings(data)
        for sentence in warnings:
            print(f"WARNING: {name}: {sentence}")
        attrs |= {
            "warnings": "; ".join(warnings),
            "meaningful": int(amortized.card["meaningful"]),
            "summary": amortized.summarize(data).tolist(),
        }
        latent = fits.summarize_probabilities(probabilities, weights)
        stats = {k: v[None] for k, v in stats.items()}
        fits.save(target, case, drawn.theta[None], stats, latent, data, attrs, corrected)

    bar = progress(len(params.datasets), f"fitting {case.name}", unit="data sets")
    for row in zip(params.datasets, params.seeds, snakemake.input.data, snakemake.output):
        fit(*row)
        bar.advance(1, row[0])
    bar.close()
