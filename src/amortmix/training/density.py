"""Training of a learned density of one unit, on units that a declaration simulates one by one.

    loss = -E log q(y | z, theta),   theta ~ p(theta), a quarter of them spread out,   y ~ the simulator in state z

Each theta serves one unit of every state and member; the noise of each unit is its own. The learning rate goes to zero
along a cosine over all steps; the density is that of the weights averaged over the last tenth of them. Averages are as
good in the middle of a training as if it ended there, which shows whether it was long enough (`density_check.Curve`).
"""

import time
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpyro import optim

from amortmix.model import registry
from amortmix.model.columns import Choice, NonNegativeInteger
from amortmix.model.emissions import simulate_units
from amortmix.model.factors import COMPONENTS, outputs, width_of
from amortmix.model.learned import LIMIT, LearnedDensity, bijection, ordered, transformed
from amortmix.progress import progress
from amortmix.storage.files import BadInput
from amortmix.training.density_check import HELD_OUT, Curve, check

MEMBERS, WIDTHS = 2, (64, 64)
STEPS, BATCH = 40_000, 1024  # units of each state, member and step
RATE, WARM = 2e-3, 200
#: Power of the weight that earlier steps have in the averaged weights: the last tenth of them decides.
AVERAGED = 9
#: Share of theta that are moved by a normal with this many standard deviations of the prior.
SPREAD_SHARE, SPREAD = 0.25, 0.5
ROUND = 100  # steps of a dispatch
PILOT = 8192  # units of each state by which numbers are standardized
#: A coordinate of theta matters to a state if moving it changes g(y) by this many standard deviations of g(y).
MATTERS = 1e-3
#: ... in more than this share of units; what is smaller is rounding.
SELDOM = 0.005


class Units(NamedTuple):
    """Simulated units: theta (1, 1, B, D), y (M, K, B, D_y), x (M, K, B, C) or None.

    ``finite`` (M, K, B) is 0.0 for a unit whose simulation overflowed: it is left out, and y is any value there.
    """

    theta: jax.Array
    y: jax.Array
    x: jax.Array | None
    finite: jax.Array


def learn_density(model, minutes=None, steps=STEPS, seed=1):
    """Learn the density of one unit from a simulator, and declare it.

    Parameters
    ----------
    model : Model, str or path
        With ``simulate_unit`` and one observation of each unit.
    minutes : float, optional
        The budget, compilation included, in place of a number of steps.
    steps : int
    seed : int

    Returns
    -------
    Model
        The same declaration with a density; its ``density.report`` says how good it is
        (`amortmix.training.density_check.check`).

    Raises
    ------
    BadInput
        If the model has no simulator of a unit, or units of several observations.

    Examples
    --------
    >>> model = am.learn_density("models/accumulators.py", minutes=5)
    >>> nets = am.train(model, minutes=10)
    """
    model = registry.find(model)
    if model.simulate_unit is None:
        raise BadInput(f"{model.name} has an emission; expected `simulate_unit`, the simulator of one unit")
    if model.observations[1] > 1:
        raise BadInput(f"{model.name} has {model.observations[1]} observations of a unit; expected one")
    key_pilot, key_weights, key_train, key_check = jax.random.split(jax.random.key(seed), 4)
    blank = _standardized(model, key_pilot)
    units = jax.jit(simulate, static_argnums=(0, 3, 4))(model, None, key_check, 1, HELD_OUT)
    began = time.perf_counter()
    layers, run = _initial(blank, model, key_weights), _rounds(model, blank)
    state = optimizer(1).init(layers), jax.tree.map(jnp.copy, layers)
    if minutes is not None:
        steps = _affordable(run, state, key_train, 60 * minutes, began)
    curve = Curve(model, lambda layers: replace(blank, layers=layers), units, steps)
    told = progress(steps, f"learning the density of a unit of {model.name}")
    for first, last in pairwise(sorted({*range(0, steps, ROUND), steps, *curve.marks})):
        state, loss = run(state, key_train, first, last - first, steps)
        if not np.isfinite(loss):
            raise BadInput(f"{model.name}: the density of a unit cannot be learned: its loss is not finite")
        if last in curve.marks:
            curve.add(last, state[1])
        told.advance(last - first, f"loss {loss:.4f}")
    told.close()
    density = replace(blank, layers=state[1])
    report = {"steps": steps, "units": steps * BATCH, "seed": seed, "seconds": time.perf_counter() - began}
    return model.changed(density=replace(density, report=report | check(model, density, units, curve, seed)))


def with_density(model, recipe, seed):
    """The model with the density for which a recipe asks, ``density: {steps: 20000}``, unless it has one.

    A training that is resumed learns it again: the same one, for the seed and the number of steps decide it.
    """
    asked = recipe.get("density")
    return model if asked is None or model.has_density else learn_density(model, steps=asked["steps"], seed=seed)


def optimizer(total):
    """Adam, its rate rising at first and then falling to zero along a cosine."""

    def rate(i):
        return RATE * jnp.minimum(1, (i + 1) / WARM) * 0.5 * (1 + jnp.cos(jnp.pi * jnp.minimum(i / total, 1)))

    return optim.Adam(rate)


# --- units -------------------------------------------------------------------------------------------------------


def _theta(model, moments, key):
    key_prior, key_choice, key_move, key_own = jax.random.split(key, 4)
    theta = model.under_any_prior(key_own).sample_prior(key_prior)
    if moments is None:
        return theta
    within = jnp.clip(bijection(model).inverse(theta), *(moments[0] + c * moments[1] for c in (-LIMIT, LIMIT)))
    move = SPREAD * jax.random.normal(key_move, (model.free,)) * jax.random.bernoulli(key_choice, SPREAD_SHARE)
    return bijection(model).forward(within + moments[1] * move)


def simulate(model, moments, key, members, number):
    """`Units` (M, K, B, ...): ``number`` of every state for every member, all of them with the same theta."""
    key_theta, key_units = jax.random.split(key)
    theta = jax.vmap(lambda k: _theta(model, moments, k))(jax.random.split(key_theta, number))
    p = jax.vmap(model.natural)(theta)

    def one(key, z, p):
        key_y, key_x = jax.random.split(key)
        x = model.sample_covariates(key_x, 1)
        return simulate_units(model, key_y, p, z[None], (1, 1), x)[0, 0], None if x is None else x[0]

    states = jnp.arange(len(model.states))
    keys = jax.random.split(key_units, (members, len(states), number))
    of_state = jax.vmap(jax.vmap(one, in_axes=(0, None, 0)), in_axes=(0, 0, None))
    y, x = jax.vmap(of_state, in_axes=(0, None, None))(keys, states, p)
    finite = jnp.all(jnp.isfinite(y), axis=-1)
    return Units(theta[None, None], jnp.where(finite[..., None], y, 1.0), x, 1.0 * finite)


# --- what is standardized, and the start --------------------------------------------------------------------------


def _standardized(model, key):
    """A `LearnedDensity` without networks."""
    key_theta, key_units, key_move = jax.random.split(key, 3)
    u = jax.jit(jax.vmap(lambda k: bijection(model).inverse(_theta(model, None, k))))(
        jax.random.split(key_theta, PILOT)
    )
    moments = _moments(u)
    units = jax.jit(simulate, static_argnums=(0, 3, 4))(model, None, key_units, 1, PILOT)
    scaling = {name: _location_and_scale(model, units, j) for j, name in enumerate(model.columns)}
    covariates = None if units.x is None else _moments(units.x.reshape(-1, units.x.shape[-1]))
    found = LearnedDensity({}, moments, jnp.ones((len(model.states), model.free)), scaling, covariates, {})
    return replace(found, relevant=_relevant(model, found, key_move))


def _moments(rows):
    """Mean and standard deviation (2, C) of the columns; one for what does not vary."""
    spread = rows.std(0)
    return jnp.stack([rows.mean(0), jnp.where(spread > 0, spread, 1.0)])


def _location_and_scale(model, units, j):
    name = list(model.columns)[j]
    t = _seen(model, name, units.y[..., j], units.theta)
    return float(jnp.mean(t)), float(jnp.std(t)) or 1.0


def _seen(model, name, y, theta):
    """What the density of a column is a density of, before it is standardized."""
    if isinstance(model.columns[name], NonNegativeInteger):
        return jnp.sqrt(y + 0.5)
    return transformed(model, name, y, theta)[0]


def _relevant(model, blank, key):
    """(K, d): whether moving a coordinate, with the noise of the simulator as it is, changes units of a state."""

    def unit(key, z, theta):
        key_y, key_x = jax.random.split(key)
        x = model.sample_covariates(key_x, 1)
        y = simulate_units(model, key_y, model.natural(theta), z[None], (1, 1), x)[0, 0]
        found = [_seen(model, name, y[j], theta) / blank.scaling[name][1] for j, name in enumerate(model.columns)]
        return jnp.stack(found)

    def moved(key, z):
        key_theta, key_y = jax.random.split(key)
        theta = _theta(model, None, key_theta)
        u = bijection(model).inverse(theta)
        others = bijection(model).forward(u + jnp.diag(blank.moments[1]))
        change = jax.vmap(unit, in_axes=(None, None, 0))(key_y, z, others) - unit(key_y, z, theta)
        return jnp.any(jnp.abs(change) > MATTERS, axis=-1)

    keys = jax.random.split(key, (len(model.states), PILOT // 4))
    often = jax.jit(jax.vmap(jax.vmap(moved, in_axes=(0, None))))(keys, jnp.arange(len(model.states))).mean(1)
    return jnp.where(often > SELDOM, 1.0, 0.0)


def _initial(blank, model, key):
    """New networks: {column: [(weights, biases), ...]}."""
    layers, told = {}, blank.moments.shape[1] + len(model.covariates)
    for name in ordered(model.columns):
        kind = model.columns[name]
        sizes = [told, *WIDTHS, outputs(kind)]
        layers[name] = []
        for i, (inputs, units) in enumerate(zip(sizes, sizes[1:])):
            key, own = jax.random.split(key)
            weights = jax.random.normal(own, (MEMBERS, len(model.states), inputs, units)) / np.sqrt(inputs)
            last = i == len(WIDTHS)
            layers[name].append((0.1 * weights if last else weights, _biases(kind, last, weights)))
        told += width_of(kind)
    return layers


def _biases(kind, last, weights):
    """Zero, but components of a mixture start side by side."""
    biases = jnp.zeros((*weights.shape[:2], weights.shape[-1]))
    if not last or isinstance(kind, Choice):
        return biases
    return biases.at[..., COMPONENTS : 2 * COMPONENTS].set(jnp.linspace(-2.0, 2.0, COMPONENTS))


def _rounds(model, blank):
    """A jitted function (state, key, first step, n, total) -> state and mean loss of n steps.

    The state is that of the optimizer, and the weights averaged over the last tenth of the steps so far.
    """

    def loss(layers, units):
        density = replace(blank, layers=layers)
        log_q = density.log_prob(model, units.y, units.theta, units.x)
        return -jnp.sum(units.finite * log_q) / jnp.sum(units.finite)

    @partial(jax.jit, donate_argnums=0)
    def run(state, key, first, n, total):
        rule = optimizer(total)

        def step(s, carry):
            state, averaged, sum_of_losses = carry
            units = simulate(model, blank.moments, jax.random.fold_in(key, s), MEMBERS, BATCH)
            value, slope = jax.value_and_grad(loss)(rule.get_params(state), units)
            state, keep = rule.update(slope, state), (s / (s + 1.0)) ** AVERAGED
            averaged = jax.tree.map(lambda a, b: keep * a + (1 - keep) * b, averaged, rule.get_params(state))
            return state, averaged, sum_of_losses + value

        *state, sum_of_losses = jax.lax.fori_loop(first, first + n, step, (*state, 0.0))
        return tuple(state), sum_of_losses / n

    return run


def _affordable(run, state, key, seconds, began):
    """How many steps fit into what is left of a budget, from a trial."""
    run(jax.tree.map(jnp.copy, state), key, 0, 1, STEPS)[1].block_until_ready()
    start = time.perf_counter()
    run(jax.tree.map(jnp.copy, state), key, 0, ROUND, STEPS)[1].block_until_ready()
    each = (time.perf_counter() - start) / ROUND
    return max(ROUND, int((seconds - (time.perf_counter() - began)) / each))
