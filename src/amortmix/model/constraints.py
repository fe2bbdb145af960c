"""From a NumPyro constraint to the bijection onto it, and the constraints that NumPyro does not have.

Supports that occur often have maps of their own (`amortmix.model.supports`), which keep their precision where single
precision would round a value onto the edge; all others have NumPyro's.
"""

import jax.numpy as jnp
import numpy as np
from numpyro.distributions import biject_to, constraints
from numpyro.distributions.constraints import Constraint

from amortmix.model.supports import (
    Bijection,
    compose,
    identity,
    ordered,
    positive,
    positive_ordered,
    rows,
    scaled_logit,
    shifted,
    simplex,
    unit_interval,
)


class _Increasing(Constraint):
    """Vectors of increasing values, each inside a support of scalars."""

    event_dim = 1

    def __init__(self, base):
        self.base = base
        super().__init__()

    def __call__(self, x):
        return jnp.all(self.base(x), axis=-1) & jnp.all(jnp.diff(x, axis=-1) > 0, axis=-1)

    def tree_flatten(self):
        return (self.base,), (("base",), {})

    def eq(self, other, static=False):
        return isinstance(other, _Increasing) and self.base.eq(other.base, static=static)


class _PositiveIncrements(Constraint):
    """Positive vectors of increasing values."""

    event_dim = 1

    def __call__(self, x):
        return (x[..., 0] > 0) & jnp.all(jnp.diff(x, axis=-1) > 0, axis=-1)

    def tree_flatten(self):
        return (), ((), {})

    def eq(self, other, static=False):
        return isinstance(other, _PositiveIncrements)


#: Values of increasing order, from zero on: `distributions.Increments`.
positive_increments = _PositiveIncrements()


def increasing(base):
    """Constraint of vectors that increase inside the support ``base`` of scalars: `distributions.ordered`."""
    return constraints.ordered_vector if base is constraints.real else _Increasing(base)


def of_constraint(constraint, shape):
    """The bijection onto a NumPyro constraint, for values of ``shape`` written as one flat vector.

    Parameters
    ----------
    constraint : numpyro.distributions.constraints.Constraint
    shape : tuple of int
        Shape of the constrained value.

    Returns
    -------
    bijection : Bijection
        u (..., d) -> theta (..., D), D the product of ``shape``.
    free : int
        d.
    """
    constraint = getattr(constraint, "base_constraint", constraint)
    size = int(np.prod(shape))
    if (found := _elementwise(constraint)) is not None:
        return found, size
    if constraint is constraints.simplex:
        return rows(simplex, shape[-1] - 1, shape[-1]), size - size // shape[-1]
    if isinstance(constraint, _PositiveIncrements):
        return rows(positive_ordered, shape[-1], shape[-1]), size
    if constraint is constraints.ordered_vector:
        return rows(ordered, shape[-1], shape[-1]), size
    if isinstance(constraint, _Increasing) and (base := _elementwise(constraint.base)) is not None:
        return rows(compose(base, ordered), shape[-1], shape[-1]), size
    return _numpyros(constraint, shape)


def _elementwise(constraint):
    """The map of a support of scalars, or None."""
    if constraint is constraints.real:
        return identity
    if constraint is constraints.unit_interval:
        return unit_interval
    lower, upper = getattr(constraint, "lower_bound", None), getattr(constraint, "upper_bound", None)
    if lower is None or constraint.is_discrete or constraint.event_dim:
        return None
    if upper is not None:
        return shifted(scaled_logit(upper - lower), lower)
    return positive if isinstance(lower, (int, float)) and lower == 0 else shifted(positive, lower)


def _numpyros(constraint, shape):
    """NumPyro's map, with its event axes written as one."""
    transform = biject_to(constraint)
    inner = tuple(transform.inverse_shape(shape))

    def log_det(u):
        x = u.reshape(*u.shape[:-1], *inner)
        found = transform.log_abs_det_jacobian(x, transform(x))
        return found.reshape(*u.shape[:-1], -1).sum(-1)

    return Bijection(
        lambda u: transform(u.reshape(*u.shape[:-1], *inner)).reshape(*u.shape[:-1], -1),
        lambda theta: transform.inv(theta.reshape(*theta.shape[:-1], *shape)).reshape(*theta.shape[:-1], -1),
        log_det,
    ), int(np.prod(inner))
