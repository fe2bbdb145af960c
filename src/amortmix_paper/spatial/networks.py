"""The networks of the methods: BayesFlow's estimators on a summary of the field, and how they are trained.

    neural Bayes estimator     min E[(theta - m(Z))^2] and quantile losses at 5 % and 95 %
    forward KL                 min E[-log q(theta | Z)]
    ratio                      tells pairs (theta, Z) from pairs of theta and another Z
    binding                    min E[-log Normal(S; m(theta), v(theta))], S the summary that the ratio learned
    reverse KL                 `amortmix_paper.spatial.reverse`

Each expectation is over simulated pairs (theta, Z). Networks see log(theta / (0.6 - theta)), but for the neural Bayes
estimator, whose loss is that of theta itself.
"""

import bayesflow as bf
import keras

from amortmix.diagnostics.intervals import TAIL
from amortmix.networks.flow import WhitenedFlow
from amortmix.networks.layers import dense_stack
from amortmix_paper.spatial.field import SIDE, UPPER
from amortmix_paper.spatial.reverse import ReverseKL
from amortmix_paper.spatial.summary import FilterVariances

SUMMARY = 8
WIDTHS = (64, 64)
BATCH = 128
CONTRASTS = 16  # other parameters that a pair is told from
RATE, WARMUP_STEPS, CLIP_NORM = 4e-3, 100, 5.0


def neural_bayes():
    """Posterior mean and 5 % and 95 % quantiles."""
    scores = {
        "mean": bf.scoring_rules.MeanScore(),
        "quantiles": bf.scoring_rules.QuantileScore([TAIL, 1 - TAIL]),
    }
    return bf.ScoringRuleEstimator(
        adapter=_of_field(_numbers()),
        summary_network=FilterVariances(SUMMARY, WIDTHS),
        inference_network=bf.networks.ScoringRuleNetwork(scoring_rules=scores, subnet=dense_stack(WIDTHS)),
    )


def forward_kl():
    """The posterior as a flow, from simulations alone."""
    return bf.BasicEstimator(**_posterior(), standardize=None)


def reverse_kl():
    """The same flow, from a likelihood."""
    return ReverseKL(**_posterior(), standardize=None)


def ratio(summary=SUMMARY):
    """Logarithm of the ratio of likelihood and evidence; its summary maximizes a bound of the mutual information."""
    estimator = bf.RatioEstimator(
        adapter=_of_field(_logits()),
        summary_network=FilterVariances(summary, WIDTHS),
        inference_network=dense_stack(WIDTHS),
        standardize=None,
        K=CONTRASTS,
    )
    # BayesFlow builds it from the first batch only where there are conditions beside the summary
    shapes = {"inference_variables": (BATCH, 1), "summary_variables": (BATCH, SIDE, SIDE, 1)}
    estimator.build(shapes | {"inference_conditions": None})
    return estimator


def binding():
    """Mean and variance of a summary given theta: of a synthetic likelihood that is normal."""
    normal = bf.scoring_rules.MvNormalScore()
    return bf.ScoringRuleEstimator(
        adapter=_logits().rename("theta", "inference_conditions").rename("summary", "inference_variables"),
        inference_network=bf.networks.ScoringRuleNetwork(normal=normal, subnet=dense_stack(WIDTHS)),
    )


def fit(estimator, simulations, epochs):
    """Train an estimator in place.

    Parameters
    ----------
    estimator : bayesflow.estimators.Estimator
    simulations : dict of arrays
        ``theta`` and ``field`` or ``summary``, and what else the loss takes.
    epochs : int

    Returns
    -------
    list of float
        The mean loss of each epoch.
    """
    dataset = bf.datasets.OfflineDataset(simulations, batch_size=BATCH, adapter=estimator.adapter)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, epochs * dataset.num_batches, warmup_target=RATE, warmup_steps=WARMUP_STEPS
    )
    estimator.compile(optimizer=keras.optimizers.Adam(rate, global_clipnorm=CLIP_NORM))
    return estimator.fit(dataset=dataset, epochs=epochs, verbose=0).history["loss"]


def _posterior():
    return {
        "adapter": _of_field(_logits()),
        "summary_network": FilterVariances(SUMMARY, WIDTHS),
        "inference_network": WhitenedFlow(depth=2, widths=[32], bins=6, whitening=[64], bound=5.0),
    }


def _numbers():
    return bf.Adapter().to_array().convert_dtype("float64", "float32")


def _logits():
    """theta on the real line, and back."""
    return _numbers().constrain("theta", lower=0.0, upper=UPPER)


def _of_field(chain):
    return chain.rename("theta", "inference_variables").rename("field", "summary_variables")
