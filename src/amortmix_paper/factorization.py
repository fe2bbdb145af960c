"""What it costs to draw indicators one by one where theta is integrated out (section 2.5, eqs. 21 to 23).

    p(z | y) = E[ prod_i p(z_i | y_i, theta) | y ]   is not   prod_i p(z_i | y) = prod_i E[ p(z_i | y_i, theta) | y ]

    T = E[ log p(z | y) - sum_i log p(z_i | y) | y ]                                       total correlation, in nats

and by the chain rule the divergence from the exact joint posterior has three parts, of which training removes two:

    KL( p(theta, z | y) || prod_i q(z_i | y) q(theta | z, y) )
        = T + sum_i KL( p(z_i | y) || q(z_i | y) ) + E[ KL( p(theta | z, y) || q(theta | z, y) ) | y ].

theta is given by S draws with log weights (S,) that sum to one, r are log responsibilities log p(z_i = k | y_i, theta)
(S, N, K).
"""

import numpy as np
from scipy.special import logsumexp

#: What is ranked: of theta, of z, and log p(theta, z, y) of both.
QUANTITIES = (*(f"pi_{k}" for k in (1, 2, 3)), *(f"mu_{k}" for k in (1, 2, 3)), *(f"n_{k}" for k in (1, 2, 3)))
QUANTITIES += ("log_joint",)


def marginals(r, log_weights):
    """log p(z_i = k | y), theta integrated out: (N, K)."""
    return logsumexp(r + log_weights[:, None, None], axis=0)


def draw_indicators(log_p, rng):
    """Indicators (...,) drawn one by one from log probabilities (..., K)."""
    return np.argmax(log_p + rng.gumbel(size=log_p.shape), axis=-1)


def log_chosen(log_p, z):
    """sum_i log p(z_i) of indicators z (..., N) under log probabilities (..., N, K), where both broadcast: (...,)."""
    one_hot = np.arange(log_p.shape[-1]) == z[..., None]
    return np.where(one_hot, log_p, 0.0).sum((-1, -2))


def divergence(log_p, log_q):
    """sum_i KL( p(z_i) || q(z_i) ) of log probabilities (..., N, K), in nats: (...,)."""
    return np.sum(np.exp(log_p) * (log_p - log_q), axis=(-1, -2))


def log_in_blocks(r, log_weights, z, blocks):
    """log probability of indicators z (M, N) drawn in so many blocks, each given those of the blocks before it: (M,).

    One block is eq. 22, the product of the marginals; N blocks are the chain rule, and exact. What is known of theta
    after some blocks are weights again: w_s <- w_s prod_i p(z_i | y_i, theta_s).
    """
    found = np.zeros(len(z))
    for m, path in enumerate(z):
        known, chosen = log_weights, np.take_along_axis(r, path[None, :, None], axis=-1)[..., 0]
        for block in np.array_split(chosen, blocks, axis=1):
            found[m] += logsumexp(block + known[:, None], axis=0).sum()
            known = known + block.sum(1)
            known = known - logsumexp(known)
    return found


def counts(z, classes):
    """Number of units of each class (..., K) of indicators z (..., N)."""
    return (z[..., None] == np.arange(classes)).sum(-2)


def ranks(truth, drawn, rng):
    """Ranks (D,) of the truth (1, D) among draws (S, D), ties broken at random."""
    below, level = (drawn < truth).sum(0), (drawn == truth).sum(0)
    return below + rng.integers(0, level + 1)


def count_variances(r, log_weights):
    """Variance of the number of units of each class (K,): of independent indicators, and of p(z | y).

    They differ by the covariances of p(z_i = k | y_i, theta) and p(z_j = k | y_j, theta) over theta, i and j different.
    """
    p, r, weights = np.exp(marginals(r, log_weights)), np.exp(r), np.exp(log_weights)
    expected = np.einsum("snk->sk", r)
    within = weights @ np.einsum("snk->sk", r * (1 - r))
    between = weights @ (expected - weights @ expected) ** 2
    return (p * (1 - p)).sum(0), within + between


def weighted_sd(values, log_weights):
    """Standard deviation (D,) of values (S, D)."""
    weights = np.exp(log_weights)
    return np.sqrt(weights @ (values - weights @ values) ** 2)
