"""Words, table, figure and claims of the page `break_even`, from the table of `amortmix_paper.break_even`.

A panel shows T + n a of networks and n b of other methods against n; they meet at n* = T / (b - a).
"""

import textwrap

import matplotlib.pyplot as plt
import numpy as np

from amortmix.plots.methods import cumulative
from amortmix_paper.break_even import CLOCK, METHODS

#: Numbers of data sets that every panel shows.
ENDS = (1, 100_000)
TICKS = (1, 100, 10_000)
WIDE = 3


def met(row):
    """{method: number of data sets from which networks are cheaper} of a row, whole, as far as there is a method."""
    return {name: np.ceil(row[f"meets {name}"]) for name in METHODS if not np.isnan(row[name])}


def answer(rows):
    """The result in a few sentences.

    Parameters
    ----------
    rows : DataFrame
        Of `amortmix_paper.break_even.table`.
    """
    found = []
    for name in METHODS:
        numbers = [met(row)[name] for _, row in rows.iterrows() if name in met(row)]
        finite = [n for n in numbers if np.isfinite(n)]
        if finite:
            found.append(f"{_range(finite)} data sets against {name}")
        if never := len(numbers) - len(finite):
            found.append(f"never against {name} in {never} of {len(numbers)} comparisons")
    alone = rows.loc[rows[list(METHODS)].isna().all(axis=1), "model"].nunique()
    text = f"Training has paid for itself after {', '.join(found)}." if found else ""
    words = {0: "", 1: " One model is fitted by networks alone."}
    return (text + words.get(alone, f" {alone} models are fitted by networks alone.")).strip()


def _range(numbers):
    low, high = _whole(min(numbers)), _whole(max(numbers))
    return low if low == high else f"{low} to {high}"


def time_answer(row):
    """What a fit of one model costs by every method, and when training has paid for itself, in a sentence."""
    clock = " of clock, beside other jobs" if row["measured by"] == CLOCK else " of CPU"
    text = f"Training took {row['training'] / 60:.1f} minutes{clock}; "
    text += f"one fit by networks takes {row['networks']:.3g} s of CPU"
    others = met(row)
    if not others:
        return f"{text}; MCMC was not run."
    parts = [f"by {name} {row[name]:.3g} s ({_meets(number)})" for name, number in others.items()]
    return f"{text}, {' and '.join(parts)}."


def _meets(number):
    if np.isinf(number):
        return "training does not pay for itself"
    return f"training has paid for itself after {number:,.0f} data set{'' if number == 1 else 's'}"


def shown(rows):
    """The table as the page shows it: data sets rounded up, a dash where there is nothing."""
    frame = rows.set_index(["model", "trained"])
    for name in METHODS:
        frame[f"meets {name}"] = np.ceil(frame[f"meets {name}"])
    names = {"training": "training (s)", "networks": "a fit by networks (s)", "fits": "data sets measured"}
    names |= {name: f"by {name} (s)" for name in METHODS} | {
        f"meets {name}": f"equal with {name} after" for name in METHODS
    }
    seconds = [names[k] for k in ("networks", *METHODS)]
    whole = [names[k] for k in ("training", "fits", *(f"meets {name}" for name in METHODS))]
    styled = frame.rename(columns=names).style
    return styled.format("{:.3g}", subset=seconds, na_rep="–").format(_whole, subset=whole)


def _whole(number):
    return "–" if np.isnan(number) else "never" if np.isinf(number) else f"{number:,.0f}"


def figure(rows):
    """A panel for each model, on common axes: time of all fits against the number of data sets."""
    models = list(rows.groupby("model", sort=False))
    high = -(-len(models) // WIDE)
    drawn, axes = plt.subplots(
        high, WIDE, figsize=(3.5 * WIDE, 2.9 * high + 0.4), sharex=True, sharey=True, squeeze=False
    )
    for axis, (model, group) in zip(axes.flat, models):
        for _, row in group.iterrows():
            cumulative(axis, row["training"], row["networks"], {m: row[m] for m in met(row)}, ENDS)
        axis.set_title(f"{textwrap.fill(model, 42)}\n{_where(group)}", fontsize=9)
        axis.set_xticks(TICKS)
        axis.grid(alpha=0.25)
    for axis in axes.flat[len(models) :]:
        axis.set_visible(False)
    for column in axes.T:
        last = [axis for axis in column if axis.get_visible()]
        if last:
            last[-1].set_xlabel("data sets")
            last[-1].tick_params(labelbottom=True)
    for axis in axes[:, 0]:
        axis.set_ylabel("all fits")
    drawn.tight_layout()
    lines = {line.get_label(): line for axis in axes.flat for line in axis.lines if line.get_label()[0] != "_"}
    drawn.legend(lines.values(), lines, ncols=len(lines), loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return drawn


def _where(group):
    """Where networks meet each method, of one or several of them, as the title of a panel says it."""
    parts = []
    for name in METHODS:
        numbers = [met(row)[name] for _, row in group.iterrows() if name in met(row)]
        if numbers:
            parts.append(f"{name} never" if np.isinf(min(numbers)) else f"{name} at {_range(numbers)}")
    text = f"meets {', '.join(parts)}" if parts else "no MCMC: nothing but networks fits it"
    return f"{text}\ntraining by the clock" if (group["measured by"] == CLOCK).any() else text


def claims(rows, meaningful):
    """Assert what the page says; yields a sentence for each claim that held.

    Parameters
    ----------
    rows : DataFrame
    meaningful : bool
        Whether networks and chains have the size that users need; seconds of tiny ones say nothing of each other.
    """
    assert (rows["training"] > 0).all() and (rows["networks"] > 0).all()
    yield "every training and every fit took time"
    for name in METHODS:
        known = rows[rows[name].notna()]
        saved, n = known[name] - known["networks"], known[f"meets {name}"]
        assert (np.isfinite(n) == (saved > 0)).all(), f"{name}: methods meet where networks are slower, or do not meet"
        meet, n = known[np.isfinite(n)], n[np.isfinite(n)]
        ours, theirs = meet["training"] + n * meet["networks"], n * meet[name]
        assert np.allclose(ours, theirs, rtol=1e-9), f"{name}: costs differ where they should meet"
        yield f"networks and {name} cost the same at their break-even number, in each of {len(meet)} rows that have one"
    if not meaningful:
        yield "which method is faster is not claimed: networks and chains are too small"
        return
    for name in METHODS:
        known = rows[rows[name].notna()]
        slower = known.loc[known["networks"] >= known[name], "model"]
        where = f"; chains of {name} alone take less for {', '.join(slower)}" if len(slower) else ""
        faster = f"{len(known) - len(slower)} of {len(known)} rows"
        yield f"one fit by networks takes less than one by {name} in {faster}{where}"
