"""Compiled functions outlive their process, and networks load without computing what they do not need."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from amortmix.storage import compiled, pretrained
from amortmix.storage.bundle import load_bundle

FIRST_FIT = """
import amortmix as am, numpy as np
y = np.random.default_rng(1).normal(size=(100, 5))
fit = am.load("gaussian_hmm", engine="jax", design="paper").fit(y, draws=100)
print(*fit.theta[:3].ravel())
"""


def first_fit(cache):
    """Numbers of a fit in a new process whose user has this cache."""
    environment = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"} | {
        "XDG_CACHE_HOME": str(cache)
    }
    done = subprocess.run(
        [sys.executable, "-c", FIRST_FIT], env=environment, capture_output=True, text=True, check=True
    )
    return np.array(done.stdout.split()[-9:], dtype=float)


def test_a_second_process_compiles_nothing(tmp_path):
    """Every compiled function is found again, under the name of the processor, and the numbers are the same."""
    first = first_fit(tmp_path)
    kept = {p.name for p in (tmp_path / "amortmix" / "compiled" / compiled.processor()).glob("*-cache")}
    assert any("answer" in name for name in kept)
    again = first_fit(tmp_path)
    assert {p.name for p in (tmp_path / "amortmix" / "compiled" / compiled.processor()).glob("*-cache")} == kept
    np.testing.assert_array_equal(first, again)
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    np.testing.assert_array_equal(first_fit(blocked), first)


@pytest.mark.parametrize("name", ["gaussian_mixture", "gaussian_hmm", "evidence_accumulation"])
def test_networks_load_as_keras_loads_them(name):
    folder = pretrained.folder_of(name, "paper", "paper")
    ours = load_bundle(folder).estimator
    theirs = keras.saving.load_model(folder / "bundle.keras", safe_mode=True, compile=False)
    for a, b in zip(ours.variables, theirs.variables, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        if "seed_generator" not in a.path:  # Keras does not keep them
            np.testing.assert_array_equal(a.value, b.value)


def test_networks_load_in_several_threads_and_leave_keras_as_it_was():
    folder = pretrained.folder_of("gaussian_hmm", "paper", "paper")
    before = keras.initializers.VarianceScaling.__call__
    with ThreadPoolExecutor(3) as pool:
        loaded = list(pool.map(lambda _: load_bundle(folder).estimator, range(3)))
    assert keras.initializers.VarianceScaling.__call__ is before
    for other in loaded[1:]:
        for a, b in zip(loaded[0].trainable_variables, other.trainable_variables, strict=True):
            np.testing.assert_array_equal(a.value, b.value)
