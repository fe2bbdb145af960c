"""A network bundle: the trained networks, their learning curve, and a card that says what they are.

bundle.keras    history.csv    card.json    density.npz, where one was learned    and, made from them:
reference.npz, what simulated data sets look like    metrics.json, recovery.nc, their validation    exported.zip
"""

import contextlib
import math
import threading
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import jax
import keras
import numpy as np

from amortmix.model import identity, registry
from amortmix.model.declare import Model
from amortmix.model.design import Design
from amortmix.networks import build as _build  # noqa: F401  registers the classes for loading
from amortmix.storage import files
from amortmix.storage.card import MADE_FROM_THEM, check_file, check_identity, load_card
from amortmix.storage.density import load_density, save_density
from amortmix.storage.files import BadInput
from amortmix.training.checkpoint import write_history


class Bundle(NamedTuple):
    """Networks, the model they were trained for, bound to its prior, their card and folder."""

    model: Model
    estimator: Any
    card: dict
    folder: Path


def save_bundle(folder, training, seed, preset=None, meaningful=True):
    """Write a training's networks, history and card into ``folder``.

    Parameters
    ----------
    folder : path
    training : Training
    seed : int
    preset : str, optional
        Whose recipe it was.
    meaningful : bool
        False for networks that are hardly trained.
    """
    folder, estimator = Path(folder), training.estimator
    # a training resumes from its checkpoint: here the optimizer would only triple the size
    estimator.optimizer, estimator.compiled = None, False
    for name in MADE_FROM_THEM:  # of other networks that may be there
        (folder / name).unlink(missing_ok=True)
    with files.atomic(folder / "bundle.keras") as temporary:
        estimator.save(temporary)
    write_history(folder / "history.csv", training.history)
    learned = save_density(folder, training.model.density)
    device = jax.devices()[0]
    # a training that started from other networks costs what those cost as well
    before = training.start or {"data_sets": 0, "seconds": 0.0, "cpu_seconds": 0.0}
    cpu_before = before.get("cpu_seconds")  # not in every card
    files.write_json(
        folder / "card.json",
        {
            **described(training.model),
            "preset": preset,
            "meaningful": meaningful,
            "recipe": training.recipe,
            "seed": seed,
            "steps": training.history[-1]["step"],
            "skipped": int(sum(row["skipped"] for row in training.history)),
            "data_sets": before["data_sets"] + training.datasets,
            "seconds": before["seconds"] + training.seconds,
            "cpu_seconds": (math.nan if cpu_before is None else cpu_before) + training.cpu_seconds,
            "started_from": before.get("sha256"),
            "data_sets_per_second": training.datasets / training.seconds,
            "final": training.history[-1],
            "device": f"{device.platform}: {device.device_kind}",
            "git_commit": training.commit,
            "versions": files.versions(),
            "sha256": files.sha256(folder / "bundle.keras"),
            **({} if learned is None else {"density": learned}),
        },
    )


def described(model):
    """What a card says of the model: names, prior, ranges, identity, and the text of a user's file."""
    own = model.name not in registry.names()
    return {
        "model": model.name,
        "priors": model.prior_name,
        "prior": files.plain(model.hyperparameters),
        "units": list(model.units),
        "observations": list(model.observations),
        "design": model.design.as_json(),
        "scaling": identity.scaling_list(model),
        "fingerprint": identity.fingerprint(model),
        "identity": identity.parts(model),
        "source": identity.source_of(model) if own else None,
    }


def load_bundle(folder, model=None):
    """A bundle, checked.

    Parameters
    ----------
    folder : path
    model : Model, optional
        The declaration it must belong to, bound to its prior. By default the one of the library, or the one that the
        card of the user's networks keeps.

    Raises
    ------
    BadInput
        If the network file is missing, truncated or not the one that the card describes, or the model has changed.
    """
    folder = Path(folder)
    card = load_card(folder)
    check_file(card, folder)
    return Bundle(model_of(card, folder, model), load_networks(folder), card, folder)


def model_of(card, folder, model=None):
    """The model that a card describes, as its networks were trained for it; BadInput if ``model`` is another."""
    model = _declared(card, folder) if model is None else model
    check_identity(model, card, folder)
    return model.changed(
        design=Design.of_card(card),
        density=load_density(folder, card),
        **({} if card["scaling"] is None else {"scaling": card["scaling"]}),
    )


def load_networks(folder):
    """The estimator in a folder."""
    with _no_initial_values():
        return keras.saving.load_model(Path(folder) / "bundle.keras", safe_mode=True, compile=False)


_ONE_AT_A_TIME = threading.Lock()


@contextlib.contextmanager
def _no_initial_values():
    """Weights start as zeros: those of a file replace them, and random ones would be compiled for every shape."""

    def zeros(self, shape, dtype=None, **options):
        return np.zeros(shape, dtype or keras.config.floatx())

    with _ONE_AT_A_TIME, contextlib.ExitStack() as stack:
        for kind in {c for c in vars(keras.initializers).values() if isinstance(c, type) and "__call__" in vars(c)}:
            stack.enter_context(mock.patch.object(kind, "__call__", zeros))
        yield


def _declared(card, folder):
    """The model that a card describes."""
    if card["source"] is not None:
        model = registry.load_source(card["source"], f"{folder}/{card['model']}.py")
    elif card["model"] in registry.names():
        model = registry.find(card["model"])
    else:
        raise BadInput(f"{folder}/card.json: {card['model']} was declared outside a file; expected the model beside it")
    ranges = {"units": tuple(card["units"]), "observations": tuple(card["observations"])}
    variant = card["priors"] if card["priors"] in model.variants else None
    return model.changed(name=card["model"], variant=variant, bound=card["prior"], **ranges)
