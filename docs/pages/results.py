"""The results: targets, what was measured and what the paper says, from the published files."""

import json

import pandas as pd

from amortmix.model import registry
from amortmix_paper import summary_page
from amortmix_paper.table1 import cell
from pages.markdown import code, number, table

RUN = "results/published/default_shipped"


def page(root):
    """Targets, the paper's numbers, eleven participants, speed, and where the rest is."""
    run = root / RUN
    titles = {n: code(n) for n in registry.names()}
    listed = pd.read_csv(root / "config" / "datasets.tsv", sep="\t", index_col="dataset")["source"]
    comparisons = {p.name: fitted(p, listed) for p in sorted(run.iterdir())}
    return TEXT.format(
        **{f"targets_{p}": targets(run / p, comparisons[p], titles) for p in comparisons},
        judged=summary_page.JUDGED,
        published=frame_table(summary_page.published_rows(comparisons)),
        table1=frame_table(pd.read_csv(run / "reference" / "tables" / "table1.csv", index_col=0)),
        speed=table(["measured", "method", "mean of repeats", "unit"], speed_rows(root)),
    )


TEXT = """\
# Results

From the published run, `results/published/`: preset `default`, networks of the library for the paper's numbers of
units, seed 2026, two CPU cores. Nothing on this page is written by hand. What the words mean: [amortization gap,
divergence and C2ST](../explanation/gap.md); what the networks that ship reach on other data sets: [pretrained
networks](networks.md).

## Targets, printed priors

{targets_paper}
## Targets, priors of the published Table 1

{targets_reference}
```{{image}} ../../results/published/default_shipped/paper/figures/table1/c2st.png
:alt: C2ST of eleven participants, raw draws and draws weighted by importance
:width: 640px
```

## The paper's numbers and ours

{judged} The paper's machine is not named, its demonstration data sets are not ours, and the fits of this run shared
their machine with other jobs.

{published}
## Eleven participants

Priors `reference`, beside the paper's Table 1.

{table1}
## Speed

From `make benchmark` on two idle CPU cores. *Eleven fits* are eleven participants of 400 trials, 4,000 draws each,
with the probabilities of the states; those of Stan (PyStan) and NUTS (NumPyro) are extrapolated from three
participants.

{speed}
"""


def fitted(folder, listed):
    """{data set: comparison.json} of one prior, each with its model; files of version 0.1 do not name their source."""
    return {
        path.parent.name: {"source": listed.get(path.parent.name)}
        | json.loads(path.read_text(encoding="utf-8"))
        | {"case": path.parents[2].name}
        for path in sorted(folder.glob("*/fits/*/comparison.json"))
    }


def targets(folder, comparisons, titles):
    """Targets of the networks that ship beside what was measured."""
    metrics = {
        path.parents[1].name: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*/validation/metrics.json"))
    }
    rows = summary_page.target_rows(metrics, comparisons, titles, "shipped").reset_index()
    return frame_table(without_small_heads(rows))


def without_small_heads(rows):
    """Of the excess cross-entropies of a model's heads the largest alone."""
    excess = rows[rows.quantity.str.startswith("excess cross-entropy")]
    size = excess.measured.str.split().str[0].astype(float)
    return rows.drop(excess.index.difference(size.groupby(excess.model).idxmax())).reset_index(drop=True)


def frame_table(frame):
    """A DataFrame as Markdown; a plain number as its index is left out."""
    named = not isinstance(frame.index, pd.RangeIndex)
    head = [*([frame.index.name or ""] if named else []), *frame.columns]
    rows = [
        [*([str(i)] if named else []), *(cell(c, v) for c, v in zip(frame.columns, row))]
        for i, row in zip(frame.index, frame.values.tolist())
    ]
    return table(head, rows)


#: Parts of the benchmark that are shown, in order.
PARTS = {
    "eleven fits": "eleven fits (by the clock, two cores)",
    "eleven fits, CPU": "eleven fits (CPU seconds)",
    "first fit of a process, CPU": "first fit of a process (CPU seconds)",
    "training": "training",
    "training with the density": "training with the known density",
    "compilation": "compilation of a training",
    "peak memory, training": "peak memory of a training",
}


def speed_rows(root):
    """Means of `benchmark.csv`, a row for each part, model and method."""
    found = pd.read_csv(root / "results" / "published" / "benchmark" / "benchmark.csv")
    rows = []
    for part, words in PARTS.items():
        for (case, method), group in found[found.part == part].groupby(["case", "method"], sort=False):
            rows.append([f"{words}, `{case}`", method, number(group.value.mean()), group.unit.iloc[0]])
    return rows
