"""What a case study is: a generative model theta -> z -> y with its names, priors and networks.

All functions are pure JAX for one data set; they are batched by ``vmap``. Shapes are fixed and padded,
so that nothing recompiles when the number of units N or of observations per unit P varies.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Data(NamedTuple):
    """One padded data set.

    Attributes
    ----------
    y : (N, P, D)
        Observations; a harmless valid value where ``mask`` is zero.
    mask : (N, P)
        1.0 where an observation exists. A unit exists where any of its observations does.
    """

    y: jax.Array
    mask: jax.Array

    @property
    def unit_mask(self):
        """(N,): 1.0 for units that exist."""
        return self.mask.max(-1)


class Parameter(NamedTuple):
    """Name in files, LaTeX label and unit of one scalar of theta."""

    name: str
    label: str
    unit: str = ""


class Table(NamedTuple):
    """How a user's CSV file becomes `Data`.

    Attributes
    ----------
    columns : tuple of str
    checks : tuple of (column, accept, expected)
        ``accept`` maps a column to booleans; ``expected`` completes "expected ...".
    to_data : callable
        DataFrame -> Data.
    """

    columns: tuple
    checks: tuple
    to_data: Callable


class Exact(NamedTuple):
    """Exact functions of a case study whose likelihood is known; absent for a simulator-only model.

    Attributes
    ----------
    log_prior : callable
        (theta (D,), prior) -> log p(theta), a density of the free coordinates.
    log_likelihood : callable
        (theta, Data) -> log p(y | theta), the indicators summed out (eq. 4).
    state_log_probs : callable
        (theta, Data) -> {head: (N, K) log probabilities}, the same heads as the networks have.
    """

    log_prior: Callable
    log_likelihood: Callable
    state_log_probs: Callable


class Stan(NamedTuple):
    """How the case study is handed to Stan.

    Attributes
    ----------
    file : str
        Name of the ``.stan`` file in ``amortmix/stan``.
    data : callable
        (Data as NumPy, prior) -> the data block.
    init : callable
        (theta (D,)) -> initial values of one chain.
    extract : callable
        ({Stan name: draws}) -> theta (draws, D).
    """

    file: str
    data: Callable
    init: Callable
    extract: Callable


@dataclass(frozen=True)
class Case:
    """A case study.

    Attributes
    ----------
    name, title : str
        Identifier and heading.
    states : tuple of str
        Names of the K classes or hidden states.
    dependent : bool
        False: exchangeable units, one ``classification`` head. True: a hidden Markov model with the heads
        of `networks.classifiers.FilterClassifier` or `EmissionClassifier`, and ``smoothing`` derived from them.
    parameters : tuple of Parameter
        The D scalars of theta in the constrained space.
    priors : mapping
        Prior variant -> hyperparameters, as plain numbers.
    units, observations : (int, int)
        Smallest and largest N and P in training.
    sample_prior : callable
        (key, prior) -> theta (D,).
    sample_context : callable
        (key) -> mask (N_max, P_max): the design, N and P.
    simulate : callable
        (key, theta, mask) -> y (N, P, D_y), z (N,).
    bijection : callable
        (Data) -> Bijection between theta and the unconstrained u on which the flow lives.
    features : callable
        (Data) -> (N, P, F): what the summary networks see of each observation.
    context : callable
        (Data) -> (C,): the design as the flow sees it.
    unit_conditions : callable
        (u, Data) -> (N, C'): what the classifier sees of theta at each unit.
    chain : callable or None
        (theta) -> log p(z_1) (K,) and the log transition matrix (K, K), where they are known.
    networks : mapping
        Preset -> recipe: networks and training schedule.
    table : Table
        How a CSV file is read.
    exact : Exact or None
    stan : Stan or None
    demo : mapping
        Demonstration data sets: name -> {"theta": ..., "units": N, "observations": P, "seed": int}.
    """

    name: str
    title: str
    states: tuple
    dependent: bool
    parameters: tuple
    priors: Mapping[str, Mapping[str, Any]]
    units: tuple
    observations: tuple
    sample_prior: Callable
    sample_context: Callable
    simulate: Callable
    bijection: Callable
    features: Callable
    context: Callable
    unit_conditions: Callable
    networks: Mapping[str, Mapping[str, Any]]
    table: Table
    chain: Callable | None = None
    exact: Exact | None = None
    stan: Stan | None = None
    demo: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def parameter_names(self):
        return tuple(p.name for p in self.parameters)

    def prior(self, variant):
        """Hyperparameters of a prior variant; a case with one prior uses it for every variant."""
        if variant in self.priors:
            return self.priors[variant]
        if len(self.priors) == 1:
            return next(iter(self.priors.values()))
        raise ValueError(f"{self.name} has no prior variant {variant!r}; it has {', '.join(self.priors)}")

    def log_joint(self, u, data, prior):
        """log p(u, y) on the unconstrained space: log p(y | theta) + log p(theta) + log |d theta / du|."""
        bijection = self.bijection(data)
        theta = bijection.forward(u)
        return self.exact.log_likelihood(theta, data) + self.exact.log_prior(theta, prior) + bijection.log_det(u)

    def simulate_dataset(self, key, prior):
        """theta, Data and z of one draw from the generative model (eq. 2)."""
        key_prior, key_context, key_data = jax.random.split(key, 3)
        theta = self.sample_prior(key_prior, prior)
        mask = self.sample_context(key_context)
        y, z = self.simulate(key_data, theta, mask)
        return theta, Data(y, mask), z

    def simulate_demo(self, name):
        """Data and z of a demonstration data set, as NumPy arrays."""
        demo = self.demo[name]
        mask = jnp.ones((demo["units"], demo["observations"]))
        y, z = self.simulate(jax.random.key(demo["seed"]), jnp.array(demo["theta"]), mask)
        return Data(np.asarray(y), np.asarray(mask)), np.asarray(z)


def architecture(recipe):
    """The part of a recipe that says what the networks are, not how they are trained."""
    return {key: recipe[key] for key in ("local", "summary", "flow", "classifier")}


def pad(data, units, observations):
    """The same data set in a larger frame; new places hold a copy of its first observation."""
    n, p, _ = data.y.shape
    if n > units or p > observations:
        raise ValueError(f"cannot pad {n} units x {p} observations into {units} x {observations}")
    y = np.broadcast_to(data.y[:1, :1], (units, observations, data.y.shape[2])).copy()
    mask = np.zeros((units, observations), dtype=data.mask.dtype)
    y[:n, :p], mask[:n, :p] = data.y, data.mask
    return Data(y, mask)


def long_table(observation="y"):
    """Table of a case study with repeated scalar observations: one row each, with the unit's number."""

    def to_data(frame):
        groups = [g.to_numpy(dtype=np.float32) for _, g in frame.groupby("unit", sort=True)[observation]]
        width = max(len(g) for g in groups)
        y, mask = np.zeros((2, len(groups), width), dtype=np.float32)
        for i, g in enumerate(groups):
            y[i, : len(g)], mask[i, : len(g)] = g, 1
        return Data(y[..., None], mask)

    return Table(("unit", observation), (), to_data)


def gaussian_stan_data(data):
    """What the Stan models with unit variance see of each unit: number, sum and sum of squares of its observations."""
    observed = data.unit_mask > 0
    y, mask = data.y[observed, :, 0], data.mask[observed]
    return {
        "N": int(observed.sum()),
        "P": mask.sum(1).astype(int).tolist(),
        "y_sum": (y * mask).sum(1).tolist(),
        "y_sq": (y**2 * mask).sum(1).tolist(),
    }


def uniform_integer(key, low, high, shape=()):
    """Integers low..high, both inclusive."""
    return jax.random.randint(key, shape, low, high + 1)


def broadcast_units(u, data):
    """u (d,) repeated for every unit: (N, d). Enough for a classifier that needs nothing else."""
    return jnp.broadcast_to(u, (data.mask.shape[0], u.shape[-1]))
