"""Rule compare: one data set, ABI against MCMC, and which draws to use."""

from amortmix.job import job

with job(snakemake):
    import numpy as np
    from amortmix import fits, io
    from amortmix.cases import get_case
    from amortmix.diagnostics import comparison, psis

    case, params, settings = get_case(snakemake.wildcards.case), snakemake.params, snakemake.params.settings
    files = snakemake.input
    abi, stan, recovery = (io.load_netcdf(path) for path in (files.abi, files.stan, files.recovery))
    theta = fits.draws(abi, case)
    summary = np.asarray(abi.attrs["summary"], dtype=np.float32)
    statistic, p, _ = comparison.mmd_test(summary, recovery["summary"].values, settings["mmd_null"], params.seed)
    result = {
        "dataset": snakemake.wildcards.dataset,
        "simulated": bool(abi.attrs["simulated"]),
        "meaningful": bool(abi.attrs["meaningful"]),
        "mmd": statistic,
        "mmd_p": p,
        "seconds_abi": abi.attrs["seconds"],
        "warnings": abi.attrs["warnings"],
    }
    smoothed = None
    if case.exact is not None:
        smoothed = psis.smooth(abi["sample_stats"]["log_joint"].values[0], abi["sample_stats"]["log_q"].values[0])
        words = comparison.verdict(p, smoothed)
        result |= {"pareto_k": smoothed.pareto_k, "ess": smoothed.ess, "verdict": words[0], "reason": words[1]}
    if fits.not_run(stan):
        missing = ("c2st", "c2st_null", "c2st_psis", "seconds_stan", "rhat_max", "divergences", "engine")
        result |= dict.fromkeys(missing) | {"mcmc_not_run": fits.not_run(stan)}
    else:
        rng = np.random.default_rng(params.seed)
        reference = comparison.independent_columns(case, fits.draws(stan, case))
        estimates = comparison.independent_columns(case, theta)
        n = min(settings["c2st_draws"], len(estimates), len(reference))

        def some(draws, m):
            return draws[rng.choice(len(draws), size=m, replace=False)]

        epochs = settings["c2st_epochs"]
        pair = some(estimates, n), some(reference, n)
        result |= {
            "c2st": comparison.c2st(*pair, epochs, params.seed),
            "c2st_null": comparison.c2st_null(*pair, epochs, params.seed),
            "c2st_psis": None,
            "c2st_draws": n,
            "proposals_ess": abi.attrs["proposals_ess"],
            "seconds_stan": stan.attrs["seconds"],
            "rhat_max": stan.attrs["rhat_max"],
            "divergences": stan.attrs["divergences"],
            "engine": stan.attrs["engine"],
            "mcmc_not_run": None,
        }
        # too few draws may have had a weight
        if "corrected" in abi:
            corrected = comparison.independent_columns(case, fits.draws(abi, case, "corrected"))
            result["c2st_psis"] = comparison.c2st(some(corrected, n), pair[1], epochs, params.seed)
    print(result)
    io.write_json(snakemake.output[0], result)
