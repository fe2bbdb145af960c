"""A learned density of one unit as a file beside the networks that were trained with it.

density.npz: for each column the weights and biases of its layers, and the numbers by which inputs are standardized
"""

from pathlib import Path

import jax.numpy as jnp
import numpy as np

from amortmix.model.learned import LearnedDensity
from amortmix.storage import files
from amortmix.storage.files import BadInput

FILE = "density.npz"


def save_density(folder, density):
    """Write a density, if there is one, and say what a card keeps of it: its report and checksum, or None."""
    path = Path(folder) / FILE
    if density is None:
        path.unlink(missing_ok=True)
        return None
    arrays = {"moments": density.moments, "relevant": density.relevant}
    if density.covariates is not None:
        arrays["covariates"] = density.covariates
    for name, layers in density.layers.items():
        arrays[f"scaling/{name}"] = density.scaling[name]
        for i, (weights, biases) in enumerate(layers):
            arrays[f"weights/{i}/{name}"], arrays[f"biases/{i}/{name}"] = weights, biases
    with files.atomic(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **{name: np.asarray(value, np.float32) for name, value in arrays.items()})
    return {**density.report, "sha256": files.sha256(path)}


def load_density(folder, card):
    """The `LearnedDensity` that a card describes, or None.

    Raises
    ------
    BadInput
        If the file is missing, or not the one that the card describes.
    """
    known = card.get("density")
    if known is None:
        return None
    path = Path(folder) / FILE
    if not path.is_file() or files.sha256(path) != known["sha256"]:
        raise BadInput(f"{path}: missing or changed; expected the learned density that card.json describes")
    with np.load(path) as archive:
        arrays = {name: jnp.asarray(archive[name]) for name in archive.files}
    scaling = {k.removeprefix("scaling/"): tuple(map(float, v)) for k, v in arrays.items() if k.startswith("scaling/")}
    layers = {name: _layers(arrays, name) for name in scaling}
    report = {k: v for k, v in known.items() if k != "sha256"}
    return LearnedDensity(layers, arrays["moments"], arrays["relevant"], scaling, arrays.get("covariates"), report)


def _layers(arrays, name):
    number = sum(key.startswith("weights/") and key.endswith(f"/{name}") for key in arrays)
    return [(arrays[f"weights/{i}/{name}"], arrays[f"biases/{i}/{name}"]) for i in range(number)]
