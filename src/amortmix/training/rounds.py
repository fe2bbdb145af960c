"""The training of small networks beside those of a model: one phase, from simulations alone, in minutes.

Steps are those of `amortmix.training.step`, by Muon along a cosine, some hundreds in a dispatch.
"""

import jax
import numpy as np

from amortmix.progress import progress
from amortmix.storage.files import BadInput
from amortmix.training import schedule as schedules
from amortmix.training.step import TURN, assign, in_turn, run_steps, state_of, turns_of

ROUND = 8 * TURN  # steps of a dispatch


def train_in_rounds(estimator, simulation, steps, batch, rate, seed, what, design=None):
    """Train a built estimator in place, and leave its optimizer behind.

    Parameters
    ----------
    estimator : keras.Model
    simulation : callable
        As of `amortmix.training.step.run_steps`; the place of a frame is None without a ``design``.
    steps, batch : int
    rate : float
        The peak of the learning rate.
    seed : int
        Of the simulations.
    what : str
        What is trained, for the display of progress and for errors.
    design : Design, optional
        Whose frames are simulated in turn.

    Raises
    ------
    BadInput
        If the loss is not finite.
    """
    schedule = {"phases": [[steps, batch]], "optimizer": "muon", "learning_rate": rate}
    estimator.compile(optimizer=schedules.optimizer_of(schedule))
    estimator.optimizer.build(estimator.trainable_variables)
    run, state, key = run_steps(estimator, simulation), state_of(estimator), jax.random.key(seed)
    places = [None] if design is None else turns_of(design)
    told = progress(steps, f"training {what}")
    for first in range(0, steps, ROUND):
        number = min(ROUND, steps - first)
        state, metrics = in_turn(run, places, state, key, first, number, steps, batch, 1)
        if not np.isfinite(metrics["loss"]):
            raise BadInput(f"{what} cannot be learned: the loss is not finite; see am.check")
        told.advance(number, f"loss {metrics['loss']:.3f}")
    told.close()
    assign(estimator, state)
    estimator.optimizer, estimator.compiled = None, False
