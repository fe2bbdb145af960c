"""Mean and covariance of a population, from draws of its people.

    p(mu, Sigma | y) ∝ p(mu, Sigma) prod_i E[ Normal(w; mu_g(i), Sigma) / g(w) ]    over draws w of person i under g

NUTS takes as many draws of each person as it can carry; importance weights (PSIS) then bring in the others, and k-hat
says whether they can. For the weights a normal log density is a linear function of products of w, so that all draws are
one matrix product, in double precision: where Sigma is small the products nearly cancel.

Priors, on the scale on which the parameters of people have mean zero and standard deviation one under the prior of the
declaration: mu ~ Normal(0, 1), spreads ~ HalfNormal(1), correlations ~ LKJ(2).
"""

from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.diagnostics import split_gelman_rubin
from numpyro.infer.util import constrain_fn, potential_energy, unconstrain_fn
from scipy.special import logsumexp

from amortmix.inference import psis
from amortmix.mcmc import nuts
from amortmix.mcmc.results import Settings

SETTINGS, MAX_TREE_DEPTH = Settings(chains=4, warmup=500, draws=500, adapt_delta=0.9), 8
#: Numbers that NUTS takes, dimensions of all draws of all people, and fewest draws of each person.
NUMBERS, EACH = 60_000, 200
#: Share of the draws of the population whose effective numbers of a person may be smaller than the one that is said.
LOW = 0.1


class Group(NamedTuple):
    """What is known of a population.

    Attributes
    ----------
    mu : (C, G, d)
        Draws of the mean of each group.
    covariance : (C, d, d)
    people : (I, C, d)
        One draw of each person given each of these.
    effective : (I,)
        Effective number of each person's draws, under nine of ten draws of the population at least.
    rhat : float
        The largest.
    weights : Psis
        Of the draws of NUTS, from some draws of each person to all.
    """

    mu: np.ndarray
    covariance: np.ndarray
    people: np.ndarray
    effective: np.ndarray
    rhat: float
    weights: psis.Psis


def sample_group(known, groups, number, prior, seed):
    """`Group` of people.

    Parameters
    ----------
    known : list of Person
        I of them, with as many draws each.
    groups : (I,)
        Number of the group of each, below ``number``.
    prior : (mean (d,), sd (d,))
        Of the parameters of people under the prior of the declaration.
    seed : int
    """
    mean, sd = prior
    x = np.stack([(person.w - mean) / sd for person in known])
    rng, (people, each, d) = np.random.default_rng(seed), x.shape
    some = rng.choice(each, min(max(EACH, NUMBERS // (people * d)), each), replace=False)
    log_g = np.stack([person.log_g for person in known])
    mu, factor, rhat = _nuts(x[:, some], log_g[:, some], groups, number, seed)
    features = _features(x)
    with jax.enable_x64(True):
        coefficients = np.asarray(jax.vmap(_coefficients)(jnp.asarray(mu), jnp.asarray(factor)))
    log_lik, effective, drawn = np.zeros((2, len(mu))), [], []
    for i, g in enumerate(groups):
        ratio = coefficients[:, g] @ features[i].T - log_g[i]  # (C, S)
        every = logsumexp(ratio, axis=1)
        log_lik += every, logsumexp(ratio[:, some], axis=1)
        shares = np.exp(ratio - every[:, None])
        effective.append(1 / np.sum(shares**2, axis=1))
        last = np.minimum((rng.uniform(size=(len(mu), 1)) > np.cumsum(shares, axis=1)).sum(1), shares.shape[1] - 1)
        drawn.append(known[i].w[last])
    weights = psis.smooth(*log_lik)
    chosen = psis.resample(weights.log_weights, len(mu), seed)
    covariance = sd[:, None] * (factor @ factor.transpose(0, 2, 1)) * sd
    effective = np.quantile(np.stack(effective)[:, chosen], LOW, axis=1)
    return Group(mean + sd * mu[chosen], covariance[chosen], np.stack(drawn)[:, chosen], effective, rhat, weights)


def _features(x):
    """Of all draws x (I, S, d): products, x and one: (I, S, F)."""
    rows, columns = np.tril_indices(x.shape[-1])
    return np.concatenate([x[..., rows] * x[..., columns], x, np.ones((*x.shape[:2], 1))], axis=-1)


def _coefficients(mu, factor):
    """Of `_features`, so that they give log Normal(x; mu, factor factor') but for log 2 pi: (G, F)."""
    d = mu.shape[-1]
    precision = jax.scipy.linalg.cho_solve((factor, True), jnp.eye(d, dtype=factor.dtype))
    rows, columns = np.tril_indices(d)
    squares = -precision[rows, columns] * jnp.where(rows == columns, 0.5, 1.0)
    linear = mu @ precision
    constant = -0.5 * jnp.sum(linear * mu, axis=-1) - jnp.log(jnp.diagonal(factor)).sum()
    return jnp.concatenate([jnp.broadcast_to(squares, (len(mu), len(rows))), linear, constant[:, None]], axis=-1)


def _start(x, groups, number):
    """Where chains start: means and spread of the people, no correlations. From far away steps would be small."""
    own, d = x.mean(1), x.shape[-1]
    mu = np.stack([own[groups == g].mean(0) for g in range(number)])
    spread = np.maximum((own - mu[groups]).std(0), 0.1)
    found = {"mu": mu, "spread": spread} | ({"correlations": np.eye(d)} if d > 1 else {})
    return {name: jnp.asarray(value, jnp.float32) for name, value in found.items()}


def population_prior(number, d):
    """The NumPyro sites of mu (G, d) and of the factor (d, d) of Sigma, which it returns."""
    mu = numpyro.sample("mu", dist.Normal(0, 1).expand([number, d]).to_event(2))
    spread = numpyro.sample("spread", dist.HalfNormal(1).expand([d]).to_event(1))
    correlations = numpyro.sample("correlations", dist.LKJCholesky(d, 2.0)) if d > 1 else jnp.ones((1, 1))
    return mu, numpyro.deterministic("factor", spread[:, None] * correlations)


def _population(number, d, x, log_g, groups):
    """The density of a population, given draws x (I, S, d) of its people."""
    mu, factor = population_prior(number, d)
    white = jax.scipy.linalg.solve_triangular(factor, jnp.eye(d), lower=True)
    z = jnp.einsum("isd,ed->ise", x - mu[groups][:, None], white)
    log_ratio = -0.5 * jnp.sum(z**2, axis=-1) - jnp.log(jnp.diagonal(factor)).sum() - log_g
    numpyro.factor("people", jax.nn.logsumexp(log_ratio, axis=1).sum())


def _nuts(x, log_g, groups, number, seed):
    """Draws of mu (C, G, d) and of the factor of Sigma (C, d, d), and the largest R-hat."""
    start, d = _start(x, groups, number), x.shape[-1]
    known = jnp.asarray(x, jnp.float32), jnp.asarray(log_g, jnp.float32), jnp.asarray(groups)
    keys = jax.random.split(jax.random.key(seed), SETTINGS.chains)
    found = _compiled(number, d, SETTINGS, MAX_TREE_DEPTH)(keys, start, *known)
    found = {k: np.asarray(v, float) for k, v in found.items()}
    rhat = max(float(np.max(split_gelman_rubin(found[name]))) for name in ("mu", "spread"))
    mu, factor = (found[name].reshape(-1, *found[name].shape[2:]) for name in ("mu", "factor"))
    return mu, factor, rhat


@lru_cache(maxsize=8)
def _compiled(number, d, settings, max_tree_depth):
    """(keys, start, x, log_g, groups) -> {site: (chains, draws, ...)}, compiled once for each shape."""
    model = partial(_population, number, d)

    def run(keys, start, *known):
        one = nuts.chain(lambda u: potential_energy(model, known, {}, u), settings, max_tree_depth)
        u, _ = jax.vmap(one, in_axes=(0, None))(keys, unconstrain_fn(model, known, {}, start))
        sites = partial(constrain_fn, model, known, {}, return_deterministic=True)
        return jax.vmap(jax.vmap(sites))(u)

    return jax.jit(run)
