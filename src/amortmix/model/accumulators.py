"""Two leaky accumulators that compete (Usher & McClelland 2001), simulated: their density has no closed form.

    dx_j = (nu_j - leak x_j - inhibition x_other) dt + dW_j,   x_j >= 0,   x_j(0) = 0

The first to reach a bound answers. Steps are Heun's, of second order in the drift. They grow with time, step (1 + t),
up to a share of the time 1 / (leak + inhibition) in which the accumulators forget.
Within a step the path from x to x' is a bridge of Brownian motion, whose lowest and highest point have closed forms,

    (x + x' -+ sqrt((x' - x)^2 - 2 dt log U)) / 2,   U ~ Uniform(0, 1):

they say how far it is reflected at zero, and whether it reaches the bound. So without leak, inhibition and reflection
every step, however large, gives the race of two Wald processes exactly.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from amortmix.model.distributions import wald_sample

#: Seconds, at time zero; an eighth of it changes the mean decision time of case study 4 by less than a hundredth.
STEP = 0.02
#: Largest step, as a share of 1 / (leak + inhibition).
LARGEST = 0.25
#: Decision time at which the leading accumulator answers, arrived or not.
LATEST = 10.0


class _State(NamedTuple):
    """Step number; end and length of the last step; where it began and ended (2,); who arrived in it (2,)."""

    n: jax.Array
    t: jax.Array
    dt: jax.Array
    began: jax.Array
    x: jax.Array
    arrived: jax.Array


def leaky_race(key, nu, leak, inhibition, bound, step=STEP, floor=0.0):
    """One decision.

    Parameters
    ----------
    key : jax.Array
    nu : (2,)
        Inputs of both accumulators, 1/s.
    leak, inhibition : ()
        1/s, not negative.
    bound : ()
    step : float
        Seconds, of the first step.
    floor : float
        Where accumulators are reflected; minus infinity: nowhere.

    Returns
    -------
    time : ()
        Seconds.
    first : ()
        0 or 1, which accumulator answers.

    Examples
    --------
    >>> time, first = leaky_race(key, jnp.array([3.0, 2.0]), leak=2.0, inhibition=1.0, bound=1.0)
    """

    def drift(x):
        return nu - leak * x - inhibition * x[::-1]

    def move(state):
        x, dt = state.x, jnp.minimum(step * (1 + state.t), jnp.divide(LARGEST, leak + inhibition))
        key_noise, key_bridge = jax.random.split(jax.random.fold_in(key, state.n))
        noise = jnp.sqrt(dt) * jax.random.normal(key_noise, (2,))
        ahead = jnp.maximum(x + drift(x) * dt + noise, floor)
        end = x + (drift(x) + drift(ahead)) * dt / 2 + noise
        width = -2 * dt * jnp.log1p(-jax.random.uniform(key_bridge, (2,)))
        end = end + jnp.maximum(floor - (x + end - jnp.sqrt((end - x) ** 2 + width)) / 2, 0.0)
        highest = (x + end + jnp.sqrt((end - x) ** 2 + width)) / 2
        return _State(state.n + 1, state.t + dt, dt, x, end, highest >= bound)

    def undecided(state):
        return ~jnp.any(state.arrived) & (state.t < LATEST)

    start = _State(jnp.int32(0), jnp.zeros(()), jnp.zeros(()), jnp.zeros(2), jnp.zeros(2), jnp.zeros(2, bool))
    last = jax.lax.while_loop(undecided, move, start)
    times = _arrival(jax.random.fold_in(key, last.n), last, bound)
    return jnp.min(times), jnp.argmin(times)


def _arrival(key, last, bound):
    """When each accumulator arrives within the last step (2,); later than `LATEST` for one that does not.

    The bridge from x to x' reaches b at a time s for which s / (dt - s) is the first passage of a Wiener process:
    inverse Gaussian with mean (b - x) / |b - x'| and shape (b - x)^2 / dt.
    """
    distance, beyond = (bound - last.began) / jnp.sqrt(last.dt), jnp.abs(bound - last.x) / jnp.sqrt(last.dt)
    odds = wald_sample(key, distance, jnp.maximum(beyond, 1e-4), (2,))
    return jnp.where(last.arrived, last.t - last.dt + last.dt * odds / (1 + odds), LATEST + (bound - last.x))
