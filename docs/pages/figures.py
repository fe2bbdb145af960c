"""Figures of the tutorial, drawn from a fit of the participant that it fits; the repository keeps them."""

import io

import matplotlib

matplotlib.use("Agg")

import pandas as pd  # noqa: E402

import amortmix as am  # noqa: E402
from amortmix_paper.publishing import fewer_colors  # noqa: E402

PARTICIPANT = "data/dutilh2011/dutilh_2010_subject_C.csv"


def draw(root, folder):
    """`states.png` and `posterior.png`, unless they are there."""
    if all((folder / f"{name}.png").is_file() for name in ("states", "posterior")):
        return
    fit = am.load("evidence_accumulation").fit(pd.read_csv(root / PARTICIPANT))
    for name, figure in {"states": fit.plot_states(), "posterior": fit.plot_posterior()}.items():
        written = io.BytesIO()
        figure.savefig(written, dpi=110, bbox_inches="tight")
        (folder / f"{name}.png").write_bytes(fewer_colors(written.getvalue()))
