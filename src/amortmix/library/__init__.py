"""The case studies. A module of this package that defines ``CASE`` is one; nothing else lists them."""

import importlib
import pkgutil

from amortmix.cases.base import Case, Data, Parameter, architecture

__all__ = ["CASES", "Case", "Data", "Parameter", "architecture", "get_case"]


def _discover():
    modules = (importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__))
    return {m.CASE.name: m.CASE for m in modules if hasattr(m, "CASE")}


CASES = _discover()


def get_case(name) -> Case:
    """The case study called ``name``; ValueError names those that exist."""
    if name not in CASES:
        raise ValueError(f"unknown case study {name!r}: expected one of {', '.join(sorted(CASES))}")
    return CASES[name]
