"""How good probabilities of several numbers of components are, from the saved results of `make components`."""

import numpy as np
import pandas as pd

BINS, REPEATS, SEED = 10, 500, 1


def scores(rows):
    """One row for each family of models, and what their probabilities are ``by``.

    Parameters
    ----------
    rows : DataFrame
        ``family``, ``by``, ``data_set``, ``truth``, ``k``, ``probability``, ``reliable``: a row for each.

    Returns
    -------
    DataFrame
        Number of data sets; mean probability of the K that made them, and that of chance; log score, and that of equal
        probabilities; calibration error, and its mean for right probabilities; share of results that can be relied on.
    """
    found = {}
    for which, part in rows.groupby(["family", "by"], sort=False):
        p = part.pivot(index="data_set", columns="k", values="probability")
        truth = part.groupby("data_set")["truth"].first().loc[p.index]
        probability, hit = p.to_numpy(), truth.to_numpy()[:, None] == p.columns.to_numpy()
        of_truth = probability[hit]
        found[which] = {
            "data sets": len(p),
            "probability of the truth": of_truth.mean(),
            "by chance": 1 / len(p.columns),
            "log score": np.log(np.maximum(of_truth, np.finfo(float).tiny)).mean(),
            "of equal probabilities": -np.log(len(p.columns)),
            "calibration error": calibration_error(probability, hit),
            "by chance alone": _error_of_right_ones(probability),
            "can be relied on": part["reliable"].mean(),
        }
    return pd.DataFrame(found).T


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


def beside(rows):
    """Probabilities of networks beside those of evidence for the same data sets, one row for each family that has both.

    Returns
    -------
    DataFrame
        Mean distance of the probabilities; mean log probability of the truth that networks lose, with its standard
        error, over data sets whose fits can all be relied on.
    """
    found = {}
    for family, part in rows.groupby("family", sort=False):
        if set(part["by"]) != {"evidence", "networks"}:
            continue
        fine = part[part["by"] == "evidence"].groupby("data_set")["reliable"].all()
        kept = part[part["data_set"].isin(fine.index[fine])]
        table = kept.pivot(index=["data_set", "k"], columns="by", values="probability")
        of_truth = kept[kept["k"] == kept["truth"]].pivot(index="data_set", columns="by", values="probability")
        lost = np.log(of_truth["evidence"]) - np.log(of_truth["networks"])
        found[family] = {
            "data sets": len(of_truth),
            "mean distance": (table["evidence"] - table["networks"]).abs().mean(),
            "log score lost": lost.mean(),
            "standard error": lost.std(ddof=1) / np.sqrt(len(lost)),
        }
    return pd.DataFrame(found).T
