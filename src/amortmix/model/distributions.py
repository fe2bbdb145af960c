"""Distributions that NumPyro does not have: Wald, racing diffusion, and vectors of increasing values.

A Wiener process with drift nu and unit noise first reaches the boundary alpha at a Wald-distributed time,

    f(t) = alpha (2 pi t^3)^(-1/2) exp(-(alpha - nu t)^2 / (2 t)),

and the racing diffusion model (Tillman et al. 2020) is the first of two such processes to arrive. Times in seconds.
"""

import math
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from jaxtyping import Float, PRNGKeyArray
from numpyro.distributions import Distribution, constraints
from scipy.special import erfcx

from amortmix.model.arrays import Array, Broadcast, Number, Numbers, Vector
from amortmix.model.constraints import increasing, positive_increments

LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)


def wald_log_pdf(t: Numbers, alpha: Numbers, nu: Numbers) -> Broadcast:
    """log f(t) of the first passage at ``alpha`` with drift ``nu``; t > 0."""
    return jnp.log(alpha) - LOG_SQRT_2PI - 1.5 * jnp.log(t) - (alpha - nu * t) ** 2 / (2 * t)


#: Where the variable of `_mills` is 1/2: its polynomial needs the fewest terms near here.
MILLS_CENTRE = 3.0
#: Degrees at which the polynomial is exact to rounding.
MILLS_DEGREE = {4: 11, 8: 24}


@cache
def _mills_coefficients(degree):
    """Of M(x) / t as a polynomial in 2 t - 1, from Chebyshev interpolation; constant term first."""

    def scaled(s):
        t = (s + 1) / 2
        return np.sqrt(np.pi / 2) * erfcx(MILLS_CENTRE * (1 - t) / t / np.sqrt(2)) / t

    return tuple(np.polynomial.chebyshev.cheb2poly(np.polynomial.chebyshev.chebinterpolate(scaled, degree)))


def _mills(x):
    """Mills ratio M(x) = (1 - Phi(x)) / phi(x) for x >= 0: t times a polynomial in t = c / (c + x).

    t runs from 1 to 0 as x goes from 0 to infinity and M(x) / t from 1.25 to 1 / c, so that nothing overflows or
    cancels in any tail.
    """
    t = MILLS_CENTRE / (MILLS_CENTRE + x)
    *lower, found = _mills_coefficients(MILLS_DEGREE[x.dtype.itemsize])
    for coefficient in reversed(lower):
        found = found * (2 * t - 1) + coefficient
    return t * found


def wald_log_survival(t: Numbers, alpha: Numbers, nu: Numbers) -> Broadcast:
    """log P(T > t), accurate where the textbook formula overflows or cancels.

    With x = (nu t - alpha) / sqrt(t) and w = (nu t + alpha) / sqrt(t), exp(2 alpha nu) phi(w) = phi(x), so with M the
    Mills ratio

        S(t) = Phi(-x) - phi(x) M(w) = phi(x) (M(x) - M(w))        for x > 0
                                     = 1 - phi(x) (M(-x) + M(w))   for x <= 0:

    no exponential of 2 alpha nu is ever formed.
    """
    root = jnp.sqrt(t)
    x, w = (nu * t - alpha) / root, (nu * t + alpha) / root
    size = jnp.abs(x)
    log_phi, at_x, at_w = -(x**2) / 2 - LOG_SQRT_2PI, _mills(size), _mills(jnp.maximum(w, 0.0))
    limits = jnp.finfo(at_x.dtype)
    # the difference can fall to rounding noise only where alpha / sqrt(t) does: keep its log finite
    log_late = log_phi + jnp.log(jnp.maximum(at_x - at_w, limits.tiny))
    log_early = jnp.log1p(-jnp.minimum(jnp.exp(log_phi) * (at_x + at_w), 1 - limits.eps))
    return jnp.where(x > 0, log_late, log_early)


def wald_sample(key: PRNGKeyArray, alpha: Numbers, nu: Numbers, shape: tuple = ()) -> Float[Array, "..."]:
    """First passage times, shape ``shape`` (Michael, Schucany & Haas 1976).

    The smaller root is written mean / (1 + r + sqrt(2 r + r^2)), which does not cancel.
    """
    key_normal, key_uniform = jax.random.split(key)
    mean = alpha / nu
    r = mean * jax.random.normal(key_normal, shape) ** 2 / (2 * alpha**2)
    smaller = mean / (1 + r + jnp.sqrt(2 * r + r**2))
    take_smaller = jax.random.uniform(key_uniform, shape) * (mean + smaller) <= mean
    return jnp.where(take_smaller, smaller, mean * (mean / smaller))


def race_log_pdf(t: Numbers, correct: Numbers, alpha: Numbers, nu_correct: Numbers, nu_error: Numbers) -> Broadcast:
    """log density of decision time ``t`` and winner (``correct`` is 1 or 0) of a two-accumulator race."""
    nu_win = jnp.where(correct > 0.5, nu_correct, nu_error)
    nu_lose = jnp.where(correct > 0.5, nu_error, nu_correct)
    return wald_log_pdf(t, alpha, nu_win) + wald_log_survival(t, alpha, nu_lose)


def race_sample(key: PRNGKeyArray, alpha: Numbers, nu_correct: Numbers, nu_error: Numbers, shape: tuple = ()) -> tuple:
    """Decision times and winners (1.0 = correct), each of shape ``shape``."""
    key_correct, key_error = jax.random.split(key)
    t_correct = wald_sample(key_correct, alpha, nu_correct, shape)
    t_error = wald_sample(key_error, alpha, nu_error, shape)
    return jnp.minimum(t_correct, t_error), (t_correct <= t_error).astype(t_correct.dtype)


def ordered_normal_sample(key: PRNGKeyArray, loc: Vector, scale: Number) -> Float[Array, " K"]:
    """Independent normals conditioned on being increasing, by rejection as in section 3.2. (K,)"""
    loc = jnp.asarray(loc, dtype=float)

    def draw(state):
        key, _ = state
        key, key_draw = jax.random.split(key)
        return key, loc + scale * jax.random.normal(key_draw, loc.shape)

    def unordered(state):
        return jnp.any(jnp.diff(state[1]) <= 0)

    return jax.lax.while_loop(unordered, draw, (key, -loc))[1]


def ordered_normal_log_pdf(x: Float[Array, "*batch K"], loc: Vector, scale: Number) -> Float[Array, "*batch"]:
    """Log density of increasing independent normals, normalized; K is 2 or 3."""
    loc = jnp.asarray(loc, dtype=float)
    return norm.logpdf(x, loc, scale).sum(-1) - _log_order_probability(loc, scale)


def _log_order_probability(loc, scale):
    """log P(x_1 < ... < x_K) by Gauss-Hermite quadrature over the middle one."""
    loc = jnp.asarray(loc, dtype=float)
    if len(loc) == 2:
        return norm.logcdf((loc[1] - loc[0]) / (scale * math.sqrt(2)))
    if len(loc) != 3:
        raise ValueError(f"ordered normals are normalized for 2 or 3 components, not {len(loc)}")
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    middle = loc[1] + scale * jnp.asarray(nodes, loc.dtype)
    inside = norm.cdf((middle - loc[0]) / scale) * norm.sf((middle - loc[2]) / scale)
    return jnp.log(jnp.sum(jnp.asarray(weights / math.sqrt(2 * math.pi), loc.dtype) * inside))


class Wald(Distribution):
    """First passage time of a Wiener process with drift ``nu`` at ``alpha``, after ``tau`` seconds of rest.

    Examples
    --------
    >>> rt = sample("rt", am.Wald(alpha=1.0, nu=2.0, tau=0.2))  # above 0.2
    """

    arg_constraints = {"alpha": constraints.positive, "nu": constraints.positive, "tau": constraints.nonnegative}
    support = constraints.positive

    def __init__(self, alpha, nu, tau=0.0, *, validate_args=None):
        self.alpha, self.nu, self.tau = alpha, nu, tau
        shape = jnp.broadcast_shapes(*map(jnp.shape, (alpha, nu, tau)))
        super().__init__(batch_shape=shape, validate_args=validate_args)

    def sample(self, key, sample_shape=()):
        return self.tau + wald_sample(key, self.alpha, self.nu, (*sample_shape, *self.batch_shape))

    def log_prob(self, value):
        return wald_log_pdf(_decision_time(value, self.tau), self.alpha, self.nu)


def _decision_time(rt, tau):
    """Positive also where tau was rounded up to the response time."""
    return jnp.maximum(rt - tau, jnp.finfo(rt.dtype).eps)


class _TimeAndChoice(Distribution):
    """Distribution of (response time, choice), choice being 1.0 (correct) or 0.0."""

    support = constraints.independent(constraints.real, 1)

    def __init__(self, *parameters, validate_args=None):
        self.parameters = parameters
        shape = jnp.broadcast_shapes(*map(jnp.shape, parameters))
        super().__init__(batch_shape=shape, event_shape=(2,), validate_args=validate_args)


class Guess(_TimeAndChoice):
    """A Wald-distributed time and a fair coin; parameters alpha, nu, tau."""

    def sample(self, key, sample_shape=()):
        key_time, key_coin = jax.random.split(key)
        alpha, nu, tau = self.parameters
        shape = (*sample_shape, *self.batch_shape)
        t = wald_sample(key_time, alpha, nu, shape)
        return jnp.stack([t + tau, jax.random.bernoulli(key_coin, 0.5, shape).astype(t.dtype)], axis=-1)

    def log_prob(self, value):
        alpha, nu, tau = self.parameters
        return wald_log_pdf(_decision_time(value[..., 0], tau), alpha, nu) - jnp.log(2.0)


class Race(_TimeAndChoice):
    """The first of two Wald processes to arrive; parameters alpha, nu of the correct, nu of the wrong answer, tau."""

    def sample(self, key, sample_shape=()):
        *race, tau = self.parameters
        t, correct = race_sample(key, *race, (*sample_shape, *self.batch_shape))
        return jnp.stack([t + tau, correct], axis=-1)

    def log_prob(self, value):
        *race, tau = self.parameters
        return race_log_pdf(_decision_time(value[..., 0], tau), value[..., 1], *race)


class OrderedNormal(Distribution):
    """Independent normals conditioned on increasing; ``loc`` (K,) of two or three, one ``scale``.

    Examples
    --------
    >>> mu = sample("mu", am.OrderedNormal([-1.5, 1.5], 1.0))  # mu_1 < mu_2
    """

    arg_constraints = {}
    support = constraints.ordered_vector

    def __init__(self, loc, scale, *, validate_args=None):
        self.loc, self.scale = loc, scale
        super().__init__(event_shape=(len(loc),), validate_args=validate_args)

    def sample(self, key, sample_shape=()):
        keys = jax.random.split(key, sample_shape)
        flat = jax.vmap(lambda k: ordered_normal_sample(k, self.loc, self.scale))(jnp.ravel(keys))
        return flat.reshape(*sample_shape, len(self.loc))

    def log_prob(self, value):
        return ordered_normal_log_pdf(value, self.loc, self.scale)


class _Ordered(Distribution):
    """K draws from one distribution of scalars, sorted: density K! prod_k p(x_k)."""

    arg_constraints = {}

    def __init__(self, base, number, *, validate_args=None):
        self.base, self.number = base, number
        super().__init__(event_shape=(number,), validate_args=validate_args)

    @property
    def support(self):
        return increasing(self.base.support)

    def sample(self, key, sample_shape=()):
        return jnp.sort(self.base.sample(key, (*sample_shape, self.number)), axis=-1)

    def log_prob(self, value):
        return self.base.log_prob(value).sum(-1) + math.lgamma(self.number + 1)


def ordered(base, number: int):
    """Distribution of ``number`` independent draws from ``base`` in increasing order.

    Parameters
    ----------
    base : numpyro.distributions.Distribution
        Of one scalar.
    number : int
        K, usually the number of states: an order of one parameter makes states identifiable.

    Examples
    --------
    >>> rate = sample("rate", am.ordered(dist.LogNormal(0, 1), 3))
    """
    return _Ordered(base, number)


def ordered_base(distribution):
    """The distribution of one scalar that `ordered` was given, or None for any other distribution."""
    return distribution.base if isinstance(distribution, _Ordered) else None


class Increments(Distribution):
    """A vector that starts at a draw of the first distribution and grows by draws of the others, all positive.

    Examples
    --------
    >>> alpha = sample("alpha", am.Increments(dist.HalfNormal(1), dist.Gamma(2, 2)))  # alpha_1 < alpha_2
    """

    arg_constraints = {}
    support = positive_increments

    def __init__(self, *parts, validate_args=None):
        self.parts = parts
        super().__init__(event_shape=(len(parts),), validate_args=validate_args)

    def sample(self, key, sample_shape=()):
        keys = jax.random.split(key, len(self.parts))
        return jnp.cumsum(jnp.stack([p.sample(k, sample_shape) for p, k in zip(self.parts, keys)], axis=-1), axis=-1)

    def log_prob(self, value):
        steps = jnp.diff(value, axis=-1, prepend=0.0)
        return sum(p.log_prob(steps[..., i]) for i, p in enumerate(self.parts))
