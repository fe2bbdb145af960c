"""Fits from their files: what `Fit.save` wrote, with the model that it belongs to."""

import json

import xarray as xr

from amortmix.extras import missing, require
from amortmix.inference.fit import Fit
from amortmix.model import identity
from amortmix.model.varied import POWER
from amortmix.storage import files


def load_fit(path, model=None):
    """A fit that was saved.

    Parameters
    ----------
    path : path
    model : Model or path, optional
        The declaration of a fit to a user's own model, or its file; those of the library are found by name.

    Raises
    ------
    BadInput
        If the file is damaged or no fit, or a fit of another declaration.

    Examples
    --------
    >>> am.load("evidence_accumulation").fit("me.csv").save("me.nc")
    >>> am.load_fit("me.nc").verdict
    'ABI'
    """
    tree = read_tree(path)
    if model is not None:
        require("a declaration")
    if missing():  # then there are no declarations, but a fit can be read
        return Fit(tree)
    from amortmix.model import registry

    if model is None and tree.attrs["model"] in registry.names():
        model = tree.attrs["model"]
    return Fit(tree, None if model is None else _belonging(registry.find(model), tree, path))


def read_tree(path):
    """The DataTree of a fit that was saved; BadInput if it is none."""
    tree = files.load_netcdf(path)
    if not isinstance(tree, xr.DataTree) or "verdict" not in tree.attrs:
        raise files.BadInput(f"{path}: no fit of this library; expected a file that Fit.save wrote")
    return tree


def _belonging(model, tree, path):
    """The model under the prior of a fit; BadInput if the fit is of another, or of another declaration of it."""
    if model.name != tree.attrs["model"]:
        raise files.BadInput(f"{path}: a fit of {tree.attrs['model']}; expected one of {model.name}")
    known = json.loads(tree.attrs["identity"])
    if model.bound is None:
        same = set(model.hyperparameters) == set(known["hyperparameters"]) - {POWER}
        variant = tree.attrs["priors"] in model.variants or not same
        model = model.with_prior(tree.attrs["priors"] if variant else known["hyperparameters"])
    if found := identity.difference(model, known):
        raise files.BadInput(f"{path}: a fit of another {model.name}: {found}; load it without the model")
    return model
