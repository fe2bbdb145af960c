"""A network bundle: the trained networks, their learning curve, and a card that says what they are.

networks/bundle.keras    networks/history.csv    networks/card.json
"""

import zipfile
from pathlib import Path

import jax
import keras

from amortmix import io
from amortmix.cases import get_case
from amortmix.networks import estimator as _estimator  # noqa: F401  registers the classes for loading


def save_bundle(folder, training, case, preset, priors, seed):
    """Write a training's networks, history and card into ``folder``."""
    from amortmix.training import write_history

    folder, estimator = Path(folder), training.estimator
    # a training resumes from its checkpoint: here the optimizer would only triple the size
    estimator.optimizer, estimator.compiled = None, False
    with io.atomic(folder / "bundle.keras") as temporary:
        estimator.save(temporary)
    write_history(folder / "history.csv", training.history)
    device = jax.devices()[0]
    # a training that started from other networks costs what those cost as well
    before = training.start or {"data_sets": 0, "seconds": 0.0}
    io.write_json(
        folder / "card.json",
        {
            "case": case.name,
            "preset": preset,
            "meaningful": preset != "smoke",
            "priors": priors,
            "prior": case.prior(priors),
            "recipe": case.networks[preset],
            "seed": seed,
            "units": list(case.units),
            "observations": list(case.observations),
            "steps": training.history[-1]["step"],
            "data_sets": before["data_sets"] + training.datasets,
            "seconds": before["seconds"] + training.seconds,
            "started_from": before.get("sha256"),
            "data_sets_per_second": training.datasets / training.seconds,
            "final": training.history[-1],
            "device": f"{device.platform}: {device.device_kind}",
            "git_commit": training.commit,
            "versions": io.versions(),
            "sha256": io.sha256(folder / "bundle.keras"),
        },
    )


def load_bundle(folder):
    """Case study, estimator and card of a bundle.

    Raises
    ------
    BadInput
        If the network file is missing, truncated or not the one that the card describes.
    """
    folder = Path(folder)
    path = folder / "bundle.keras"
    card = io.read_json(folder / "card.json")
    if not path.exists():
        raise io.BadInput(f"{path}: no network file; expected the .keras file that card.json describes")
    if io.sha256(path) != card["sha256"] or not zipfile.is_zipfile(path):
        raise io.BadInput(f"{path}: truncated or changed; its checksum is not the one in card.json")
    return get_case(card["case"]), keras.saving.load_model(path, safe_mode=True, compile=False), card
