"""The networks that come with the library: where they are, what they are for, and how good they are.

``pretrained/{prior}/{model}/`` holds each bundle, ``pretrained/index.json`` its checksum, ranges and quality; the index
is read without JAX, so that looking at it takes no time.
"""

from pathlib import Path

from amortmix.storage import files
from amortmix.storage.files import BadInput

FOLDER = Path(__file__).parents[1] / "pretrained"
INDEX = FOLDER / "index.json"


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
            "units": files.span(row["units"]),
            "observations": files.span(row["observations"]),
            "gap (nats)": row["gap"],
            "excess cross-entropy (nats)": row["excess"],
        }
        for row in index()
    ]
    return pd.DataFrame(rows).set_index("model")
