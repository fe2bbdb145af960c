"""Checks of a declaration against its simulator. Each takes a `Setting` and returns (passed, sentence).

Two densities p and q, one known by draws and one by its formula, are compared by

    E_p[ q / (p + q) ] = E_q[ p / (p + q) ],

which holds for normalized densities only and whose terms lie between zero and one: no tail can spoil it. Frequencies
are sums of D = 1(event) - p(event | past), each of mean zero given the past, and obey (Freedman 1975)

    P(|sum D| > s) <= 2 exp(-s^2 / (2 (V + s / 3))),   V = sum of the variances.
"""

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from amortmix.model import emissions, sites, streams
from amortmix.model.check_setting import batched, compiled, double
from amortmix.model.data import complete

#: Probability that these checks together fail a correct declaration.
FALSE_ALARM = 1e-4
PRIOR_DRAWS = 20_000
#: Most units of which observations are compared with their density.
UNITS = 40_000


def _answer(p_values, what):
    """Bonferroni over the comparisons of one check, which has its share of the false alarms."""
    p_values = np.ravel(p_values)
    limit = FALSE_ALARM / len(CHECKS) / len(p_values)
    # NaN is a failure
    passed = bool(np.all(p_values >= limit))
    smallest = min(float(np.nan_to_num(p_values, nan=0.0).min()), 1.0)
    return passed, f"smallest p of {len(p_values)} comparisons of {what} is {smallest:.2g} (fails below {limit:.0e})"


def _bounded(total, variance):
    """Freedman's bound for sums of terms between -1 and 1."""
    scale = 2 * (variance + np.abs(total) / 3)
    return 2 * np.exp(-np.divide(total**2, scale, out=np.zeros_like(scale), where=scale > 0))


def _bridge(log_p_at_p, log_q_at_p, log_p_at_q, log_q_at_q):
    """q / (p + q) at a draw from p minus p / (p + q) at one from q: mean zero."""
    return _share(log_q_at_p - log_p_at_p) - _share(log_p_at_q - log_q_at_q)


def _share(difference):
    # NaN is a density outside of its support
    difference = np.nan_to_num(difference, nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    return np.exp(-np.logaddexp(0, -difference))


def prior(c):
    """Draws of the prior against its density on the real space, by normal distributions moved along each coordinate."""
    model = c.model
    bijection = sites.bijection(model.sites, {})

    def log_density(u):
        return model.log_prior(bijection.forward(u)) + bijection.log_det(u)

    theta = np.asarray(batched(model.sample_prior)(c.keys("prior", PRIOR_DRAWS)))
    density = batched(log_density)
    with jax.enable_x64(True):
        # the first draws choose the normal distributions, the others are compared with them
        first, u = np.split(np.asarray(compiled(bijection.inverse)(double(theta))), [PRIOR_DRAWS // 10])
        low, middle, high = np.quantile(first, [0.05, 0.5, 0.95], axis=0)
        scale = 1.2 * (high - low) / 3.29
        log_p = np.asarray(density(u))
        bad = ~np.isfinite(log_p)
        if bad.any():
            return False, f"log prior is not finite at {bad.sum()} of {len(u)} draws of the prior"
        noise = np.random.default_rng(c.seed).normal(size=u.shape)
        p_values = []
        for shift in (np.zeros_like(scale), *np.diag(scale)):
            q = stats.norm(middle + shift, scale)
            other = middle + shift + scale * noise
            terms = _bridge(log_p, q.logpdf(u).sum(1), np.asarray(density(other)), q.logpdf(other).sum(1))
            p_values.append(_bounded(terms.sum(), terms.var() * len(terms)))
    return _answer(p_values, "draws and density")


def states(c):
    """Simulated classes, first states and transitions against their probabilities."""
    model, k = c.model, len(c.model.states)
    theta, data, z = c.simulated
    one_hot = z[..., None] == np.arange(k)

    def total(event, probability, given=1.0):
        variance = given * probability * (1 - probability)
        return _bounded((given * (event - probability)).sum((0, 1)), variance.sum((0, 1)))

    if not model.dependent:
        weights = np.exp(batched(lambda t, d: model.log_weights(t, d.x))(theta, data))
        weights = weights if model.driven else weights[:, None]
        return _answer(total(one_hot, np.broadcast_to(weights, one_hot.shape)), "classes and weights")
    initial, transitions = (np.exp(a) for a in batched(lambda t, d: model.chain(t, d.x))(theta, data))
    if model.driven:
        initial, transitions = initial[:, 0], transitions[:, :-1]
    else:
        transitions = np.broadcast_to(transitions[:, None], (*one_hot[:, 1:].shape, k))
    p_values = [total(one_hot[:, :1], initial[:, None])]
    for j in range(k):
        given = one_hot[:, :-1, j, None].astype(float)
        p_values.append(total(one_hot[:, 1:], transitions[:, :, j], given))
    return _answer(np.concatenate(p_values), "states and transitions")


def emission(c):
    """Simulated observations of each state against its density, by a reference distribution of each column."""
    model, k = c.model, len(c.model.states)
    theta, data, z = c.simulated
    exists = data.mask[:, :, 0] > 0
    if model.lags:
        exists = exists & np.asarray(jax.vmap(lambda d: complete(d, model.lags))(data) > 0)
    number = len(theta) // 3
    compared = slice(number, number + max(number // 5, min(2 * number, UNITS // z.shape[1])))
    # the first observation of each unit tells what there is to know
    data = data._replace(y=data.y[:, :, :1], mask=data.mask[:, :, :1])
    # references come from other data sets than the comparison
    first, z_first = data.y[:number, :, 0][exists[:number]], z[:number][exists[:number]]
    theta, data, z, exists = jax.tree.map(lambda a: a[compared], (theta, data, z, exists))

    def log_density(theta, data, before):
        if model.emission is None:  # a learned density is positive wherever the kind of a column allows
            return model.log_densities(theta, data)
        p, past = model.natural(theta), emissions.past(model, before)
        found = emissions.log_densities(model, p, data, past)
        return jnp.where(_inside(emissions.of(model, p, data.x, past), model, data), found, -jnp.inf)

    density = batched(log_density)
    rng, p_values = np.random.default_rng(c.seed), []
    with jax.enable_x64(True):
        log_p = np.asarray(density(*double((theta, data, data))))
        for state in range(k):
            at, at_first = exists & (z == state), z_first == state
            if at.sum() < 2 or at_first.sum() < 2:
                continue
            q = [_reference(first[at_first, j]) for j in range(first.shape[-1])]
            other = np.stack([part.rvs(size=z.shape, random_state=rng) for part in q], axis=-1)
            log_p_other = np.asarray(density(*double((theta, data._replace(y=other[:, :, None]), data))))
            # given theta and the states the terms are independent
            terms = _bridge(log_p[at, state], _log(q, data.y[at, 0]), log_p_other[at, state], _log(q, other[at]))
            p_values.append(_bounded(terms.sum(), terms.var() * len(terms)))
    return _answer(p_values, f"observations and density at {len(z)} draws of the prior")


def _inside(emission, model, data):
    """(N, K): whether the first observation of each unit lies in the support of the emission of each state."""
    inside = True
    for stream in streams.streams(emission, tuple(model.columns)):
        found, columns = [], data.y[..., np.array(stream.columns)]
        for part in stream.parts:
            y = columns[:, :, None, :] if part.event_shape else columns[..., 0, None]
            shape = jnp.broadcast_shapes(y.shape[: y.ndim - len(part.event_shape)], part.batch_shape)
            found.append(jnp.broadcast_to(part.support(y), shape))
        inside = inside & jnp.concatenate(found, axis=-1)[:, 0]
    return inside


class _WithZeros:
    """Zero with a probability, else a positive number: density with respect to both."""

    def __init__(self, share, positive):
        self.share, self.positive = share, positive

    def rvs(self, size, random_state):
        zero = random_state.random(size) < self.share
        return np.where(zero, 0.0, self.positive.rvs(size=size, random_state=random_state))

    def logpdf(self, y):
        positive = np.log1p(-self.share) + self.positive.logpdf(np.where(y > 0, y, 1.0))
        return np.where(y > 0, positive, np.log(self.share))


def _reference(values):
    """A distribution that covers simulated values (n,): of whole numbers, positive ones, with zeros, or any."""
    values = np.asarray(values, float)
    if np.all(values == np.round(values)):
        return stats.randint(int(values.min()), int(values.max()) + 1)
    if values.min() == 0 and np.mean(values == 0) > 1e-3:
        return _WithZeros(np.mean(values == 0), _reference(values[values > 0]))
    if values.min() > 0:
        logs = np.log(values)
        return stats.lognorm(1.2 * logs.std(), scale=np.exp(logs.mean() + 0.3 * logs.std()))
    return stats.norm(values.mean() + 0.3 * values.std(), 1.2 * values.std())


def _log(parts, y):
    """Log density (n,) of independent columns y (n, D)."""
    densities = [part.logpmf if hasattr(part, "logpmf") else part.logpdf for part in parts]
    return sum(density(y[:, j]) for j, density in enumerate(densities))


def calibration(c):
    """E[1(z_i = k)] = E[p(z_i = k | y)], weighted by the probability itself, for every state and head."""
    model, k = c.model, len(c.model.states)

    def one(theta, data, z):
        p = jnp.stack([jnp.exp(model.state_log_probs(theta, data)[head]) for head in model.heads])
        weight = data.observed[:, None] * p
        return jnp.sum(weight * ((z[:, None] == jnp.arange(k)) - p), axis=1) / data.observed.sum()

    found = np.asarray(batched(one)(*c.simulated))
    error = found.std(0, ddof=1) / np.sqrt(len(found))
    # with one state there is nothing to be uncertain of, but rounding
    t = found.mean(0) / np.maximum(error, 1e-7)
    return _answer(2 * stats.t.sf(np.abs(t), len(found) - 1), "indicators and probabilities of states")


#: (name, applies to a model, function).
CHECKS = (
    ("prior", lambda model: True, prior),
    ("states", lambda model: True, states),
    ("emission", lambda model: model.has_density, emission),
    ("calibration", lambda model: model.has_density, calibration),
)
