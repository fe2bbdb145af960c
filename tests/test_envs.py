"""Conda environments: every file has what the project needs at the pins of the lock file; every rule names one."""

import re
import tomllib
from pathlib import Path

import pytest
import rattler
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
ENVS = sorted((ROOT / "envs").glob("*.yaml"))
#: What comes from conda-forge: no package of the lock file.
FROM_CONDA = {"python", "pip", "cmdstan", "cxx-compiler", "make"}
#: Extras of the project that an environment has.
BASE = ("train", "workflow")
EXTRAS = {"notebooks": (*BASE, "notebooks")}


def locked():
    """{name: version} of requirements.lock."""
    text = (ROOT / "requirements.lock").read_text()
    return {
        canonicalize_name(n): v
        for n, v in re.findall(r"^([A-Za-z0-9._-]+)(?:\[.*?\])?==([^ ;\\]+)", text, re.MULTILINE)
    }


def specs(path):
    """Conda specs and pip requirements of an environment file."""
    dependencies = yaml.safe_load(path.read_text())["dependencies"]
    conda = [d for d in dependencies if isinstance(d, str)]
    pip = [r for d in dependencies if isinstance(d, dict) for r in d["pip"]]
    return conda, pip


def needed(extras):
    """{name} of what the project and these of its extras ask for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = project["dependencies"] + [r for extra in extras for r in project["optional-dependencies"][extra]]
    return {canonicalize_name(Requirement(text).name) for text in texts}


@pytest.mark.parametrize("path", ENVS, ids=lambda p: p.stem)
def test_conda_gives_python_and_compilers_and_pip_the_pins_of_the_lock_file(path):
    lock, (conda, pip) = locked(), specs(path)
    assert {str(rattler.MatchSpec(text, strict=True).name.normalized) for text in conda} <= FROM_CONDA
    requirements = [Requirement(text) for text in pip]
    assert {canonicalize_name(r.name) for r in requirements} == needed(EXTRAS.get(path.stem, BASE))
    for r in requirements:
        assert str(r.specifier) == f"=={lock[canonicalize_name(r.name)]}", r


@pytest.mark.parametrize("path", ENVS, ids=lambda p: p.stem)
def test_python_is_the_projects(path):
    assert f"python={(ROOT / '.python-version').read_text().strip()}" in specs(path)[0]


def test_every_rule_that_runs_something_names_an_environment():
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        text = path.read_text()
        named = re.findall(r"conda:\s+(?:.*?)\"\.\./\.\./envs/([\w-]+\.yaml)\"", text)
        assert len(re.findall(r"^ *(?:script|shell):", text, re.MULTILINE)) == len(
            re.findall(r"^ *conda:", text, re.MULTILINE)
        ), path
        assert all((ROOT / "envs" / name).is_file() for name in named), path
