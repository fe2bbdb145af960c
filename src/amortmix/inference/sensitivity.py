"""How much of a fit hangs on the prior: the posterior of the same data under many.

    networks    theta ~ q(theta | y, h), with importance weights, where h lies in a range of their training
    weights     the draws that there are, weighted by p(theta | h) / p(theta), where it does not

The second needs no networks and serves MCMC as well; k-hat says for which priors the draws still can (Kallioinen et
al. 2024).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from amortmix.extras import require
from amortmix.inference import psis
from amortmix.inference.fit import USABLE
from amortmix.inference.fitting import Fitter
from amortmix.model import varied
from amortmix.model.tables import Table
from amortmix.storage import tree as trees
from amortmix.storage.files import BadInput

#: Powers of the prior that are tried unless others are given, and values of each range.
POWERS, VALUES = (0.5, 0.7, 1.4, 2.0), 5
DRAWS, PROPOSALS, STATES = 1000, 4, 64


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Posteriors of one data set under many priors.

    Attributes
    ----------
    table : DataFrame
        A row for each prior: mean, sd and 95 % interval of every parameter, k-hat, effective number, how the row was
        made, and whether it can be relied on.
    states : (R, N, K)
        Mean state probabilities under each prior.
    model : Model or Description
    labels : tuple
        Of the units.
    """

    table: pd.DataFrame
    states: np.ndarray
    model: Any
    labels: tuple

    def __repr__(self):
        moved = ", ".join(f"{name} {value:.2f}" for name, value in self.moved().items())
        return f"<Sensitivity to {len(self.table)} priors; means move by up to (in sd): {moved}>"

    def moved(self):
        """Largest difference of the posterior means under two of the priors, in posterior sd: Series."""
        usable = self.table[self.table["reliable"]]
        found = {}
        for name in self.model.parameter_names:
            mean, sd = usable[f"{name} mean"], usable[f"{name} sd"]
            found[name] = float((mean.max() - mean.min()) / sd.median()) if len(usable) else np.nan
        return pd.Series(found, name="sd")

    def moved_states(self):
        """Largest difference of each unit's state probabilities under two of the priors: Series (N,)."""
        usable = self.states[self.table["reliable"].to_numpy()]
        found = (usable.max(0) - usable.min(0)).max(-1) if len(usable) else np.full(len(self.labels), np.nan)
        return pd.Series(found, index=list(self.labels), name="difference")

    def plot(self):
        """Means and intervals under every prior, and the range of the state probabilities: a matplotlib figure."""
        from amortmix import plots

        return plots.sensitivity(self)


def default_priors(model):
    """{label: prior}: the bound prior, powers of it, the declared variants, and values along each range.

    Parameters
    ----------
    model : Model or Description
    """
    ranges, bound = model.design.varied or {}, model.hyperparameters
    found = {model.prior_name: {}} | {f"power = {power:g}": {varied.POWER: power} for power in POWERS}
    found |= {name: name for name in model.variants}
    for name in (n for n in ranges if n != varied.POWER):
        one = {name: ranges[name]}
        low, high = varied.bounds(one, bound)
        for c in np.linspace(-1, 1, VALUES):
            flat = varied.from_coordinates(one, bound, np.full(low.shape, c))
            rounded = np.clip([float(f"{x:.3g}") for x in flat], low, high)
            value = varied.values(one, bound, rounded)[name].tolist()
            found[f"{name} = {varied.words(value)}"] = {name: value}
    return found


def sensitivity(fit, priors=None, draws=DRAWS, seed=1):
    """`Sensitivity` of a `Fit`; see `amortmix.inference.fit.Fit.sensitivity`."""
    model = fit._engine().model
    priors = default_priors(model) if priors is None else _labelled(priors)
    table = Table(trees.observed(fit.tree), fit.labels)
    rows, states = {}, []
    for label, prior in priors.items():
        row, p = _under(fit, table, prior, draws, seed)
        rows[label] = row
        states.append(p)
    index = pd.Index(list(rows), name="prior")
    return Sensitivity(pd.DataFrame(list(rows.values()), index=index), np.stack(states), model, fit.labels)


def _labelled(priors):
    """{label: prior} of a list of priors, or of what has labels already."""
    if isinstance(priors, dict):
        return priors
    if not isinstance(priors, (list, tuple)) or not priors:
        raise BadInput(f'priors is {priors!r}; expected a list, as in ["reference", {{"power": 0.5}}]')
    return {p if isinstance(p, str) else ", ".join(f"{k} = {varied.words(v)}" for k, v in p.items()): p for p in priors}


def _under(fit, table, prior, draws, seed):
    """A row of the table, and mean state probabilities (N, K), under one prior."""
    engine = fit._engine()
    if engine.card and _knows(engine.model, prior):
        most = draws, PROPOSALS * draws
        found = Fitter(engine.under(prior), draws, most, states=(min(STATES, draws), draws)).numbers(table, seed)
        theta, how, reliable = found.best.theta, "networks", found.attrs["verdict"] in ("ABI", "PSIS")
        k, ess, states = found.attrs.get("pareto_k", np.nan), found.attrs.get("ess", np.nan), found.states
    else:
        theta, k, ess, reliable = _weighted(fit, prior, draws, seed)
        how = "weights"
        u = engine.run("unconstrain", engine.frame(table.data), theta[: max(STATES, len(theta) // 4)])
        states = trees.summarize_probabilities(engine.probabilities(table.data, u))
    summary = {}
    for j, name in enumerate(engine.model.parameter_names):
        low, high = np.quantile(theta[:, j], [0.025, 0.975])
        summary |= {f"{name} mean": theta[:, j].mean(), f"{name} sd": theta[:, j].std(ddof=1)}
        summary |= {f"{name} 2.5%": low, f"{name} 97.5%": high}
    return summary | {"pareto_k": k, "ess": ess, "how": how, "reliable": reliable}, states[fit.head][0]


def _knows(model, prior):
    """Whether a prior differs from the bound one in what varied in training alone, and lies inside the ranges."""
    if not (ranges := model.design.varied):
        return False
    a, b = model.hyperparameters, model.with_prior(prior).hyperparameters
    return not varied.fixed(ranges, a, b) and varied.outside(ranges, b) is None


def _weighted(fit, prior, draws, seed):
    """Draws resampled by p(theta | h) / p(theta), k-hat, effective number, and whether they can be relied on."""
    require("weights for a prior that these networks were not trained for")
    import jax

    model, theta = fit.declaration, fit.theta
    known, other = (np.asarray(jax.vmap(m.log_prior)(theta)) for m in (model, model.with_prior(prior)))
    smoothed = psis.smooth(other, known)
    chosen = psis.resample(smoothed.log_weights, draws, seed)
    reliable = smoothed.is_reliable and fit.verdict in USABLE
    return theta[chosen], smoothed.pareto_k, smoothed.ess, reliable
