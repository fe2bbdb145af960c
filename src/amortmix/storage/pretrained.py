"""The networks that come with the library: where they are, what they are for, and how good they are.

``pretrained/{prior}/{model}/`` holds each bundle, ``pretrained/index.json`` its checksum, ranges and quality; the index
is read without JAX, so that looking at it takes no time.
"""

from pathlib import Path

from amortmix.storage import files
from amortmix.storage.files import BadInput

FOLDER = Path(__file__).parents[1] / "pretrained"
INDEX = FOLDER / "index.json"
#: What the index repeats from a card.
FROM_CARD = ("priors", "prior", "units", "observations", "sha256", "fingerprint")


def index():
    """Rows of the index: a list of dicts with model, title, states, parameters, prior, ranges and quality."""
    return files.read_json(INDEX)


def folder_of(name, prior):
    """Folder of the networks of a model under a prior variant, checked against the index.

    Raises
    ------
    BadInput
        One line that names those that exist.
    """
    rows = [row for row in index() if row["model"] == name]
    if not rows:
        known = ", ".join(dict.fromkeys(row["model"] for row in index()))
        raise BadInput(f"no pretrained networks of {name!r}; expected one of {known}, or a folder of your own")
    row = next((r for r in rows if r["priors"] == prior), rows[0] if prior is None or len(rows) == 1 else None)
    if row is None:
        known = " or ".join(r["priors"] for r in rows)
        raise BadInput(f"no pretrained networks of {name} under the prior {prior!r}; expected {known}")
    folder = FOLDER / row["priors"] / name
    if files.sha256(folder / "bundle.keras") != row["sha256"]:
        raise BadInput(f"{folder}/bundle.keras: its checksum is not the one in {INDEX.name}; install the package again")
    return folder


def models():
    """What comes with the library: models, priors, ranges of N and P and measured quality, as a DataFrame."""
    import pandas as pd

    rows = [
        {
            "model": row["model"],
            "prior": row["priors"],
            "states": ", ".join(row["states"]),
            "parameters": ", ".join(row["parameters"]),
            "units": "{} to {}".format(*row["units"]),
            "observations": "{} to {}".format(*row["observations"]),
            "gap (nats)": row["gap"],
            "excess cross-entropy (nats)": row["excess"],
        }
        for row in index()
    ]
    return pd.DataFrame(rows).set_index("model")


def write_index():
    """Make the index anew from the cards and metrics in the folder, for those who ship networks."""
    from amortmix.model import registry

    rows = []
    for path in sorted(FOLDER.glob("*/*/card.json")):
        card, metrics = files.read_json(path), files.read_json(path.with_name("metrics.json"))
        model = registry.find(card["model"])
        rows.append(
            {
                "model": model.name,
                "title": model.title,
                "states": list(model.states),
                "parameters": list(model.parameter_names),
                **{key: card[key] for key in FROM_CARD},
                "gap": round(metrics["gap_nats"]["mean"], 3),
                "excess": max(round(e["mean"], 5) for e in metrics["excess_ce"].values()),
                "sbc_inside": metrics["sbc"]["inside"],
            }
        )
    files.write_json(INDEX, rows)
