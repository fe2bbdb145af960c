"""A fingerprint changes with what decides the simulations, and with nothing else."""

from pathlib import Path

import numpyro.distributions as dist
import pytest
from numpyro import sample

from amortmix import library
from amortmix.model import identity, registry
from amortmix.model.columns import Positive
from amortmix.model.mixture import Mixture

TEXT = '''"""Two rates."""
from numpyro import distributions as dist
from numpyro import sample

import amortmix.model.distributions as own
from amortmix.model.columns import NonNegativeInteger
from amortmix.model.mixture import Mixture

SCALE = 1.0


def prior(location):
    """Rates in order."""
    # the first is the smaller one
    return {"rate": sample("rate", own.ordered(dist.LogNormal(location, SCALE), 2))}


MODEL = Mixture(
    name="two_rates",
    states=("slow", "fast"),
    prior=prior,
    variants={"mine": {"location": 0.0}, "other": {"location": 1.0}},
    emission=lambda p: dist.Poisson(p["rate"]),
    columns={"count": NonNegativeInteger()},
    units=(50, 100),
)
'''


def load(text=TEXT, origin="two_rates.py"):
    return registry.load_source(text, origin)


SAME = {
    "nothing": (),
    "comments": ("    # the first is the smaller one\n", "    # another comment\n\n"),
    "docstrings": ('"""Rates in order."""', '"""Two rates, the slow one first."""'),
    "heading": ('"""Two rates."""\n', ""),
    "formatting": ('    states=("slow", "fast"),\n', "    states=('slow',\n        'fast'),\n"),
    "order of imports": (
        "from numpyro import distributions as dist\nfrom numpyro import sample\n",
        "from numpyro import sample\nfrom numpyro import distributions as dist\n",
    ),
}


@pytest.mark.parametrize("change", SAME)
def test_what_decides_nothing_changes_nothing(change):
    model, known = load(), identity.parts(load())
    changed = load(TEXT.replace(*SAME[change]) if SAME[change] else TEXT, "elsewhere/two_rates.py")
    assert identity.fingerprint(changed) == identity.fingerprint(model)
    assert identity.difference(changed, known) is None


OTHER = {
    "prior": ("dist.LogNormal(location", "dist.LogNormal(2 * location", "the declaration's prior changed"),
    "constant": ("SCALE = 1.0", "SCALE = 2.0", "the declaration's SCALE changed"),
    "emission": ('dist.Poisson(p["rate"])', 'dist.Poisson(1 + p["rate"])', "the declaration's MODEL changed"),
    "import": (
        "from numpyro import distributions as dist",
        "import numpyro.distributions as dist",
        "the declaration's imports changed",
    ),
    "units": ("units=(50, 100)", "units=(50, 200)", "units is [50, 100] there and [50, 200] here"),
    "observations": (
        "units=(50, 100)",
        "units=(50, 100), observations=(1, 3)",
        "observations is [1, 1] there and [1, 3] here",
    ),
    "hyperparameters": (
        '{"location": 0.0}',
        '{"location": 0.5}',
        "hyperparameters is {'location': 0.0} there and {'location': 0.5} here",
    ),
}


@pytest.mark.parametrize("change", OTHER)
def test_what_decides_simulations_changes_it_and_is_named(change):
    old, new, expected = OTHER[change]
    changed = load(TEXT.replace(old, new))
    known = identity.parts(load())
    assert identity.fingerprint(changed) != identity.fingerprint(load())
    assert identity.difference(changed, known) == expected


def test_a_prior_has_an_identity_of_its_own():
    mine, other = load(), load().with_prior("other")
    assert identity.fingerprint(mine) != identity.fingerprint(other)
    assert identity.fingerprint(other) == identity.fingerprint(mine.with_prior({"location": 1.0}))


def test_a_saved_text_makes_the_model_again():
    """What a card keeps is enough: the file itself may be gone."""
    model = load()
    again = load(identity.source_of(model), "card of two_rates.py")
    assert identity.fingerprint(again) == identity.fingerprint(model) and again.parameter_names == ("rate_1", "rate_2")


def test_a_model_keeps_its_identity_when_its_file_changes():
    """Another text under the same path, as after an edit or in an old card, is another model."""
    model = load()
    known = identity.fingerprint(model)
    load(TEXT.replace("SCALE = 1.0", "SCALE = 2.0"))
    assert identity.fingerprint(model) == known


def test_models_of_the_library_differ(model):
    others = [registry.find(name) for name in registry.names() if name != model.name]
    assert identity.fingerprint(model) not in [identity.fingerprint(other) for other in others]
    assert identity.fingerprint(model) == identity.fingerprint(model.with_prior(model.prior_name))
    path = Path(library.__file__).parent / f"{model.name}.py"
    assert identity.source_of(model) == path.read_text(encoding="utf-8")


def declared(source):
    """A model whose functions have no file, as in an interactive session."""
    space = {"sample": sample, "dist": dist}
    exec(source, space)
    return Mixture(states=("a",), prior=space["prior"], emission=space["emission"], units=(5, 10))


SESSION = """
def prior():
    return {"mu": sample("mu", dist.Normal(0, 2))}

def emission(p):
    return dist.Normal(p["mu"], 1)
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [("dist.Normal(0, 2)", "dist.Normal(0, 3)"), ('dist.Normal(p["mu"], 1)', 'dist.Cauchy(p["mu"], 1)')],
)
def test_functions_without_a_file_have_an_identity(old, new):
    model = declared(SESSION)
    assert identity.source_of(model) is None
    assert identity.fingerprint(model) == identity.fingerprint(declared(SESSION))
    changed = declared(SESSION.replace(old, new))
    expected = "the declaration's " + ("prior" if "Cauchy" not in new else "emission") + " changed"
    assert identity.difference(changed, identity.parts(model)) == expected


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("states", ("b",)),
        ("columns", {"y": Positive()}),
        ("covariates", {"age": dist.Normal(0, 2)}),
        ("below", {"mu": "y"}),
    ],
)
def test_fields_without_a_file_have_an_identity(field, value):
    model = declared(SESSION).changed(covariates={"age": dist.Normal(0, 1)})
    assert identity.difference(model, identity.parts(model.changed())) is None
    changed = model.changed(**{field: value})
    assert identity.difference(changed, identity.parts(model)) == f"the declaration's {field} changed"
