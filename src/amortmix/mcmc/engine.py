"""One interface to the engines that run Stan: CmdStan where one is found, else the embedded PyStan.

Both run the same ``.stan`` file and return the same `StanFit`, which records which engine ran. PyStan
has only a diagonal metric: adapt_delta is 0.95 or more, chains start near the centre of the
prior, and divergences are counted, never hidden.
"""

import asyncio
import hashlib
import os
import shutil
import time
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from arviz_stats.base import array_stats

FOLDER = Path(__file__).parent
INSTALL = "install a C++ compiler (Debian: apt-get install g++), or CmdStan and set CMDSTAN to its folder"
JITTER = 0.1


class StanUnavailable(RuntimeError):
    """No engine can run Stan here; the message says what to install."""


class StanFailed(RuntimeError):
    """An engine ran and a chain failed; the message is the engine's, in one line."""


class StanFit(NamedTuple):
    """Draws of one fit.

    Attributes
    ----------
    theta : (chains, draws, D)
        Columns as ``case.parameters``.
    stats : dict
        ``diverging``, ``tree_depth``, ``acceptance_rate``, ``lp``, each (chains, draws).
    engine : str
        Name and version of the engine.
    seconds : float
        Wall time of sampling, without compilation.
    """

    theta: np.ndarray
    stats: dict
    engine: str
    seconds: float

    @property
    def rhat_max(self):
        """Largest rank-normalized R-hat over the parameters."""
        return float(max(array_stats.rhat(self.theta[..., j]) for j in range(self.theta.shape[-1])))


def find_engine():
    """``cmdstan`` or ``pystan``.

    Raises
    ------
    StanUnavailable
        If neither can run.
    """
    if _cmdstan_path():
        return "cmdstan"
    try:
        import stan  # noqa: F401
    except ImportError as error:
        raise StanUnavailable(f"neither CmdStan nor PyStan is installed here ({error}): {INSTALL}") from error
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        raise StanUnavailable(f"PyStan finds no C++ compiler: {INSTALL}")
    return "pystan"


def _cmdstan_path():
    import cmdstanpy

    try:
        return cmdstanpy.cmdstan_path()
    except ValueError:  # cmdstanpy's word for: there is none
        return None


def engine_version(engine):
    """Name and version, as the results record them."""
    if engine == "cmdstan":
        import cmdstanpy

        return f"cmdstan {'.'.join(map(str, cmdstanpy.cmdstan_version()))}"
    from importlib.metadata import version

    return f"pystan {version('pystan')} (httpstan {version('httpstan')})"


def compile_model(case):
    """Compile a case study's model, or find it compiled; the name and version of the engine."""
    engine = find_engine()
    code = FOLDER / case.stan.file
    if engine == "cmdstan":
        _cmdstan_model(code)
    else:
        import stan

        data, _ = _any_dataset(case)
        stan.build(code.read_text(), data=data, random_seed=1)
    return engine_version(engine)


def _any_dataset(case):
    """Data block of one simulated data set: PyStan compiles only together with data."""
    prior = next(iter(case.priors.values()))
    theta, data, _ = jax.jit(lambda k: case.simulate_dataset(k, prior))(jax.random.key(0))
    data = type(data)(*(np.asarray(x, dtype=np.float64) for x in data))
    return case.stan.data(data, prior), np.asarray(theta)


def _cmdstan_model(code):
    """Compiled beside a copy in the user's cache, so that the source folder stays clean."""
    import cmdstanpy

    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "amortmix"
    copy = cache / f"{code.stem}_{hashlib.sha256(code.read_bytes()).hexdigest()[:12]}.stan"
    cache.mkdir(parents=True, exist_ok=True)
    if not copy.exists():
        shutil.copy(code, copy)
    return cmdstanpy.CmdStanModel(stan_file=copy)


def initial_values(case, data, prior, chains, seed):
    """One dictionary per chain: the centre of the prior in the unconstrained space, slightly spread."""
    rng = np.random.default_rng(seed)

    def unconstrained(key):
        theta, simulated, _ = case.simulate_dataset(key, prior)
        return case.bijection(simulated).inverse(theta)

    u = np.asarray(jax.jit(jax.vmap(unconstrained))(jax.random.split(jax.random.key(seed), 256)))
    centre = np.median(u, axis=0)
    bijection = case.bijection(data)
    starts = [centre + JITTER * rng.normal(size=centre.shape) for _ in range(chains)]
    return [case.stan.init(np.asarray(bijection.forward(jax.numpy.asarray(s)), dtype=float)) for s in starts]


def sample(case, data, prior, seed, chains, warmup, draws, adapt_delta):
    """Fit one data set by NUTS.

    Parameters
    ----------
    data : Data
        As NumPy arrays.
    prior : mapping
        Hyperparameters; they enter as data, so a model compiles once for all variants.

    Raises
    ------
    StanUnavailable
        If no engine can run.
    StanFailed
        If a chain fails, for instance because it cannot start.
    """
    engine = find_engine()
    data = type(data)(*(np.asarray(x, dtype=np.float64) for x in data))
    block = case.stan.data(data, prior)
    init = initial_values(case, data, prior, chains, seed)
    settings = {"chains": chains, "warmup": warmup, "draws": draws, "adapt_delta": adapt_delta}
    run = {"cmdstan": _sample_cmdstan, "pystan": _sample_pystan}[engine]
    code = FOLDER / case.stan.file
    try:
        return run(case, code, block, init, seed, settings)
    except RuntimeError as error:  # both engines' word for it, with a traceback inside the message
        message = " ".join(str(error).split("traceback:")[0].split())
        raise StanFailed(f"{engine} failed: {message}") from error


def _sample_pystan(case, code, block, init, seed, settings):
    import stan

    posterior = stan.build(code.read_text(), data=block, random_seed=seed)
    began = time.perf_counter()
    fit = posterior.sample(
        num_chains=settings["chains"],
        num_warmup=settings["warmup"],
        num_samples=settings["draws"],
        delta=settings["adapt_delta"],
        init=init,
    )
    seconds = time.perf_counter() - began
    chains, draws = settings["chains"], settings["draws"]

    def chainwise(values):
        """PyStan's (..., draws x chains), chains running fastest, as (chains, draws, ...)."""
        values = np.moveaxis(np.asarray(values), -1, 0)
        return np.moveaxis(values.reshape(draws, chains, *values.shape[1:]), 1, 0)

    drawn = {name: chainwise(fit[name]) for name in _parameter_names(case)}
    drawn = {k: v[..., 0] if v.ndim == 3 and v.shape[-1] == 1 else v for k, v in drawn.items()}
    flat = {k: v.reshape(chains * draws, *v.shape[2:]) for k, v in drawn.items()}
    theta = np.asarray(case.stan.extract(flat)).reshape(chains, draws, -1)
    stats = {
        "diverging": chainwise(fit["divergent__"])[..., 0] > 0,
        "tree_depth": chainwise(fit["treedepth__"])[..., 0],
        "acceptance_rate": chainwise(fit["accept_stat__"])[..., 0],
        "lp": chainwise(fit["lp__"])[..., 0],
    }
    return StanFit(theta, stats, engine_version("pystan"), seconds)


def _parameter_names(case):
    return list(case.stan.init(np.asarray(_any_dataset(case)[1])))


def _sample_cmdstan(case, code, block, init, seed, settings):
    began = time.perf_counter()
    fit = _cmdstan_model(code).sample(
        data=block,
        chains=settings["chains"],
        iter_warmup=settings["warmup"],
        iter_sampling=settings["draws"],
        adapt_delta=settings["adapt_delta"],
        metric="dense_e",
        inits=init,
        seed=seed,
        show_progress=False,
    )
    seconds = time.perf_counter() - began
    chains, draws = settings["chains"], settings["draws"]
    flat = {name: fit.stan_variable(name) for name in _parameter_names(case)}
    theta = np.asarray(case.stan.extract(flat)).reshape(chains, draws, -1)
    method = fit.method_variables()
    stats = {
        "diverging": method["divergent__"].T > 0,
        "tree_depth": method["treedepth__"].T,
        "acceptance_rate": method["accept_stat__"].T,
        "lp": method["lp__"].T,
    }
    return StanFit(theta, stats, engine_version("cmdstan"), seconds)


def log_density(case, block, init):
    """Stan's log density of the constrained parameters, without Jacobian, constants dropped; for tests.

    Parameters
    ----------
    block : dict
        Data block.
    init : list of dict
        Points at which to evaluate.
    """
    import stan

    posterior = stan.build((FOLDER / case.stan.file).read_text(), data=block, random_seed=1)

    def one(point):
        # PyStan's methods run an event loop of their own
        asyncio.set_event_loop(asyncio.new_event_loop())
        return posterior.log_prob(posterior.unconstrain_pars(point), adjust_transform=False)

    return np.array([one(point) for point in init])
