"""How long, with which batches and at which rate networks are trained.

    rate(s) = peak * s / warmup              for s < warmup
              peak * (1 + cos(pi r)) / 2     after it, r the share of the remaining steps that is done

s the step; its `amortmix.training.phases` say with which batches.
"""

import jax.numpy as jnp
import keras

from amortmix.storage.files import BadInput
from amortmix.training.phases import phases_of

WARMUP_STEPS = 500
CLIP_NORM = 5.0
ADAM_RATE = 1.5e-3  # of what Muon leaves to Adam: biases and arrays that are not matrices
REPORTS = 40  # rows of the learning curve, unless the schedule says otherwise


def plan_of(schedule, multiple=1):
    """Pieces, each a `Phase`: the budget in about ``reports`` dispatches, none across two phases.

    All but the last of a phase have a multiple of so many steps.
    """
    phases = phases_of(schedule)
    size = max(1, sum(p.steps for p in phases) // schedule.get("reports", REPORTS))
    size = -(-size // multiple) * multiple
    for phase in phases:
        whole, rest = divmod(phase.steps, size)
        yield from [phase._replace(steps=n) for n in [size] * whole + [rest] * (rest > 0)]


@keras.saving.register_keras_serializable("amortmix")
class Annealing(keras.optimizers.schedules.LearningRateSchedule):
    """Warm-up and cosine; ``total``, the number of steps, may be traced, so that any budget is one compilation."""

    def __init__(self, peak, total=1):
        super().__init__()
        self.peak, self.total = peak, total

    def __call__(self, step):
        step, total = jnp.asarray(step, float), jnp.asarray(self.total, float)
        warmup = jnp.minimum(WARMUP_STEPS, jnp.maximum(1, total // 10))
        done = jnp.clip((step - warmup) / jnp.maximum(total - warmup, 1), 0, 1)
        return self.peak * jnp.where(step < warmup, step / warmup, (1 + jnp.cos(jnp.pi * done)) / 2)

    def get_config(self):
        return {"peak": self.peak}


def optimizer_of(schedule):
    """Adam, or Muon, which orthogonalizes the update of every weight matrix."""
    rate = Annealing(schedule["learning_rate"])
    if schedule.get("optimizer", "adam") == "adam":
        return keras.optimizers.Adam(rate, global_clipnorm=CLIP_NORM)
    return keras.optimizers.Muon(
        rate,
        weight_decay=None,
        adam_weight_decay=None,
        adam_lr_ratio=ADAM_RATE / schedule["learning_rate"],
        ns_steps=4,
        global_clipnorm=CLIP_NORM,
    )


def check(model, schedule):
    """Refuse a schedule that needs a density which the model lacks, a proposal of another prior, or no share."""
    particles, proposal = max(p.particles for p in phases_of(schedule)), schedule.get("proposal")
    if particles > 1 and not model.has_density:
        raise BadInput(f"{model.name}: particles is {particles}; expected none, for want of a density (`emission`)")
    if not 0 <= (misfit := schedule.get("misfit", 0)) <= 1:
        raise BadInput(f"{model.name}: misfit is {misfit}; expected a share between 0 and 1")
    known = model.hyperparameters
    if proposal and model.design.varied:
        raise BadInput(f"{model.name}: proposal is {proposal}; expected none, where the prior itself varies")
    if unknown := set(proposal or ()) - set(known):
        raise BadInput(f"{model.name}: proposal has {', '.join(sorted(unknown))}; expected some of {', '.join(known)}")
