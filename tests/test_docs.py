"""The documentation: every block of Python runs, every command line can be parsed, and shown answers are right.

Blocks of a page share a namespace and a folder with small files. A block that begins with ``# models/NAME.py`` is that
file. What would take minutes has a small budget, as `SHORTER` and `FEW` say: text and constants that are replaced.
"""

import ast
import contextlib
import io
import re
import shlex
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import typer

from amortmix.cli import app
from amortmix.mcmc.results import Settings
from amortmix.training.recipes import default_recipe

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [p for p in PAGES if not {"generated", "_build"} & set(p.parts)]
BLOCK = re.compile(r"^```(python|text|console)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)

#: Text of a block -> what runs in its place.
SHORTER = {
    "minutes=10)": "steps=2, assess=False)",
    "minutes=5)": "steps=20)",
    "units=(50, 200)": "units=(20, 30)",
    "units=(100, 250)": "units=(20, 30)",
    'nets.mcmc("me.csv")': "nets.mcmc('me.csv', engine='numpyro', chains=2, warmup=5, draws=20)",
    '.load("evidence_accumulation").save(': '.load("evidence_accumulation", design="paper").save(',
    "fit.check()": "fit.check(simulations=10)",
    "fit.sensitivity()": "fit.sensitivity(draws=100)",
    "fit.plot_predictive()": "fit.plot_predictive(replications=10)",
    'train_points("networks/race")': 'train_points("networks/race", steps=2)',
    'folder="networks/which")': 'folder="networks/which", steps=2)',
}


def small(model):
    """A recipe of few layers, which is compiled in seconds."""
    recipe = default_recipe(model, smoke=True)
    if recipe["summary"]["kind"] == "states":
        recipe["summary"] |= {"blocks": 1, "states": 2, "rough": 0}
    recipe["flow"] |= {"depth": 1}
    recipe["schedule"] |= {"optimizer": "adam", "phases": [[2, 8]], "reports": 1}
    return recipe


#: Constants and defaults of the library -> what they are here.
FEW = {
    "amortmix.trainer.default_recipe": small,
    "amortmix.model_comparison.default_recipe": small,
    "amortmix.mcmc.nuts.MAX_TREE_DEPTH": 2,
    "amortmix.diagnostics.local.DRAWS": 60,
    "amortmix.points.HELD_OUT": 4,
    "amortmix.points.DRAWS": 20,
    "amortmix.model_comparison.HELD_OUT": 8,
    "amortmix.inference.hierarchy.SETTINGS": Settings(chains=4, warmup=5, draws=25, adapt_delta=0.9),
    "amortmix.inference.hierarchy.MAX_TREE_DEPTH": 2,
    "amortmix.populations.EACH": (50, 50),
    "amortmix.populations.ROUNDS": 0,
    "amortmix.training.density.HELD_OUT": 200,
    "amortmix.training.density.PILOT": 200,
    "amortmix.training.density_check.HELD_OUT": 200,
    "amortmix.training.density_check.TESTED": 20,
    "amortmix.training.density_check.CLASSIFIED": 200,
}


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def blocks(page, *kinds):
    return [(k, text) for k, text in BLOCK.findall(page.read_text(encoding="utf-8")) if k in kinds]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder with the files that pages name."""
    source = ROOT / "data"
    people = {n: pd.read_csv(source / "dutilh2011" / f"dutilh_2010_subject_{n}.csv") for n in "ABCD"}
    people["C"].to_csv(tmp_path / "me.csv", index=False)
    known = [p[["rt", "accumulator"]].head(70).assign(subject=n) for n, p in people.items()]
    study = pd.concat(known)
    study.to_csv(tmp_path / "study.csv", index=False)
    study.assign(session=np.arange(len(study)) % 70 // 35 + 1).to_csv(tmp_path / "sessions.csv", index=False)
    lab = {"Subject": study["subject"], "RT_ms": 1000 * study["rt"], "ACC": 2 - study["accumulator"]}
    pd.DataFrame(lab).assign(Session=np.arange(len(study)) % 70 // 35 + 1).to_csv(tmp_path / "lab.csv", index=False)
    elk = pd.read_csv(source / "fields" / "elk.csv").rename(columns={"step_km": "step", "water_km": "water"})
    elk = elk.loc[elk["step"] > 0, ["step", "water"]].head(25)
    elk.to_csv(tmp_path / "elk.csv", index=False)
    template = ROOT / "src" / "amortmix" / "templates" / "simulator.py.txt"
    (tmp_path / "models").mkdir()
    walk = template.read_text().replace("units=(50, 200)", "units=(20, 30)")
    (tmp_path / "models" / "walk.py").write_text(walk)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for place, value in FEW.items():
        monkeypatch.setattr(place, value)
    yield tmp_path
    plt.close("all")


def run(text, namespace):
    """A block with a small budget; what it prints."""
    for long, short in SHORTER.items():
        text = text.replace(long, short)
    file = re.match(r"# (models/\w+\.py)", text)
    if file:
        Path(file[1]).write_text(text, encoding="utf-8")
    printed = io.StringIO()
    terminal = pd.option_context("display.max_columns", 0)  # pandas leaves out what is wider than it
    with contextlib.redirect_stdout(printed), warnings.catch_warnings(), terminal:
        warnings.simplefilter("ignore", UserWarning)  # verdicts of networks that were trained for two steps
        exec(compile(text, file[1] if file else "block", "exec"), namespace)
    return printed.getvalue()


def words_and_numbers(text):
    """Words of an answer, and its numbers, which may differ a little between machines."""
    parts = text.split()
    numbers = [re.sub(r"[^\d.eE+-]", "", p).strip(".") for p in parts if re.search(r"\d", p)]
    return [p for p in parts if not re.search(r"\d", p)], np.array([float(n) for n in numbers])


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=name_of)
def test_every_block_runs(page, folder):
    """In order; an answer that is shown after a block is what it printed, and no probability is left out of it."""
    namespace, printed = {}, None
    for kind, text in blocks(page, "python", "text"):
        if kind == "python":
            printed = run(text, namespace)
            assert not [line for line in printed.splitlines() if "P(" in line and "..." in line]
        elif printed is not None:
            ours, theirs = words_and_numbers(printed), words_and_numbers(text)
            assert ours[0] == theirs[0]
            np.testing.assert_allclose(ours[1], theirs[1], rtol=0.1, atol=0.02)


def test_what_is_shortened_is_in_a_page():
    """No entry of `SHORTER` that nothing needs."""
    everything = "".join(text for page in PAGES for _, text in blocks(page, "python"))
    assert [long for long in SHORTER if long not in everything] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_blocks_are_python(page):
    """Also code that is indented or shown elsewhere: it can be parsed."""
    for _, text in blocks(page, "python"):
        ast.parse(text)


def command_lines():
    """Every `amortmix` command of a page, in blocks and in lines of text."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found = re.findall(r"^\$ (amortmix .*)$", text, flags=re.MULTILINE)
        found += [" ".join(c.split()) for c in re.findall(r"`(amortmix [^`]+)`", text)]
        yield from ((name_of(page), line.split("  #")[0]) for line in found)


@pytest.mark.parametrize(("page", "line"), [pytest.param(*c, id=f"{c[0]}: {c[1][:40]}") for c in command_lines()])
def test_every_command_line_can_be_parsed(page, line):
    commands = typer.main.get_command(app).commands
    _, name, *arguments = shlex.split(line)
    command = commands[name]
    if arguments and "--help" not in arguments:
        command.make_context(name, arguments).close()
