"""Networks of a run become those that come with the library: programs and index, made anew.

`make ship` copies bundles, cards and curves, and the validation of each with its reference simulations, into
``src/amortmix/pretrained/{prior}/{model}`` and runs this module.
"""

import sys

from amortmix.model import registry
from amortmix.storage import files
from amortmix.storage.pretrained import FOLDER, INDEX
from amortmix.trainer import export

#: What the index repeats from a card.
FROM_CARD = ("priors", "prior", "units", "observations", "sha256", "fingerprint")


def index_row(folder):
    """What the index says of one bundle."""
    card, metrics = files.read_json(folder / "card.json"), files.read_json(folder / "metrics.json")
    model = registry.find(card["model"])
    return {
        "model": model.name,
        "title": model.title,
        "states": list(model.states),
        "parameters": list(model.parameter_names),
        **{key: card[key] for key in FROM_CARD},
        "gap": round(metrics["gap_nats"]["mean"], 3),
        "excess": max(round(e["mean"], 5) for e in metrics["excess_ce"].values()),
        "sbc_inside": metrics["sbc"]["inside"],
    }


def main():
    """Programs of every bundle in the package, and the index of all."""
    folders = sorted(path.parent for path in FOLDER.glob("*/*/card.json"))
    for folder in folders:
        if not export(folder):
            sys.exit(1)
        print(f"{folder.parent.name}/{folder.name}: exported")
    files.write_json(INDEX, [index_row(folder) for folder in folders])


if __name__ == "__main__":
    main()
