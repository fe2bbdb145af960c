"""Conda environments: every file parses, pins equal requirements.lock, and every rule names one."""

import re
from pathlib import Path

import pytest
import rattler
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
ENVS = sorted((ROOT / "envs").glob("*.yaml"))
#: not Python packages of the lock file
FROM_CONDA_ONLY = {"python", "pip", "cmdstan", "cxx-compiler", "make"}


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


@pytest.mark.parametrize("path", ENVS, ids=lambda p: p.stem)
def test_pins_equal_the_lock_file(path):
    lock, (conda, pip) = locked(), specs(path)
    for text in conda:
        spec = rattler.MatchSpec(text, strict=True)
        name = spec.name.normalized if hasattr(spec.name, "normalized") else str(spec.name)
        if name not in FROM_CONDA_ONLY:
            assert str(spec.version).removesuffix(".*").lstrip("=") == lock[canonicalize_name(name)], text
    for text in pip:
        requirement = Requirement(text)
        assert str(requirement.specifier) == f"=={lock[canonicalize_name(requirement.name)]}", text


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
