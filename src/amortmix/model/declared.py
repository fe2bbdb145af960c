"""Whether a declaration can be used, and the names of its scalars."""

import inspect
import keyword
import linecache
import re
from collections.abc import Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from amortmix.model import emissions, sites, varied
from amortmix.model.description import Parameter
from amortmix.storage.files import BadInput


def check(model):
    """Raise `BadInput` with one line if a declaration is not complete or contradicts itself.

    It looks at the fields and traces the prior once; `amortmix.check` tries the whole model.
    """
    where = model.name
    if not (isinstance(where, str) and where.isidentifier() and not keyword.iskeyword(where)):
        raise BadInput(f"model name {where!r}; expected letters, digits and '_', as in two_rates")
    if not model.states or isinstance(model.states, str):
        raise BadInput(f"{where}: states is {model.states!r}; expected a tuple of names, one for each class or state")
    _check_ranges(model)
    if (model.emission is None) == (model.simulate_unit is None):
        raise BadInput(
            f"{where}: expected either `emission`, a distribution, or `simulate_unit`, a simulator of a unit"
        )
    for function in model.hidden:
        if _takes(model, function) and not model.covariates:
            raise BadInput(f"{where}: {function} takes covariates; expected `covariates`, or a function of p alone")
    _check_covariates(model)
    _check_variants(model)
    check_varied(model, model.varied)
    names = [p.name for p in model.parameters]
    if len(set(names)) != len(names):
        raise BadInput(f"{where}: parameters {', '.join(names)}; expected names that differ")
    known = {s.name for s in model.sites}
    for option in ("names", "below"):
        unknown = set(getattr(model, option)) - known
        if unknown:
            raise BadInput(f"{where}: {option} has {', '.join(sorted(unknown))}; expected sites: {', '.join(known)}")
    for site, column in model.below.items():
        if column not in model.columns:
            raise BadInput(f"{where}: {site} is below {column!r}; expected one of {', '.join(model.columns)}")


def _check_covariates(model):
    """That covariates can be simulated, and that an emission asks for no more than there is."""
    for name, source in model.covariates.items():
        if not hasattr(source, "sample"):
            raise BadInput(
                f"{model.name}: covariate {name} is {source!r}; expected what it is simulated from, a distribution or "
                "am.Resampled(values)"
            )
    given = 1 + bool(model.covariates) + bool(model.lags)
    if model.emission is not None and emissions.required(model.emission) > given:
        raise BadInput(
            f"{model.name}: emission takes {emissions.required(model.emission)} arguments; expected {given}: what the "
            "prior returns, then `covariates`, then with `lags` the past, if they are declared"
        )


def _takes(model, name):
    function = getattr(model, name)
    return function is not None and emissions.takes_covariates(function)


def driven(model):
    """Whether covariates drive the classes or the chain, so that each unit has probabilities of its own."""
    return any(_takes(model, name) for name in model.hidden)


def name_of_file(prior):
    """The name of the file that declares ``MODEL`` with this prior, or None where there is none."""
    path = inspect.getsourcefile(prior) or ""
    declares = re.search(r"^MODEL\b", "".join(linecache.getlines(path)), re.MULTILINE)
    return Path(path).stem if declares else None


def _check_ranges(model):
    for option, least in (("units", 1), ("observations", 1)):
        value = getattr(model, option)
        fine = isinstance(value, (tuple, list)) and len(value) == 2 and all(isinstance(v, int) for v in value)
        if not fine or not least <= value[0] <= value[1]:
            raise BadInput(f"{model.name}: {option} is {value!r}; expected (smallest, largest), whole numbers from 1")


def _check_variants(model):
    if not model.variants or not all(isinstance(v, Mapping) for v in model.variants.values()):
        raise BadInput(f"{model.name}: variants is {model.variants!r}; expected {{variant: {{hyperparameter: value}}}}")
    first, *others = model.variants.items()
    for name, values in others:
        if set(values) != set(first[1]):
            raise BadInput(f"{model.name}: variant {name!r} has {', '.join(values)}; expected {', '.join(first[1])}")


def check_variant(model, prior):
    """Raise `BadInput` unless a model has this variant of its prior."""
    if prior not in model.variants:
        raise BadInput(f"{model.name} has no prior variant {prior!r}; expected one of {', '.join(model.variants)}")


def check_varied(model, ranges):
    """Raise `BadInput` unless hyperparameters can vary in these ranges.

    What a prior returns, and the supports of its sites, must be the same for all of them.
    """
    if not ranges:
        return
    varied.check(model, ranges)
    ours = model.hyperparameters
    ends = [model.with_prior(varied.values(ranges, ours, end)) for end in varied.bounds(ranges, ours)]
    theta = model.sample_prior(jax.random.key(0))
    low, high = (jax.tree.leaves(m.natural(theta)) for m in ends)
    same = all(np.allclose(a, b) for a, b in zip(low, high))
    low, high = (sites.find_sites(m.prior, m.hyperparameters, m.name) for m in ends)
    if not same or not all(bool(np.all(a.constraint.eq(b.constraint))) for a, b in zip(low, high)):
        raise BadInput(
            f"{model.name}: what the prior returns, or the support of a site, depends on {', '.join(ranges)};"
            " expected hyperparameters that decide densities alone to vary"
        )


def bounds(model, data):
    """{site: upper bound ()} of the parameters that lie below the smallest observed value of a column."""
    values = jnp.where(data.seen > 0, data.y, jnp.inf) if model.below else None
    place = {column: j for j, column in enumerate(model.columns)}
    return {site: jnp.min(values[..., place[column]]) for site, column in model.below.items()}


def parameters(model):
    """One `Parameter` for each scalar of theta (D,)."""
    found = []
    for s in model.sites:
        for index, name in zip(np.ndindex(*s.shape), scalar_names(s, model.names)):
            label = model.labels.get(name, label_of(s.name, index, name))
            found.append(Parameter(name, label, model.physical.get(name, "")))
    return tuple(found)


def scalar_names(site, names):
    """Names of the scalars of a site: those given, or site, site_1, site_12."""
    if site.name in names:
        given = names[site.name]
        given = (given,) if isinstance(given, str) else tuple(given)
        if len(given) != site.stop - site.start:
            raise BadInput(f"names of {site.name}: {', '.join(given)}; expected {site.stop - site.start}")
        return given
    if not site.shape:
        return (site.name,)
    separator = "_" if max(site.shape) > 9 else ""
    return tuple(f"{site.name}_{separator.join(str(i + 1) for i in index)}" for index in np.ndindex(*site.shape))


#: Words that LaTeX writes as Greek letters.
GREEK = {
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "lambda", "mu", "nu", "xi", "pi",
    "rho", "sigma", "tau", "phi", "chi", "psi", "omega",
}  # fmt: skip


def label_of(site, index, name):
    """A LaTeX label for a scalar, such as $\\\\mu_{1}$; names that are words stay words."""
    base, _, end = name.partition("_")
    if base in GREEK:
        return rf"$\{base}_{{{end}}}$" if end else rf"$\{base}$"
    return name.replace("_", " ") if not index else f"{site} {''.join(str(i + 1) for i in index)}".replace("_", " ")
