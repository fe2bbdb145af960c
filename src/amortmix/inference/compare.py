"""How probable are several models of the same data?

    p(M | y) = p(y | M) p(M) / sum_M' p(y | M') p(M'),     log p(y | M) from the importance weights of a fit

Evidence depends on the prior of each model, also where its posterior hardly does: compare under priors that you mean.
"""

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from amortmix.inference.fit import USABLE
from amortmix.storage import tree as trees
from amortmix.storage.files import BadInput

#: Draws of the Monte Carlo errors of all evidences, from which intervals of the probabilities are.
DRAWS, SEED = 4000, 1


def compare(fits, prior=None):
    """Posterior probabilities of models from fits of each to the same data.

    Parameters
    ----------
    fits : {name: Fit}
        By networks of models with a density, which have a log evidence.
    prior : {name: float}, optional
        Probability of each model before the data; by default equal.

    Returns
    -------
    DataFrame
        A row for each model, the most probable first: ``log_evidence`` and its Monte Carlo error
        ``log_evidence_se``; ``probability`` with the 95 % interval ``low`` to ``high`` that these errors leave;
        ``pareto_k``; and ``reliable``, whether the weights of the fit can be relied on. Of the others the probabilities
        are wrong, and so are those beside them.

    Raises
    ------
    BadInput
        If there are fewer than two fits, one has no evidence, or they are of different data.

    Examples
    --------
    >>> flat = am.load("evidence_accumulation", design="paper").fit("me.csv")
    >>> long_runs = am.load("evidence_accumulation", prior="reference", design="paper").fit("me.csv")
    >>> table = am.compare({"flat prior": flat, "long runs": long_runs})
    >>> float(table["probability"].sum().round(6))
    1.0
    """
    fits = dict(fits)
    if len(fits) < 2:
        raise BadInput(f"{len(fits)} fits to compare; expected at least two, as {{name: fit}}")
    _check_evidence(fits)
    _check_same_data(fits)
    value, error = (np.array([getattr(f, a) for f in fits.values()]) for a in ("log_evidence", "log_evidence_error"))
    log_prior = np.log(prior_of(fits, prior))
    noise = np.random.default_rng(SEED).normal(size=(DRAWS, len(fits)))
    drawn = _softmax(value + log_prior + np.where(np.isfinite(error), error, 0) * noise)
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    found = {
        "log_evidence": value,
        "log_evidence_se": error,
        "probability": _softmax(value + log_prior),
        "low": low,
        "high": high,
        "pareto_k": [f.tree.attrs["pareto_k"] for f in fits.values()],
        "reliable": [f.verdict in USABLE for f in fits.values()],
    }
    frame = pd.DataFrame(found, index=pd.Index(list(fits), name="model"))
    return frame.sort_values("probability", ascending=False, kind="stable")


def _softmax(x):
    return np.exp(x - logsumexp(x, axis=-1, keepdims=True))


def prior_of(names, prior=None):
    """Probabilities (M,) of models before the data, by default equal; BadInput unless ``prior`` has one for each."""
    if prior is None:
        return np.full(len(names), 1 / len(names))
    if set(prior) != set(names) or any(not p > 0 for p in prior.values()):
        raise BadInput(f"prior {prior}; expected a positive probability for each of {', '.join(map(str, names))}")
    given = np.array([prior[name] for name in names], float)
    return given / given.sum()


def _check_evidence(fits):
    for name, fit in fits.items():
        if fit.log_evidence is None:
            raise BadInput(f"{name}: no log evidence; expected a fit by networks of a model with a density")


def _check_same_data(fits):
    """Raise `BadInput` unless all fits are of the same observations."""
    seen = {name: _observations(fit) for name, fit in fits.items()}
    (first, known), *others = seen.items()
    for name, values in others:
        if known.shape != values.shape or not np.array_equal(known, values, equal_nan=True):
            raise BadInput(f"{name} and {first} are fits of different data; expected the same observations")


def _observations(fit):
    """Every value that was observed (R, D), in order."""
    data = trees.observed(fit.tree)
    return np.where(np.asarray(data.seen) > 0, data.y, np.nan)[np.asarray(data.mask) > 0]
