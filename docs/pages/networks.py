"""The pretrained networks: what each was trained for, and how good it is, from its own card and validation."""

import json

from pages.markdown import code, number, plus_minus, table

PRETRAINED = "src/amortmix/pretrained"


def page(root):
    """A table of all networks, and one of their quality at single numbers of units and priors."""
    rows = json.loads((root / PRETRAINED / "index.json").read_text(encoding="utf-8"))
    found = [(row, *_files(root, row)) for row in rows]
    return TEXT.format(
        networks=table(
            ["model", "`design`", "prior", "N", "P", "missing, sequences", "trained on"],
            [network_row(row, card) for row, card, _ in found],
        ),
        quality=table(
            ["model", "`design`", "prior", "gap", "divergence", "unreliable", "excess cross-entropy", "SBC"],
            [quality_row(row, metrics) for row, _, metrics in found],
        ),
        single=table(
            ["model", "prior", "N", "gap", "divergence", "unreliable", "excess cross-entropy", "SBC"],
            [single_row(row["model"], s) for row, _, m in found for s in m.get("single", [])],
        ),
    )


TEXT = """\
# Pretrained networks

`am.load(name)`, `amortmix fit NAME` and a run with `networks=shipped` use these; `am.models()` and `amortmix models`
list them. Those of the design `wide` are the default: they take many numbers of units, missing units and sequences,
and are told the prior ([how to choose one](../howto/priors.md)). `am.load(name, design="paper")` takes those for the
paper's numbers of units, which are closer to the posterior there.

{networks}
## How good they are

On held-out data sets of the design: the [amortization gap](../explanation/gap.md) and the divergence in nats per
data set with standard errors, how many data sets had weights that cannot be relied on, the largest excess
cross-entropy of a head in nats per unit, and whether the ranks of all parameters are inside simultaneous 95 % bands.
Where no likelihood is known there is no gap: the last but one column is then the calibration error of the states.

{quality}
Networks of the design `wide`, for one number of units and one prior each:

{single}
Importance weights correct the draws of every fit whose likelihood is known, and [the verdict](../howto/trust.md)
says where they cannot. At 1,000 units, and for half the power of a prior, the gap is larger.

Each folder in `src/amortmix/pretrained/` has a [card, a learning curve and the validation](files.md#networks), with
checksums in `index.json`; networks are refused for a model that has changed. The networks of `leaky_accumulator`
simulate at every fit and so need the extra `train`.
"""


def _files(root, row):
    folder = root / PRETRAINED / row["folder"] / row["model"]
    return (json.loads((folder / name).read_text(encoding="utf-8")) for name in ("card.json", "metrics.json"))


def network_row(row, card):
    """What networks were trained for."""
    design = "wide" if row["folder"] == "wide" else "paper"
    ranges = [f"{k} {_range(v)}" for k, v in row.get("varied", {}).items()]
    prior = ", ".join(f"`{v}`" for v in row["variants"]) + (f"; or {', '.join(ranges)}" if ranges else "")
    return [
        f"[`{row['model']}`](models.md#{row['model']})",
        code(design),
        prior,
        _range(row["units"]),
        _range(row["observations"]),
        f"{row['holes']:.0%}, {row['sequences']}" if row["holes"] else "none",
        f"{card['data_sets'] / 1e6:.1f} million data sets",
    ]


def _range(ends):
    low, high = ends
    if isinstance(low, list):
        return f"({_list(low)}) to ({_list(high)})"
    return number(low) if low == high else f"{number(low)} to {number(high)}"


def _list(values):
    return ", ".join(number(v) for v in values)


def quality_row(row, metrics):
    """The validation of networks on their design."""
    design = "wide" if row["folder"] == "wide" else "paper"
    return [code(row["model"]), code(design), code(row["priors"]), *measured(metrics)]


def measured(metrics):
    """Gap, divergence, unreliable weights, excess cross-entropy and SBC."""
    inside = "inside" if metrics["sbc"]["inside"] else "outside"
    if "gap_nats" not in metrics:
        error = max(c["ece"] for c in metrics["state_calibration"].values())
        return ["–", "–", "–", f"calibration {error:.4f}", inside]
    gap = metrics["gap_nats"]
    excess = metrics["excess_ce"]
    largest = max(e["mean"] for e in excess.values()) if isinstance(excess, dict) else excess
    return [
        plus_minus(gap["mean"], gap["se"]),
        plus_minus(gap["divergence"]["mean"], gap["divergence"]["se"]),
        f"{gap['unreliable']} of {gap['datasets']}",
        f"{largest:.5f}",
        inside,
    ]


def single_row(model, found):
    """The same of one number of units and one prior."""
    prior = found["prior"]
    words = code(prior) if isinstance(prior, str) else ", ".join(f"{k} {v}" for k, v in prior.items())
    return [code(model), words, number(found["units"]), *measured(found)]
