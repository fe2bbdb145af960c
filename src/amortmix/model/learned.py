"""A density of one unit that networks have learned from a simulator: it stands where an emission has none.

    log q(y | z = k, theta) = sum_j log q_j(y_j | y_<j, z = k, theta),   choices first       (mixed neural likelihood)

Each factor is a small network whose outputs are the probabilities of a choice, a mixture of normals for g(y), g the
logarithm of a positive column and of what a bounded one has above its parameter, or a mixture of logistics that is
rounded to counts. Networks come in M members, trained independently of each other, whose densities are averaged;
what they disagree about is what is not known (Boelts et al., 2022, for choices and response times).

Shapes: M members, K states, N units, G contexts, d coordinates of theta, J components of a mixture.
"""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from amortmix.model import sites
from amortmix.model.columns import Choice, NonNegativeInteger, Positive
from amortmix.model.factors import LOWEST, log_prob, sides, tail

#: Smallest distance of an observation from the parameter below it, in its units.
NEAREST = 1e-6
#: Standard deviations of the prior from its mean, up to which the networks tell one theta from another.
LIMIT = 6.0


def bijection(model):
    """`Bijection` between theta (..., D) and its coordinates (..., d), which know nothing of data."""
    return sites.bijection(model.sites, {})


def ordered(columns):
    """Names of the columns in the order of the factors: choices first."""
    return sorted(columns, key=lambda name: not isinstance(columns[name], Choice))


def transformed(model, name, y, theta):
    """g(y) of a column and log |dg/dy|; theta (..., D) broadcasts against y as (...)."""
    site = next((s for s, column in model.below.items() if column == name), None)
    if site is not None:
        place = next(s.start for s in model.sites if s.name == site)
        y = jnp.maximum(y - theta[..., place], NEAREST)
    elif not isinstance(model.columns[name], Positive):
        return y, jnp.zeros_like(y)
    return jnp.log(y), -jnp.log(y)


def hidden(layers, context):
    """Outputs (M, K, G, O) of networks for contexts (M or 1, K, G, I)."""
    for i, (weight, bias) in enumerate(layers):
        context = jnp.einsum("mkgi,mkio->mkgo", jnp.broadcast_to(context, (len(weight), *context.shape[1:])), weight)
        context = context + bias[:, :, None]
        if i < len(layers) - 1:
            context = jax.nn.silu(context)
    return context


@dataclass(frozen=True, eq=False)
class LearnedDensity:
    """Networks for the density of one unit, and what is known of their quality.

    Attributes
    ----------
    layers : dict
        Column -> [(weights (M, K, I, O), biases (M, K, O)), ...].
    moments : (2, d)
        Location and scale of the coordinates of theta.
    relevant : (K, d)
        1.0 where a coordinate changes a unit of a state.
    scaling : dict
        Column -> location and scale of g(y); those of a choice say nothing.
    covariates : (2, C)
        Location and scale of the covariates.
    report : dict
        How they were trained, and the numbers of `amortmix.training.density_check`.
    """

    layers: dict
    moments: Any
    relevant: Any
    scaling: dict
    covariates: Any
    report: dict

    @property
    def members(self):
        """How many densities were trained independently."""
        return len(next(iter(self.layers.values()))[0][0])

    def member(self, i):
        """One of them by itself."""
        chosen = {name: [(w[i : i + 1], b[i : i + 1]) for w, b in layers] for name, layers in self.layers.items()}
        return replace(self, layers=chosen)

    def log_densities(self, model, theta, data):
        """log q(y_i | z_i = k, theta): (N, K), zero for units that were not observed.

        Parameters
        ----------
        model : Model
        theta : (D,)
        data : Data
            One observation of each unit.
        """
        y, x = self._units(model, data)
        found = self.log_prob(model, y, theta, x)
        mean = jax.nn.logsumexp(found, axis=0) - jnp.log(1.0 * self.members)
        return jnp.where(data.observed[:, None] > 0, mean.T, 0.0)

    def tails(self, model, theta, data):
        """How far out each unit (N,) lies: the smallest `tail` of its columns, in the state where it is largest."""
        y, x = self._units(model, data)
        found = jnp.stack([jnp.mean(tail(*f[:4]), axis=0) for f in self.factors(model, y, theta, x)])
        return jnp.where(data.observed > 0, jnp.max(jnp.min(found, axis=0), axis=0), 1.0)

    def _units(self, model, data):
        """y (1, K, N, D_y) and x (1, 1, N, C) or None of a data set."""
        shape = (1, len(model.states), len(data.y), data.y.shape[-1])
        return jnp.broadcast_to(data.y[None, None, :, 0], shape), None if data.x is None else data.x[None, None]

    def log_prob(self, model, y, theta, x=None):
        """log q (M, K, N) of units y (M or 1, K, N, D_y).

        Parameters
        ----------
        theta : (D,) or (M, K, N, D)
            One for all units, or one for each.
        x : (1 or M, 1 or K, N, C), optional
            Covariates.
        """
        return sum(
            log_prob(kind, out, t, edges) + slope for kind, out, t, edges, slope in self.factors(model, y, theta, x)
        )

    def coordinates(self, model, theta):
        """Standardized coordinates (..., d) of theta (..., D)."""
        return jnp.clip((bijection(model).inverse(theta) - self.moments[0]) / self.moments[1], -LIMIT, LIMIT)

    def transforms(self, model, y, theta, x, noise):
        """P(Y_j <= y_j | y_<j, z, theta) (K, N, D_y) of units, parameters as for `log_prob`; under q all are uniform.

        Parameters
        ----------
        noise : (K, N, D_y)
            Uniform; it decides where in the probability of a choice or a count a unit lies.
        """
        found, log_weights = {}, jnp.zeros((self.members, 1, 1))
        for name, (kind, out, t, edges, _) in zip(ordered(model.columns), self.factors(model, y, theta, x)):
            # the past says which member is right
            weights = jax.nn.softmax(log_weights, axis=0)
            below, above = (jnp.sum(weights * p, axis=0) for p in sides(kind, out, t, edges))
            found[name] = 1 - above + noise[..., list(model.columns).index(name)] * (below + above - 1)
            log_weights = log_weights + log_prob(kind, out, t, edges)
        return jnp.stack([found[name] for name in model.columns], axis=-1)

    def factors(self, model, y, theta, x=None):
        """For each column its kind, the outputs (M, K, N, O) of its networks, and what `_standardized` says of it."""
        # (1, K, 1, d) where all units share theta: networks are asked once for all of them
        seen = self.coordinates(model, theta) * self.relevant[None, :, None]
        if x is not None:
            seen = _beside(seen, (x - self.covariates[0]) / self.covariates[1])
        table = None  # of the past choices, as long as contexts are as few as they
        for name in ordered(model.columns):
            kind, column = model.columns[name], y[..., list(model.columns).index(name)]
            t, edges, slope = self._standardized(model, name, column, theta)
            out = hidden(self.layers[name], seen if table is None else _beside(seen, table[0]))
            if table is not None:
                out = jnp.broadcast_to(table[1], (len(out), *table[1].shape[1:])) @ out
            yield kind, out, t, edges, slope
            seen, table = _told(kind, t, seen, table)

    def _standardized(self, model, name, y, theta):
        """What `log_prob` takes of a column, and log |dt/dy|."""
        kind = model.columns[name]
        if isinstance(kind, Choice):
            codes = jnp.asarray([code for _, code in kind.codes])
            return jnp.argmin(jnp.abs(y[..., None] - codes), axis=-1), None, 0.0
        location, scale = self.scaling[name]
        if isinstance(kind, NonNegativeInteger):
            low, high = ((jnp.sqrt(y + add) - location) / scale for add in (0.0, 1.0))
            return jnp.where(y > 0, low, LOWEST), high, 0.0
        t, log_slope = transformed(model, name, y, theta)
        return (t - location) / scale, None, log_slope - jnp.log(scale)


def _beside(seen, more):
    """Contexts with further numbers beside them, both broadcast."""
    shape = jnp.broadcast_shapes(seen.shape[:-1], more.shape[:-1])
    return jnp.concatenate([jnp.broadcast_to(a, (*shape, a.shape[-1])) for a in (seen, more)], axis=-1)


def _told(kind, t, seen, table):
    """Contexts of the next factor: a table of all past choices while units share theta, else one for each unit."""
    if isinstance(kind, Choice):
        number = len(kind.codes)
        chosen = jax.nn.one_hot(t, number)
        if seen.shape[2] > 1 or t.shape[2] == 1:
            return _beside(seen, chosen), None
        if table is None:
            return seen, (jnp.eye(number)[None, None], chosen)
        known, place = table
        combined = _beside(known[:, :, :, None], jnp.eye(number)[None, None, None])
        both = place[..., :, None] * chosen[..., None, :]
        return seen, (combined.reshape(1, 1, -1, combined.shape[-1]), both.reshape(*both.shape[:-2], -1))
    if table is not None:
        seen = _beside(seen, table[1] @ table[0])
    return _beside(seen, t[..., None]), None
