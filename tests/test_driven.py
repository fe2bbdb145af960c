"""Chains that covariates drive: recursions by enumeration, real data against other programs, networks, and refusals."""

import itertools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pandas as pd
import pytest
from conftest import smoke_recipe
from numpyro import sample
from scipy import stats
from scipy.special import expit, logsumexp

import amortmix as am
from amortmix.model import hmm
from amortmix.model.data import as_numpy
from amortmix.networks.estimator import as_example, chain_of
from amortmix.storage.files import BadInput

DATA = Path(__file__).parents[1] / "data" / "fields"
N, K = 5, 3
STARTS = jnp.array([0.0, 0, 0, 1, 0])


def driven_chain(seed, n=N, k=K):
    rng = np.random.default_rng(seed)
    log_init, log_trans = np.log(rng.dirichlet(np.ones(k), size=n)), np.log(rng.dirichlet(np.ones(k), size=(n, k)))
    return log_init, log_trans, 2 * rng.normal(size=(n, k))


def path_probabilities(log_init, log_trans, log_lik, starts):
    """Every path (K^N, N) and log p(path, y): matrix t leads from unit t to the next, row t of the first begins."""
    n, k = log_lik.shape
    paths = np.array(list(itertools.product(range(k), repeat=n)))
    joint = log_init[0, paths[:, 0]] + log_lik[np.arange(n), paths].sum(1)
    for t in range(1, n):
        begins = log_init[t, paths[:, t]]
        joint += begins if starts[t] else log_trans[t - 1, paths[:, t - 1], paths[:, t]]
    return paths, joint


def shares(paths, joint):
    """p(z_t = k) (N, K) of paths with log weights."""
    weights = np.exp(joint - logsumexp(joint))
    return np.stack([np.bincount(z, weights, minlength=K) for z in paths.T])


@pytest.mark.parametrize("starts", [jnp.zeros(N), STARTS])
def test_recursions_by_enumeration(starts, float64):
    log_init, log_trans, log_lik = model = driven_chain(1)
    paths, joint = path_probabilities(*model, starts)
    arguments = tuple(map(jnp.asarray, model))
    found = hmm.filter(*arguments, starts)
    np.testing.assert_allclose(found.log_marginal, logsumexp(joint), rtol=1e-12)
    states = {name: np.exp(p) for name, p in hmm.state_log_probs(*arguments, starts).items()}
    np.testing.assert_allclose(states["smoothing"], shares(paths, joint), atol=1e-12)
    np.testing.assert_allclose(
        states["marginal"], shares(*path_probabilities(log_init, log_trans, 0 * log_lik, starts)), atol=1e-12
    )
    for t in range(N):
        for name, seen in {"filtering": np.arange(N) <= t, "backward_filtering": np.arange(N) > t}.items():
            some = shares(*path_probabilities(log_init, log_trans, log_lik * seen[:, None], starts))
            np.testing.assert_allclose(states[name][t], some[t], atol=1e-12, err_msg=name)
    best = paths[joint.argmax()]
    np.testing.assert_array_equal(hmm.most_probable_path(*arguments, jnp.ones(N), starts), best)
    evidence = hmm.evidence_of_filter(*arguments[:2], found.log_filter, starts) - log_lik
    np.testing.assert_allclose(evidence - evidence[:, :1], 0, atol=1e-10)


def test_further_axes_are_chains_side_by_side(float64):
    """Three chains at once, as fits have draws of theta, are the three by themselves."""
    models = [driven_chain(seed) for seed in (3, 4, 5)]
    together = tuple(jnp.stack(parts, axis=-1) for parts in zip(*models))
    states = hmm.state_log_probs(*together, STARTS)
    paths = hmm.most_probable_path(*together, jnp.ones(N), STARTS)
    for i, model in enumerate(models):
        alone = tuple(map(jnp.asarray, model))
        for name, p in hmm.state_log_probs(*alone, STARTS).items():
            np.testing.assert_allclose(states[name][..., i], p, atol=1e-12, err_msg=name)
        np.testing.assert_array_equal(paths[:, i], hmm.most_probable_path(*alone, jnp.ones(N), STARTS))


def test_the_same_rows_for_every_unit_are_the_chain_without_covariates(float64):
    log_init, log_trans, log_lik = driven_chain(6)
    shared = log_init[0], log_trans[0], log_lik
    repeated = np.repeat(log_init[:1], N, axis=0), np.repeat(log_trans[:1], N, axis=0), log_lik
    for name, p in hmm.state_log_probs(*map(jnp.asarray, shared), STARTS).items():
        np.testing.assert_allclose(hmm.state_log_probs(*map(jnp.asarray, repeated), STARTS)[name], p, atol=1e-12)


def test_drawn_paths_have_the_probabilities_of_enumeration(float64):
    """20,000 draws; one share differs by 4.5 standard errors in one of 140,000 cases; fixed seeds."""
    model = driven_chain(7)
    expected = shares(*path_probabilities(*model, STARTS))
    log_init, log_trans, log_lik = map(jnp.asarray, model)
    past = hmm.filter(log_init, log_trans, log_lik, STARTS).log_filter
    noise = jax.random.gumbel(jax.random.key(8), (20_000, N, K))
    drawn = np.asarray(jax.vmap(lambda g: hmm.sample_states(g, log_trans, past, jnp.ones(N), STARTS))(noise))
    keys = jax.random.split(jax.random.key(9), 20_000)
    simulated = np.asarray(jax.vmap(lambda key: hmm.simulate_states(key, log_init, log_trans, N, STARTS))(keys))
    prior = shares(*path_probabilities(*model[:2], 0 * model[2], STARTS))
    for z, p in ((drawn, expected), (simulated, prior)):
        error = np.abs((z[..., None] == np.arange(K)).mean(0) - p)
        assert (error < 4.5 * np.sqrt(p * (1 - p) / len(z)) + 1e-9).all()
    # neighbours too: pairs of units 1 and 2
    paths, joint = path_probabilities(*model, STARTS)
    pair = np.bincount(3 * paths[:, 0] + paths[:, 1], np.exp(joint - logsumexp(joint)), minlength=9)
    found = np.bincount(3 * drawn[:, 0] + drawn[:, 1], minlength=9) / len(drawn)
    assert (np.abs(found - pair) < 4.5 * np.sqrt(pair * (1 - pair) / len(drawn)) + 1e-9).all()


def test_elk_are_as_other_programs_say(float64):
    """Morales et al. (2004): the likelihood and the states at the maximum that SciPy found; transitions by distance."""
    frame, known = pd.read_csv(DATA / "elk.csv"), json.loads((DATA / "elk.json").read_text())
    p = {name: np.array(value) for name, value in known["parameters"].items()}
    step, turn = frame["step_km"].to_numpy()[:, None], frame["turn_rad"].to_numpy()[:, None]
    shape, scale = (p["mean"] / p["sd"]) ** 2, p["sd"] ** 2 / p["mean"]
    positive = np.log1p(-p["zero"]) + stats.gamma.logpdf(np.maximum(step, 1e-12), shape, scale=scale)
    log_lik = np.where(step == 0, np.log(p["zero"]), positive)
    log_lik += np.where(np.isnan(turn), 0, stats.vonmises.logpdf(np.nan_to_num(turn), p["kappa"], p["turn"]))
    mean, sd = known["standardize"]
    x = (frame["water_km"].to_numpy()[:, None] - mean) / sd
    leave = expit(p["a"] + p["b"] * x)
    log_trans, log_init = jnp.log(hmm.two_state(jnp.asarray(1 - leave))), jnp.full((len(frame), 2), np.log(0.5))
    starts = jnp.asarray(1.0 * (frame["elk"] != frame["elk"].shift()).to_numpy()).at[0].set(0.0)
    arguments = log_init, log_trans, jnp.asarray(log_lik), starts
    assert float(hmm.filter(*arguments).log_marginal) == pytest.approx(known["log_likelihood"], abs=1e-5)
    smoothed = np.exp(hmm.state_log_probs(*arguments)["smoothing"][:, 1])
    np.testing.assert_allclose(smoothed, known["smoothed_p_state_2"], atol=1e-5)


# --- a declaration ------------------------------------------------------------------------------------------------


def prior():
    a = sample("a", dist.Normal(-1.5, 0.5).expand([2]).to_event(1))
    b = sample("b", dist.Normal(0, 1).expand([2]).to_event(1))
    mu = sample("mu", am.ordered(dist.Normal(0, 1.5), 2))
    return {"a": a, "b": b, "mu": mu, "first": sample("first", dist.Normal(0, 1))}


def driven(**changed):
    """States are left by a logistic function of x; where a sequence begins it decides the state as well."""
    fields = {
        "states": ("low", "high"),
        "prior": prior,
        "transitions": lambda p, x: am.two_state(1 - jax.nn.sigmoid(p["a"] + p["b"] * x["x"])),
        "initial": lambda p, x: jax.nn.softmax(jnp.concatenate([0 * x["x"], p["first"] * x["x"]], axis=1)),
        "emission": lambda p, x: dist.Normal(p["mu"], 1.0),
        "covariates": {"x": dist.Normal(0, 1)},
        "units": (20, 40),
        "name": "driven",
    }
    return am.HiddenMarkov(**(fields | changed))


MODEL = driven()


def test_a_declaration_passes_every_check():
    """Enumeration, simulator against density and chain, gradients."""
    report = am.check(MODEL)
    assert report.passed, report


def test_covariates_of_the_unit_that_is_left_decide():
    """Where x is 0 but at one unit, the matrix of that unit alone differs: it leads to the next one."""
    theta = jnp.array([-1.0, -1.0, 2.0, 2.0, -1.0, 1.0, 0.5])
    x = jnp.zeros((6, 1)).at[2].set(1.5)
    log_init, log_trans = MODEL.chain(theta, x)
    assert log_init.shape == (6, 2) and log_trans.shape == (6, 2, 2)
    np.testing.assert_allclose(np.exp(log_trans[2, 0]), [1 - expit(2.0), expit(2.0)], rtol=1e-5)
    np.testing.assert_allclose(np.exp(log_trans[[0, 1, 3, 4], 0, 1]), expit(-1.0), rtol=1e-5)
    np.testing.assert_allclose(np.exp(log_init[2]), [1 - expit(0.75), expit(0.75)], rtol=1e-5)


def test_networks_are_told_the_chain_of_every_unit():
    theta, data, _ = jax.jit(MODEL.simulate_dataset)(jax.random.key(1))
    chain = chain_of(MODEL, theta, data)
    assert chain.shape == (len(data.y), 3, 2) == as_example(MODEL, theta, data)["chain"].shape
    log_init, log_trans = MODEL.chain(theta, data.x)
    np.testing.assert_array_equal(chain[:, 0], log_init)
    np.testing.assert_array_equal(chain[:, 1:], log_trans)


@pytest.fixture(scope="module")
def nets(tmp_path_factory):
    recipe = smoke_recipe(MODEL)
    return am.train(MODEL, steps=600, recipe=recipe, folder=tmp_path_factory.mktemp("driven"), assess=False)


def frame_of(seed):
    _, data, _ = jax.jit(MODEL.simulate_dataset)(jax.random.key(seed))
    data = as_numpy(data)
    kept = data.exists > 0
    return pd.DataFrame({"unit": 1 + np.arange(kept.sum()), "y": data.y[kept, 0, 0], "x": data.x[kept, 0]})


@pytest.mark.filterwarnings("ignore:.*(MCMC|UNRELIABLE)")
def test_a_fit_knows_the_covariates(nets):
    """Weights come from the exact density: evidence is that of prior draws, within four standard errors of both.

    With other covariates of the same observations as well, which is another evidence.
    """
    theta = jax.vmap(MODEL.sample_prior)(jax.random.split(jax.random.key(4), 100_000))
    table, found = frame_of(3).head(20), []
    for times in (1, -2):
        changed = table.assign(x=times * table["x"])
        fit = nets.fit(changed, draws=4000)
        y, x = (changed[[name]].to_numpy(np.float32) for name in "yx")
        data = am.Data(y[:, None], np.ones_like(y), x)
        log_lik = np.asarray(jax.jit(MODEL.log_likelihoods)(theta, data), float)
        top = log_lik.max()
        weights = np.exp(log_lik - top)
        found.append(np.log(weights.mean()) + top)
        error = weights.std() / weights.mean() / np.sqrt(len(weights))
        attrs = fit.tree.attrs
        assert abs(attrs["log_evidence"] - found[-1]) < 4 * np.hypot(error, attrs["log_evidence_se"])
    assert abs(found[0] - found[1]) > 5 * error
    assert np.isfinite(fit.states().to_numpy(float)).all() and fit.paths(10).shape == (10, 20)


def test_a_function_of_covariates_needs_some():
    with pytest.raises(BadInput, match="transitions takes covariates; expected `covariates`"):
        driven(covariates={}, emission=lambda p: dist.Normal(p["mu"], 1.0), initial=None)


# --- a mixture whose shares covariates drive ------------------------------------------------------------------------


def prior_of_experts():
    slope = sample("slope", dist.Normal(0, 1).expand([2]).to_event(1))
    return {"slope": slope, "mu": sample("mu", am.ordered(dist.Normal(0, 1.5), 2))}


EXPERTS = am.Mixture(
    states=("low", "high"),
    prior=prior_of_experts,
    weights=lambda p, x: jax.nn.softmax(jnp.concatenate([0 * x["x"], p["slope"][0] + p["slope"][1] * x["x"]], axis=1)),
    emission=lambda p: dist.Normal(p["mu"], 1.0),
    covariates={"x": dist.Normal(0, 1)},
    units=(20, 40),
    name="experts",
)


def test_a_mixture_of_experts_passes_every_check():
    """The sum over all classes of all units, simulated classes against shares, gradients."""
    report = am.check(EXPERTS)
    assert report.passed, report


@pytest.mark.filterwarnings("ignore:.*(MCMC|UNRELIABLE)")
def test_classes_follow_the_covariates(tmp_path):
    """p(z_i | y, theta) by Bayes' rule with SciPy; in a fit it is averaged over the draws."""
    x, y = np.array([[-1.0], [0.0], [2.0]], np.float32), np.array([[0.3], [-1.0], [1.4]], np.float32)
    theta = jnp.array([0.4, 1.5, -0.5, 1.0])
    data = am.Data(y[:, None], np.ones_like(y), x)
    joint = stats.norm.logpdf(y, [-0.5, 1.0]) + np.log(np.hstack([expit(-0.4 - 1.5 * x), expit(0.4 + 1.5 * x)]))
    np.testing.assert_allclose(EXPERTS.log_likelihood(theta, data), logsumexp(joint, axis=1).sum(), rtol=1e-5)
    expected = np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    found = EXPERTS.state_log_probs(theta, data)["classification"]
    np.testing.assert_allclose(np.exp(found), expected, atol=1e-5)

    nets = am.train(EXPERTS, steps=600, recipe=smoke_recipe(EXPERTS), folder=tmp_path, assess=False)
    table = pd.DataFrame({"y": np.tile(y[:, 0], 8), "x": np.tile(x[:, 0], 8)})
    fit = nets.fit(table, draws=200)
    # of 24 shares from 200 draws one is off by 5 standard errors in 70,000 cases
    assert np.abs((fit.paths(4000) == 1).mean(0) - fit.states()["P(high)"]).max() < 5 * np.sqrt(0.25 / 200)


def test_shares_that_take_covariates_need_some():
    with pytest.raises(BadInput, match="weights takes covariates; expected `covariates`"):
        EXPERTS.changed(covariates={})


def test_shares_of_another_shape_are_refused():
    """Numbers that are not one for each class stand beside what was expected, (K,) or (N, K)."""
    wrong = EXPERTS.changed(weights=lambda p, x: jnp.stack([x["x"], 1 - x["x"]], axis=-1))
    with pytest.raises(BadInput, match=r"shape \(6, 1, 2\); expected \(2,\), or \(6, 2\), one for each unit"):
        wrong.log_weights(jnp.array([0.4, 1.5, -0.5, 1.0]), jnp.zeros((6, 1)))


@pytest.mark.parametrize("field", ["transitions", "initial"])
def test_chains_of_another_shape_are_refused(field):
    """A column of covariates is (N, 1), which is easily stacked into an axis too many: one line says so."""
    wrong = driven(**{field: lambda p, x: jnp.stack([x["x"], 1 - x["x"]], axis=-1)})
    with pytest.raises(
        BadInput, match=rf"{field} gives an array of shape \(6, 1, 2\); expected \(2,.*one for each unit"
    ):
        wrong.chain(wrong.sample_prior(jax.random.key(1)), jnp.zeros((6, 1)))
