"""Local calibration: are the networks right for *these* data? (posterior SBC, Saeilynoja et al. 2025)

    theta' ~ q(theta | y),   y' ~ p(y' | theta'),   theta'' ~ q(theta | y, y')

The rank of theta' among theta'' is uniform if q is exact at y and at the data that look like it. It needs a simulator
and no density: where there are no importance weights it is what a fit can be held against.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from amortmix.diagnostics.simulated import calibration
from amortmix.inference import predictive
from amortmix.model.data import Data, one_sequence
from amortmix.storage import tree as trees
from amortmix.storage.files import BadInput

#: Fewest units that are simulated: of fewer the posterior hardly learns, and every network passes.
FEWEST = 20
#: Central intervals whose coverage is shown.
COVERAGES = (0.5, 0.95)


class LocalCalibration(NamedTuple):
    """Ranks of parameters that made simulated data sets, which were added to the observed one.

    Attributes
    ----------
    table : DataFrame
        For each parameter: ``log_gamma``, below zero outside simultaneous bands; ``calibration_error``; and the share
        of truths in the central 50 and 95 % intervals.
    inside : bool
        Whether all parameters are inside, with a false-alarm rate of 5 %.
    units : int
        N' of each simulated data set.
    sentence : str
    """

    table: pd.DataFrame
    inside: bool
    units: int
    sentence: str


def local_calibration(fit, simulations, draws, seed):
    """`LocalCalibration` of a fit; see `amortmix.inference.fit.Fit.check`."""
    engine, model = fit._engine(), fit._simulator()
    data = one_sequence(trees.observed(fit.tree))
    number = _room(engine.model, data)
    part = Data(*(None if a is None else np.asarray(a)[:number] for a in data._replace(prior=None)))
    order = np.random.default_rng(seed).permutation(len(fit.theta))[:simulations]
    truths = fit.theta[order]
    simulated, _ = predictive.replicate(model, truths, part, seed, simulations)
    found = [engine.answer(added(data, part._replace(y=y)), draws, seed + r)[0].theta for r, y in enumerate(simulated)]
    ranked = calibration(truths, np.stack(found), seed)
    names = list(engine.model.parameter_names)
    columns = {"log_gamma": ranked["log_gamma"], "calibration_error": ranked["calibration_error"]}
    for share in COVERAGES:
        low, high = np.quantile(found, [(1 - share) / 2, (1 + share) / 2], axis=1)
        columns[f"coverage of {share:.0%}"] = ((low <= truths) & (truths <= high)).mean(0)
    table = pd.DataFrame(columns, index=pd.Index(names, name="parameter"))
    outside = [name for name in names if not table.loc[name, "log_gamma"] > 0]
    words = "inside their simultaneous 95 % bands" if not outside else f"outside their bands for {', '.join(outside)}"
    sentence = f"around these data the ranks of {len(truths)} simulations with {number} more units are {words}"
    return LocalCalibration(table, not outside, number, sentence)


def added(data, more):
    """Two data sets as one; the second is a sequence of its own."""
    data, more = one_sequence(data), one_sequence(more)
    sequence = np.where(more.sequence > 0, more.sequence + data.sequence.max(), 0)
    pairs = zip(data._replace(sequence=None), more._replace(sequence=None))
    joined = Data(*(None if a is None else np.concatenate([a, b]) for a, b in pairs))
    return joined._replace(sequence=np.concatenate([data.sequence, sequence]).astype(np.float32))


def _room(model, data):
    """How many units can be added to a data set so that it stays inside the range of training."""
    design, n = model.design, len(data.y)
    number = min(n, design.units[1] - n)
    sequences = int(np.max(data.sequence))
    full = model.dependent and sequences + 1 > design.sequences
    if number < min(FEWEST, n) or full:
        needed = f"{n + min(FEWEST, n)} units" + (f" in {sequences + 1} sequences" if model.dependent else "")
        raise BadInput(
            f"{model.name}: no room to add simulations to {n} units; expected networks for at least {needed}"
        )
    return number
