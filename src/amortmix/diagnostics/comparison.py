"""One data set: the networks' draws against those of MCMC.

C2ST          can a classifier tell ABI draws from MCMC draws? 0.5: no
"""

import numpy as np
from bayesflow.diagnostics.metrics import classifier_two_sample_test

from amortmix.storage import tree as trees

#: What is missing where MCMC did not run.
MCMC_KEYS = ("c2st", "c2st_null", "c2st_psis", "c2st_draws", "proposals_ess")
MCMC_KEYS += ("seconds_stan", "cpu_seconds_stan", "rhat_max", "divergences", "engine")


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


def compare(model, abi, mcmc, settings, seed):
    """The content of ``comparison.json``.

    Parameters
    ----------
    model : Model
    abi, mcmc : DataTree
        Fits of one data set; ``mcmc`` may say why it was not run.
    settings : mapping
        ``c2st_draws``, ``c2st_epochs``.
    """
    attrs = abi.attrs
    result = {
        "simulated": bool(attrs["simulated"]),
        "meaningful": bool(attrs["meaningful"]),
        "mmd": attrs.get("mmd"),
        "mmd_p": attrs.get("mmd_p"),
        "seconds_abi": attrs["seconds"],
        "warnings": trees.warnings_of(abi),
        "pareto_k": attrs.get("pareto_k"),
        "ess": attrs.get("ess"),
        "verdict": attrs["verdict"],
        "reason": attrs["reason"],
        "log_evidence": attrs.get("log_evidence"),
        "local_inside": attrs.get("local_inside"),
    }
    if reason := trees.why_not_run(mcmc):
        return result | dict.fromkeys(MCMC_KEYS) | {"mcmc_not_run": reason}
    return result | against_mcmc(model, abi, mcmc, settings, seed) | {"mcmc_not_run": None}


def against_mcmc(model, abi, mcmc, settings, seed, null=True):
    """C2ST of the flow's draws, of corrected ones and under shuffled labels, and how MCMC went; {key: value}.

    ``null=False`` leaves out the shuffled labels, a third of the work.
    """
    rng, free = np.random.default_rng(seed), model.free_columns
    reference = trees.draws(mcmc)[:, free]
    estimates = trees.draws(abi, "flow")[:, free]
    n, epochs = min(settings["c2st_draws"], len(estimates), len(reference)), settings["c2st_epochs"]

    def some(draws):
        return draws[rng.choice(len(draws), size=n, replace=False)]

    pair = some(estimates), some(reference)
    corrected = None
    if abi.attrs["posterior"] == "psis":
        corrected = c2st(some(trees.draws(abi)[:, free]), pair[1], epochs, seed)
    return {
        "c2st": c2st(*pair, epochs, seed),
        "c2st_null": c2st_null(*pair, epochs, seed) if null else None,
        "c2st_psis": corrected,
        "c2st_draws": n,
        "proposals_ess": abi.attrs.get("proposals_ess"),
        "seconds_stan": mcmc.attrs["seconds"],
        "cpu_seconds_stan": mcmc.attrs.get("cpu_seconds"),
        "rhat_max": mcmc.attrs["rhat_max"],
        "divergences": mcmc.attrs["divergences"],
        "engine": mcmc.attrs["engine"],
    }
