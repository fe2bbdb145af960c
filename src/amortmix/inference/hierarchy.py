"""Mean and covariance of a population, from what is known of its people.

    p(mu, Sigma | y) ∝ p(mu, Sigma) prod_i L_i(mu_g(i), Sigma),    L_i = E[ p(y_i | x) ]    over x ~ Normal(mu, Sigma)

NUTS takes a normal likelihood of each person (`amortmix.inference.person`), with mean m and precision R R', of which

    -2 log L_i(mu, Sigma) ≈ log|B| + r' B^-1 r,    B = I + R' Sigma R,    r = R' (m - mu)

Importance weights (PSIS) then make the population exact: for each of its draws every person has a few draws of x, whose
exact likelihoods are beside the normal ones. Where there is no density, the draws of the fits stand for it:
L_i ∝ E[ Normal(x; mu, Sigma) / g(x) ] over draws under the prior g. There a normal log density is a linear function of
products of x, so that all draws are one matrix product, in double precision: where Sigma is small the products nearly
cancel.

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

from amortmix.inference import person, psis
from amortmix.mcmc import nuts
from amortmix.mcmc.results import Settings

SETTINGS, MAX_TREE_DEPTH = Settings(chains=4, warmup=500, draws=500, adapt_delta=0.9), 8
#: Variance of the log likelihood of a population that too few draws of its people may leave, all of them together, and
#: how many times `person.WIDE` draws a person has at most.
NOISE, TIMES = 1.0, 32
#: Share of the draws of the population whose effective numbers of a person may be smaller than the one that is said.
LOW = 0.1


class Weighed(NamedTuple):
    """People given draws of a population.

    Attributes
    ----------
    log_ratio : (C,)
        By what factor the normal likelihoods of all are wrong, but for a constant.
    people : (I, C, d)
        One draw of each person given each of these.
    effective : (I,)
        Effective number of each person's draws.
    """

    log_ratio: np.ndarray
    people: np.ndarray
    effective: np.ndarray


class Group(NamedTuple):
    """What is known of a population, on the scale of x.

    Attributes
    ----------
    mu : (C, G, d)
        Draws of the mean of each group.
    covariance : (C, d, d)
    people : (I, C, d)
        One draw of each person given each of these.
    effective : (I,)
        Effective number of each person's draws.
    rhat : float
        The largest.
    weights : Psis
        Of the draws of NUTS, from normal likelihoods to exact ones.
    centre : (mu (G, d), covariance (d, d))
        Means over the draws of NUTS: a population near the answer, also where the weights cannot be relied on.
    """

    mu: np.ndarray
    covariance: np.ndarray
    people: np.ndarray
    effective: np.ndarray
    rhat: float
    weights: psis.Psis
    centre: tuple


def sample_group(normals, groups, number, weigh, seed):
    """`Group` of people.

    Parameters
    ----------
    normals : list of Normal
        Of I people.
    groups : (I,)
        Number of the group of each, below ``number``.
    number : int
    weigh
        (mu (C, G, d), factor (C, d, d)) -> `Weighed`: `by_likelihood` or `by_draws` of the people.
    seed : int
    """
    mu, factor, rhat = _nuts(normals, groups, number, seed)
    weighed = weigh(mu, factor)
    weights = psis.smooth(weighed.log_ratio, np.zeros(len(mu)))
    chosen = psis.resample(weights.log_weights, len(mu), seed)
    if chosen is None:  # a person whom no draw can explain: k-hat says so, and the normal likelihoods are made anew
        chosen = np.arange(len(mu))
    covariance = factor @ factor.transpose(0, 2, 1)
    people, centre = weighed.people[:, chosen], (mu.mean(0), covariance.mean(0))
    return Group(mu[chosen], covariance[chosen], people, weighed.effective, rhat, weights, centre)


def by_likelihood(model, scale, known, normals, groups, seed, mu, factor):
    """`Weighed` by exact likelihoods of draws given each population."""
    rng, log_ratio, people, effective = np.random.default_rng(seed), np.zeros(len(mu)), [], []
    for i, (one, normal, g) in enumerate(zip(known, normals, groups)):
        weigh = partial(person.weigh, model, scale, one.data, normal, mu[:, g], factor)
        x, ratio = _draws_of(weigh, NOISE / len(known), TIMES * (seed + i))
        log_ratio += logsumexp(ratio, axis=1) - np.log(ratio.shape[1])
        people.append(_one_of(x, ratio, rng))
        effective.append(_effective(ratio.ravel()))
    return Weighed(log_ratio, np.stack(people), np.array(effective))


def _draws_of(weigh, noise, seed):
    """Draws of a person x (C, S, d) and their log weights (C, S), as many as make the variance of their mean small."""
    found, means = [], []
    while not found or len(found) < TIMES and _relative_variance(np.stack(means)) > noise:
        x, ratio = weigh(seed + len(found))
        found.append((x, ratio))
        means.append(logsumexp(ratio, axis=0))
    return tuple(np.concatenate(values).swapaxes(0, 1) for values in zip(*found))


def _relative_variance(log_means):
    """Of the mean over the rows of exp(log_means) (B, C): its variance over the square of its mean.

    Of a single row the variance over C, which is as large or larger; infinite where no draw has a weight.
    """
    if not np.isfinite(log_means.max()):
        return np.inf
    means = np.exp(log_means - log_means.max())
    variance = means.var() if len(means) == 1 else np.mean(means.var(axis=0, ddof=1)) / len(means)
    return variance / np.mean(means) ** 2


def by_draws(known, normals, groups, seed, mu, factor):
    """`Weighed` by the draws of the fits; effective under nine of ten draws of the population at least."""
    with jax.enable_x64(True):
        wide = jax.tree.map(jnp.asarray, (_likelihoods(normals), groups, mu, factor))
        coefficients = np.asarray(jax.vmap(_coefficients)(*wide[2:]))
        log_ratio = -np.asarray(jax.vmap(partial(_log_likelihoods, *wide[:2]))(*wide[2:])).sum(1)
    rng, people, effective = np.random.default_rng(seed), [], []
    for one, g in zip(known, groups):
        ratio = coefficients[:, g] @ _features(one.x).T - one.log_g  # (C, S)
        log_ratio += logsumexp(ratio, axis=1)
        people.append(_one_of(np.broadcast_to(one.x, (len(mu), *one.x.shape)), ratio, rng))
        effective.append(np.quantile(_effective(ratio), LOW))
    return Weighed(log_ratio, np.stack(people), np.array(effective))


def _effective(log_weights):
    """Effective numbers of draws with these log weights (..., S), zero without any weight."""
    largest = np.max(log_weights, axis=-1, keepdims=True)
    weights = np.exp(log_weights - np.where(np.isfinite(largest), largest, 0.0))
    return weights.sum(-1) ** 2 / np.maximum(np.square(weights).sum(-1), np.finfo(float).tiny)


def _one_of(x, log_weights, rng):
    """One of the draws x (C, S, d) in each row, with probabilities as its weights, or the last: (C, d)."""
    largest = np.max(log_weights, axis=1, keepdims=True)
    shares = np.exp(log_weights - np.where(np.isfinite(largest), largest, 0.0))
    shares = shares / np.maximum(shares.sum(1, keepdims=True), np.finfo(float).tiny)
    last = (rng.uniform(size=(len(x), 1)) > np.cumsum(shares, axis=1)).sum(1)
    return x[np.arange(len(x)), np.minimum(last, x.shape[1] - 1)]


def _features(x):
    """Of all draws x (S, d): products, x and one: (S, F)."""
    rows, columns = np.tril_indices(x.shape[-1])
    return np.concatenate([x[:, rows] * x[:, columns], x, np.ones((len(x), 1))], axis=-1)


def _coefficients(mu, factor):
    """Of `_features`, so that they give log Normal(x; mu, factor factor') but for log 2 pi: (G, F)."""
    d = mu.shape[-1]
    precision = jax.scipy.linalg.cho_solve((factor, True), jnp.eye(d, dtype=factor.dtype))
    rows, columns = np.tril_indices(d)
    squares = -precision[rows, columns] * jnp.where(rows == columns, 0.5, 1.0)
    linear = mu @ precision
    constant = -0.5 * jnp.sum(linear * mu, axis=-1) - jnp.log(jnp.diagonal(factor)).sum()
    return jnp.concatenate([jnp.broadcast_to(squares, (len(mu), len(rows))), linear, constant[:, None]], axis=-1)


def population_prior(number, d):
    """The NumPyro sites of mu (G, d) and of the factor (d, d) of Sigma, which it returns."""
    mu = numpyro.sample("mu", dist.Normal(0, 1).expand([number, d]).to_event(2))
    spread = numpyro.sample("spread", dist.HalfNormal(1).expand([d]).to_event(1))
    correlations = numpyro.sample("correlations", dist.LKJCholesky(d, 2.0)) if d > 1 else jnp.ones((1, 1))
    return mu, numpyro.deterministic("factor", spread[:, None] * correlations)


def _likelihoods(normals):
    """Normal likelihoods as arrays, people last but in the products: root (d, d, I), m (d, I), products (d, d, I, d d).

    Products make R' Sigma R of everyone one product with Sigma, which NUTS asks for at every step.
    """
    root, m = (np.stack(values, axis=-1) for values in zip(*normals))
    products = np.einsum("kei,lgi->egikl", root, root)
    return root, m, products.reshape(*products.shape[:3], -1)


def _log_likelihoods(likelihoods, groups, mu, factor):
    """log L_i (I,) of everyone, given mu (G, d) and the factor (d, d) of Sigma."""
    root, m, products = likelihoods
    d = len(m)
    b = jnp.eye(d)[..., None] + products @ (factor @ factor.T).reshape(-1)
    r = jnp.sum(root * (m - mu[groups].T)[:, None], axis=0)
    # elimination in [[B, r], [r', 0]]: pivots make the determinant, -r' B^-1 r is left. Of everyone at once, and faster
    # than a Cholesky factor of each
    rest = jnp.concatenate([jnp.concatenate([b, r[:, None]], 1), jnp.concatenate([r, jnp.zeros_like(r[:1])])[None]])
    log_det = 0.0
    for _ in range(d):
        log_det += jnp.log(rest[0, 0])
        rest = rest[1:, 1:] - rest[1:, :1] * rest[:1, 1:] / rest[0, 0]
    return 0.5 * (rest[0, 0] - log_det)


def _population(number, likelihoods, groups):
    """The density of a population, given normal likelihoods of its people."""
    mu, factor = population_prior(number, len(likelihoods[1]))
    numpyro.factor("people", _log_likelihoods(likelihoods, groups, mu, factor).sum())


def _start(normals, groups, number):
    """Where chains start: means and spread of the people, no correlations. From far away steps would be small."""
    own = np.clip(np.stack([normal.m for normal in normals]), -3, 3)
    mu, d = np.stack([own[groups == g].mean(0) for g in range(number)]), own.shape[1]
    spread = np.maximum((own - mu[groups]).std(0), 0.1)
    found = {"mu": mu, "spread": spread} | ({"correlations": np.eye(d)} if d > 1 else {})
    return {name: jnp.asarray(value, jnp.float32) for name, value in found.items()}


def _nuts(normals, groups, number, seed):
    """Draws of mu (C, G, d) and of the factor of Sigma (C, d, d), and the largest R-hat."""
    known = jax.tree.map(partial(jnp.asarray, dtype=jnp.float32), _likelihoods(normals)), jnp.asarray(groups)
    keys = jax.random.split(jax.random.key(seed), SETTINGS.chains)
    run = _compiled(number, SETTINGS, MAX_TREE_DEPTH)
    found = {k: np.asarray(v, float) for k, v in run(keys, _start(normals, groups, number), *known).items()}
    rhat = max(float(np.max(split_gelman_rubin(found[name]))) for name in ("mu", "spread"))
    mu, factor = (found[name].reshape(-1, *found[name].shape[2:]) for name in ("mu", "factor"))
    return mu, factor, rhat


@lru_cache(maxsize=8)
def _compiled(number, settings, max_tree_depth):
    """(keys, start, likelihoods, groups) -> {site: (chains, draws, ...)}, compiled once for each shape."""
    model = partial(_population, number)

    def run(keys, start, *known):
        one = nuts.chain(lambda u: potential_energy(model, known, {}, u), settings, max_tree_depth)
        u, _ = jax.vmap(one, in_axes=(0, None))(keys, unconstrain_fn(model, known, {}, start))
        sites = partial(constrain_fn, model, known, {}, return_deterministic=True)
        return jax.vmap(jax.vmap(sites))(u)

    return jax.jit(run)
