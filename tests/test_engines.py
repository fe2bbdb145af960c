"""Our Stan models against our JAX models, and both engines' absence. Needs g++ or CmdStan."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from amortmix.cases import Data, get_case
from amortmix.stan import engine
from arviz_stats.base import array_stats
from conftest import simulate

POINTS = 6


def points(case, data, seed):
    """Parameter values inside the support given the data (tau below min rt)."""
    bijection = case.bijection(Data(*map(jnp.array, data)))
    rng = np.random.default_rng(seed)
    d = len(case.parameters) - (not case.dependent)
    return np.asarray(bijection.forward(jnp.array(rng.normal(scale=0.7, size=(POINTS, d)))))


def test_log_density_up_to_a_constant(case, float64):
    """Differences between points agree to 1e-8 relative: constrained values, no Jacobian on either side."""
    _, data, _ = simulate(case, 1)
    prior = case.prior("paper")
    theta = points(case, data, 2)
    stan = engine.log_density(case, case.stan.data(data, prior), [case.stan.init(t) for t in theta])
    jax_data = Data(*map(jnp.array, data))
    ours = np.array(
        [case.exact.log_prior(jnp.array(t), prior) + case.exact.log_likelihood(jnp.array(t), jax_data) for t in theta]
    )
    np.testing.assert_allclose(stan - stan[0], ours - ours[0], rtol=1e-8, atol=1e-7)


@pytest.mark.parametrize("name", ["gaussian_hmm", "evidence_accumulation"])
def test_smoothing_is_stans_hidden_state_probability(name, float64):
    """Every draw's generated ``smoothing_1`` equals our smoother at that draw to 1e-10."""
    import stan

    case = get_case(name)
    _, data, _ = simulate(case, 3)
    block = case.stan.data(data, case.prior("paper")) | {"states": 1}
    posterior = stan.build((engine.FOLDER / case.stan.file).read_text(), data=block, random_seed=1)
    init = engine.initial_values(case, data, case.prior("paper"), 1, seed=1)
    fit = posterior.sample(num_chains=1, num_warmup=30, num_samples=10, init=init)
    drawn = {n: np.moveaxis(np.asarray(fit[n]), -1, 0) for n in case.stan.init(points(case, data, 4)[0])}
    drawn = {k: v[..., 0] if v.shape[-1] == 1 and v.ndim == 2 and k != "mu" else v for k, v in drawn.items()}
    theta = jnp.array(np.asarray(case.stan.extract(drawn)))
    jax_data = Data(*map(jnp.array, data))
    ours = np.exp(jax.vmap(lambda t: case.exact.state_log_probs(t, jax_data)["smoothing"])(theta))[..., 0]
    np.testing.assert_allclose(ours, np.asarray(fit["smoothing_1"]).T, atol=1e-10)


@pytest.mark.parametrize("name", ["gaussian_mixture", "gaussian_hmm"])
def test_two_seeds_agree(name):
    """Posterior means within 5 Monte Carlo standard errors (false alarm below 1e-5), R-hat below 1.01."""
    case = get_case(name)
    data, _ = case.simulate_demo(next(iter(case.demo)))
    settings = {"chains": 4, "warmup": 500, "draws": 1000, "adapt_delta": 0.95}
    means, variances = [], []
    for seed in (1, 2):
        fit = engine.sample(case, data, case.prior("paper"), seed, **settings)
        assert fit.rhat_max < 1.01 and not fit.stats["diverging"].any()
        means.append(fit.theta.mean((0, 1)))
        variances.append([array_stats.mcse(fit.theta[..., j]) ** 2 for j in range(fit.theta.shape[-1])])
    np.testing.assert_array_less(np.abs(means[0] - means[1]), 5 * np.sqrt(np.sum(variances, axis=0)))


def test_initial_values_are_sane(case):
    """Finite log density at the start of every chain."""
    _, data, _ = simulate(case, 5)
    init = engine.initial_values(case, data, case.prior("paper"), 4, seed=1)
    assert len(init) == 4
    values = engine.log_density(case, case.stan.data(data, case.prior("paper")), init)
    assert np.isfinite(values).all()


def test_without_a_compiler_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(engine, "_cmdstan_path", lambda: None)
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(engine.StanUnavailable, match=r"no C\+\+ compiler: install a C\+\+ compiler \(Debian: apt-get"):
        engine.find_engine()


def test_a_chain_that_cannot_start_is_said_in_one_line(monkeypatch):
    case = get_case("gaussian_mixture")
    _, data, _ = simulate(case, 1)
    outside = {"pi": [2.0, -0.5, -0.5], "mu": [-1.0, 0.0, 1.0]}
    monkeypatch.setattr(engine, "initial_values", lambda *_: [outside] * 2)
    with pytest.raises(engine.StanFailed, match=r"failed: .*nitial.*simplex") as raised:
        engine.sample(case, data, case.prior("paper"), 1, chains=2, warmup=50, draws=50, adapt_delta=0.95)
    assert "\n" not in str(raised.value) and "Traceback" not in str(raised.value)
