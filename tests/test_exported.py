"""Exported programs: the numbers of JAX, no JAX in the process, and refusals that say why."""

import copy
import gc
import shutil
import subprocess
import sys
import weakref
from pathlib import Path

import jax
import numpy as np
import pytest
from conftest import smoke_recipe
from scipy import stats

import amortmix as am
from amortmix import trainer
from amortmix.api import REFERENCE_SEED
from amortmix.cli import TEMPLATES
from amortmix.inference import export, noise
from amortmix.inference.amortized import Amortized
from amortmix.inference.exported import FILE, Exported
from amortmix.inference.reference import make_reference
from amortmix.model import registry
from amortmix.model.data import Data, as_numpy, existing
from amortmix.model.description import Description
from amortmix.storage import files
from amortmix.storage.bundle import load_bundle
from amortmix.storage.card import load_card
from amortmix.storage.files import BadInput
from amortmix.storage.pretrained import FOLDER

ROOT = Path(__file__).parents[1]
PRETRAINED = sorted(path.parent for path in FOLDER.glob("*/*/exported.zip"))


def small(model):
    """The smoke recipe with a flow that compiles soon."""
    recipe = smoke_recipe(model)
    return recipe | {"flow": recipe["flow"] | {"depth": 1}}


def close(found, expected, what):
    """To 1e-4 for 99 of 100 numbers, and nowhere farther than single precision leads along the flow."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(found - expected) / (1 + np.abs(expected))
    difference = np.where(found == expected, 0, difference)
    assert np.quantile(difference, 0.99) < 1e-4 and difference.max() < 1e-2, f"{what}: {difference.max():.2g}"


@pytest.mark.parametrize("folder", PRETRAINED, ids=lambda f: f"{f.parent.name}-{f.name}")
def test_every_pretrained_network_answers_as_in_jax(folder):
    """Other data sets than those with which the export was checked, padded and not, and other draws."""
    exported, ours = Exported(folder, load_card(folder)), Amortized.of(load_bundle(folder))
    assert exported.identity == ours.identity
    # programs of each frame were compared when they were made: here one frame of a wide design is enough
    for seed in (11, 12) if len(ours.model.design.frames) == 1 else (11,):
        theta, data, _ = jax.jit(ours.model.simulate_dataset)(jax.random.key(seed))
        data = as_numpy(data)
        data = existing(data)
        a, b = exported.answer(data, 1200, seed), ours.answer(data, 1200, seed)
        for name in a.draws._fields:
            close(getattr(a.draws, name), getattr(b.draws, name), name)
        close(a.log_joint, b.log_joint, "log joint")
        close(a.summary, b.summary, "summary")
        for head, p in ours.probabilities(data, b.draws.u[:300]).items():
            close(exported.probabilities(data, b.draws.u[:300])[head], p, head)
        close(exported.log_units(data, b.draws.theta), ours.log_units(data, b.draws.theta), "units")
        assert np.mean(exported.path(data, b.draws.theta) == ours.path(data, b.draws.theta)) > 0.99
        paths = exported.paths(data, b.draws.theta[:150], seed), ours.paths(data, b.draws.theta[:150], seed)
        assert paths[0].shape == (150, len(data.y)) and np.mean(paths[0] == paths[1]) > 0.999


def test_a_fit_without_jax_is_that_of_jax(tmp_path):
    """In a process of its own, which must not import JAX: draws, weights, states, verdict, path, file, figure."""
    script = f"""
import sys, amortmix as am
fit = am.load("gaussian_hmm", design="paper").fit({str(tmp_path / "y.csv")!r}, draws=500)
fit.save({str(tmp_path / "fit.nc")!r})
print(fit.verdict, len(fit.path()), fit.paths(10).shape, fit.plot_states(), fit.plot_posterior())
print("heavy", sorted({{"jax", "keras", "bayesflow", "numpyro", "sklearn"}} & set(sys.modules)))
"""
    nets = am.load("gaussian_hmm", design="paper")
    data, _ = nets.model.simulate_demo("hmm_demo")
    rows = "".join(f"{i + 1},{y}\n" for i, unit in enumerate(data.y[..., 0]) for y in unit)
    (tmp_path / "y.csv").write_text(f"unit,y\n{rows}")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "heavy []" in done.stdout and "100 (10, 100)" in done.stdout
    found, expected = am.load_fit(tmp_path / "fit.nc"), None
    nets.engine = nets.amortized
    expected = nets.fit(tmp_path / "y.csv", draws=500)
    assert found.verdict == expected.verdict
    np.testing.assert_allclose(found.theta, expected.theta, atol=1e-3)
    np.testing.assert_allclose(found.states().iloc[:, 1:], expected.states().iloc[:, 1:], atol=1e-3)
    assert found.log_evidence == pytest.approx(expected.log_evidence, abs=1e-3)
    assert (found.path().state == expected.path().state).mean() > 0.98


def test_more_units_than_programs_take_are_answered_by_jax():
    nets = am.load("gaussian_hmm", design="paper")
    rng = np.random.default_rng(1)
    fit = nets.fit(rng.normal(size=(150, 3)), draws=100)
    assert len(fit.states()) == 150 and fit.amortized is nets.amortized is not nets.engine


def test_an_own_model_is_exported_and_loaded(tmp_path):
    """Counts, a chain, features and recipe derived from the declaration."""
    model = registry.find(str(ROOT / "models" / "poisson_hmm.py"))
    trainer.train(model, steps=2, recipe=small(model), folder=tmp_path, assess=False)
    assert am.load(tmp_path).engine.compiles
    assert am.export(tmp_path)
    nets = am.load(tmp_path)
    data = as_numpy(jax.jit(model.simulate_dataset)(jax.random.key(1))[1])
    assert not nets.engine.compiles
    for a, b in zip(nets.engine.answer(data, 50, 1).draws, nets.amortized.answer(data, 50, 1).draws):
        close(a, b, "draws")
    trainer.train(model, steps=2, recipe=small(model), folder=tmp_path, assess=False, seed=2)
    assert not (tmp_path / FILE).exists(), "programs of networks that were replaced"


def test_a_function_that_converts_into_another_is_refused():
    """jax2onnx writes erfc(x) as 1 - erf(x), which has no upper tail; a process of its own, for it changes JAX."""
    script = """
import jax, numpy as np
from amortmix.inference import export
from amortmix.inference.exported import session
from amortmix.model.data import Data
data = Data(np.ones((4, 1, 1), np.float32), np.ones((4, 1), np.float32))
tried = [(data, {"units": (np.linspace(0, 8, 50, dtype=np.float32)[:, None],)})]
traced = export._trace("units", lambda data, rows: jax.numpy.log(jax.lax.erfc(rows)), tried)
try:
    export._check("units", traced, session(export._convert("units", traced)))
except export.ExportFailed as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "units, units: exported numbers differ from those of JAX" in done.stdout, done.stderr


def test_what_cannot_be_exported_says_so(tmp_path, capsys):
    text = (TEMPLATES / "simulator.py.txt").read_text().replace("NAME", "a simulator")
    (tmp_path / "simulator.py").write_text(text)
    model = registry.find(tmp_path / "simulator.py")
    assert not model.has_density
    trainer.train(model, steps=2, recipe=small(model), folder=tmp_path / "nets", assess=False)
    assert not am.export(tmp_path / "nets")
    assert "simulator: not exported, for a verdict without a density needs simulations" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("harm", "words"), [("cut", "damaged, not the programs"), ("other", "made from other networks")]
)
def test_damaged_programs_are_refused(tmp_path, harm, words):
    folder = tmp_path / "nets"
    shutil.copytree(FOLDER / "paper" / "gaussian_hmm", folder)
    if harm == "cut":
        (folder / FILE).write_bytes((folder / FILE).read_bytes()[:1000])
    else:
        shutil.copy(FOLDER / "paper" / "gaussian_mixture" / FILE, folder)
    with pytest.raises(BadInput, match=f"exported.zip: {words}"):
        am.load(folder)


def test_a_description_goes_through_json(model):
    known = Description.of(model, {"units": [1, 2]})
    again = Description.from_json(known.as_json())
    assert all(getattr(again, name) == getattr(known, name) for name in known.__dataclass_fields__)
    assert again.columns == dict(model.columns) and again.parameter_names == model.parameter_names


def test_noise_has_its_distribution():
    """Kolmogorov-Smirnov, false-alarm rate 1e-4 each; more draws of a seed begin with the fewer."""
    for make, cdf in (
        (noise.normal, stats.norm.cdf),
        (noise.gumbel, stats.gumbel_r.cdf),
        (noise.uniform, stats.uniform.cdf),
    ):
        assert stats.kstest(make(7, (20_000,)), cdf).pvalue > 1e-4
        np.testing.assert_array_equal(make(7, (30, 2))[:10], make(7, (10, 2)))
        assert np.abs(make(7, (10, 2)) - make(8, (10, 2))).max() > 0


def test_networks_of_a_library_model_that_changed_are_refused_without_jax(tmp_path):
    """The identity in the card is that of the file's statements."""
    folder = tmp_path / "nets"
    shutil.copytree(FOLDER / "paper" / "gaussian_hmm", folder)
    card = load_card(folder)
    card["identity"]["statements"]["prior"] = "0" * 16
    files.write_json(folder / "card.json", card)
    with pytest.raises(BadInput, match="trained for another gaussian_hmm: the declaration's prior changed"):
        am.load(folder)


def test_noise_of_parameters_and_of_states_is_independent():
    """Correlation of 20,000 pairs from one seed, within five standard errors of zero (false alarm below 1e-6)."""
    a, b = noise.normal(3, (20_000,)), noise.gumbel(3, (20_000,))
    assert abs(np.corrcoef(a, b)[0, 1]) < 5 / np.sqrt(20_000)
    for seed in (-1, 1.5, None, 2**130):
        with pytest.raises(BadInput, match="expected a whole number from 0"):
            noise.normal(seed, (2,))


def test_a_fit_leaves_the_process_as_it_was():
    """Numbers below the smallest normal one stay; networks that are dropped need no collector; copies work."""
    rng = np.random.default_rng(1)
    nets = am.load("gaussian_hmm", design="paper")
    fit = nets.fit(rng.normal(size=(100, 3)), draws=100)
    assert np.float64(1e-310) * 1.0 > 0 and np.nextafter(0, 1) > 0
    again = copy.deepcopy(fit)
    np.testing.assert_array_equal(again.paths(5), fit.paths(5))
    assert fit.paths(0).shape == (0, 100) and fit.tree.attrs["program"] == "exported"
    engine = weakref.ref(nets.engine)
    gc.disable()
    try:
        del nets, fit, again
        assert engine() is None
    finally:
        gc.enable()


def test_programs_stay_those_that_were_loaded(tmp_path):
    """Other networks saved over the folder neither mix with them nor answer in their place."""
    am.load("gaussian_hmm", design="paper").save(tmp_path)
    nets, rows = am.load(tmp_path), np.random.default_rng(2).normal(size=(100, 3))
    expected = am.load("gaussian_hmm", design="paper").fit(rows, draws=60)
    nets.engine.answer(Data(rows[..., None], np.ones(rows.shape)), 10, 1)
    am.load("gaussian_hmm", prior="reference", design="paper").save(tmp_path)
    np.testing.assert_array_equal(nets.fit(rows, draws=60).states(), expected.states())
    with pytest.raises(BadInput, match="holds other networks than when it was loaded"):
        nets.fit(np.concatenate([rows, rows]), draws=60)


def test_networks_trained_again_have_a_reference_of_their_own(tmp_path):
    model = registry.find(str(ROOT / "models" / "gaussian_scales.py"))
    found = []
    for seed in (1, 2):
        nets = trainer.train(model, steps=2, recipe=small(model), folder=tmp_path, assess=False, seed=seed)
        found.append(nets.reference.summaries)
        np.testing.assert_allclose(
            found[-1][:5], make_reference(nets.amortized, REFERENCE_SEED, 5).summaries, atol=1e-3
        )
    assert np.abs(found[0] - found[1]).max() > 0


def test_weights_that_differ_are_refused():
    """Differences that are small beside a log density and decide the weights."""
    rng = np.random.default_rng(1)
    log_q = rng.normal(size=1000)
    good = {"log_q": log_q, "log_joint": log_q - 450 + rng.normal(0, 0.1, 1000)}
    bad = good | {"log_joint": good["log_joint"] + np.where(np.arange(1000) % 111 == 0, 4.0, 0)}
    export._compare_weights(good, good)
    with pytest.raises(export.ExportFailed, match="importance weights differ"):
        export._compare_weights(bad, good)
