"""What is in every file that a fit, a training or a run writes."""

import tomllib
from pathlib import Path

from pages.markdown import code, table


def known():
    """The descriptions of `formats.toml`."""
    return tomllib.loads(Path(__file__).with_name("formats.toml").read_text(encoding="utf-8"))


def page(root):
    """Groups, variables and keys."""
    words = known()
    groups = [
        [code(group), code(name), dimensions, meaning]
        for group, variables in words["variables"].items()
        for name, (dimensions, meaning) in variables.items()
    ]
    return TEXT.format(
        groups=table(["group", "content"], [[code(k), v] for k, v in words["groups"].items()]),
        variables=table(["group", "variable", "dimensions", "content"], groups),
        **{name: _keys(words[name]) for name in ("attributes", "card", "metrics", "comparison")},
    )


def _keys(words):
    return table(["key", "content"], [[code(k), v] for k, v in words.items()])


TEXT = """\
# File formats

## A fit: fit.nc, abi.nc, stan.nc

`fit.save("fit.nc")`, `amortmix fit` and the workflow (`abi.nc` by networks, `stan.nc` by MCMC) write the same NetCDF
file, an ArviZ `DataTree`; `am.load_fit(path)` reads it, and so does `xarray.open_datatree`.

{groups}
Each variable, with its dimensions. `statistic` is `mean`, `median` or a quantile (`q005` is the 0.5 % quantile),
`unit` has your own labels.

{variables}
Attributes of the tree:

{attributes}
## Many fits: all.nc

`fits.save("all.nc")` writes a tree with the dimension `dataset`: `posterior` has the draws of each parameter
(dataset, draw), `summary` the columns of `fits.summary()`.

## Networks

A folder of networks has `bundle.keras` (the networks), `card.json` (what they are), `history.csv` (the learning
curve: losses of training and of held-out data sets at each report), `reference.npz` (what simulated data sets look
like), `exported.zip` (programs that need no JAX), `metrics.json` and `recovery.nc` (their validation; the latter has
truth, rank, median, interval, mean and sd of every held-out data set), `points.keras` and `points.json` (answers
without draws, if trained), `density.npz` (a learned density, if there is one).

### card.json

{card}
### metrics.json

{metrics}
## comparison.json

What the workflow writes of every data set that was fitted by networks and by MCMC.

{comparison}"""
