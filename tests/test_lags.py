"""Emissions that read the past and states that remember: other programs' values, brute force, and refusals."""

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

import amortmix as am
from amortmix.model import shown, tables
from amortmix.model.data import as_numpy, complete
from amortmix.storage.files import BadInput

DATA = Path(__file__).parents[1] / "data" / "fields"
LAGS = 4
MEMORY = am.Memory(("recession", "expansion"), LAGS)


def prior():
    return {
        "stay": sample("stay", dist.Beta(4, 1).expand([2]).to_event(1)),
        "mu": sample("mu", am.ordered(dist.Normal(0, 1), 2)),
        "phi": sample("phi", dist.Normal(0, 0.2).expand([LAGS]).to_event(1)),
        "sd": sample("sd", dist.LogNormal(0, 0.3)),
    }


def chain(p):
    return am.two_state(p["stay"])


def around_means(p, past):
    mean = MEMORY.of(p["mu"])
    return dist.Normal(mean[0] + sum(p["phi"][k] * (past["growth"][k] - mean[k + 1]) for k in range(LAGS)), p["sd"])


def with_intercepts(p, past):
    return dist.Normal(p["mu"] + sum(p["phi"][k] * past["growth"][k] for k in range(LAGS)), p["sd"])


SHARED = {
    "prior": prior,
    "columns": {"growth": am.Real()},
    "lags": LAGS,
    "first": {"growth": dist.Normal(0, 1)},
    "units": (20, 30),
}
INTERCEPT = am.HiddenMarkov(
    name="switching_intercept",
    states=("recession", "expansion"),
    transitions=chain,
    initial=lambda p: am.stationary(chain(p)),
    emission=with_intercepts,
    **SHARED,
)
MEAN = am.find(Path(__file__).parents[1] / "models" / "recessions.py").changed(units=(20, 30))
ONE = am.Memory(("low", "high"), 1)


def with_one(p, past):
    mean = ONE.of(p["mu"])
    return dist.Normal(mean[0] + p["phi"][0] * (past["growth"][0] - mean[1]), p["sd"])


SMALL = MEAN.changed(
    name="small_memory",
    states=ONE.states,
    transitions=lambda p: ONE.transitions(chain(p)),
    initial=lambda p: ONE.initial(am.stationary(chain(p)), chain(p)),
    emission=with_one,
    lags=1,
)


def theta_of(model, **values):
    """theta (D,) of the values of its sites."""
    return jnp.concatenate([jnp.asarray(values[site.name], float) for site in model.sites])


def growth(model, values):
    frame = pd.DataFrame({"growth": values})
    data = as_numpy(tables.read(model, frame).data, np.float64)
    return data._replace(y=np.asarray(values)[:, None, None])


def test_gnp_as_other_programs_say(float64):
    """Hamilton (1989): EViews' values of the switching mean, and those of statsmodels of the switching intercept."""
    values, known = pd.read_csv(DATA / "gnp.csv")["growth"].to_numpy(), json.loads((DATA / "gnp.json").read_text())
    mean, intercept = known["switching_mean"], known["switching_intercept"]
    p = intercept["parameters"]
    intercepts = theta_of(
        INTERCEPT,
        stay=[p["p[0->0]"], 1 - p["p[1->0]"]],
        mu=[p["const[0]"], p["const[1]"]],
        phi=[p[f"x{k}[1]"] for k in (1, 2, 3, 4)],
        sd=[p["sigma2"] ** 0.5],
    )
    means = theta_of(
        MEAN,
        stay=[mean["p_stay_low"], 1 - mean["p_low_given_high"]],
        mu=mean["mu"],
        phi=mean["phi"],
        sd=[mean["sigma2"] ** 0.5],
    )
    for model, theta, given, smoothed in (
        (INTERCEPT, intercepts, intercept, intercept["smoothed_p_state_2"]),
        (MEAN, means, mean, mean["smoothed_p_high"]),
    ):
        data = growth(model, values)
        states = {
            h: shown.probabilities(model.states, np.exp(v)) for h, v in model.state_log_probs(theta, data).items()
        }
        assert float(model.log_likelihood(theta, data)) == pytest.approx(given["log_likelihood"], abs=1e-5)
        np.testing.assert_allclose(states["smoothing"][LAGS:, 1], smoothed, atol=1e-5)
        if "filtered_p_high" in given:
            np.testing.assert_allclose(states["filtering"][LAGS:, 1], given["filtered_p_high"], atol=1e-5)


def test_production_with_transitions_by_indicators(float64):
    """Filardo (1994), EViews' values: a switching mean whose transitions depend on last month's leading indicators."""
    frame, known = pd.read_csv(DATA / "production.csv"), json.loads((DATA / "production.json").read_text())
    p = known["parameters"]
    a = jnp.array([p["p[0->0].tvtp0"], p["p[1->0].tvtp0"]])
    b = jnp.array([p["p[0->0].tvtp1"], p["p[1->0].tvtp1"]])

    def by_label(x):
        stay, leave = jnp.moveaxis(jax.nn.sigmoid(a + b * x["leading"]), -1, 0)
        return am.two_state(jnp.stack([stay, 1 - leave], axis=-1))

    def transitions(_, x):
        return MEMORY.transitions(by_label(x))

    def initial(_, x):
        # the first label is that of the chain as the month before would drive it for ever
        first = by_label({"leading": frame["leading"].to_numpy()[:1, None]})[0]
        return jnp.broadcast_to(MEMORY.initial(am.stationary(first), first), (len(x["leading"]), 2 ** (LAGS + 1)))

    model = MEAN.changed(
        transitions=transitions,
        initial=initial,
        emission=lambda p, x, past: around_means(p, past),
        covariates={"leading": dist.Normal(0, 1)},
    )
    values = frame["growth"].to_numpy()[1:]
    theta = theta_of(
        MEAN,
        stay=[0.5, 0.5],
        mu=[p["const[0]"], p["const[1]"]],
        phi=[p[f"ar.L{k}"] for k in (1, 2, 3, 4)],
        sd=[p["sigma2"] ** 0.5],
    )
    data = am.Data(values[:, None, None], np.ones((len(values), 1)), frame["leading"].to_numpy()[1:, None])
    assert float(model.log_likelihood(theta, data)) == pytest.approx(known["log_likelihood"], abs=1e-5)
    smoothed = shown.probabilities(model.states, np.exp(model.state_log_probs(theta, data)["smoothing"]))
    np.testing.assert_allclose(smoothed[LAGS:, 0], known["smoothed_p_state_1"], atol=1e-5)


def test_a_hole_is_not_skipped(float64):
    """All paths of labels by brute force: after a hole, and where a sequence begins, an observation is given."""
    theta = theta_of(SMALL, stay=[0.8, 0.7], mu=[-1.0, 1.2], phi=[0.5, 0, 0, 0], sd=[0.7])
    y = np.random.default_rng(1).normal(size=7)
    mask, sequence = np.array([1, 1, 0, 1, 1, 1, 1.0]), np.array([1, 1, 1, 1, 1, 2, 2.0])
    data = am.Data(y[:, None, None], mask[:, None], sequence=sequence)
    counted = np.array([0, 1, 0, 0, 1, 0, 1.0])
    np.testing.assert_array_equal(complete(data, 1) * mask, counted)
    p, mu = np.array([[0.8, 0.2], [0.3, 0.7]]), np.array([-1.0, 1.2])
    first, total = np.array([0.6, 0.4]), 0.0
    joint = []
    # z[0] is the label before the first unit of a sequence
    for z in itertools.product(range(2), repeat=9):
        one, two = z[:6], z[6:]
        prob = first[one[0]] * np.prod([p[a, b] for a, b in zip(one, one[1:])])
        prob *= first[two[0]] * np.prod([p[a, b] for a, b in zip(two, two[1:])])
        before, now = [*one[:-1], *two[:-1]], [*one[1:], *two[1:]]
        for t in np.flatnonzero(counted):
            prob *= stats.norm.pdf(y[t], mu[now[t]] + 0.5 * (y[t - 1] - mu[before[t]]), 0.7)
        total += prob
        joint.append((now, prob))
    assert float(SMALL.log_likelihood(theta, data)) == pytest.approx(np.log(total), abs=1e-10)
    smoothed = np.exp(SMALL.state_log_probs(theta, data)["smoothing"])
    expected = sum(np.array(now) * prob for now, prob in joint) / total
    np.testing.assert_allclose(shown.probabilities(SMALL.states, smoothed)[:, 1], expected, atol=1e-10)
    path = np.asarray(SMALL.most_probable_path(theta, data))
    assert set(shown.path(SMALL.states, path)) <= {0, 1}


def test_simulated_series_follow_their_past():
    """Residuals given states and past are standard normal; what is given is drawn from `first`, or kept."""
    theta = theta_of(INTERCEPT, stay=[0.9, 0.9], mu=[-1.0, 1.0], phi=[0.5, -0.3, 0.1, 0.1], sd=[0.5])
    n = 20_000
    sequence = jnp.asarray(1.0 + (np.arange(n) >= 50))
    mask = jnp.ones((n, 1)).at[25].set(0)
    given = jnp.full((n, 1, 1), 7.0)
    y, z = jax.jit(INTERCEPT.simulate)(jax.random.key(1), theta, mask, None, sequence, None, given)
    counted = np.asarray(complete(am.Data(y, mask, sequence=sequence), LAGS) * mask[:, 0]) > 0
    np.testing.assert_array_equal(np.flatnonzero(~counted), [0, 1, 2, 3, 25, 26, 27, 28, 29, 50, 51, 52, 53])
    y = np.asarray(y)[:, 0, 0]
    assert (y[[0, 1, 2, 3, 26, 53]] == 7).all()
    expected = np.where(z, 1.0, -1.0) + sum(f * np.roll(y, k + 1) for k, f in enumerate([0.5, -0.3, 0.1, 0.1]))
    assert stats.kstest(((y - expected) / 0.5)[counted], "norm").pvalue > 1e-4


@pytest.mark.parametrize("model", [INTERCEPT, SMALL], ids=["intercept", "memory"])
def test_every_check_passes(model):
    report = am.check(model)
    assert report.passed, str(report)


def test_a_fit_speaks_of_labels(tmp_path):
    """Trained for twenty steps: probabilities, paths, runs and the file have labels, and paths agree with them."""
    nets = am.train(SMALL, steps=20, recipe=smoke_recipe(SMALL), folder=tmp_path / "nets", assess=False)
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"growth": rng.normal(size=25)})
    fit = nets.fit(frame, draws=200, seed=1)
    assert list(fit.states().columns[1::3]) == ["P(low)", "P(high)"]
    np.testing.assert_allclose(fit.states()[["P(low)", "P(high)"]].sum(axis=1), 1, atol=1e-5)
    assert set(fit.path()["state"]) <= {"low", "high"}
    paths = fit.paths(2000)
    assert set(np.unique(paths)) <= {0, 1}
    assert "share of high" in fit.runs().index
    assert any("1 observations have fewer than 1 before them" in note for note in json.loads(fit.tree.attrs["notes"]))
    fit.save(tmp_path / "fit.nc")
    assert am.load_fit(tmp_path / "fit.nc").states().equals(fit.states())
    fit.plot_states()
    fit.plot_predictive()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"first": {}}, "switching_intercept: first has nothing; expected growth, with lags"),
        ({"lags": -1}, "switching_intercept: lags is -1; expected a number, for units of one observation"),
        ({"observations": (1, 2)}, "expected a number, for units of one observation"),
        ({"emission": None, "simulate_unit": lambda key, p, z: 0.0}, "expected an `emission`, which reads the past"),
    ],
)
def test_lags_that_cannot_be_are_refused(changes, line):
    with pytest.raises(BadInput, match=line):
        INTERCEPT.changed(**changes)


def test_data_that_are_all_given_are_refused():
    with pytest.raises(BadInput, match="no unit follows 4 observed ones; expected some, for a model with lags"):
        tables.read(INTERCEPT, np.array([1.0, 2, 3, np.nan, 1, 2, 3]))
