"""Networks that come with the library, as far as a plan needs them: where they are, and whether they fit a model."""

from pathlib import Path

import amortmix
from amortmix.storage.files import BadInput, read_json

FOLDER = Path(amortmix.__file__).parent / "pretrained"
FILES = ("bundle.keras", "history.csv", "card.json")


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
