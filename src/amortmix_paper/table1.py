"""Table 1: the eleven participants, ours beside the published values.

The published table was made under the priors of the authors' code (``reference``): agreement is judged
there. The MMD statistic depends on the trained network, so only its p-value can agree.
"""

from collections import Counter

import pandas as pd

from amortmix_paper.participants import letter_of

#: MMD statistic, p, Pareto k-hat, C2ST of Kucharský & Bürkner (2026), Table 1; J's statistic is printed
#: 3.72 there, which does not go with its p-value; their notebook has 3.57.
PUBLISHED = {
    "A": (3.84, 0.025, 3.81, 0.99),
    "B": (3.75, 0.084, 0.49, 0.62),
    "C": (3.52, 0.664, 0.46, 0.56),
    "D": (3.68, 0.168, 0.41, 0.71),
    "E": (3.67, 0.192, 0.53, 0.65),
    "F": (3.44, 0.895, 0.59, 0.58),
    "G": (3.77, 0.072, 1.61, 0.98),
    "H": (3.67, 0.197, 0.67, 0.55),
    "I": (3.63, 0.282, 0.32, 0.55),
    "J": (3.57, 0.453, 0.66, 0.56),
    "K": (3.78, 0.060, 0.76, 0.82),
}
COLUMNS = ("MMD", "p", "k-hat", "C2ST", "C2ST PSIS", "verdict", "R-hat", "divergences")
DECIMALS = {"MMD": 2, "p": 3, "k-hat": 2, "C2ST": 3, "C2ST PSIS": 3, "R-hat": 4, "divergences": 0}
PAPER_COLUMNS = ("MMD (paper)", "p (paper)", "k-hat (paper)", "C2ST (paper)")


def table1(comparisons):
    """One row per participant.

    Parameters
    ----------
    comparisons : list of dict
        Contents of ``comparison.json`` of participants, real or simulated.

    Returns
    -------
    pandas.DataFrame
        Published columns only for real participants.
    """
    rows = {}
    letters = Counter(letter_of(c["source"]) for c in comparisons)
    for c in comparisons:
        letter = letter_of(c["source"])
        values = (c["mmd"], c["mmd_p"], c["pareto_k"], c["c2st"], c["c2st_psis"], c["verdict"])
        row = dict(zip(COLUMNS, (*values, c["rhat_max"], c["divergences"])))
        if not c["simulated"]:
            row |= dict(zip(PAPER_COLUMNS, PUBLISHED[letter]))
        # a participant may be in the list twice, with different rows
        rows[letter if letters[letter] == 1 else c["dataset"]] = row
    frame = pd.DataFrame(list(rows.values()), index=list(rows), columns=None if rows else list(COLUMNS))
    frame.index.name = "data set"
    return frame


def notices(trouble, meaningful, simulated):
    """What a reader must know before any number of a run."""
    found = []
    if trouble:
        found.append(f"Participants are missing: {trouble}")
    if not meaningful:
        found.append("Preset smoke: the networks are hardly trained. These results are not meaningful.")
    if simulated:
        found.append("SIMULATED participants, drawn from the prior: not the data of Dutilh et al.")
    return found


def mcmc_notes(comparisons):
    """Where MCMC did not run or failed and why, and which fits had divergent transitions: never averaged away."""
    found = {}
    for c in comparisons:
        if c["mcmc_not_run"]:
            found.setdefault(c["mcmc_not_run"], []).append(c["dataset"])
    notes = [f"MCMC: not run for {', '.join(names)}: {reason}" for reason, names in found.items()]
    divergent = [f"{c['dataset']} ({c['divergences']})" for c in comparisons if c["divergences"]]
    if divergent:
        notes.append(f"Divergent transitions after warm-up: {', '.join(divergent)}")
    return notes


def cell(column, value):
    """One value as text: a dash where it is missing, a column of Table 1 to equal digits, large numbers in full."""
    if value is None or value != value:
        return "–"
    if isinstance(value, str):
        return value
    if column in DECIMALS:
        return f"{value:.{DECIMALS[column]}f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def markdown(frame, notes):
    """The table as Markdown, with ``notes`` above it and a dash where MCMC did not run."""

    lines = [f"> {note}\n" for note in notes]
    if len(frame):
        names = [frame.index.name, *frame.columns]
        lines += ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
        lines += [
            f"| {i} | " + " | ".join(map(cell, frame.columns, row)) + " |" for i, row in zip(frame.index, frame.values)
        ]
    return "\n".join(lines) + "\n"
