"""Networks that come with the library, as far as a plan needs them: where they are, and whether they fit a model."""

from pathlib import Path

import amortmix
from amortmix.storage.files import BadInput, read_json

FOLDER = Path(amortmix.__file__).parent / "pretrained"
FILES = ("bundle.keras", "history.csv", "card.json")
#: What rule validate makes of networks.
VALIDATION = ("metrics.json", "recovery.nc", "reference.npz")


def folder(name, variant):
    return FOLDER / variant / name


def is_shipped(name, variant, fingerprint):
    """Whether networks for a model come with the library.

    Raises
    ------
    BadInput
        If they come for the name, but the model has been changed: one line.
    """
    path = folder(name, variant) / "card.json"
    if not path.is_file():
        return False
    card = read_json(path)
    if card["fingerprint"] != fingerprint:
        raise BadInput(
            f"{path}: networks of another {name} than this one; expected the model of the library with units "
            f"{card['units']} and observations {card['observations']} under the prior {card['prior']}, "
            "or --config networks=trained"
        )
    return True


def is_validated(name, variant, settings):
    """Whether the validation that comes with networks is of these very networks, with the settings of a preset."""
    path = folder(name, variant)
    metrics = read_json(path / "metrics.json")
    return metrics["settings"] == settings and metrics["sha256"] == read_json(path / "card.json")["sha256"]
