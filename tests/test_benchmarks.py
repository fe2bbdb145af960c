"""Benchmark and ablation compare like with like: the same model in NumPy, variants that differ in one thing."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import ablation
import components
import ensembles
import jax
import numpy as np
import one_network
import pandas as pd
import parts
import pytest
import xarray as xr
from jax.scipy.stats import norm
from numpy_simulators import SIMULATORS
from scipy.stats import mannwhitneyu

from amortmix.inference.engine import Draws
from amortmix.model import registry
from amortmix.training.phases import phases_of
from amortmix_paper.components import beside, scores

DATASETS = 2000
LEVEL = 1e-6  # about thirty numbers in all: a false alarm in one of 30,000 runs


PROGRAMS = (
    "ablation",
    "components",
    "ensembles",
    "epidemic",
    "factorization",
    "fields",
    "one_network",
    "parts",
    "points",
    "population",
    "run",
)


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_program_starts(name):
    """In a process of its own, as `make benchmark` and `make ablation` start it."""
    program = Path(__file__).parents[1] / "benchmarks" / f"{name}.py"
    subprocess.run([sys.executable, "-c", f"import {name}"], cwd=program.parent, check=True)


def statistics(theta, y, mask, z):
    """Parameters and a few numbers of each data set that the whole simulator decides: (S, D + 4)."""
    seen = mask[..., None] * np.ones_like(y)
    mean = (y * seen).sum((1, 2)) / seen.sum((1, 2))
    second = (np.log1p(np.abs(y)) * seen).sum((1, 2)) / seen.sum((1, 2))
    units = mask.max(-1)
    changes = (np.abs(np.diff(z, axis=1)) > 0).mean(1)
    return np.concatenate([theta, mean, second, units.sum(1)[:, None], mask.sum((1, 2))[:, None], changes[:, None]], 1)


@pytest.mark.parametrize("name", list(SIMULATORS))
def test_numpy_simulators_draw_from_the_same_model(name):
    model = registry.find(name)
    rng = np.random.default_rng(3)
    plain = [np.stack(x) for x in zip(*(SIMULATORS[name](rng, model.hyperparameters) for _ in range(DATASETS)))]
    draw = jax.jit(jax.vmap(model.simulate_dataset))
    theta, data, z = draw(jax.random.split(jax.random.key(3), DATASETS))
    a, b = statistics(*plain), statistics(*map(np.asarray, (theta, data.y, data.mask, z)))
    # ranks, since response times have heavy tails; N is constant in case study 2 and then has no p-value
    p = mannwhitneyu(a, b, axis=0).pvalue
    assert np.nanmin(p) > LEVEL, p


@pytest.mark.parametrize("name", list(ablation.VARIANTS))
def test_a_variant_changes_what_it_names_only(name):
    """On the same number of data sets, and everything else as in the recipe ``default``."""
    budget = ablation.DATA_SETS[name]
    plain = ablation.recipe_of(name, {}, budget)
    for variant, chosen in ablation.VARIANTS[name].items():
        recipe = ablation.recipe_of(name, chosen.change, budget)
        assert sum(p.data_sets for p in phases_of(recipe["schedule"])) == budget, variant
        differing = {k for k in plain if recipe[k] != plain[k]}
        assert differing == set(chosen.change), variant
        changed = recipe != plain or chosen.patch is not ablation.nullcontext or chosen.seed != 1
        assert changed == (variant != ablation.DEFAULT), variant


def test_the_loss_of_a_variant_is_paired():
    """Differences of log q on common data sets: what varies between the data sets cancels."""
    rng = np.random.default_rng(1)
    common, noise = rng.normal(0, 5, 400), rng.normal(0, 0.1, 400)
    found = {"excess": 0.0, "excess_se": 0.0, "data_sets": 1, "seconds": 1.0}
    results = {
        ("gaussian_hmm", ablation.DEFAULT): found | {"log_q": common},
        ("gaussian_hmm", "another seed"): found | {"log_q": common - 0.3 + noise},
    }
    row = ablation.gather(results).set_index("variant").loc["another seed"]
    assert row["loss"] == pytest.approx(0.3 - noise.mean())
    assert row["loss_se"] == pytest.approx(noise.std(ddof=1) / 20)


def test_right_probabilities_of_components_score_as_they_should():
    """Truths drawn from the probabilities: calibration error as by chance. Sharpened ones: above."""
    rng = np.random.default_rng(4)
    p = rng.dirichlet(np.ones(3), size=2000)
    truth = 1 + (rng.uniform(size=(len(p), 1)) < np.cumsum(p, axis=1)).argmax(axis=1)

    def table(probabilities):
        rows = [
            {
                "family": "f",
                "by": "b",
                "data_set": i,
                "truth": truth[i],
                "k": k + 1,
                "probability": q[k],
                "reliable": True,
            }
            for i, q in enumerate(probabilities)
            for k in range(3)
        ]
        return scores(pd.DataFrame(rows)).loc[("f", "b")]

    right = table(p)
    assert right["calibration error"] < 2 * right["by chance alone"]
    assert right["log score"] > right["of equal probabilities"]
    sharp = p**4 / np.sum(p**4, axis=1, keepdims=True)
    assert table(sharp)["calibration error"] > 4 * right["by chance alone"]


@pytest.mark.parametrize("family", ["mixture", "chain"])
def test_every_number_of_components_is_a_model(family):
    """K orders of the states make one of them the declared one: theta has the dimension of K means and the rest."""
    for k, model in components.models(family).items():
        more = {"mixture": k - 1, "chain": k * (k - 1)}[family]
        assert len(model.states) == k and model.free == k + 1 + more


def test_every_k_makes_data_sets():
    """With 30 data sets one of four is left out with probability 4 (3/4)^30 = 7e-4; the seed is fixed."""
    for family in ("mixture", "chain"):
        found = list(components.data_sets(components.models(family), 30))
        assert {truth for _, truth, _ in found} == set(components.FAMILIES[family])
        for _, _, data in found:
            assert np.isfinite(data.y).all() and components.UNITS[0] <= len(data.y) <= components.UNITS[1]


def test_what_networks_lose_is_the_divergence_from_evidence():
    """Truths drawn from the evidence: the mean log ratio is KL(p || q), within four of its standard errors."""
    rng = np.random.default_rng(6)
    p = rng.dirichlet(np.ones(3), size=4000)
    q = 0.7 * p + 0.1
    truth = (rng.uniform(size=(len(p), 1)) < np.cumsum(p, axis=1)).argmax(axis=1)
    rows = [
        {"family": "f", "by": by, "data_set": i, "truth": truth[i], "k": k, "probability": row[k], "reliable": i != 7}
        for by, found in (("evidence", p), ("networks", q))
        for i, row in enumerate(found)
        for k in range(3)
    ]
    found = beside(pd.DataFrame(rows)).loc["f"]
    assert found["data sets"] == len(p) - 1
    kept = np.arange(len(p)) != 7
    divergence = np.sum(p * np.log(p / q), axis=1)[kept].mean()
    assert abs(found["log score lost"] - divergence) < 4 * found["standard error"]
    assert found["mean distance"] == pytest.approx(np.abs(p - q)[kept].mean())


class Normal:
    """A stand-in for networks whose posterior is Normal(mean, 1), whatever the data set."""

    model = None

    def __init__(self, mean):
        self.mean = mean

    def _log_prob_one(self, data, u):
        return norm.logpdf(u[:, 0], self.mean)

    def sample_many(self, data, draws, seed):
        u = self.mean + np.random.default_rng(seed).normal(size=(len(data), draws, 1))
        return Draws(u, u, np.asarray(norm.logpdf(u[..., 0], self.mean)))


def test_averaged_networks_are_a_mixture():
    """Weights against a density that neither member covers have mean one, within four standard errors."""
    averaged = ensembles.Averaged([Normal(-2.0), Normal(2.0)])
    drawn = averaged.sample_many(np.zeros((3, 1)), 20_000, 5)
    both = np.exp(norm.logpdf(drawn.u, -2.0)) + np.exp(norm.logpdf(drawn.u, 2.0))
    np.testing.assert_allclose(drawn.log_q, np.log(both[..., 0] / 2), rtol=1e-4, atol=1e-5)
    target = norm.logpdf(drawn.u[..., 0], 0.0, 0.9)
    weights = np.exp(target - drawn.log_q)
    assert (abs(weights.mean(1) - 1) < 4 * weights.std(1) / np.sqrt(weights.shape[1])).all()
    assert weights.max() < 10  # of one member alone some are above a hundred


def test_divergence_of_a_fit_is_that_of_two_normals():
    """p = N(0, 1), q = N(0, 2^2), log p known up to a constant: KL(p || q) = log 2 + 1 / 8 - 1 / 2."""
    theta = np.random.default_rng(2).normal(0, 2, 20_000)
    stats = {"log_joint": -(theta**2) / 2 + 3, "log_q": -(theta**2) / 8 - np.log(2)}
    tree = xr.DataTree.from_dict({"sample_stats": xr.Dataset({k: ("draw", v) for k, v in stats.items()})})
    expected = np.log(2) + 1 / 8 - 1 / 2
    assert one_network.divergence_of(SimpleNamespace(tree=tree)) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("off", [0.0, 0.5])
def test_shifts_are_in_sds_of_the_chains(off):
    """Means of runs of n draws scatter by 1 / sqrt(n) around what they are off by, and those of the chains as well."""
    rng = np.random.default_rng(8)
    found = []
    for _ in range(200):
        runs = 3 + 2 * (off + rng.normal(size=(5, 100)))
        one = runs.mean(1), runs.std(1, ddof=1)
        found.append(one_network.shifts(*one, 3 + 2 * rng.normal(size=(4, 1000))))
    found = pd.DataFrame(found).mean()
    assert abs(found["shift"] - off) < 4 * 0.1 / np.sqrt(200)
    assert found["error"] == pytest.approx(np.sqrt(1 / 100 + 1 / 4000), rel=0.1)  # the sd of five is too small by 6 %
    assert found["mean error"] == pytest.approx(np.sqrt(1 / 500 + 1 / 4000), rel=0.1)
    assert found["ratio"] == pytest.approx(1, abs=0.02)


def test_networks_are_compared_on_the_same_data_sets():
    """What varies between data sets, or rounds, is common to both and cancels."""
    rng = np.random.default_rng(5)
    rows, seconds = [], []
    for i in range(8):
        common = {"pareto_k": i / 10, "c2st": rng.uniform(0.5, 0.8), "c2st_psis": None, "divergence": rng.uniform()}
        for kind, more in (("separate", 0.0), ("one", 0.125)):
            row = {"case": "a", "prior": "b", "networks": kind, "data set": i}
            rows.append(row | common | {"c2st": common["c2st"] + more, "pareto_k": common["pareto_k"] + more})
            row = {"case": "a", "proposals": "equal", "networks": kind, "round": i}
            seconds.append(row | {"seconds": common["c2st"] * (1 + more)})
    rows.append(rows[0] | {"data set": 8})  # of which only one kind of networks is there
    found = one_network.of_c2st(pd.DataFrame(rows)).loc["a b"]
    assert found["c2st, one - separate"] == pytest.approx(0.125) and found["± c2st"] == pytest.approx(0, abs=1e-9)
    found = one_network.of_weights(pd.DataFrame(rows)).loc["a b"]
    # 0.0 to 0.7, and 0.125 more
    assert (found["one, k-hat at most 0.7"], found["separate, k-hat at most 0.7"]) == (6, 8)
    found = one_network.of_speed(pd.DataFrame(seconds)).loc["a, equal"]
    assert found["ratio"] == pytest.approx(1.125) and found["±"] == pytest.approx(0, abs=1e-9)


def test_what_was_stopped_goes_on(tmp_path, monkeypatch):
    """Rows that are there are kept, and nothing is fitted for them."""
    monkeypatch.setattr(one_network, "CASES", {"a": ("b",)})
    monkeypatch.setattr(one_network, "both", lambda case, prior: dict.fromkeys(one_network.NETWORKS))
    monkeypatch.setattr(one_network, "tables", lambda *_: {"me": None})
    row = {"case": "a", "prior": "b", "data set": "me", "c2st": 0.5}
    rows = [row | {"networks": kind} for kind in one_network.NETWORKS]
    pd.DataFrame(rows).to_csv(tmp_path / "c2st.csv", index=False)
    assert list(one_network.c2st(None, tmp_path)) == rows


def test_fits_are_timed():
    """One data set of case study 2: the row that `make benchmark` writes."""
    (row,) = parts.many(1)
    assert (row["part"], row["x"], row["unit"]) == ("data sets", 1, "s") and row["value"] > 0
