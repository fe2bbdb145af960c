"""Exact inference for hidden Markov models with a known likelihood.

The forward recursion, for states k and units t,

    p(z_t = k | y_1:t) ∝ p(y_t | z_t = k) sum_j p(z_t = k | z_t-1 = j) p(z_t-1 = j | y_1:t-1),

and its backward counterpart give every marginal state probability ("local decoding") exactly.
All functions work in log space on one data set:

    log_init (K,)     log p(z_1)
    log_trans (K, K)  row j, column k: log p(z_t+1 = k | z_t = j)
    log_lik (N, K)    log p(y_t | z_t = k); zero where unit t was not observed
    starts (N,)       nonzero where unit t begins a sequence, with p(z_1) in place of a transition; None: one sequence

Where covariates drive the chain both have a leading axis of units: log_trans (N, K, K) leads from unit t to the next,
the last matrix nowhere, and log_init (N, K) is p(z_t) where a sequence begins at t. `amortmix.model.arcs.Arcs` say of
many states of which each leads to few which these are: sums are then over them alone.

All but `simulate_states` also take further axes at the end, such as draws of theta, and are twice as fast that way as
under ``vmap``: the few states of a step then lie apart, each in one piece of memory.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.nn import log_softmax
from jaxtyping import Float, Int, PRNGKeyArray, Real

from amortmix.model.arcs import Arcs, into, logsumexp, message, out_of, predicted
from amortmix.model.arrays import Array
from amortmix.storage.files import BadInput

#: What one function takes: a chain that all units share, or one with a row for each unit.
Init = Float[Array, "K *draws"] | Float[Array, "N K *draws"]
Trans = Float[Array, "K K *draws"] | Float[Array, "N K K *draws"]
PerState = Float[Array, "N K *draws"]
Starts = Real[Array, " N"] | Real[Array, " N *draws"] | None
Exists = Real[Array, " N"] | Real[Array, " N *draws"]


class Filtered(NamedTuple):
    """Result of the forward pass.

    Attributes
    ----------
    log_marginal : ()
        log p(y_1:N), all paths summed out.
    log_filter : (N, K)
        log p(z_t | y_1:t).
    log_units : (N,)
        log p(y_t | y_1:t-1), whose sum is log_marginal.
    """

    log_marginal: Float[Array, "*draws"]
    log_filter: PerState
    log_units: Float[Array, " N *draws"]


def two_state(stay: Float[Array, "..."]) -> Float[Array, "*batch 2 2"]:
    """Transition matrix (..., 2, 2) from the probabilities (..., 2) of staying in each state; else `BadInput`.

    Examples
    --------
    >>> am.two_state(jnp.array([0.75, 0.5]))
    Array([[0.75, 0.25],
           [0.5 , 0.5 ]], dtype=float32)
    """
    if not jnp.ndim(stay) or stay.shape[-1] != 2:
        raise BadInput(f"two_state: probabilities of shape {jnp.shape(stay)}; expected (2,), or (N, 2) for each unit")
    first, second = stay[..., 0], stay[..., 1]
    return jnp.stack([jnp.stack([first, 1 - first], axis=-1), jnp.stack([1 - second, second], axis=-1)], axis=-2)


def _at(values, z):
    """values[z, ...] with z and the values of one shape behind, by comparison: an export knows no look-up in a scan."""
    states = jnp.arange(len(values)).reshape(-1, *[1] * (values.ndim - 1))
    return jnp.sum(jnp.where(states == z, values, 0), axis=0, dtype=values.dtype)


def _varies(log_init, one_unit):
    """Whether a chain has a row for each unit, seen by the axes of what one unit has, (K, ...)."""
    return log_init.ndim > one_unit.ndim


def _steps(log_trans, log_init, varies):
    """What leads from each unit to the next, for a scan, and what begins the next: None where all units share it."""
    if not varies:
        return None, None
    return log_trans, jnp.concatenate([log_init[1:], log_init[:1]])


def _or(each, shared):
    """That of one step of a scan, or the one that all steps share."""
    return shared if each is None else each


def _at_start(start, at_start, inside):
    """``at_start`` where a sequence begins, else ``inside``; ``start`` is None where there is one sequence."""
    return inside if start is None else jnp.where(start > 0, at_start, inside)


def _of_next(starts):
    """starts of t + 1 at each t (N,); after the last unit nothing begins."""
    return None if starts is None else jnp.concatenate([starts[1:], jnp.zeros_like(starts[:1])])


def filter(
    log_init: Init, log_trans: Trans, log_lik: PerState, starts: Starts = None, arcs: Arcs | None = None
) -> Filtered:
    """Filtering probabilities (eq. 16) and marginal likelihood of the data."""

    varies = _varies(log_init, log_lik[0])
    moves = into(log_trans, arcs, varies)

    def step(log_predicted, inputs):
        log_lik_t, next_start, trans_t, next_init = inputs
        joint = log_predicted + log_lik_t
        norm = logsumexp(joint)
        log_filter = joint - norm
        inside = predicted(log_filter, _or(trans_t, moves), arcs)
        return _at_start(next_start, _or(next_init, log_init), inside), (norm, log_filter)

    inputs = log_lik, _of_next(starts), *_steps(moves, log_init, varies)
    _, (norms, log_filters) = jax.lax.scan(step, log_init[0] if varies else log_init, inputs)
    return Filtered(norms.sum(0), log_filters, norms)


def log_marginals(
    log_init: Float[Array, "..."],
    log_trans: Float[Array, "..."],
    n: int,
    starts: Real[Array, "{n} ..."] | None = None,
    varies: bool = False,
    arcs: Arcs | None = None,
) -> Float[Array, "{n} K *draws"]:
    """log p(z_t | theta) for t = 1..n, before any data: (n, K); ``varies`` where the chain has a row for each unit."""
    moves = into(log_trans, arcs, varies)

    def step(log_p, inputs):
        next_start, trans_t, next_init = inputs
        # normalized, or rounding errors of hundreds of steps add up
        inside = log_softmax(predicted(log_p, _or(trans_t, moves), arcs), axis=0)
        return _at_start(next_start, _or(next_init, log_init), inside), log_p

    inputs = _of_next(starts), *_steps(moves, log_init, varies)
    return jax.lax.scan(step, log_init[0] if varies else log_init, inputs, length=n)[1]


def log_future(log_trans: Trans, log_lik: PerState, starts: Starts = None, arcs: Arcs | None = None) -> PerState:
    """log p(y_t+1:N | z_t) up to a constant in z_t, for every t: (N, K); zero at the end of each sequence."""
    varies = log_trans.ndim > log_lik.ndim
    moves = out_of(log_trans, arcs, varies)

    def step(log_beta, inputs):
        log_lik_t, start, trans_before = inputs
        inside = message(log_lik_t + log_beta, _or(trans_before, moves), arcs)
        inside = inside - logsumexp(inside)
        return _at_start(start, jnp.zeros_like(inside), inside), log_beta

    # turned round by hand: the export to ONNX knows no scan that runs backwards
    inputs = jnp.flip(log_lik, 0), None if starts is None else jnp.flip(starts, 0)
    # that which leads to each unit; to the first one none does
    inputs += (jnp.flip(jnp.concatenate([moves[-1:], moves[:-1]]), 0) if varies else None,)
    _, betas = jax.lax.scan(step, jnp.zeros_like(log_lik[0]), inputs)
    return jnp.flip(betas, 0)


def state_log_probs(
    log_init: Init, log_trans: Trans, log_lik: PerState, starts: Starts = None, arcs: Arcs | None = None
) -> dict[str, PerState]:
    """Log probabilities of the states, each (N, K).

    Returns
    -------
    dict
        ``filtering`` p(z_t | y_1:t) (eq. 16); ``backward_filtering`` p(z_t | y_t+1:N), what the future alone
        says of z_t, the second term of eq. 18, and at t = N the marginal; ``reversed`` p(z_t | y_t:N), the
        filter of the time-reversed chain; ``marginal`` p(z_t | theta); ``smoothing`` p(z_t | y_1:N). Of several
        sequences each has its own past and future.
    """
    past = filter(log_init, log_trans, log_lik, starts, arcs).log_filter
    future = log_future(log_trans, log_lik, starts, arcs)
    marginal = log_marginals(log_init, log_trans, log_lik.shape[0], starts, _varies(log_init, log_lik[0]), arcs)
    ahead = log_softmax(marginal + future, axis=1)
    return {
        "filtering": past,
        "backward_filtering": ahead,
        "reversed": log_softmax(ahead + log_lik, axis=1),
        "marginal": marginal,
        "smoothing": log_softmax(past + future, axis=1),
    }


def most_probable_path(
    log_init: Init, log_trans: Trans, log_lik: PerState, exists: Exists, starts: Starts = None
) -> Int[Array, " N *draws"]:
    """The states z_1:N of largest p(z_1:N | y_1:N) (Viterbi): (N,).

    Parameters
    ----------
    exists : (N,)
        Nonzero for the units of the series; those after its end keep its last state.
    """
    shape, varies = log_lik.shape[1:], _varies(log_init, log_lik[0])
    stay = jnp.broadcast_to(jnp.arange(shape[0]).reshape(-1, *[1] * (len(shape) - 1)), shape)

    def step(score, inputs):
        log_lik_next, next_exists, next_start, trans_t, next_init = inputs
        candidates = score[:, None] + _at_start(next_start, _or(next_init, log_init)[None], _or(trans_t, log_trans))
        best = jnp.max(candidates, axis=0) + log_lik_next
        return jnp.where(next_exists > 0, best, score), jnp.where(next_exists > 0, jnp.argmax(candidates, axis=0), stay)

    each = (a if a is None else a[:-1] for a in _steps(log_trans, log_init, varies))
    inputs = log_lik[1:], exists[1:], None if starts is None else starts[1:], *each
    score, before = jax.lax.scan(step, (log_init[0] if varies else log_init) + log_lik[0], inputs)
    last = jnp.argmax(score, axis=0)

    def back(z, pointers):
        z = _at(pointers, z)
        return z, z

    _, path = jax.lax.scan(back, last, jnp.flip(before, 0))
    return jnp.concatenate([jnp.flip(path, 0), last[None]])


def evidence_of_filter(
    log_init: Init, log_trans: Trans, log_filter: PerState, starts: Real[Array, " N"] | None = None
) -> PerState:
    """log p(y_t | z_t) up to a constant in z_t, (N, K), of filtering probabilities: filter over prediction."""
    varies = _varies(log_init, log_filter[0])
    initial = log_init if varies else log_init[None]
    predicted = logsumexp(log_filter[:-1, :, None] + (log_trans[:-1] if varies else log_trans), axis=1)
    if starts is not None:
        begins = starts[1:].reshape(-1, *[1] * (predicted.ndim - 1))
        predicted = _at_start(begins, initial[1:] if varies else initial, predicted)
    return log_filter - jnp.concatenate([initial[:1], predicted])


def sample_states(
    noise: PerState, log_trans: Trans, log_filter: PerState, exists: Exists, starts: Starts = None
) -> Int[Array, " N *draws"]:
    """One draw of the whole path z_1:N given y and theta: forward filtering, backward sampling. (N,)

    Parameters
    ----------
    noise : (N, K)
        Standard Gumbel: the largest of log p + noise is a draw from p.
    log_trans : (K, K) or (N, K, K)
    log_filter : (N, K)
        log p(z_t | y_1:t), exact or from a network.
    exists : (N,)
        Nonzero for the units of the series; those after its end mean nothing.
    """

    varies = log_trans.ndim > log_filter.ndim
    to_state = jnp.swapaxes(log_trans, *((1, 2) if varies else (0, 1)))
    # whether a unit says something about the one before it
    tied = exists if starts is None else exists * (starts == 0)

    def step(carry, inputs):
        z_next, next_tied = carry
        scores, tied_t, to_t = inputs
        z = jnp.argmax(scores + jnp.where(next_tied > 0, _at(_or(to_t, to_state), z_next), 0.0), axis=0)
        return (z, tied_t), z

    after_the_end = (jnp.zeros(log_filter.shape[2:], dtype=int), jnp.zeros_like(tied[0]))
    inputs = jnp.flip(log_filter + noise, 0), jnp.flip(tied, 0), jnp.flip(to_state, 0) if varies else None
    _, z = jax.lax.scan(step, after_the_end, inputs)
    return jnp.flip(z, 0)


def simulate_states(
    key: PRNGKeyArray,
    log_init: Float[Array, "*units K"],
    log_trans: Float[Array, "*units K K"],
    n: int,
    starts: Real[Array, " {n}"] | None = None,
) -> Int[Array, " {n}"]:
    """One path z_1:n of the Markov chain, states 0..K-1, which begins anew at ``starts``. (n,)"""
    key_first, key_rest = jax.random.split(key)
    varies = log_init.ndim > 1
    first = jax.random.categorical(key_first, log_init[0] if varies else log_init)
    # one uniform per unit, drawn at once: cheaper inside the scan than one categorical each
    uniforms = jax.random.uniform(key_rest, (n - 1,), dtype=log_trans.dtype)
    cumulative = jnp.cumsum(jnp.exp(log_trans), axis=-1)[..., :-1]
    initial = jnp.cumsum(jnp.exp(log_init), axis=-1)[..., :-1]

    def step(z, inputs):
        uniform, start, cumulative_t, next_initial = inputs
        inside = _or(cumulative_t, cumulative)[z]
        z_next = jnp.sum(uniform > _at_start(start, _or(next_initial, initial), inside), dtype=jnp.int32)
        return z_next, z_next

    each = (cumulative[:-1], initial[1:]) if varies else (None, None)
    inputs = uniforms, None if starts is None else starts[1:], *each
    _, rest = jax.lax.scan(step, first.astype(jnp.int32), inputs)
    return jnp.concatenate([first[None].astype(jnp.int32), rest.astype(jnp.int32)])
