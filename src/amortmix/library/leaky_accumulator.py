"""Case study 4: guessing, or a race of leaky accumulators. Nothing but a simulator is known of a unit.

    state 1, guessing:   rt - tau ~ Wald(alpha_1, nu_1), choice ~ Bernoulli(1/2)
    state 2, controlled: two leaky accumulators with inputs nu_22 for the correct and nu_21 for the wrong
                         answer inhibit each other; the first to reach alpha_2 answers

See `amortmix.model.accumulators`. At leak = inhibition = 0, without reflection at zero, this is case study 3.
"""

import jax
import jax.numpy as jnp
from numpyro import sample

from amortmix.library import evidence_accumulation as race
from amortmix.model.accumulators import leaky_race
from amortmix.model.distributions import Guess
from amortmix.model.hmm import two_state
from amortmix.model.markov import HiddenMarkov


def prior(leak, inhibition, **as_in_the_race):
    slowed = {
        "leak": sample("leak", race.positive_normal(*leak)),
        "inhibition": sample("inhibition", race.positive_normal(*inhibition)),
    }
    return slowed | race.prior(**as_in_the_race)


def trial(key, p, z):
    """(rt, correct) of a trial in state z."""
    alpha, tau = p["alpha"], p["tau"]
    key_guess, key_race = jax.random.split(key)
    guessed = Guess(alpha[0], p["nu_guess"], tau).sample(key_guess)
    time, first = leaky_race(key_race, p["nu"], p["leak"], p["inhibition"], alpha[1])
    return jnp.where(z == 0, guessed, jnp.stack([tau + time, 1.0 * first]))


#: What is added to the printed prior of case study 3.
SLOWED = {"leak": [0.8, 0.5], "inhibition": [0.8, 0.5]}

MODEL = HiddenMarkov(
    name="leaky_accumulator",
    title="Latent switches between guessing and leaky competing accumulators",
    states=race.MODEL.states,
    prior=prior,
    variants={"paper": race.MODEL.variants["paper"] | SLOWED},
    transitions=lambda p: two_state(p["stay"]),
    simulate_unit=trial,
    columns=race.MODEL.columns,
    units=race.MODEL.units,
    below=race.MODEL.below,
    names=race.MODEL.names,
    physical=race.MODEL.physical | {"leak": "1/s", "inhibition": "1/s"},
    features=race.features,
    conditions=race.conditions,
)
