"""The identity of a declaration: networks belong to one and are refused for any other.

A fingerprint is the SHA-256 of what decides the simulations and what the networks see: the statements of the
declaration's file (without comments and docstrings), hyperparameters, and the ranges of N and P.
"""

import ast
import hashlib
import inspect
import json
import linecache
import re
import textwrap

import numpy as np

from amortmix.storage.files import plain

#: Fields of a declaration that are functions.
FUNCTIONS = ("prior", "emission", "simulate_unit", "weights", "transitions", "initial", "features", "conditions")


def parts(model):
    """What a fingerprint is made of: {"hyperparameters", "units", "observations", "statements": {name: hash}}."""
    return {
        "hyperparameters": plain(model.hyperparameters),
        "units": list(model.units),
        "observations": list(model.observations),
        "statements": _statements(model),
    }


def fingerprint(model):
    """Hexadecimal fingerprint of a model under its prior."""
    return _hash(json.dumps(parts(model), sort_keys=True))


def difference(model, known):
    """What differs between a model and the `parts` of a card, in words; None if nothing does."""
    ours = parts(model)
    for key in ("hyperparameters", "units", "observations"):
        if ours[key] != known[key]:
            return f"{key} is {known[key]} there and {ours[key]} here"
    return _changed(ours["statements"], known["statements"])


def difference_of_text(text, known):
    """The same for the statements of a declaration's file alone, which takes no JAX."""
    return _changed(_hashes(text), known["statements"])


def _changed(new, old):
    changed = sorted(k for k in {*old, *new} if old.get(k) != new.get(k))
    return f"the declaration's {', '.join(changed)} changed" if changed else None


def source_of(model):
    """Text of the file that declares a model, or None where there is no file, as in an interactive session."""
    if (known := getattr(model.prior, "__globals__", {}).get("__source__")) is not None:
        return known
    path = inspect.getsourcefile(model.prior) or ""
    lines = linecache.getlines(path)
    text = "".join(lines)
    return text if re.search(r"^MODEL\b", text, re.MULTILINE) else None


def _statements(model):
    """Hash of each statement of the declaration's file, or of each of its functions and fields."""
    text = source_of(model)
    if text is not None:
        return _hashes(text)
    found = {}
    for name in FUNCTIONS:
        function = getattr(model, name, None)
        if function is not None:
            found[name] = _hash(_function_text(function))
    for name in ("states", "columns", "below"):
        found[name] = _hash(repr(getattr(model, name)))
    return {**found, "covariates": _hash(repr(covariates_of(model)))}


def covariates_of(model):
    """{covariate: (name of its distribution, arguments)}, equal for declarations that simulate the same."""
    return {name: (type(d).__name__, plain(d.get_args())) for name, d in model.covariates.items()}


def _hashes(text):
    found, imports = {}, []
    for node in ast.parse(text).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            imports.append(ast.unparse(node))
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):  # a docstring
            name = _name(node)
            found[name] = _hash(found.get(name, "") + ast.unparse(_without_docstrings(node)))
    return {**found, "imports": _hash("\n".join(sorted(imports)))}


def _name(node):
    if hasattr(node, "name"):
        return node.name
    targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
    return ast.unparse(targets[0]) if targets[0] is not None else f"{type(node).__name__} statement"


def _without_docstrings(node):
    for child in ast.walk(node):
        body = getattr(child, "body", None)
        if isinstance(child, (ast.FunctionDef, ast.ClassDef)) and len(body) > 1 and _is_docstring(body[0]):
            child.body = body[1:]
    return node


def _is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _function_text(function):
    """Source of a function, or its compiled code where there is no source."""
    try:
        return textwrap.dedent(inspect.getsource(function)).strip()
    except (OSError, TypeError):
        code = getattr(function, "__code__", None)
        return repr(function) if code is None else f"{code.co_code.hex()} {code.co_consts} {code.co_names}"


def _hash(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def scaling_list(model):
    """Location and scale of the features as plain numbers, for a card; None for features of the user's own."""
    return None if model.features is not None else np.asarray(model.feature_scaling, dtype=float).tolist()
