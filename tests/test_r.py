"""The how-to for R runs, where R and reticulate are installed: its tables are those of Python, as plain data frames."""

import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pandas as pd
import pytest

import amortmix as am

ROOT = Path(__file__).parents[1]


def has_reticulate():
    if shutil.which("Rscript") is None:
        return False
    known = ["Rscript", "-e", "cat(requireNamespace('reticulate', quietly = TRUE))"]
    return subprocess.run(known, capture_output=True, text=True, check=False).stdout.endswith("TRUE")


pytestmark = pytest.mark.skipif(not has_reticulate(), reason="needs R and reticulate")

#: Of a module that Python 3.12 has no more: all that reticulate 1.28, that of Debian 12, asks of it.
IMP = """
import importlib.util
from pathlib import Path


def find_module(name):
    return None, str(Path(importlib.util.find_spec(name).origin).parent), None
"""


def test_the_how_to_runs(tmp_path):
    page = (ROOT / "docs" / "howto" / "r.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```r\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    known = 'for (n in c("parameters", "states", "people")) write.csv(get(n), paste0(n, ".csv"), row.names = FALSE)\n'
    (tmp_path / "all.R").write_text(block + "stopifnot(is.data.frame(parameters))\n" + known)
    people = {n: pd.read_csv(ROOT / "data" / "dutilh2011" / f"dutilh_2010_subject_{n}.csv") for n in "BC"}
    people = {n: frame[["rt", "accumulator"]].head(80) for n, frame in people.items()}
    people["C"].to_csv(tmp_path / "me.csv", index=False)
    pd.concat(f.assign(subject=n) for n, f in people.items()).to_csv(tmp_path / "study.csv", index=False)
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "imp.py").write_text(IMP)
    path = os.pathsep.join([str(ROOT / "src"), str(tmp_path / "modules")])
    environment = os.environ | {"PYTHONPATH": path, "AMORTMIX_PYTHON": sys.executable}
    said = subprocess.run(
        ["Rscript", "all.R"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        fit = am.load("evidence_accumulation").fit(tmp_path / "me.csv")
    parameters = pd.read_csv(tmp_path / "parameters.csv", index_col=0)
    pd.testing.assert_frame_equal(parameters[list(fit.summary())], fit.summary(), rtol=1e-4, check_dtype=False)
    states = pd.read_csv(tmp_path / "states.csv")
    assert list(states["unit"]) == list(fit.labels) and "P(controlled)" in states
    assert set(pd.read_csv(tmp_path / "people.csv")["data set"]) == {"B", "C"} and fit.verdict in said.stdout
