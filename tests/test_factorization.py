"""Indicators first (section 2.5): what independence costs, by enumeration of all indicators of a few units.

Prior draws weighted by the likelihood are the exact posterior here; neither the conjugate formulas nor the networks
have a part in them.
"""

import functools
import itertools

import jax
import numpy as np
import pandas as pd
import pytest
from conftest import simulate
from scipy.special import logsumexp
from scipy.stats import chisquare

from amortmix.model import registry
from amortmix_paper import conjugate
from amortmix_paper import factorization as exactly
from amortmix_paper import factorization_page as page
from amortmix_paper.exact_joint import Exact, distance

MODEL = registry.find("gaussian_mixture")
N, DRAWS = 4, 10_000
LEVEL = 1e-6


@functools.cache
def tiny():
    """`Exact` of four units, and all 81 indicators (81, 4) with log p(z | y) by enumeration."""
    _, data, _ = simulate(MODEL, 1)
    units = conjugate.Units(*(a[:N] for a in conjugate.units_of(data)))
    prior = conjugate.prior(MODEL.hyperparameters)
    many = conjugate.Given(*(np.broadcast_to(a, (DRAWS, 3)) for a in prior))
    theta = conjugate.draw(many, np.random.default_rng(1))
    exact = Exact(MODEL.hyperparameters, units, theta, conjugate.log_density(prior, theta))
    z = np.array(list(itertools.product(range(3), repeat=N)))
    joint = log_joint_of_indicators(exact, z, theta[:1])
    return exact, z, joint - logsumexp(joint)


def log_joint_of_indicators(exact, z, theta):
    """log p(z, y) by Bayes' rule at one theta (1, 6)."""
    r = conjugate.log_responsibilities(exact.units, theta)
    return exact.log_joint_of(theta) + exactly.log_chosen(r, z) - conjugate.log_density(exact.given(z), theta)


def of_indicators(log_p, z):
    """Marginals (N, 3) of a distribution of all indicators."""
    return np.array([[np.exp(log_p[z[:, i] == k]).sum() for k in range(3)] for i in range(N)])


def test_the_likelihood_prior_and_responsibilities_are_those_of_the_model(float64):
    """The log likelihood but for a constant of the data, so differences between parameters agree."""
    _, data, _ = simulate(MODEL, 2)
    theta = np.stack([simulate(MODEL, seed)[0] for seed in (3, 4)])
    units, prior = conjugate.units_of(data), conjugate.prior(MODEL.hyperparameters)
    pairs = (
        (np.diff(conjugate.log_likelihood(units, theta)), np.diff([MODEL.log_likelihood(t, data) for t in theta])),
        (conjugate.log_density(prior, theta), [MODEL.log_prior(t) for t in theta]),
        (
            conjugate.log_responsibilities(units, theta),
            [MODEL.state_log_probs(t, data)["classification"] for t in theta],
        ),
    )
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, np.asarray(theirs), rtol=1e-6, atol=1e-6)


def test_conjugacy_gives_the_same_joint_probability_of_the_indicators_at_any_theta():
    """p(theta | z, y) is right up to a constant of z; that constant is right if they sum to the evidence."""
    exact, z, _ = tiny()
    found = [log_joint_of_indicators(exact, z, theta[None]) for theta in exact.theta[:3]]
    np.testing.assert_allclose(found[1:], [found[0]] * 2, atol=1e-6)
    ratios = np.exp(exact.log_joint - conjugate.log_density(conjugate.prior(exact.hyper), exact.theta))
    error = ratios.std() / np.sqrt(DRAWS) / ratios.mean()
    assert abs(logsumexp(found[0]) - exact.evidence) < 5 * error


def test_draws_given_the_indicators_have_that_density():
    """E[p / q] = 1 over draws from q, for the order of the means cuts both off: few units, and fewer."""
    exact, z, _ = tiny()
    q = exact.given(z[:1])
    many = conjugate.Given(*(np.broadcast_to(a, (DRAWS, 3)) for a in q))
    p = q._replace(concentration=q.concentration + 1, scale=q.scale * 0.8)
    theta = conjugate.draw(many, np.random.default_rng(3))
    assert (np.diff(theta[:, 3:]) > 0).all()
    ratio = np.exp(conjugate.log_density(p, theta) - conjugate.log_density(q, theta))
    assert abs(ratio.mean() - 1) < 5 * ratio.std() / np.sqrt(DRAWS)


def test_marginals_and_variances_of_counts_are_those_of_the_enumeration():
    exact, z, log_p = tiny()
    marginal, p = of_indicators(log_p, z), np.exp(log_p)
    error = 5 / np.sqrt(1 / np.exp(2 * exact.log_weights).sum())
    np.testing.assert_allclose(np.exp(exact.marginals), marginal, atol=error)
    counts = exactly.counts(z, 3)
    joint = p @ counts**2 - (p @ counts) ** 2
    independent, found = exactly.count_variances(exact.r, exact.log_weights)
    np.testing.assert_allclose(independent, (marginal * (1 - marginal)).sum(0), atol=error)
    np.testing.assert_allclose(found, joint, atol=2 * error)
    # units that are alike go together; of class 3 there is hardly any here
    assert (independent < joint)[:2].all() and joint[2] < 0.01


def test_independence_and_training_add_up_to_the_divergence():
    """KL( p(z) || prod q_i ) = T + sum_i KL( p_i || q_i ), for any q."""
    _, z, log_p = tiny()
    marginal = np.log(of_indicators(log_p, z))
    q = np.log(np.random.default_rng(4).dirichlet(np.ones(3), size=N))
    total = np.exp(log_p) @ (log_p - exactly.log_chosen(q, z))
    correlation = np.exp(log_p) @ (log_p - exactly.log_chosen(marginal, z))
    assert correlation > 0.01
    assert total == pytest.approx(correlation + exactly.divergence(marginal, q))


def test_one_block_is_the_product_of_marginals_and_n_blocks_are_the_chain_rule():
    exact, z, log_p = tiny()
    one = exactly.log_in_blocks(exact.r, exact.log_weights, z, 1)
    np.testing.assert_allclose(one, exactly.log_chosen(exact.marginals, z))
    each = exactly.log_in_blocks(exact.r, exact.log_weights, z, N)
    by_theta = [logsumexp(exact.log_weights + exactly.log_chosen(exact.r, path)) for path in z]
    np.testing.assert_allclose(each, by_theta)
    lost = [
        np.exp(log_p) @ (each - exactly.log_in_blocks(exact.r, exact.log_weights, z, blocks)) for blocks in (1, 2, N)
    ]
    assert lost[0] > lost[1] > lost[2] == 0


def test_a_gibbs_step_leaves_the_joint_posterior_as_it_is_and_corrects_independent_indicators():
    """Mean of the squared numbers of units of each class, which independence gets wrong: within five errors."""
    exact, z, log_p = tiny()
    truth = np.exp(log_p) @ exactly.counts(z, 3) ** 2
    rng = np.random.default_rng(5)

    def away(z):
        squared = exactly.counts(z, 3) ** 2
        return np.abs(squared.mean(0) - truth).max() / (squared.std(0) / np.sqrt(len(z))).max()

    theta, drawn = exact.joint(DRAWS // 4, rng)
    assert away(drawn) < 5 and away(exact.gibbs(theta, rng)[1]) < 5
    theta, drawn = exact.independent(DRAWS, rng)
    assert away(drawn) > 5
    for _ in range(8):
        theta, drawn = exact.gibbs(theta, rng)
    assert away(drawn) < 5


def test_the_distance_of_exact_draws_is_none():
    """Ratios of standard deviations near one, no nats; draws with the indicators of another data set are far off."""
    exact, z, _ = tiny()
    theta, drawn = exact.joint(2000, np.random.default_rng(6))
    found = distance(exact, theta, theta, drawn, known=True)
    assert abs(np.log(found["sd_theta"])) < 0.1 and abs(np.log(found["sd_counts"])) < 0.1
    assert abs(found["theta_nats"]) < 0.1
    same = np.zeros_like(drawn)
    assert distance(exact, theta, theta, same, known=True)["theta_nats"] > 0.3


def test_ranks_among_draws_with_ties_are_uniform():
    rng, draws = np.random.default_rng(7), 4
    found = [exactly.ranks(rng.poisson(1.0, (1, 1)), rng.poisson(1.0, (draws, 1)), rng)[0] for _ in range(4000)]
    assert chisquare(np.bincount(found, minlength=draws + 1)).pvalue > LEVEL


def test_the_page_tells_calibrated_draws_from_others_and_adds_up_the_parts():
    """With this seed the bands, whose false-alarm rate is 5 %, do not give one."""
    rng, draws, many = np.random.default_rng(1), 200, 400
    right = rng.integers(0, draws + 1, (many, len(exactly.QUANTITIES)))
    narrow = right.copy()
    narrow[:, 7] = rng.choice([0, draws], many)
    rows = pd.DataFrame(np.concatenate([right, narrow]), columns=exactly.QUANTITIES)
    rows = rows.assign(draws=np.repeat([page.TRUE, page.OURS], many), passes=0)
    found = page.calibrations(rows, draws)
    one, other = found.loc[(page.TRUE, 0)], found.loc[(page.OURS, 0)]
    assert one["inside"] and one["outside"] == "" and abs(one["coverage of theta"] - 0.95) < 0.02
    assert not other["inside"] and other["outside"] == "n_2" and other["coverage of counts"] < 0.7
    parts = pd.DataFrame(rng.exponential(size=(many, 5)), columns=list(page.PARTS))
    means = page.divergences(parts)["mean"]
    for words, columns in (("eq. 14 in all", page.PARAMETERS_FIRST), ("eqs. 21 to 23 in all", page.INDICATORS_FIRST)):
        assert means[words] == pytest.approx(means[list(columns.values())].sum())


def test_units_are_those_that_exist():
    """Padding, which holds copies of an observation, is not counted."""
    _, data, _ = jax.jit(MODEL.simulate_dataset)(jax.random.key(8))
    units = conjugate.units_of(data)
    mask = np.asarray(data.mask)
    assert len(units.count) == (mask.max(-1) > 0).sum() < len(mask)
    assert units.count.sum() == mask.sum()
    assert units.total.sum() == pytest.approx(np.asarray(data.y)[mask > 0].sum(), rel=1e-5)
