"""The model of a job, found again by its *reference*, a dictionary that Snakemake compares with that of the last run.

source           a name of the library, or the path of the file that declares the model
prior            a variant of its prior, or its hyperparameters where they were changed
units, observations   where their ranges were changed
fingerprint      of the declaration with all this: a job runs again when it changes, and only then
"""

from pathlib import Path

from amortmix.model import registry
from amortmix.model.identity import fingerprint
from amortmix.storage.files import BadInput

RANGES = ("units", "observations")


def bound_model(reference):
    """The model of a reference; BadInput if its declaration has changed since the run was planned."""
    model = changed_model(reference["source"], reference).with_prior(reference["prior"])
    # a notebook that is opened by hand has none
    if reference.get("fingerprint", found := fingerprint(model)) != found:
        raise BadInput(f"{reference['source']}: changed since this run was planned; expected the same file: run again")
    return model


def amortized_of(bundle, model, smoothing_rule="exact"):
    """The networks of a bundle file, which must be those of a model."""
    from amortmix.inference.amortized import Amortized
    from amortmix.storage.bundle import load_bundle

    return Amortized.of(load_bundle(Path(bundle).parent, model), smoothing_rule)


def changed_model(source, changes):
    """A model of the library or of a file, with its ranges of N and P changed."""
    model = registry.find(source)
    ranges = {k: tuple(changes[k]) for k in RANGES if k in changes}
    return model.changed(**ranges) if ranges else model


def references(source, changes, where):
    """{variant of the prior: reference} of a model.

    Parameters
    ----------
    source : str
    changes : dict
        ``units``, ``observations``, ``hyperparameters``, as far as they are changed.
    where : str
        Place of the changes, for messages.
    """
    ranges = {k: changes[k] for k in RANGES if k in changes}
    found = {}
    for variant in changed_model(source, ranges).variants:
        prior = variant
        if "hyperparameters" in changes:
            known = registry.find(source).with_prior(variant).hyperparameters
            prior = known | _checked(changes["hyperparameters"], known, f"{where}.hyperparameters")
        model = changed_model(source, ranges).with_prior(prior)
        found[variant] = {"source": source, "prior": prior, **ranges, "fingerprint": fingerprint(model)}
    return found


def _checked(changes, known, where):
    """Hyperparameters in the form of those they replace."""
    for key, value in changes.items():
        if key not in known:
            raise BadInput(f"{where}: unknown hyperparameter {key}; expected {' or '.join(known) or 'none'}")
        if _form(value) != _form(known[key]):
            raise BadInput(f"{where}.{key}: {value}; expected the form of {known[key]}")
    return changes


def _form(value):
    """Lengths of nested lists, whatever their numbers are."""
    return [_form(v) for v in value] if isinstance(value, (list, tuple)) else None
