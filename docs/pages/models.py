"""The models of the library: each parameter with symbol, name, meaning, unit, prior and range."""

import tomllib
from functools import partial
from pathlib import Path

import jax
import numpy as np
from numpyro import distributions as dist
from numpyro import handlers

from amortmix.model import distributions, naming, registry
from amortmix.storage.files import span
from pages.markdown import code, number, table

DRAWS = 4000


def meanings():
    """{model: {parameter: meaning}} of `meanings.toml`, and what each model is."""
    return tomllib.loads(Path(__file__).with_name("meanings.toml").read_text(encoding="utf-8"))


def page(root):
    """All models of the library."""
    known = meanings()
    sections = [section(registry.find(name), known[name]) for name in order()]
    return "# The models\n\n" + INTRODUCTION + "\n" + "\n".join(sections)


INTRODUCTION = """\
What comes with the library, as its declarations say it. *Range* is where a parameter can lie; *95 % of the prior*
are quantiles of 4,000 draws from the prior that is named first. Hyperparameters are the numbers of the prior; in
`prior={...}` you can give those of which [the networks know a range](networks.md). Your own model is [a page of its
own](../howto/own-model.md).
"""


def order():
    """Names of the models, those of the paper first."""
    paper = ["gaussian_mixture", "gaussian_hmm", "evidence_accumulation"]
    return [*paper, *(name for name in registry.names() if name not in paper)]


def section(model, meaning):
    """One model: what it says, its table of parameters, its columns and its priors."""
    kind = "a chain of hidden states" if model.dependent else "exchangeable units"
    density = "likelihood known" if model.has_density else "a simulator, no likelihood"
    units, observations = model.units, model.observations
    columns = "; ".join(f"`{name}`: {kind.expected}" for name, kind in model.columns.items())
    if naming.UNIT in naming.needed(model):
        columns = f"`{naming.UNIT}`: its number, the same in all rows of a unit; {columns}"
    return "\n".join(
        [
            f"({model.name})=",
            f"## {code(model.name)}\n",
            f"{model.title}: {kind}; {density}. {meaning['model']}\n",
            f"- **Columns**: {columns}",
            f"- **States**: {', '.join(model.states)}",
            f"- **Size in the paper**: {span(units)} units with {span(observations)} observations each; other sizes: "
            "[the pretrained networks](networks.md)\n",
            table(
                ["symbol", "name", "meaning", "unit", "prior", "range", "95 % of the prior"],
                parameter_rows(model, meaning),
            ),
            priors(model),
        ]
    )


def parameter_rows(model, meaning):
    """A row for each parameter."""
    prior = handlers.seed(partial(model.prior, **model.hyperparameters), 0)
    trace = handlers.trace(prior).get_trace()
    draws = np.asarray(jax.vmap(model.sample_prior)(jax.random.split(jax.random.key(1), DRAWS)))
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    rows = []
    for site in model.sites:
        found = trace[site.name]["fn"]
        for place in range(site.stop - site.start):
            j = site.start + place
            p = model.parameters[j]
            above = model.below.get(site.name)
            rows.append(
                [
                    p.label if "$" in p.label else p.name,
                    code(p.name),
                    meaning[p.name],
                    p.unit,
                    prior_text(found, place, model.parameters[site.start].name),
                    f"0 to the smallest {code(above)}" if above else range_text(found),
                    f"{number(low[j], 2)} to {number(high[j], 2)}",
                ]
            )
    return rows


def priors(model):
    """The variants of the prior, where there are several, and the hyperparameters."""
    names = list(model.hyperparameters)
    rows = [[code(n), *(_plain(v[n]) for v in model.variants.values())] for n in names]
    return "Hyperparameters:\n\n" + table(["name", *(f"prior `{v}`" for v in model.variants)], rows)


def _plain(value):
    return ", ".join(number(float(v)) for v in np.ravel(value))


def prior_text(found, place=0, first=""):
    """A distribution in words, of one scalar of its site."""
    while isinstance(found, (dist.Independent, dist.ExpandedDistribution)):
        found = found.base_dist
    if isinstance(found, distributions.Increments):
        step = prior_text(found.parts[place])
        return step if place == 0 else f"{code(first)} + {step}" if place == 1 else f"the one before + {step}"
    if isinstance(found, distributions.OrderedNormal):
        loc, scale = (np.broadcast_to(v, found.event_shape)[place] for v in (found.loc, found.scale))
        return f"Normal({number(float(loc))}, {number(float(scale))}), increasing"
    if (base := distributions.ordered_base(found)) is not None:
        return f"{prior_text(base)}, increasing"
    if hasattr(found, "low") and hasattr(found, "base_dist"):
        return f"{prior_text(found.base_dist)} above {number(float(found.low))}"
    arguments = (_plain(getattr(found, name)) for name in found.arg_constraints)
    return f"{type(found).__name__}({', '.join(arguments)})"


def range_text(found):
    """The support of a distribution in words."""
    while isinstance(found, (dist.Independent, dist.ExpandedDistribution)):
        found = found.base_dist
    name = type(found.support).__name__.lstrip("_")
    known = {"OrderedVector": "any number", "Simplex": "0 to 1", "UnitInterval": "0 to 1", "Real": "any number"}
    return known.get(name, "above 0")
