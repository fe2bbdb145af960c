"""Our Stan programs and NUTS against our densities, and what is said when an engine or a chain fails.

Without PyStan or a C++ compiler the tests of the Stan programs are of no use and fail: `make setup` installs both.
"""

import os
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from arviz_stats.base import array_stats
from numpyro import sample as site

from amortmix.mcmc import blocks, cmdstan, engine, programs, pystan
from amortmix.mcmc.results import Settings
from amortmix.model import registry
from amortmix.model.data import Data, existing
from amortmix.model.mixture import Mixture

POINTS = 6
SETTINGS = {"chains": 4, "warmup": 500, "draws": 500, "adapt_delta": 0.95}
SHORT = {"chains": 2, "warmup": 50, "draws": 50, "adapt_delta": 0.9}
PROGRAMS = ["evidence_accumulation", "gaussian_hmm", "gaussian_mixture"]
CHAINS = ["evidence_accumulation", "gaussian_hmm"]


def simulated(model, seed, far=None):
    """One simulated data set; ``far`` replaces the first component of its last observation."""
    _, data, _ = jax.jit(model.simulate_dataset)(jax.random.key(seed))
    data = jax.tree.map(lambda a: np.array(a, dtype=np.float64), existing(data))
    if far is not None:
        data.y[-1, 0, 0] = far
    return jax.tree.map(jnp.asarray, data)


def points(model, data, seed):
    """Parameter values inside the support given the data."""
    u = np.random.default_rng(seed).normal(scale=0.7, size=(POINTS, model.free))
    return model.bijection(data).forward(jnp.array(u))


def without_density(model):
    """The same model with a simulator in the place of its emission."""
    return model.changed(emission=None, simulate_unit=lambda key, p, z: jnp.zeros(model.observations[1]))


def mean_error(theta):
    """Monte Carlo standard errors of the means (D,) of draws (chains, draws, D)."""
    return np.array([array_stats.mcse(theta[..., j]) for j in range(theta.shape[-1])])


@pytest.mark.parametrize("far", [None, "impossible"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_stan_has_our_density(name, far, float64):
    """Differences between points agree to 1e-8 relative, also with one observation that no state explains.

    That is 60 standard deviations, or a response time of 25 s. Constrained values, no Jacobian on either side.
    """
    model = registry.find(name)
    data = simulated(model, 1, far and (25.0 if name == "evidence_accumulation" else 60.0))
    theta = points(model, data, 2)
    stan = pystan.log_density(model, data, [blocks.start_block(model, t) for t in theta])
    ours = np.array(jax.jit(jax.vmap(lambda t: model.log_prior(t) + model.log_likelihood(t, data)))(theta))
    assert np.isfinite(stan).all()
    np.testing.assert_allclose(stan - stan[0], ours - ours[0], rtol=1e-8, atol=1e-7)


@pytest.mark.parametrize("name", CHAINS)
def test_smoothing_is_stans_hidden_state_probability(name, float64):
    """Every draw's generated ``smoothing_1`` equals our smoother at that draw to 1e-10, an impossible unit included."""
    model = registry.find(name)
    data = simulated(model, 3, 25.0 if name == "evidence_accumulation" else 60.0)
    drawn = pystan.sample(
        pystan.program(model, pystan.find()),
        blocks.stan_file(model).read_text(),
        blocks.data_block(model, data, states=True),
        engine.initial_values(model, data, 1, seed=1),
        seed=1,
        settings=Settings(chains=1, warmup=30, draws=10, adapt_delta=0.8),
        names=[s.name for s in model.sites] + ["smoothing_1"],
    )
    theta = jnp.array(blocks.theta_of(model, drawn.sites)[0])
    ours = np.exp(jax.jit(jax.vmap(lambda t: model.state_log_probs(t, data)["smoothing"]))(theta))[..., 0]
    np.testing.assert_allclose(drawn.sites["smoothing_1"][0], ours, atol=1e-10)


@pytest.mark.parametrize("name, demo", [("gaussian_mixture", "gmm_demo"), ("gaussian_hmm", "hmm_demo")])
def test_numpyro_and_pystan_agree(name, demo):
    """Two engines, two seeds: means within 5 Monte Carlo standard errors (false alarm below 1e-5), R-hat below 1.02."""
    model = registry.find(name)
    data, _ = model.simulate_demo(demo)
    fits = [engine.sample(model, data, seed, **SETTINGS, engine=e) for seed, e in ((1, "pystan"), (2, "numpyro"))]
    for fit in fits:
        assert fit.rhat_max < 1.02 and not fit.stats["diverging"].any() and not fit.warnings
        assert fit.theta.shape == (4, 500, len(model.parameters)) and fit.cpu_seconds > 0
        assert {v.shape for v in fit.stats.values()} == {(4, 500)}
    difference = fits[0].theta.mean((0, 1)) - fits[1].theta.mean((0, 1))
    error = np.sqrt(mean_error(fits[0].theta) ** 2 + mean_error(fits[1].theta) ** 2)
    np.testing.assert_array_less(np.abs(difference), 5 * error)


def one_normal():
    """One class, mu ~ Normal(0, 2), y ~ Normal(mu, 1): the posterior of mu is known."""

    def prior():
        return {"mu": site("mu", dist.Normal(0.0, 2.0).expand([1]).to_event(1))}

    return Mixture(states=("all",), prior=prior, emission=lambda p: dist.Normal(p["mu"], 1.0), units=(10, 20))


def test_nuts_finds_a_known_posterior():
    """Mean and standard deviation of a conjugate posterior within 5 Monte Carlo standard errors (false alarm 1e-6)."""
    y = np.random.default_rng(1).normal(0.5, 1.0, size=(20, 1, 1))
    fit = engine.sample(one_normal(), Data(y, np.ones((20, 1))), 1, **SETTINGS)
    precision = 1 / 4 + 20
    mu = fit.theta[..., 0]
    assert fit.engine.startswith("numpyro")
    assert abs(mu.mean() - y.sum() / precision) < 5 * array_stats.mcse(mu)
    assert abs(mu.std() - precision**-0.5) < 5 * array_stats.mcse(mu, method="sd")


@pytest.mark.parametrize("name", ["numpyro", "pystan"])
def test_a_seed_decides_the_draws(name):
    model = registry.find("gaussian_mixture")
    data, _ = model.simulate_demo("gmm_demo")
    first, again, other = (engine.sample(model, data, seed, **SHORT, engine=name).theta for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.any(first == other)


@pytest.mark.parametrize("name", PROGRAMS)
def test_chains_start_where_the_density_is_finite(name):
    model = registry.find(name)
    data = simulated(model, 5)
    starts = engine.initial_values(model, data, 4, seed=1)
    assert len(starts) == 4
    assert np.isfinite(pystan.log_density(model, data, starts)).all()


def test_pystan_leaves_nothing_behind(monkeypatch, tmp_path):
    """No build folder where the user works, no sockets in TMPDIR, and no event loop in this process."""
    monkeypatch.chdir(tmp_path)
    before = set(os.listdir(tempfile.gettempdir()))
    model = registry.find("gaussian_mixture")
    engine.sample(model, model.simulate_demo("gmm_demo")[0], 1, **SHORT, engine="pystan")
    left = {
        name for name in set(os.listdir(tempfile.gettempdir())) - before if name.startswith(("amortmix", "httpstan"))
    }
    assert not list(tmp_path.iterdir()) and not left


def test_a_damaged_program_of_pystan_is_noticed(tmp_path):
    path = pystan.program(registry.find("gaussian_mixture"), pystan.find())
    damaged = tmp_path / "damaged"
    damaged.write_bytes(path.read_bytes()[:100_000])
    assert pystan._answers(path) and not pystan._answers(damaged)


def test_a_pystan_that_cannot_start_costs_one_warning(monkeypatch, tmp_path):
    """An installation that cannot be imported is the engine's trouble, not the chain's."""
    child = tmp_path / "child.py"
    monkeypatch.setattr(cmdstan, "find", lambda: None)
    monkeypatch.setattr(pystan, "program", lambda *_: tmp_path / "program")
    child.write_text(pystan.CHILD.read_text().replace("import stan\n", "import stan_is_broken_here\n"))
    (tmp_path / "program").touch()
    monkeypatch.setattr(pystan, "CHILD", child)
    model = registry.find("gaussian_mixture")
    fit = engine.sample(model, model.simulate_demo("gmm_demo")[0], 1, **SHORT)
    assert fit.engine.startswith("numpyro")
    assert fit.warnings == ["PyStan was passed over: it cannot start (No module named 'stan_is_broken_here')."]


def test_a_start_without_density_is_replaced_by_a_draw_of_the_prior(monkeypatch):
    """Starts at infinity are never handed to a chain, and a model that is finite nowhere is said in one line."""
    model, data = one_normal(), Data(np.zeros((20, 1, 1)), np.ones((20, 1)))
    monkeypatch.setattr(engine, "JITTER", np.inf)
    assert np.isfinite(engine.initial_values(model, data, 2, seed=1)[0]["mu"]).all()
    data.y[0] = np.inf
    with pytest.raises(engine.McmcFailed, match="no starting point with a finite density"):
        engine.sample(model, data, 1, **SHORT)


def test_a_chain_that_cannot_start_is_said_in_one_line(monkeypatch):
    model = registry.find("gaussian_mixture")
    outside = {"pi": [2.0, -0.5, -0.5], "mu": [-1.0, 0.0, 1.0]}
    monkeypatch.setattr(engine, "initial_values", lambda *_: [outside] * 2)
    with pytest.raises(engine.McmcFailed, match=r"^PyStan failed: .*simplex") as raised:
        engine.sample(model, simulated(model, 1), 1, **SHORT, engine="pystan")
    message = str(raised.value)
    assert len(message) <= 200 and not {"\n", "/", "Traceback"} & set(message.split()) and "/tmp" not in message


def no_stan(monkeypatch):
    """A machine with neither CmdStan nor a compiler."""
    monkeypatch.setattr(cmdstan, "find", lambda: None)
    monkeypatch.setattr(pystan.shutil, "which", lambda word: None)
    monkeypatch.delenv("CXX", raising=False)


def test_without_a_compiler_numpyro_runs(monkeypatch):
    no_stan(monkeypatch)
    model = registry.find("gaussian_mixture")
    found = engine.compile_model(model)
    assert found["engine"] == "numpyro" and found["version"] and found["warnings"] == []
    fit = engine.sample(model, model.simulate_demo("gmm_demo")[0], 1, **SHORT)
    assert fit.engine == f"numpyro {found['version']}"


def test_without_compiler_and_density_the_error_says_what_to_install(monkeypatch):
    no_stan(monkeypatch)
    model = without_density(registry.find("gaussian_mixture"))
    with pytest.raises(
        engine.McmcUnavailable, match=r"gaussian_mixture cannot be sampled here: install a C\+\+ compiler"
    ):
        engine.compile_model(model)


def test_a_model_without_density_and_program_has_no_engine():
    with pytest.raises(engine.McmcUnavailable, match=r"model has neither a density nor a \.stan file"):
        engine.sample(without_density(one_normal()), None, 1, **SHORT)


def test_an_unknown_engine_names_the_known_ones():
    with pytest.raises(ValueError, match="unknown engine 'jags': expected one of cmdstan, pystan, numpyro"):
        engine.sample(one_normal(), None, 1, **SHORT, engine="jags")


@pytest.mark.parametrize(
    "cxx, found",
    [
        ("env g++ -isystem /no/such/folder", None),
        ("g++ '", 'PyStan was passed over: CXX is "g++ \'", which is no command (No closing quotation).'),
        (
            "no-such-ccache g++ -O1",
            "PyStan was passed over: CXX is 'no-such-ccache g++ -O1', and no-such-ccache is not found.",
        ),
    ],
)
def test_a_compiler_with_arguments(cxx, found, monkeypatch):
    """A wrapper before the compiler is accepted; one that is not there costs one sentence."""
    monkeypatch.setenv("CXX", cxx)
    _, warnings = engine.engines(registry.find("gaussian_mixture"), "pystan")
    assert warnings == ([found] if found else [])


def test_a_compiler_that_fails_costs_one_warning(monkeypatch, tmp_path):
    monkeypatch.setattr(cmdstan, "find", lambda: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CC", "false")
    monkeypatch.setenv("CXX", "false")
    found = engine.compile_model(registry.find("gaussian_mixture"))
    (warning,) = found["warnings"]
    assert found["engine"] == "numpyro" and len(warning) < 250 and "/tmp" not in warning
    assert warning.startswith("PyStan was passed over: it cannot compile the model (")


@pytest.mark.parametrize("trouble", ["full", "forbidden"])
def test_a_cache_that_cannot_be_written_costs_one_warning(trouble, monkeypatch, tmp_path):
    monkeypatch.setattr(cmdstan, "find", lambda: None)
    place = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    if trouble == "full":
        usage = programs.shutil.disk_usage(tmp_path)
        monkeypatch.setattr(programs.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    else:
        place.write_text("a file in the place of the folder")
    found = engine.compile_model(registry.find("gaussian_mixture"))
    why = "its disk is full" if trouble == "full" else "Not a directory"
    assert found["engine"] == "numpyro" and len(found["warnings"]) == 1
    assert found["warnings"][0] == (
        f"PyStan was passed over: compiled programs cannot be kept in {place / 'amortmix' / 'programs'} ({why}); "
        "XDG_CACHE_HOME names another folder."
    )


def test_a_stan_program_that_is_not_there_is_named():
    model = registry.find("gaussian_mixture").changed(stan="missing.stan")
    _, warnings = engine.engines(model, "pystan")
    assert warnings == [
        "PyStan was passed over: missing.stan, the Stan program of gaussian_mixture, is not beside its declaration."
    ]
