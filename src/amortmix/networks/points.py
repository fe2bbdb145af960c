"""Posterior means and quantiles from a network, in one pass and without a draw: neural Bayes estimators.

    (m, t_p) = f(context(y), h_psi(y)),    loss = E[ |m - t|^2 + sum_p rho_p(t - t_p) ],    rho_p(e) = e (p - 1[e < 0])

with t = (theta - c(y)) / s(y). The expectation over theta given y is smallest where m is the posterior mean of t and
t_p its quantile at p, whatever location c and scale s the data set decides; good ones leave little to learn.

Sainsbury-Dale, Zammit-Mangion & Huser (2024), https://doi.org/10.1080/00031305.2023.2249522
"""

import keras
from bayesflow.estimators import ScoringRuleEstimator
from bayesflow.networks import ScoringRuleNetwork
from bayesflow.scoring_rules import MeanScore, QuantileScore

from amortmix.networks.layers import dense_stack

#: The ends of the 90 % interval, and the median between them.
QUANTILES = (0.05, 0.5, 0.95)
WIDTHS = (128, 128)


def build(told, parameters, seed):
    """A new estimator of ``parameters`` numbers from ``told`` ones."""
    keras.utils.set_random_seed(seed)
    scores = {"mean": MeanScore(), "quantiles": QuantileScore(list(QUANTILES))}
    estimator = ScoringRuleEstimator(
        inference_network=ScoringRuleNetwork(scoring_rules=scores, subnet=dense_stack(list(WIDTHS))), standardize=None
    )
    estimator.build({"inference_variables": (1, parameters), "inference_conditions": (1, told)})
    return estimator


def estimates(estimator, told):
    """Mean and `QUANTILES` of t for every row of ``told`` (B, C): (B, 1 + Q, D)."""
    found = estimator.inference_network(conditions=told)
    return keras.ops.concatenate([found["mean"]["value"][:, None], found["quantiles"]["value"]], axis=1)
