"""Docstrings: every public name has an example, and examples give the answers that they show.

Those that train, sample by MCMC or simulate for minutes, and those of what they write, are only parsed.
"""

import ast
import doctest
import inspect
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
import pytest

import amortmix as am

DATA = Path(__file__).parents[1] / "data" / "dutilh2011"
LONG = {"train", "learn_density", "train_comparison", "load_comparison", "train_points", "load_points", "export"}
LONG |= {"population", "check"}
NAMES = {"am": am, "jax": jax, "jnp": jnp, "np": np, "pd": pd, "dist": dist, "sample": numpyro.sample}
NAMES |= {"Mixture": am.Mixture, "HiddenMarkov": am.HiddenMarkov}


@pytest.mark.parametrize("name", am.__all__)
def test_examples(name, tmp_path, monkeypatch):
    """In a folder with the file of one person, inside a prior for what is drawn there."""
    monkeypatch.chdir(tmp_path)
    pd.read_csv(DATA / "dutilh_2010_subject_C.csv").to_csv("me.csv", index=False)
    found = doctest.DocTestParser().get_doctest(inspect.getdoc(getattr(am, name)), dict(NAMES), name, None, None)
    assert found.examples, f"{name} has no example"
    for example in found.examples:
        ast.parse(example.source)
    if name in LONG:
        return
    said = []
    with numpyro.handlers.seed(rng_seed=1):
        result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(found, out=said.append)
    assert not result.failed, "".join(said)
