"""How good probabilities of several numbers of components are, from the saved results of `make components`."""

import numpy as np
import pandas as pd

BINS, REPEATS, SEED = 10, 500, 1


def scores(rows):
    """One row for each family of models.

    Parameters
    ----------
    rows : DataFrame
        ``family``, ``data_set``, ``truth``, ``k``, ``probability``, ``reliable``: a row for each data set and K.

    Returns
    -------
    DataFrame
        Number of data sets; mean probability of the K that made them, and that of chance; log score, and that of equal
        probabilities; calibration error, and its mean for right probabilities; share of fits with reliable weights.
    """
    found = {}
    for family, part in rows.groupby("family", sort=False):
        p = part.pivot(index="data_set", columns="k", values="probability")
        truth = part.groupby("data_set")["truth"].first().loc[p.index]
        probability, hit = p.to_numpy(), truth.to_numpy()[:, None] == p.columns.to_numpy()
        of_truth = probability[hit]
        found[family] = {
            "data sets": len(p),
            "probability of the truth": of_truth.mean(),
            "by chance": 1 / len(p.columns),
            "log score": np.log(np.maximum(of_truth, np.finfo(float).tiny)).mean(),
            "of equal probabilities": -np.log(len(p.columns)),
            "calibration error": calibration_error(probability, hit),
            "by chance alone": _error_of_right_ones(probability),
            "fits with reliable weights": part["reliable"].mean(),
        }
    return pd.DataFrame.from_dict(found, orient="index")


def calibration_error(probability, hit):
    """Mean distance of probabilities from frequencies, in bins, weighted by how many are in each."""
    place = np.minimum((probability * BINS).astype(int), BINS - 1).ravel()
    count = np.bincount(place, minlength=BINS)
    difference = np.bincount(place, (probability - hit).ravel(), minlength=BINS)
    return float(np.abs(difference[count > 0]).sum() / count.sum())


def _error_of_right_ones(probability):
    """Mean calibration error where the truth is drawn from the probabilities (M, K)."""
    random = np.random.default_rng(SEED)
    cumulative = np.cumsum(probability, axis=1)
    errors = []
    for _ in range(REPEATS):
        drawn = (random.uniform(size=(len(probability), 1)) < cumulative).argmax(axis=1)
        errors.append(calibration_error(probability, np.arange(probability.shape[1]) == drawn[:, None]))
    return float(np.mean(errors))
