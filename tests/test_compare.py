"""Posterior model probabilities: the formula, calibration on simulations, and what cannot be compared."""

import json

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import amortmix as am
from amortmix.inference import psis
from amortmix.inference.fit import Fit
from amortmix.storage.files import BadInput


def fit_of(y, value, error=0.01, verdict="ABI"):
    """A fit of y (N,) with a known log evidence."""
    fields = {
        "y": (("unit", "observation", "variable"), np.asarray(y, np.float32)[:, None, None]),
        "mask": (("unit", "observation"), np.ones((len(y), 1), np.float32)),
    }
    tree = xr.DataTree.from_dict({"observed_data": xr.Dataset(fields)})
    tree.attrs = {"verdict": verdict, "pareto_k": 0.1, "warnings": json.dumps([])}
    if value is not None:
        tree.attrs |= {"log_evidence": value, "log_evidence_se": error}
    return Fit(tree)


def test_probabilities_are_those_of_bayes():
    y = np.arange(3.0)
    fits = {"a": fit_of(y, -100.0), "b": fit_of(y, -101.0), "c": fit_of(y, -5000.0)}
    found = am.compare(fits)
    expected = 1 / (1 + np.exp(-1))
    np.testing.assert_allclose(found["probability"], [expected, 1 - expected, 0], atol=1e-12)
    assert list(found.index) == ["a", "b", "c"]
    found = am.compare(fits, prior={"a": 0.2, "b": 0.6, "c": 0.2})
    odds = 3 * np.exp(-1)
    np.testing.assert_allclose(found.loc["b", "probability"], odds / (1 + odds), rtol=1e-12)


def test_the_interval_is_that_of_the_monte_carlo_errors():
    """Of two models the log odds are normal: sd sqrt(2) times the error of each. Quantiles of 4,000 draws."""
    y = np.arange(3.0)
    found = am.compare({"a": fit_of(y, -100.0, 0.3), "b": fit_of(y, -100.5, 0.3)}).loc["a"]
    ends = 1 / (1 + np.exp(-(0.5 + np.array([-1, 1]) * 1.96 * 0.3 * np.sqrt(2))))
    np.testing.assert_allclose([found["low"], found["high"]], ends, atol=0.01)


def test_probabilities_are_calibrated_on_simulations():
    """Two normal models, evidence from importance weights of a proposal that is too wide: of data sets with a predicted
    probability the share that the model made is that probability (chi-squared, false alarm 1e-4)."""
    random = np.random.default_rng(7)
    sds, n, draws, truth, predicted = (0.5, 2.0), 6, 1000, [], []
    for _ in range(400):
        which = int(random.integers(2))
        mean = random.normal(0, sds[which])
        y = random.normal(mean, 1, n)
        fits = {}
        for name, sd in zip("ab", sds):
            # the posterior of the mean is normal; the proposal has twice its standard deviation
            precision = n + 1 / sd**2
            centre, scale = y.sum() / precision, 2 / np.sqrt(precision)
            theta = random.normal(centre, scale, draws)
            log_joint = stats.norm.logpdf(y[:, None], theta, 1).sum(0) + stats.norm.logpdf(theta, 0, sd)
            log_ratio = log_joint - stats.norm.logpdf(theta, centre, scale)
            fits[name] = fit_of(y, *psis.evidence(log_ratio))
        truth.append(which == 0)
        predicted.append(am.compare(fits).loc["a", "probability"])
    truth, predicted = np.array(truth), np.array(predicted)
    groups = np.array_split(np.argsort(predicted), 8)
    z = [(truth[g].sum() - predicted[g].sum()) / np.sqrt((predicted[g] * (1 - predicted[g])).sum()) for g in groups]
    assert stats.chi2.sf(np.sum(np.square(z)), len(groups)) > 1e-4


def test_what_cannot_be_compared_is_refused_in_one_line():
    y = np.arange(3.0)
    with pytest.raises(BadInput, match="1 fits to compare; expected at least two"):
        am.compare({"a": fit_of(y, -1.0)})
    with pytest.raises(BadInput, match="b: no log evidence; expected a fit by networks"):
        am.compare({"a": fit_of(y, -1.0), "b": fit_of(y, None)})
    with pytest.raises(BadInput, match="b and a are fits of different data"):
        am.compare({"a": fit_of(y, -1.0), "b": fit_of(y + 1, -1.0)})
    with pytest.raises(BadInput, match="expected a positive probability for each of a, b"):
        am.compare({"a": fit_of(y, -1.0), "b": fit_of(y, -1.0)}, prior={"a": 1.0})


def test_a_fit_that_cannot_be_relied_on_says_so():
    y = np.arange(3.0)
    found = am.compare({"a": fit_of(y, -1.0), "b": fit_of(y, -2.0, verdict="MCMC")})
    assert found["reliable"].to_dict() == {"a": True, "b": False}
