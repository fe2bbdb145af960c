"""One interface to the engines of MCMC: CmdStan where there is one, else PyStan, else NUTS by NumPyro.

All take the same model and return the same `McmcFit`, which records which of them ran. The first two need a ``.stan``
file, the last a density. An engine that is there but broken costs one warning, and the next one runs; a chain that
fails by itself is an error, because another engine would only hide it.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from amortmix.mcmc import blocks, cmdstan, nuts, pystan
from amortmix.mcmc.results import EngineBroken, McmcFailed, McmcFit, McmcUnavailable, Settings
from amortmix.model.varied import POWER

__all__ = ["McmcFailed", "McmcFit", "McmcUnavailable", "compile_model", "engines", "initial_values", "sample"]

INSTALL = "install a C++ compiler (Debian: apt-get install g++), or CmdStan and set CMDSTAN to its folder"
NAMES = {"cmdstan": "CmdStan", "pystan": "PyStan", "numpyro": "NumPyro"}
JITTER = 0.1
SIMULATIONS, TRIES = 256, 20


class Engine(NamedTuple):
    """One way to sample a model here: its word, its version, how it compiles and how it samples."""

    name: str
    version: str
    prepare: Callable
    run: Callable


def engines(model, engine=None):
    """What can be tried in order, and the sentences about what cannot.

    Parameters
    ----------
    model : Model
    engine : str, optional
        Only this one: ``cmdstan``, ``pystan`` or ``numpyro``.

    Returns
    -------
    list of Engine, list of str
    """
    if engine is not None and engine not in NAMES:
        raise ValueError(f"unknown engine {engine!r}: expected one of {', '.join(NAMES)}")
    found, warnings = [], []
    makers = {"cmdstan": _cmdstan, "pystan": _pystan, "numpyro": _numpyro}
    for name in [engine] if engine else NAMES:
        try:
            made = makers[name](model)
        except EngineBroken as error:
            warnings.append(_passed_over(name, error))
        else:
            found += [made] if made else []
    return found, warnings


def _passed_over(name, error):
    return f"{NAMES[name]} was passed over: {error}."


def _has_program(model):
    """Whether the model has a Stan program; EngineBroken if it names one that is not there."""
    path = blocks.stan_file(model)
    if path is not None and not path.is_file():
        raise EngineBroken(f"{path.name}, the Stan program of {model.name}, is not beside its declaration")
    return path is not None


def _cmdstan(model):
    installation = cmdstan.find() if _has_program(model) else None
    if installation is None:
        return None

    def run(program, data, seed, settings):
        shapes = {site.name: site.shape for site in model.sites}
        block, starts = blocks.data_block(model, data), initial_values(model, data, settings.chains, seed)
        return cmdstan.sample(program, block, starts, seed, settings, shapes)

    return Engine("cmdstan", installation.version, lambda: cmdstan.program(model, installation), run)


def _pystan(model):
    version = pystan.find() if _has_program(model) else None
    if version is None:
        return None

    def run(program, data, seed, settings):
        names = [site.name for site in model.sites]
        block, starts = blocks.data_block(model, data), initial_values(model, data, settings.chains, seed)
        return pystan.sample(
            program, blocks.stan_file(model).read_text(encoding="utf-8"), block, starts, seed, settings, names
        )

    return Engine("pystan", version, lambda: pystan.program(model, version), run)


def _numpyro(model):
    if not model.has_density:
        return None

    def run(_, data, seed, settings):
        return nuts.sample(model, data, _starts(model, data, settings.chains, seed), seed, settings)

    return Engine("numpyro", nuts.version(), lambda: None, run)


def compile_model(model, engine=None):
    """Compile a model, or find it compiled, with the first engine that works.

    Returns
    -------
    dict
        ``engine`` and ``version`` of the one that will sample, and ``warnings``, a sentence for each that could not.

    Raises
    ------
    McmcUnavailable
        If none can.
    """
    found, warnings = engines(model, engine)
    for candidate in found:
        try:
            candidate.prepare()
        except EngineBroken as error:
            warnings.append(_passed_over(candidate.name, error))
        else:
            return {"engine": candidate.name, "version": candidate.version, "warnings": warnings}
    raise McmcUnavailable(_nothing(model, warnings))


def sample(model, data, seed, chains, warmup, draws, adapt_delta, engine=None):
    """Fit one data set by NUTS.

    Parameters
    ----------
    model : Model
        Its hyperparameters enter as data, so a ``.stan`` file compiles once for all variants of the prior.
    data : Data
    seed : int
    chains, warmup, draws : int
        Number of chains, and of iterations of each before and after adaptation ends.
    adapt_delta : float
        Target acceptance rate.
    engine : str, optional
        Only this one.

    Returns
    -------
    McmcFit

    Raises
    ------
    McmcUnavailable
        If no engine can run.
    McmcFailed
        If a chain fails, for instance because it cannot start.
    """
    settings = Settings(chains, warmup, draws, adapt_delta)
    data = jax.tree.map(lambda a: np.asarray(a, dtype=np.float64), data)
    found, warnings = engines(model, engine)
    for reason in _beyond_stan(model, data) if found else []:
        passed = [f"{NAMES[c.name]} was passed over: {reason}." for c in found if c.name != "numpyro"]
        found, warnings = [c for c in found if c.name == "numpyro"], [*warnings, *passed]
    for candidate in found:
        try:
            drawn = candidate.run(candidate.prepare(), data, seed, settings)
        except EngineBroken as error:
            warnings.append(_passed_over(candidate.name, error))
            continue
        theta = drawn.sites["theta"] if candidate.name == "numpyro" else blocks.theta_of(model, drawn.sites)
        name = f"{candidate.name} {candidate.version}"
        return McmcFit(theta, drawn.stats, name, drawn.seconds, drawn.cpu_seconds, warnings)
    raise McmcUnavailable(_nothing(model, warnings))


def _beyond_stan(model, data):
    """Why Stan programs cannot sample this, as clauses: only the declaration itself knows all of it."""
    gaps = ["units are missing or sequences begin"] if data.sequence is not None else []
    return gaps + (["the prior is raised to a power"] if POWER in model.hyperparameters else [])


def _nothing(model, warnings):
    if warnings:
        return " ".join(warnings)
    if model.stan:
        return f"{model.name} cannot be sampled here: {INSTALL}"
    return f"{model.name} has neither a density nor a .stan file, so no MCMC can sample it"


def initial_values(model, data, chains, seed):
    """One dictionary per chain: the centre of the prior in the unconstrained space, slightly spread.

    Returns
    -------
    list of dict
        Site -> number or nested list.
    """
    forward = model.bijection(jax.tree.map(jnp.asarray, data)).forward
    theta = np.asarray(forward(jnp.asarray(_starts(model, data, chains, seed))))
    return [blocks.start_block(model, t) for t in theta]


def _starts(model, data, chains, seed):
    """Unconstrained starting points (chains, d) with a finite density, where the model has one."""
    rng = np.random.default_rng(seed)
    u = np.asarray(_prior_draws(model)(jax.random.split(jax.random.key(seed), SIMULATIONS)))
    centre = np.median(u, axis=0)
    starts = centre + JITTER * rng.normal(size=(chains, *centre.shape))
    for _ in range(TRIES if model.has_density else 0):
        bad = ~nuts.finite(model, data, starts)
        if not bad.any():
            return starts
        # away from the centre there may be places that explain the data: draws of the prior
        starts[bad] = u[rng.integers(len(u), size=int(bad.sum()))]
    if model.has_density:
        raise McmcFailed(f"no starting point with a finite density in {TRIES} draws of the prior for each chain")
    return starts


@lru_cache(maxsize=8)
def _prior_draws(model):
    """(keys) -> unconstrained draws of the prior (keys, d), compiled once for a model."""

    def one(key):
        theta, simulated, _ = model.simulate_dataset(key)
        return model.bijection(simulated).inverse(theta)

    return jax.jit(jax.vmap(one))
