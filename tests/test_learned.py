"""A learned density of one unit against the density that its simulator has."""

import warnings
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from numpyro import distributions as dist
from numpyro import sample

import amortmix as am
from amortmix import trainer
from amortmix.inference.members import flaw, largest_sd
from amortmix.model import registry
from amortmix.model.data import Data
from amortmix.model.learned import bijection
from amortmix.storage.density import load_density, save_density
from amortmix.storage.files import BadInput
from amortmix.training import density as learning
from amortmix.training import density_check
from amortmix.training.loop import train

#: Share of units whose simulation ends in infinity, which has nothing to do with anything else.
OVERFLOWS = 0.001


def prior():
    share = sample("share", dist.Beta(4, 4).expand([2]).to_event(1))
    rate = sample("rate", am.ordered(dist.LogNormal(0.5, 0.5), 2))
    start = sample("start", dist.Exponential(2))
    return {"share": share, "rate": rate, "start": start}


def scale_of(p, z, side, dose):
    """Mean of the exponential variable that is rounded down to a count, which then is geometric."""
    return p["rate"][z] * (1 + side) * jnp.exp(0.3 * dose)


def simulate_unit(key, p, z, x):
    """A side by chance; a count that depends on side, state and dose; a time that depends on the count."""
    keys = jax.random.split(key, 3)
    side = jax.random.bernoulli(keys[0], p["share"][z]) * 1.0
    count = jnp.floor(scale_of(p, z, side, x["dose"]) * jax.random.exponential(keys[1]))
    time = p["start"] + jnp.exp(0.2 * jnp.sqrt(count) - 1 + 0.4 * jax.random.normal(keys[2]))
    return jnp.stack([time, count, side])


def overflowing(key, p, z, x):
    y = simulate_unit(key, p, z, x)
    return jnp.where(jax.random.bernoulli(jax.random.fold_in(key, 1), OVERFLOWS), y.at[0].set(jnp.inf), y)


MODEL = am.Mixture(
    name="mixed",
    states=("low", "high"),
    prior=prior,
    simulate_unit=simulate_unit,
    columns={"time": am.Positive(), "count": am.NonNegativeInteger(), "side": am.Choice()},
    covariates={"dose": dist.Normal(0, 1)},
    below={"start": "time"},
    units=(50, 100),
)


def exact(p, y, x, z):
    """log p(y | z, theta) of one unit."""
    time, count, side = y
    scale = scale_of(p, z, side, x)
    found = dist.Bernoulli(p["share"][z]).log_prob(side) - count / scale + jnp.log(-jnp.expm1(-1 / scale))
    return found + dist.LogNormal(0.2 * jnp.sqrt(count) - 1, 0.4).log_prob(time - p["start"])


@pytest.fixture(scope="module")
def learned():
    from conftest import optimizations  # not above: a process that exports reads this file as the declaration

    with optimizations():
        return am.learn_density(MODEL.changed(simulate_unit=overflowing), steps=1000, seed=1)


@pytest.fixture(scope="module")
def divergence(learned):
    """KL(p || q) for each state and member, and of the mean of the members, with standard errors (M + 1, K)."""
    units = jax.jit(learning.simulate, static_argnums=(0, 3, 4))(learned, None, jax.random.key(9), 1, 20_000)
    log_q = jax.jit(lambda u: learned.density.log_prob(learned, u.y, u.theta, u.x))(units)
    log_q = jnp.concatenate([log_q, jax.nn.logsumexp(log_q, axis=0, keepdims=True) - np.log(len(log_q))])
    p = jax.vmap(MODEL.natural)(units.theta[0, 0])
    of_units = jax.vmap(exact, in_axes=(0, 0, 0, None))
    log_p = jnp.stack([of_units(p, units.y[0, z], units.x[0, z, :, 0], z) for z in range(2)])
    difference = np.asarray(log_p - log_q, float)
    difference = difference[..., np.asarray(units.finite[0]).all(0)]
    return difference.mean(-1), difference.std(-1) / np.sqrt(difference.shape[-1])


def test_the_divergence_from_the_true_density_is_small(divergence):
    """Three factors of two states after 1,000 steps: below 0.01 nats per unit, and not below zero by four errors."""
    found, error = divergence
    assert (found[-1] < 0.01).all() and (found > -4 * error).all()


def test_members_say_how_far_they_are_from_the_truth(learned, divergence):
    """The estimate, which knows no truth, within a factor of three of the mean over the states."""
    assert learned.density.report["left_out"] == pytest.approx(OVERFLOWS, abs=4 * (OVERFLOWS / 1e5) ** 0.5)
    ratio = learned.density.report["divergence"] / divergence[0][-1].mean()
    assert 1 / 3 < ratio < 3


def test_a_state_is_told_the_parameters_that_matter_to_it(learned):
    """share and rate of its own state; start only moves times, which are counted from it."""
    assert [p.name for p in MODEL.parameters] == ["share_1", "share_2", "rate_1", "rate_2", "start"]
    # the second rate is the first and a step: both coordinates move it
    np.testing.assert_array_equal(learned.density.relevant, [[1, 0, 1, 0, 0], [0, 1, 1, 1, 0]])


@pytest.fixture
def rough(float64):
    """Networks with weights as they start, doubled: any outputs give a density. Without a covariate, in float64."""
    plain = MODEL.changed(covariates={}, simulate_unit=lambda key, p, z: simulate_unit(key, p, z, {"dose": 0.0}))
    blank = learning._standardized(plain, jax.random.key(0))
    layers = jax.tree.map(lambda a: 2.0 * a.astype(float), learning._initial(blank, plain, jax.random.key(1)))
    return plain.changed(density=replace(blank, layers=layers))


@pytest.fixture
def masses(rough):
    """theta, 300 times, and the probability (300, 2000, 2, K) around each time of each count and side."""
    theta = rough.sample_prior(jax.random.key(3))
    location, scale = rough.density.scaling["time"]
    t, width = np.linspace(-16, 16, 300, retstep=True)
    times = np.exp(location + scale * t)

    @jax.jit
    def mass(side):
        time, count = jnp.meshgrid(theta[-1] + times, np.arange(2000.0), indexing="ij")
        y = jnp.stack([time.ravel(), count.ravel(), jnp.full(time.size, side)], axis=-1)[:, None]
        log_q = rough.log_densities(theta, Data(y, jnp.ones((len(y), 1))))
        return jnp.exp(log_q).reshape(*time.shape, 2) * (times * scale * width)[:, None, None]

    return theta, theta[-1] + times, np.stack([mass(0.0), mass(1.0)], axis=2)


def test_a_density_integrates_to_one(masses):
    """Sum over sides and counts below 2,000, integral over 300 log times: 1 within 1e-3 for each state."""
    np.testing.assert_allclose(masses[-1].sum((0, 1, 2)), 1, atol=1e-3)


def test_transforms_are_distribution_functions(rough, masses):
    """Of a side, of a time given the side, and of a count given both, from sums of the density itself."""
    theta, times, mass = masses
    y = jnp.broadcast_to(jnp.array([times[160], 2.0, 1.0]), (1, 2, 1, 3))
    noise = jnp.broadcast_to(jnp.array([0.5, 0.3, 0.7]), (2, 1, 3))
    u = rough.density.transforms(rough, y, theta, None, noise)[:, 0].T
    of_sides, of_times, of_counts = mass.sum((0, 1)), mass[:, :, 1].sum(1), mass[160, :, 1]
    below = of_times[:160].sum(0) + of_times[160] / 2, of_counts[:2].sum(0) + 0.3 * of_counts[2]
    np.testing.assert_allclose(u[0], below[0] / of_times.sum(0), atol=2e-3)
    np.testing.assert_allclose(u[1], below[1] / of_counts.sum(0), atol=1e-6)
    np.testing.assert_allclose(u[2], of_sides[0] + 0.7 * of_sides[1], atol=1e-3)


def test_units_that_share_theta_are_as_units_with_their_own(rough):
    """The networks are asked once for all units alike, or once for each: the same numbers."""
    theta, data, _ = rough.simulate_dataset(jax.random.key(4))
    together = rough.log_densities(theta, data)
    y = jnp.broadcast_to(data.y[None, None, :, 0], (1, 2, *data.y[:, 0].shape))
    own = rough.density.log_prob(rough, y, jnp.broadcast_to(theta, (1, 1, len(data.y), len(theta))))
    own = jax.nn.logsumexp(own, axis=0).T - np.log(2)
    np.testing.assert_allclose(together, own * data.observed[:, None], rtol=1e-9)


def test_few_simulated_units_are_far_out(learned):
    """At one theta, three columns, the best of two states: a share of at most three times the level, by four errors."""
    theta, _, _ = learned.simulate_dataset(jax.random.key(6))
    mask = jnp.ones((20_000, 1))
    x = learned.sample_covariates(jax.random.key(7), len(mask))
    y, _ = learned.simulate(jax.random.key(8), theta, mask, x)
    y = y[jnp.isfinite(y).all((1, 2))]
    data = Data(y, mask[: len(y)], x[: len(y)])
    found = np.asarray(jax.jit(lambda t: learned.density.tails(learned, t, data))(theta))
    for level in (0.01, 0.001):
        error = 4 * np.sqrt(3 * level / len(found))
        assert (found < level).mean() < 3 * level + error
    far = data._replace(y=data.y.at[0, 0, 0].set(1e4))
    assert learned.density.tails(learned, theta, far)[0] < 1e-6


def test_a_fit_says_what_its_density_does_not_know(learned, tmp_path):
    """A time that no simulation has, and a check that failed, by networks from a folder and by their programs."""
    from conftest import smoke_recipe

    report = learned.density.report | {"problems": ["its members disagree"]}
    model = learned.changed(simulate_unit=simulate_unit, density=replace(learned.density, report=report))
    nets = am.train(model, steps=20, recipe=smoke_recipe(model), folder=tmp_path, assess=False)
    assert nets.card["density"]["steps"] == 1000
    theta = jnp.array([0.5, 0.4, 1.0, 4.0, 0.2])
    x = learned.sample_covariates(jax.random.key(1), 60)
    y, _ = learned.changed(simulate_unit=simulate_unit).simulate(jax.random.key(2), theta, jnp.ones((60, 1)), x)
    frame = pd.DataFrame(np.asarray(y[:, 0]), columns=["time", "count", "side"]).assign(dose=np.asarray(x[:, 0]))
    named = []
    for time in (float(frame["time"][7]), 500.0):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            fit = am.load(tmp_path).fit(frame.assign(time=frame["time"].where(frame.index != 7, time)), draws=400)
        assert fit.tree.attrs["density_shift"] >= 0
        assert fit.verdict == "UNRELIABLE" and fit.reason == flaw(report) and fit.reason in fit.warnings[-1]
        named.append([w for w in fit.warnings if "farther out than simulated units" in w])
    # draws of networks that are hardly trained may be far from other units too
    assert not any("of unit 8" in w for w in named[0]) and "500 of unit 8" in named[1][0]
    assert am.export(tmp_path)
    exported = am.load(tmp_path)
    assert exported.engine.name == "exported" and exported.engine.learned
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        again = exported.fit(frame.assign(time=frame["time"].where(frame.index != 7, 500.0)), draws=400)
    assert again.tree.attrs["density_shift"] == pytest.approx(fit.tree.attrs["density_shift"], rel=1e-2)
    assert [w for w in again.warnings if "farther out" in w] and again.tree.attrs["program"] == "exported"
    assert (again.verdict, again.reason) == ("UNRELIABLE", flaw(report))


@pytest.fixture
def unclassified(monkeypatch):
    """Nobody looks at these densities: the classifier, which takes seconds, need not."""
    monkeypatch.setattr(density_check, "classifier", lambda *_: (0.5, 0.01))


def test_a_recipe_asks_for_a_density(unclassified):
    """It is learned before the networks, with the seed of the training, and the density can then train them."""
    from conftest import smoke_recipe  # not above: a process that exports reads this file as the declaration

    recipe = smoke_recipe(MODEL) | {
        "density": {"steps": 20},
        "schedule": {"phases": [[2, 8, 2]], "learning_rate": 1e-3},
    }
    found = train(MODEL, recipe, seed=3).model.density
    again = am.learn_density(MODEL, steps=20, seed=3).density
    for a, b in zip(jax.tree.leaves(found.layers), jax.tree.leaves(again.layers), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_density_that_was_kept_is_that_of_its_model_and_seed(tmp_path, monkeypatch, unclassified):
    """An interrupted training goes on with it; another declaration, or another seed, learns its own."""
    learn, asked = trainer.learn_density, []

    def short(model, minutes, seed):
        asked.append(seed)
        return learn(model, steps=5, seed=seed)

    monkeypatch.setattr(trainer, "learn_density", short)
    first, again = (trainer._with_density(MODEL, tmp_path, 1.0, 1).density for _ in range(2))
    assert asked == [1] and again.report == first.report
    trainer._with_density(MODEL.changed(units=(60, 100)), tmp_path, 1.0, 1)
    trainer._with_density(MODEL, tmp_path, 1.0, 2)
    assert asked == [1, 1, 2]


def test_a_density_is_kept_in_a_file(learned, tmp_path):
    card = {"density": save_density(tmp_path, learned.density)}
    again = learned.changed(density=load_density(tmp_path, card))
    theta, data, _ = learned.simulate_dataset(jax.random.key(5))
    np.testing.assert_array_equal(again.log_densities(theta, data), learned.log_densities(theta, data))
    assert again.density.report == learned.density.report
    (tmp_path / "density.npz").write_bytes(b"something else")
    with pytest.raises(BadInput, match="density.npz: missing or changed"):
        load_density(tmp_path, card)


def test_a_check_compares_it_with_the_simulator(learned):
    """All of `amortmix.check`: a wrong density would not be calibrated, and not be that of simulated observations."""
    report = am.check(learned.changed(simulate_unit=simulate_unit))
    assert report.passed and {"emission", "calibration", "enumeration"} <= {row.name for row in report.rows}


def test_a_posterior_mean_moves_by_as_much_as_members_say():
    """theta ~ Normal(0, s), an error c theta of the log likelihood: the mean moves by c s^2, in sd c s."""
    theta = 0.7 * np.random.default_rng(1).standard_normal(200_000)
    c = 0.3
    error = c * theta[:, None]
    assert largest_sd(error, np.ones(len(theta))) == pytest.approx(c * 0.7, rel=0.02)
    weights = np.exp(c * theta)
    assert np.average(theta, weights=weights) / 0.7 == pytest.approx(c * 0.7, rel=0.05)
    # the same from a proposal that is twice as wide
    log_weights = -0.5 * theta**2 * (1 / 0.35**2 - 1 / 0.7**2)
    assert largest_sd(error, np.exp(log_weights)) == pytest.approx(c * 0.35, rel=0.03)


def test_what_has_no_simulator_of_a_unit_is_refused():
    with pytest.raises(BadInput, match="has an emission; expected `simulate_unit`"):
        am.learn_density(registry.find("gaussian_hmm"), steps=10)
    with pytest.raises(BadInput, match="3 observations of a unit; expected one"):
        am.learn_density(MODEL.changed(observations=(2, 3)), steps=10)


def test_a_draw_on_the_edge_of_its_support_is_moved_inside():
    """Batches in which single precision rounds a truncated normal onto its edge: every draw has coordinates."""
    model = registry.find("evidence_accumulation")
    draw = jax.jit(lambda key: jax.vmap(model.sample_prior)(jax.random.split(key, 4096)))
    for seed in (1115, 1344, 1370):
        assert np.isfinite(bijection(model).inverse(draw(jax.random.key(seed)))).all()
