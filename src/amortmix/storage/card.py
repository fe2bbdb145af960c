"""The card of trained networks: what they are of, how they were trained, and whether a model is theirs."""

from pathlib import Path

import amortmix
from amortmix.inference.exported import FILE
from amortmix.model import identity
from amortmix.storage import files
from amortmix.storage.files import BadInput

POINTS = "points.keras"
#: Files made from the networks of a folder, of no use beside others.
MADE_FROM_THEM = (FILE, "reference.npz", "metrics.json", "recovery.nc", POINTS, "points.json")


def load_card(folder):
    """The card of a bundle; `BadInput` if there is none or it is damaged."""
    path = Path(folder) / "card.json"
    if not path.is_file():
        raise BadInput(f"{path}: no such file; expected a folder of trained networks with card.json")
    return files.read_json(path)


def check_file(card, folder):
    """Raise `BadInput` if the network file is missing or not the one that the card describes."""
    path = Path(folder) / "bundle.keras"
    if not path.exists():
        raise BadInput(f"{path}: no network file; expected the .keras file that card.json describes")
    if files.sha256(path) != card["sha256"]:
        raise BadInput(f"{path}: truncated or changed; its checksum is not the one in card.json")


def check_points(card, folder):
    """The card of the point estimators beside networks; BadInput if there are none, or others."""
    path = (Path(folder) / POINTS).with_suffix(".json")
    if not path.is_file():
        raise BadInput(f"{folder}: no point estimates were trained; expected amortmix.train_points")
    found = files.read_json(path)
    if found["networks"] != card["sha256"]:
        raise BadInput(f"{path}: of other networks than those that card.json describes; expected amortmix.train_points")
    if not (path.with_name(POINTS)).is_file() or files.sha256(path.with_name(POINTS)) != found["sha256"]:
        raise BadInput(f"{path.with_name(POINTS)}: missing, truncated or changed; expected amortmix.train_points")
    return found


def check_identity(model, card, folder):
    """Raise `BadInput` with one line if networks were trained for another declaration."""
    if model.name != card["model"]:
        raise BadInput(f"{folder}/card.json: networks of {card['model']}; expected those of {model.name}")
    if model.bound is None and card["priors"] in model.variants:
        model = model.with_prior(card["priors"])
    _refuse(identity.difference(model, card["identity"]), card, folder)


def check_library(card, folder):
    """The same for networks of a model of the library, whose file says what it is; it takes no JAX."""
    path = Path(amortmix.__file__).parent / "library" / f"{card['model']}.py"
    if card["source"] is None and path.is_file():
        _refuse(identity.difference_of_text(path.read_text(encoding="utf-8"), card["identity"]), card, folder)


def _refuse(found, card, folder):
    if found:
        raise BadInput(
            f"{folder}: trained for another {card['model']}: {found}; train again, or load them with the declaration "
            "that they have seen"
        )
