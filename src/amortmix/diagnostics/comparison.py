"""One data set: ABI against MCMC, and what to trust (the amortized Bayesian workflow, section 3.5).

MMD test      do the summaries of y look like those of the simulations the networks were trained on?
Pareto k-hat  can importance weights correct the flow's draws?
C2ST          can a classifier tell ABI draws from MCMC draws? 0.5: no
"""

import numpy as np
from bayesflow.diagnostics.metrics import bootstrap_comparison, classifier_two_sample_test
from bayesflow.metrics.functional.kernels import inverse_multiquadratic

from amortmix import fits
from amortmix.diagnostics import psis

MMD_ALPHA = 0.1  # section 3.5, Table 1
#: What is missing where MCMC did not run.
MCMC_KEYS = ("c2st", "c2st_null", "c2st_psis", "c2st_draws", "proposals_ess")
MCMC_KEYS += ("seconds_stan", "rhat_max", "divergences", "engine")


def mmd_test(observed, reference, num_null, seed):
    """MMD between the summaries of one data set and of simulations, with its bootstrap p-value.

    Parameters
    ----------
    observed : (dim,)
    reference : (M, dim)
        Summaries of prior predictive data sets; the null distribution draws single ones of them.

    Returns
    -------
    statistic, p, null : float, float, (num_null,)
        On the scale of the square root, as in Table 1.
    """
    np.random.seed(seed)  # BayesFlow's bootstrap uses NumPy's global generator
    within = np.mean(np.asarray(inverse_multiquadratic(reference, reference)))

    def squared_mmd(x, y):
        """Biased MMD^2; the term of the reference alone is the same for every data set."""
        return inverse_multiquadratic(x, x).mean() + within - 2 * inverse_multiquadratic(x, y).mean()

    statistic, null = bootstrap_comparison(observed[None], reference, squared_mmd, num_null)
    root = np.sqrt(np.maximum(null, 0))
    return float(np.sqrt(max(float(statistic), 0))), float(np.mean(null >= statistic)), root


def c2st(estimates, targets, epochs, seed):
    """Accuracy of a 5-fold cross-validated MLP, at least 0.5 (BayesFlow)."""
    score = classifier_two_sample_test(
        np.asarray(estimates, dtype=np.float32), np.asarray(targets, dtype=np.float32), max_epochs=epochs, seed=seed
    )
    return float(score)


def c2st_null(estimates, targets, epochs, seed):
    """C2ST of the same draws with their labels shuffled: its value where the two do not differ."""
    pooled = np.random.default_rng(seed).permutation(np.concatenate([estimates, targets]))
    return c2st(pooled[: len(estimates)], pooled[len(estimates) :], epochs, seed)


def independent_columns(case, theta):
    """Drop the last share of a simplex: it is determined by the others."""
    keep = [j for j, n in enumerate(case.parameter_names) if n != f"pi_{len(case.states)}"]
    return theta[:, keep]


def verdict(mmd_p, smoothed):
    """Which draws to use, in words.

    Returns
    -------
    verdict, reason : str, str
        ``ABI``, ``PSIS`` or ``MCMC``.
    """
    k, limit = smoothed.pareto_k, smoothed.threshold
    if not smoothed.is_reliable:
        return "MCMC", f"Pareto k-hat {k:.2f} is above {limit:.2f}: importance weights cannot correct the flow here"
    if mmd_p < MMD_ALPHA:
        return "PSIS", (
            f"the data are unusual among the simulations (MMD p = {mmd_p:.3f}), "
            f"and k-hat {k:.2f} is at most {limit:.2f}: use the importance weighted draws"
        )
    return "ABI", f"the data look like the simulations (MMD p = {mmd_p:.3f}) and k-hat {k:.2f} is at most {limit:.2f}"


def compare(case, abi, stan, summaries, settings, seed):
    """The content of ``comparison.json``.

    Parameters
    ----------
    abi, stan : DataTree
        Fits of one data set; ``stan`` may say why MCMC was not run.
    summaries : (M, dim)
        Summaries of prior predictive data sets.
    settings : mapping
        ``c2st_draws``, ``c2st_epochs``, ``mmd_null``.
    """
    summary = np.asarray(abi.attrs["summary"], dtype=np.float32)
    statistic, p, _ = mmd_test(summary, summaries, settings["mmd_null"], seed)
    result = {
        "simulated": bool(abi.attrs["simulated"]),
        "meaningful": bool(abi.attrs["meaningful"]),
        "mmd": statistic,
        "mmd_p": p,
        "seconds_abi": abi.attrs["seconds"],
        "warnings": abi.attrs["warnings"],
    }
    if case.exact is not None:
        stats = abi["sample_stats"]
        smoothed = psis.smooth(stats["log_joint"].values[0], stats["log_q"].values[0])
        words, reason = verdict(p, smoothed)
        result |= {"pareto_k": smoothed.pareto_k, "ess": smoothed.ess, "verdict": words, "reason": reason}
    if fits.not_run(stan):
        return result | dict.fromkeys(MCMC_KEYS) | {"mcmc_not_run": fits.not_run(stan)}
    return result | against_mcmc(case, abi, stan, settings, seed) | {"mcmc_not_run": None}


def against_mcmc(case, abi, stan, settings, seed):
    """C2ST of ABI draws, of corrected ones and under shuffled labels, and how MCMC went; {key: value}."""
    rng = np.random.default_rng(seed)
    reference = independent_columns(case, fits.draws(stan, case))
    estimates = independent_columns(case, fits.draws(abi, case))
    n, epochs = min(settings["c2st_draws"], len(estimates), len(reference)), settings["c2st_epochs"]

    def some(draws):
        return draws[rng.choice(len(draws), size=n, replace=False)]

    pair = some(estimates), some(reference)
    corrected = None
    # too few draws may have had a weight
    if "corrected" in abi:
        corrected = c2st(some(independent_columns(case, fits.draws(abi, case, "corrected"))), pair[1], epochs, seed)
    return {
        "c2st": c2st(*pair, epochs, seed),
        "c2st_null": c2st_null(*pair, epochs, seed),
        "c2st_psis": corrected,
        "c2st_draws": n,
        "proposals_ess": abi.attrs["proposals_ess"],
        "seconds_stan": stan.attrs["seconds"],
        "rhat_max": stan.attrs["rhat_max"],
        "divergences": stan.attrs["divergences"],
        "engine": stan.attrs["engine"],
    }
