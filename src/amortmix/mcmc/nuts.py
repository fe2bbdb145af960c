"""NUTS on the marginal likelihood by NumPyro: for every model with a density, and without a compiler.

The states are summed out, so the chains move on the unconstrained u alone, with potential -log p(u, y). All chains run
together, vectorized, with a dense metric; in float64 where JAX has it switched on, else in float32.
"""

import time
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from amortmix.mcmc.results import Draws, McmcFailed

MAX_TREE_DEPTH = 10


def version():
    """NumPyro's version."""
    import numpyro

    return numpyro.__version__


def sample(model, data, starts, seed, settings):
    """Run all chains.

    Parameters
    ----------
    starts : (chains, d)
        Unconstrained starting points with a finite density.

    Returns
    -------
    Draws
        ``sites`` has one entry, ``theta`` (chains, draws, D). ``cpu_seconds`` are those of this process.
    """
    data, starts = jax.tree.map(jnp.asarray, data), jnp.asarray(starts)
    keys = jax.random.split(jax.random.key(seed), settings.chains)
    run = _compiled(model, settings, Shapes.of((keys, starts, data)))
    wall, cpu = time.perf_counter(), time.process_time()
    theta, stats = jax.block_until_ready(run(keys, starts, data))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    theta = np.asarray(theta, dtype=np.float64)
    well = np.isfinite(theta).all((1, 2))
    if not well.all():
        raise McmcFailed(f"chain {1 + int(np.argmin(well))} of NumPyro ended in draws that are not finite")
    return Draws({"theta": theta}, {k: np.asarray(v) for k, v in stats.items()}, wall, cpu)


class Shapes(NamedTuple):
    """Shapes and types of arguments, which decide what is compiled; hashable."""

    tree: object
    leaves: tuple

    @classmethod
    def of(cls, arguments):
        leaves, tree = jax.tree.flatten(arguments)
        return cls(tree, tuple(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in leaves))


@lru_cache(maxsize=8)
def _compiled(model, settings, shapes):
    """(keys, starts, data) -> theta (chains, draws, D) and statistics (chains, draws), compiled."""

    def run(keys, starts, data):
        u, stats = jax.vmap(chain(lambda u: -model.log_joint(u, data), settings))(keys, starts)
        return jax.vmap(jax.vmap(model.bijection(data).forward))(u), stats

    return jax.jit(run).lower(*jax.tree.unflatten(shapes.tree, shapes.leaves)).compile()


def chain(potential, settings, max_tree_depth=None):
    """One chain of draws whose log density is minus a potential.

    Parameters
    ----------
    potential : callable
        u, an array or a dict of arrays, to a number.
    settings : Settings
    max_tree_depth : int, optional
        By default `MAX_TREE_DEPTH`.

    Returns
    -------
    callable
        (key, start) -> draws of u and statistics, each with a leading axis of ``settings.draws``; after
        ``settings.warmup`` steps in which step size and metric are learned.
    """
    from numpyro.infer import NUTS

    kernel = NUTS(
        potential_fn=potential,
        dense_mass=True,
        target_accept_prob=settings.adapt_delta,
        max_tree_depth=max_tree_depth or MAX_TREE_DEPTH,
    )

    def step(state, _):
        return kernel.sample(state, (), {}), None

    def draw(state, _):
        state = kernel.sample(state, (), {})
        stats = {
            "diverging": state.diverging,
            "tree_depth": jnp.ceil(jnp.log2(state.num_steps + 1)).astype(int),
            "acceptance_rate": state.accept_prob,
            "lp": -state.potential_energy,
        }
        return state, (state.z, stats)

    def run(key, start):
        state = kernel.init(key, settings.warmup, init_params=start, model_args=(), model_kwargs={})
        state, _ = jax.lax.scan(step, state, None, length=settings.warmup)
        return jax.lax.scan(draw, state, None, length=settings.draws)[1]

    return run


def finite(model, data, starts):
    """Which of the starting points (n, d) have a finite log density and gradient."""
    value, slope = _densities(model)(jnp.asarray(starts), jax.tree.map(jnp.asarray, data))
    return np.asarray(jnp.isfinite(value) & jnp.isfinite(slope).all(-1))


@lru_cache(maxsize=8)
def _densities(model):
    return jax.jit(jax.vmap(jax.value_and_grad(model.log_joint), in_axes=(0, None)))
