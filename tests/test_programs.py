"""Compiled programs and CmdStan's processes, with a CmdStan that is made of small scripts.

No CmdStan can be installed where these tests have to run: its makefile and programs are imitated in what
`amortmix.mcmc.cmdstan` uses of them, so these tests say nothing of a release's own behaviour.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from amortmix.mcmc import blocks, cmdstan, engine, programs, pystan
from amortmix.mcmc.results import Settings, one_line, telling_line
from amortmix.model import registry
from amortmix.model.data import Data

SOURCE = Path(cmdstan.__file__).parents[2]
SETTINGS = {"chains": 2, "warmup": 20, "draws": 30, "adapt_delta": 0.9}

#: Half of the program is there for a moment, as with a compiler.
MAKEFILE = """CMDSTAN_VERSION := 2.36.0
%: %.stan
\t@echo built >> builds
\t@head -c 40 program > $@; sleep 0.2; cp program $@; chmod +x $@
"""
FAILING = """CMDSTAN_VERSION := 2.36.0
%: %.stan
\t@echo "--- Translating Stan model to C++ code ---"
\t@echo "$(@D)/model.hpp:12:3: error: no member named 'apple' in namespace 'stan'" >&2
\t@exit 2
"""

#: Draws are the starting values plus noise; columns in Stan's order, the first index fastest.
PROGRAM = """#!{python}
import json, os, random, signal, sys
import itertools

words = sys.argv[1:]
if words == ["info"]:
    print("stan_version_major = 2\\nstan_version_minor = 36")
    sys.exit()
given = dict(w.split("=", 1) for w in words if "=" in w)
source, target = [w.split("=", 1)[1] for w in words if w.startswith("file=")]
chain, mode = int(given["id"]), os.environ.get("FAKE", "")
data, start = json.load(open(source)), json.load(open(given["init"]))
assert given["metric"] == "dense_e" and given["sig_figs"] == "18" and "adapt" in words
if mode == "killed" and chain == 2:
    os.kill(os.getpid(), signal.SIGKILL)
if mode == "failing" and chain == 2:
    print("Informational Message: The current Metropolis proposal is about to be rejected")
    print("Exception: Gamma[1, ] is not a valid simplex. (in '/tmp/tmpxyz/model.stan', line 3)" + " so" * 200)
    sys.exit(70)

def cells(name, value):
    shape, inner = [], value
    while isinstance(inner, list):
        shape.append(len(inner))
        inner = inner[0]
    for index in itertools.product(*(range(n) for n in reversed(shape))):
        index, found = index[::-1], value
        for i in index:
            found = found[i]
        yield ".".join([name, *(str(i + 1) for i in index)]), found

columns = [cell for name, value in start.items() for cell in cells(name, value)]
noise = random.Random(int(given["seed"]) * 1000 + chain)
rows = int(given["num_samples"]) // (2 if mode == "half" else 1)
with open(target, "w") as out:
    out.write("# model = fake\\n")
    head = ["lp__", "accept_stat__", "stepsize__", "treedepth__", "n_leapfrog__", "divergent__", "energy__"]
    out.write(",".join(head + [c for c, _ in columns]) + "\\n# Adaptation terminated\\n")
    for i in range(rows):
        values = [-100.0, 0.9, 0.1, 3, 7, int(i == 0), 100.0] + [v + noise.gauss(0, 0.001) for _, v in columns]
        out.write(",".join(repr(v) for v in values) + "\\n")
    out.write("#  Elapsed Time: 0.01 seconds (Total)\\n")
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Folder of an imitated CmdStan, set as CMDSTAN, with a cache of its own and without PyStan."""
    folder = make_fake(tmp_path / "cmdstan-2.36.0")
    monkeypatch.setenv("CMDSTAN", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "my cache"))
    monkeypatch.setattr(pystan, "find", lambda: None)
    return folder


def make_fake(folder, makefile=MAKEFILE):
    folder.mkdir()
    (folder / "makefile").write_text(makefile)
    (folder / "program").write_text(PROGRAM.format(python=sys.executable))
    return folder


def compiled(model):
    return cmdstan.program(model, cmdstan.find())


def builds(folder):
    return (folder / "builds").read_text().count("built")


@pytest.fixture
def model():
    return registry.find("gaussian_mixture")


@pytest.fixture
def data(model):
    return model.simulate_demo("gmm_demo")[0]


def test_draws_of_cmdstan(fake, model, data):
    """Draws are where the starting values are, site by site; counts, seeds and times are there."""
    fit = engine.sample(model, data, 1, **SETTINGS)
    assert fit.engine == "cmdstan 2.36.0" and fit.warnings == [] and fit.cpu_seconds > 0
    assert fit.theta.shape == (2, 30, 6) and fit.stats["diverging"].sum() == 2
    assert (fit.stats["tree_depth"] == 3).all() and (fit.stats["lp"] == -100).all()
    starts = engine.initial_values(model, data, 2, 1)
    for chain, start in enumerate(starts):
        # 30 draws with standard deviation 0.001: 6 standard errors
        np.testing.assert_allclose(fit.theta[chain].mean(0), [*start["pi"], *start["mu"]], atol=1.2e-3)
    np.testing.assert_array_equal(fit.theta, engine.sample(model, data, 1, **SETTINGS).theta)
    assert not np.any(fit.theta == engine.sample(model, data, 2, **SETTINGS).theta)


def test_a_matrix_is_read_by_the_names_of_its_cells(fake, model):
    """Stan writes matrices by columns, our theta has rows: every cell is a different number."""
    start = {"m": (np.arange(6.0).reshape(2, 3) * 10).tolist(), "s": 99.0}
    drawn = cmdstan.sample(compiled(model), {"N": 1}, [start], 1, Settings(1, 5, 5, 0.9), {"m": (2, 3), "s": ()})
    np.testing.assert_allclose(drawn.sites["m"][0, 0], start["m"], atol=0.01)
    assert drawn.sites["m"].shape == (1, 5, 2, 3) and drawn.sites["s"].shape == (1, 5)


@pytest.mark.parametrize("change", ["moved", "upgraded", "flags of make", "flags of the environment"])
def test_another_cmdstan_compiles_anew(change, fake, model, monkeypatch):
    first = compiled(model)
    assert compiled(model) == first and builds(fake) == 1
    if change == "moved":
        fake = fake.rename(fake.with_name("elsewhere"))
        monkeypatch.setenv("CMDSTAN", str(fake))
    elif change == "upgraded":
        (fake / "makefile").write_text(MAKEFILE.replace("2.36.0", "2.37.0"))
    elif change == "flags of make":
        (fake / "make").mkdir()
        (fake / "make" / "local").write_text("STAN_THREADS=true\n")
    else:
        monkeypatch.setenv("STANCFLAGS", "--O1")
    assert compiled(model) != first and builds(fake) == 2


@pytest.mark.parametrize("damage", ["truncated", "empty", "not executable"])
def test_a_damaged_program_is_made_anew(damage, fake, model, data):
    path = compiled(model)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:100])  # before it says its version, however long Python's path is
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        path.chmod(0o644)
    assert engine.sample(model, data, 1, **SETTINGS).engine == "cmdstan 2.36.0"
    assert builds(fake) == 2


def test_processes_that_compile_at_once_all_get_a_program_that_works(fake):
    """Three processes, three times, with an empty cache each time."""
    code = (
        "import types; from pathlib import Path; from amortmix.mcmc import cmdstan\n"
        "cmdstan.stan_file = lambda m: m.stan\n"
        f"m = types.SimpleNamespace(name='m', stan=Path({str(SOURCE / 'amortmix/library/gaussian_hmm.stan')!r}))\n"
        "p = cmdstan.program(m, cmdstan.find()); print(cmdstan._answers(p), p)"
    )
    for i in range(3):
        env = os.environ | {"XDG_CACHE_HOME": str(fake.parent / f"cache {i}"), "PYTHONPATH": str(SOURCE)}
        running = [subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE) for _ in range(3)]
        said = {process.communicate()[0].decode() for process in running}
        assert len(said) == 1 and said.pop().startswith("True"), said
        kept = list((fake.parent / f"cache {i}" / "amortmix" / "programs").iterdir())
        assert len(kept) == 1


def test_the_program_is_the_same_for_all_variants_of_the_prior(fake):
    found = registry.find("gaussian_hmm")
    assert compiled(found) == compiled(found.with_prior("reference"))


TROUBLES = {
    "fails": (
        FAILING,
        "it cannot compile the model (model.hpp:12:3: error: no member named 'apple' in namespace 'stan')",
    ),
    "makes nothing": ("CMDSTAN_VERSION := 2.36.0\n%: %.stan\n\t@echo done\n", "it cannot compile the model (done)"),
    "makes rubbish": (
        "CMDSTAN_VERSION := 2.36.0\n%: %.stan\n\t@echo rubbish > $@\n",
        "the program of gaussian_mixture was compiled and does not start",
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_cmdstan_that_cannot_compile_costs_one_warning(trouble, fake, model, data):
    makefile, reason = TROUBLES[trouble]
    (fake / "makefile").write_text(makefile)
    expected = [f"CmdStan was passed over: {reason}."]
    assert engine.compile_model(model)["warnings"] == expected
    fit = engine.sample(model, data, 1, **SETTINGS)
    assert fit.engine.startswith("numpyro") and fit.warnings == expected


def test_a_missing_make_costs_one_warning(fake, model, monkeypatch):
    monkeypatch.setenv("MAKE", "no-such-make")
    found = engine.compile_model(model)
    assert found["engine"] == "numpyro"
    assert found["warnings"] == ["CmdStan was passed over: it compiles with no-such-make, which is not found."]


def test_cmdstan_that_points_to_nothing_costs_one_warning(fake, model, monkeypatch):
    monkeypatch.setenv("CMDSTAN", "/no/such/folder")
    found = engine.compile_model(model)
    assert found["engine"] == "numpyro"
    assert found["warnings"] == [
        "CmdStan was passed over: CMDSTAN points to /no/such/folder, where there is no CmdStan."
    ]


def test_the_newest_cmdstan_in_the_home_folder_is_found(tmp_path, monkeypatch):
    """2.36.0 is newer than 2.9.0; a leftover folder without a makefile is none."""
    monkeypatch.delenv("CMDSTAN", raising=False)
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cmdstan.find() is None
    (tmp_path / ".cmdstan" / "cmdstan-2.99.0").mkdir(parents=True)
    make_fake(tmp_path / ".cmdstan" / "cmdstan-2.9.0")
    make_fake(tmp_path / ".cmdstan" / "cmdstan-2.36.0")
    assert cmdstan.find().folder.name == "cmdstan-2.36.0"


def test_a_makefile_without_a_version_does_no_harm(fake, model, data):
    (fake / "makefile").write_text(MAKEFILE.split("\n", 1)[1])
    assert engine.sample(model, data, 1, **SETTINGS).engine == "cmdstan of unknown version"


FAILURES = {
    "killed": r"^chain 2 of CmdStan was killed \(SIGKILL\)$",
    "failing": r"^chain 2 of CmdStan failed: Exception: Gamma\[1, \] is not a valid simplex\. \(line 3\) so so",
    "half": r"^chain 1 of CmdStan wrote 15 of 30 draws: is the disk of temporary files \(TMPDIR\) full\?$",
}


@pytest.mark.parametrize("mode", FAILURES)
def test_a_chain_that_fails_is_said_in_one_line(mode, fake, model, data, monkeypatch):
    """No other engine hides it."""
    monkeypatch.setenv("FAKE", mode)
    with pytest.raises(engine.McmcFailed, match=FAILURES[mode]) as raised:
        engine.sample(model, data, 1, **SETTINGS)
    assert len(str(raised.value)) <= 200 and "/tmp" not in str(raised.value)


def test_blocks_pack_what_was_observed():
    """A hole moves to the end of its unit; in a chain a unit without observations stays, at its end it goes."""
    y = np.arange(12.0).reshape(4, 3, 1)
    mask = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 0], [0, 0, 0]])
    block = blocks.data_block(registry.find("gaussian_hmm"), Data(y, mask))
    assert block["P"] == [2, 0, 2] and (block["N"], block["M"], block["D"]) == (3, 2, 1)
    assert block["y"] == [[[0.0], [2.0]], [[0.0], [0.0]], [[6.0], [7.0]]]
    assert block["stay_prior"] == [2.0, 2.0] and block["mu_scale_prior"] == 1.0 and block["states"] == 0
    block = blocks.data_block(registry.find("gaussian_mixture"), Data(y, mask, np.ones((4, 2))))
    assert block["P"] == [2, 2] and block["C"] == 2 and block["x"] == [[1.0, 1.0]] * 2
    json.dumps(block)


def test_starting_shares_sum_to_one_in_double_precision():
    theta = np.array([0.3, 0.5, 0.2, -1.0, 0.0, 1.0], dtype=np.float32)
    found = registry.find("gaussian_mixture")
    block = blocks.start_block(found, theta)
    assert abs(sum(block["pi"]) - 1) < 1e-12 and block["mu"] == [-1.0, 0.0, 1.0]
    np.testing.assert_allclose(blocks.theta_of(found, block), theta, rtol=1e-6)


def test_messages_are_one_short_line_without_folders():
    said = "at first\n  /tmp/a b/tmpx1/model.stan:3: Error: it is   wrong\nlater error"
    assert telling_line(said) == "/tmp/a b/tmpx1/model.stan:3: Error: it is   wrong"
    assert one_line("in '/tmp/tmpx1/model.stan' line 3:\n nu/2 is wrong") == "in 'model.stan' line 3: nu/2 is wrong"
    assert one_line("not (in '/tmp/x/m.stan', line 3, column 2 to column 9)") == "not (line 3)"
    assert len(one_line("x " * 400)) == 200
    assert programs.folder().name == "programs"
