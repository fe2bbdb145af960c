"""The networks that come with the library: where they are, what they are for, and how good they are.

``pretrained/{prior}/{model}/`` holds bundles for the numbers of units of the paper, ``pretrained/wide/{model}/`` those
for many designs, ``pretrained/index.json`` the checksum, ranges and quality of each; the index is read without JAX, so
that looking at it takes no time.
"""

from pathlib import Path

from amortmix.storage import files
from amortmix.storage.files import BadInput

FOLDER = Path(__file__).parents[1] / "pretrained"
INDEX = FOLDER / "index.json"
#: Which networks of a model are meant: those of the widest design, or of the paper's numbers of units.
DESIGNS = ("wide", "paper")


def index():
    """Rows of the index: a list of dicts with model, title, states, parameters, prior, ranges and quality."""
    return files.read_json(INDEX)


def folder_of(name, prior, design=None):
    """Folder of the networks of a model under a prior variant, checked against the index.

    Parameters
    ----------
    name : str
    prior : str or None
        None: the first variant that there is.
    design : str, optional
        One of `DESIGNS`; by default the first that there is.

    Raises
    ------
    BadInput
        One line that names those that exist.
    """
    if design not in (None, *DESIGNS):
        raise BadInput(f"design {design!r}; expected {' or '.join(DESIGNS)}")
    rows = [row for row in index() if row["model"] == name and design in (None, design_of(row))]
    rows.sort(key=lambda row: DESIGNS.index(design_of(row)))
    if not rows:
        known = ", ".join(dict.fromkeys(r["model"] for r in index() if design in (None, design_of(r))))
        raise BadInput(f"no pretrained networks of {name!r}; expected one of {known}, or a folder of your own")
    fitting = [row for row in rows if prior is None or prior in row["variants"]]
    if not fitting:
        known = " or ".join(dict.fromkeys(v for r in rows for v in r["variants"]))
        raise BadInput(f"no pretrained networks of {name} under the prior {prior!r}; expected {known}")
    row = fitting[0]
    folder = FOLDER / row["folder"] / name
    if files.sha256(folder / "bundle.keras") != row["sha256"]:
        raise BadInput(f"{folder}/bundle.keras: its checksum is not the one in {INDEX.name}; install the package again")
    return folder


def design_of(row):
    """Which of `DESIGNS` a row of the index belongs to."""
    return "wide" if row["folder"] == "wide" else "paper"


def called(folder):
    """What a fit calls the networks of a folder: one of `DESIGNS`, or, of a user's own, the name of the folder."""
    folder = Path(folder).resolve()
    return design_of({"folder": folder.parent.name}) if FOLDER.resolve() in folder.parents else folder.name


def models():
    """What comes with the library: models, priors, ranges of N and P and measured quality, as a DataFrame.

    Examples
    --------
    >>> sorted(set(am.models().index))
    ['evidence_accumulation', 'gaussian_hmm', 'gaussian_mixture', 'leaky_accumulator']
    """
    import pandas as pd

    rows = [
        {
            "model": row["model"],
            "prior": ", ".join(row["variants"]),
            "design": design_of(row),
            "states": ", ".join(row["states"]),
            "parameters": ", ".join(row["parameters"]),
            "units": files.span(row["units"]),
            "observations": files.span(row["observations"]),
            "gap (nats)": row["gap"],
            "excess cross-entropy (nats)": row["excess"],
            "calibration error of states": row.get("calibration_error"),
        }
        for row in index()
    ]
    return pd.DataFrame(rows).set_index("model")
