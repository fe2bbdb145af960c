"""The methods of the review: each trains on simulated pairs and returns what answers for fields.

Exact likelihood, synthetic likelihood and ratio say log p(Z | theta) + constant(Z) at the knots, a table; a flow has
draws and densities; the neural Bayes estimator has no more than its three numbers. Reverse KL takes the table of the
exact or of the synthetic likelihood for the fields that it trains on.
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from scipy.stats import norm

from amortmix_paper.spatial import networks
from amortmix_paper.spatial.field import COLUMNS, knots, log_likelihoods
from amortmix_paper.spatial.tables import Answers, of_draws, of_table

DRAWS = 1000  # of a flow for each field


class Trained(NamedTuple):
    """A method that is ready for fields (n, 16, 16, 1).

    Attributes
    ----------
    answer : callable
        fields -> `Answers`.
    table : callable or None
        fields -> (n, 128), the logarithm of the posterior density at the knots but for a constant.
    losses : list of float
        Of each epoch; of the synthetic likelihood those of the summary.
    binding : tuple of arrays, optional
        Mean and standard deviation (128,) of the summary at the knots.
    summary : callable, optional
        fields -> (n,), the summary of the synthetic likelihood.
    """

    answer: Callable
    table: Callable | None
    losses: list
    binding: tuple | None = None
    summary: Callable | None = None


def train(method, simulations, epochs, seed, table=None):
    """Train one of `TRAINERS`.

    Parameters
    ----------
    method : str
    simulations : dict
        ``theta`` (n, 1) and ``field`` (n, 16, 16, 1).
    epochs, seed : int
    table : array (n, 128), optional
        Log likelihood of these fields, for reverse KL.

    Returns
    -------
    Trained
    """
    keras.utils.set_random_seed(seed)
    return TRAINERS[method](simulations if table is None else simulations | {"log_likelihood": table}, epochs)


def _exact(simulations, epochs):
    return _of_tables(lambda fields: np.asarray(log_likelihoods(fields)), [])


def _neural_bayes(simulations, epochs):
    estimator = networks.neural_bayes()
    losses = networks.fit(estimator, simulations, epochs)

    def answer(fields):
        found = estimator.estimate(conditions={"field": fields})["theta"]
        return Answers(found["mean"][:, 0], *found["quantiles"][..., 0].T)

    return Trained(answer, None, losses)


def _forward_kl(simulations, epochs):
    return _of_flow(networks.forward_kl(), simulations, epochs)


def _reverse_kl(simulations, epochs):
    return _of_flow(networks.reverse_kl(), simulations, epochs)


def _ratio(simulations, epochs):
    estimator = networks.ratio()
    losses = networks.fit(estimator, simulations, epochs)

    def table(fields):
        s = np.repeat(estimator.summarize({"field": fields}), COLUMNS, axis=0)
        u = estimator.adapter({"theta": np.tile(knots(), len(fields))[:, None]}, strict=False)["inference_variables"]
        return np.asarray(estimator.logits(u, s, stage="inference")).reshape(len(fields), COLUMNS)

    return _of_tables(table, losses)


def _synthetic(simulations, epochs):
    learned, bound = networks.ratio(summary=1), networks.binding()
    losses = networks.fit(learned, simulations, epochs)

    def summary(fields):
        return learned.summarize({"field": fields})[:, 0]

    pairs = {"theta": simulations["theta"], "summary": summary(simulations["field"])[:, None]}
    networks.fit(bound, pairs, epochs)
    found = bound.estimate(conditions={"theta": knots()[:, None]})["summary"]["normal"]
    mean, sd = found["mean"][:, 0], 1 / found["precision_cholesky_factor"][:, 0, 0]
    trained = _of_tables(lambda fields: norm.logpdf(summary(fields)[:, None], mean, sd), losses)
    return trained._replace(binding=(mean, sd), summary=summary)


def _of_tables(table, losses):
    return Trained(lambda fields: of_table(table(fields)), table, losses)


def _of_flow(estimator, simulations, epochs):
    losses = networks.fit(estimator, simulations, epochs)

    def answer(fields):
        return of_draws(estimator.sample(num_samples=DRAWS, conditions={"field": fields})["theta"][..., 0])

    def table(fields):
        pairs = {"theta": np.tile(knots(), len(fields))[:, None], "field": np.repeat(fields, COLUMNS, axis=0)}
        return estimator.log_prob(pairs).reshape(len(fields), COLUMNS)

    return Trained(answer, table, losses)


TRAINERS = {
    "exact": _exact,
    "neural_bayes": _neural_bayes,
    "forward_kl": _forward_kl,
    "reverse_kl_exact": _reverse_kl,
    "reverse_kl_synthetic": _reverse_kl,
    "synthetic": _synthetic,
    "ratio": _ratio,
}
