"""The wheel in an empty environment, outside the repository: what a user of `pip install` gets."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Bytes of an install that loads networks and fits data.
LARGEST = 500e6
FIRST_FIT = """
import sys
import amortmix as am
fit = am.load("evidence_accumulation").fit("me.csv", draws=200)
print("verdict", fit.verdict, len(fit.path()), fit.plot_states())
fit.save("fit.nc")
print("read", am.load_fit("fit.nc").verdict, {"jax", "keras", "bayesflow", "numpyro"} & set(sys.modules))
for use in (lambda: am.train, lambda: am.load("evidence_accumulation").validate()):
    try:
        use()
    except (AttributeError, am.BadInput) as error:
        print("refused", error)
"""
TRAINING = """
import amortmix as am
from amortmix.training.recipes import default_recipe
model = am.find("gaussian_scales.py")
nets = am.train(model, steps=2, recipe=default_recipe(model, smoke=True), folder="nets", assess=False)
data = [0.1 * i for i in range(120)]
same = (nets.fit(data, draws=50).theta == am.load("nets").fit(data, draws=50).theta).all()
print("loaded again", same)
"""


def called(*command, cwd, **options):
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def has_uv():
    """Whether uv runs in the repository; a version manager may offer it there alone."""
    if shutil.which("uv") is None:
        return False
    return subprocess.run(["uv", "--version"], cwd=ROOT, capture_output=True).returncode == 0


def install(folder, what):
    """Install into the environment of ``folder``, with the pinned versions."""
    python, pins = folder / "env" / "bin" / "python", folder / "constraints.txt"
    if has_uv():
        called("uv", "pip", "install", "--python", python, "-c", pins, what, cwd=ROOT)
    else:
        # as uv does, without byte code of the many modules that nothing here imports
        called(python, "-m", "pip", "install", "--quiet", "--no-compile", "-c", pins, what, cwd=folder)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A folder outside the repository with an environment that has the wheel and what it depends on."""
    folder = tmp_path_factory.mktemp("elsewhere")
    tree = folder / "source"
    tree.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    shutil.copytree(ROOT / "src", tree / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    build = "import sys; from setuptools import build_meta as b; print(b.build_wheel(sys.argv[1]))"
    called(sys.executable, "-c", build, folder, cwd=tree)
    (wheel,) = folder.glob("*.whl")
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    (folder / "constraints.txt").write_text("\n".join(f"{n}=={v}" for n, v in pins))
    if has_uv():
        called("uv", "venv", "--python", sys.executable, folder / "env", cwd=ROOT)
    else:
        called(sys.executable, "-m", "venv", folder / "env", cwd=folder)
    install(folder, wheel)
    lines = (ROOT / "data/dutilh2011/dutilh_2010_subject_A.csv").read_text().splitlines(keepends=True)
    (folder / "me.csv").write_text("".join(lines[:351]))
    shutil.copy(ROOT / "models" / "gaussian_scales.py", folder)
    return folder


def test_a_fit_takes_a_small_install_without_jax(elsewhere):
    """Neither JAX nor Keras, BayesFlow, NumPyro, Snakemake or Jupyter are there, and what needs them says so."""
    said = called(elsewhere / "env" / "bin" / "python", "-c", FIRST_FIT, cwd=elsewhere)
    assert re.search(r"verdict (ABI|PSIS|MCMC) 350", said) and re.search(r"read (ABI|PSIS|MCMC) set\(\)", said)
    assert said.count("refused") == said.count("pip install 'amortmix[train]'") == 2
    (site,) = (elsewhere / "env" / "lib").glob("*/site-packages")
    there = {path.name.partition("-")[0].lower() for path in site.iterdir()}
    assert not there & {"jax", "keras", "bayesflow", "numpyro", "snakemake", "jupyter", "notebook"}
    size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
    assert size < LARGEST, f"{size / 1e6:.0f} MB"


def test_the_command_line(elsewhere):
    program = elsewhere / "env" / "bin" / "amortmix"
    assert "evidence_accumulation" in called(program, "models", cwd=elsewhere)
    said = called(program, "fit", "evidence_accumulation", "me.csv", "--draws", 200, cwd=elsewhere)
    assert re.search(r"^me: (ABI|PSIS|MCMC): ", said, re.MULTILINE)
    assert (elsewhere / "fits" / "me.nc").is_file()


def test_importing_takes_nothing_heavy(elsewhere):
    """JAX, Keras and pandas are imported when they are needed, so the import takes a moment."""
    script = "import sys, amortmix; print({'jax', 'keras', 'pandas', 'bayesflow', 'numpyro'} & set(sys.modules))"
    assert called(elsewhere / "env" / "bin" / "python", "-c", script, cwd=elsewhere).strip() == "set()"


def test_the_extra_trains_and_loads_again(elsewhere):
    """Last, for it adds to the environment of the others."""
    (wheel,) = elsewhere.glob("*.whl")
    install(elsewhere, f"{wheel}[train]")
    said = called(elsewhere / "env" / "bin" / "python", "-c", TRAINING, cwd=elsewhere)
    assert "loaded again True" in said
