"""Held-out simulations as a file, which one job writes and the validation reads."""

import xarray as xr

from amortmix.diagnostics.validation import HeldOut
from amortmix.model.data import Data
from amortmix.storage import files


def save(path, model, held_out):
    """Write a `HeldOut` of a model."""
    theta, data, z = held_out
    fields = {
        "theta": (("dataset", "parameter"), theta),
        "y": (("dataset", "unit", "observation", "variable"), data.y),
        "mask": (("dataset", "unit", "observation"), data.mask),
        "z": (("dataset", "unit"), z),
    }
    if data.x is not None:
        fields["x"] = (("dataset", "unit", "covariate"), data.x)
    if data.sequence is not None:
        fields["sequence"] = (("dataset", "unit"), data.sequence)
    if data.prior is not None:
        fields["prior"] = (("dataset", "hyperparameter"), data.prior)
    files.save_netcdf(path, xr.Dataset(fields, coords={"parameter": list(model.parameter_names)}))


def load(path):
    """Read what `save` wrote; BadInput names a damaged file."""
    found = files.load_netcdf(path)
    data = Data(*(found[name].values if name in found else None for name in Data._fields))
    return HeldOut(found["theta"].values, data, found["z"].values)
