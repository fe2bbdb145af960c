"""Power scaling: a prior whose sites have the densities p(x)^power, normalized; below one it says less, above one more.

Families whose powers are in the family again have them exactly: Normal (scale / sqrt(power)), Beta, Gamma, ... . Where
a site depends on another, its conditional density is raised, so that a hierarchy stays one (Kallioinen et al. 2024).
"""

import jax.numpy as jnp
from numpyro import distributions as dist
from numpyro.primitives import Messenger

from amortmix.model.distributions import Increments, OrderedNormal, ordered, ordered_base
from amortmix.storage.files import BadInput


class Powered(Messenger):
    """A NumPyro handler that raises the density of every site."""

    def __init__(self, prior, power):
        self.power = power
        super().__init__(prior)

    def process_message(self, message):
        if message["type"] == "sample":
            message["fn"] = powered(message["fn"], self.power, message["name"])


def powered(fn, power, site):
    """The distribution with density p^power / Z.

    Parameters
    ----------
    fn : numpyro.distributions.Distribution
    power : float
    site : str
        For the message of a family without such a power.

    Raises
    ------
    BadInput
        If the power of the family is not in the family.
    """
    if isinstance(fn, dist.Independent):
        return powered(fn.base_dist, power, site).to_event(fn.reinterpreted_batch_ndims)
    if isinstance(fn, dist.ExpandedDistribution):
        return powered(fn.base_dist, power, site).expand(fn.batch_shape)
    if isinstance(fn, dist.MaskedDistribution):
        return powered(fn.base_dist, power, site).mask(fn._mask)
    if isinstance(fn, Increments):
        return Increments(*(powered(part, power, site) for part in fn.parts))
    if (base := ordered_base(fn)) is not None:
        return ordered(powered(base, power, site), fn.number)
    family = next((f for f in FAMILIES if type(fn) is f), None)
    if family is None:
        raise BadInput(
            f"site {site!r} of the prior is a {type(fn).__name__}, whose density has no power that is one again;"
            " expected no `power`, or another family"
        )
    return FAMILIES[family](fn, power)


def _wider(fn, power):
    return fn.scale / jnp.sqrt(power)


def _one_sided(fn, power):
    """A normal distribution cut on one or both sides."""
    ends = {end: getattr(fn, end) for end in ("low", "high") if hasattr(fn, end)}
    base = powered(fn.base_dist, power, "")
    return dist.TruncatedDistribution(base, **ends)


def _counts(shape, power):
    """Of a density x^(shape - 1): the shape of its power."""
    return power * (shape - 1) + 1


#: Family -> (distribution, power) -> the distribution of its power.
FAMILIES = {
    dist.Normal: lambda f, g: dist.Normal(f.loc, _wider(f, g)),
    dist.HalfNormal: lambda f, g: dist.HalfNormal(_wider(f, g)),
    dist.Laplace: lambda f, g: dist.Laplace(f.loc, f.scale / g),
    OrderedNormal: lambda f, g: OrderedNormal(f.loc, _wider(f, g)),
    dist.LeftTruncatedDistribution: _one_sided,
    dist.RightTruncatedDistribution: _one_sided,
    dist.TwoSidedTruncatedDistribution: _one_sided,
    # y^-g exp(-g (log y - loc)^2 / (2 scale^2)), completed to a square
    dist.LogNormal: lambda f, g: dist.LogNormal(f.loc + (1 - g) * f.scale**2 / g, _wider(f, g)),
    dist.Exponential: lambda f, g: dist.Exponential(f.rate * g),
    dist.Gamma: lambda f, g: dist.Gamma(_counts(f.concentration, g), f.rate * g),
    dist.InverseGamma: lambda f, g: dist.InverseGamma(g * (f.concentration + 1) - 1, f.rate * g),
    dist.Beta: lambda f, g: dist.Beta(_counts(f.concentration1, g), _counts(f.concentration0, g)),
    dist.Dirichlet: lambda f, g: dist.Dirichlet(_counts(f.concentration, g)),
    dist.Uniform: lambda f, g: f,
}
