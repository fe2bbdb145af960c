"""A gradient with less noise for the posterior network, where the density p(theta, y) is known.

The loss of eq. 11 is judged at the one theta* from which y was simulated. With S - 1 draws from q beside it and

    w_s = p(theta_s, y) / q(theta_s | y)  normalized to sum one,   theta_1 = theta*,

the gradient has the same expectation (conditional importance sampling, Naesseth, Lindsten & Blei 2020),

    grad E[ KL(p || q) ] = -E[ sum_s (w_s - c_s) grad log q(theta_s | y) ],   c_1 = 0, c_s = c,

whatever S: given y, theta* is a draw from the posterior, and so is a theta_s drawn with probability w_s. The c
subtracts nothing in expectation, E_q[grad log q] = 0, if it does not depend on the draws of this data set: it is
the mean weight of a draw in the others of the batch. Where q is far from p, all weight is at theta*, c is zero and
the gradient the usual one; as q approaches p, c approaches 1 / S and the draws cancel one by one.

Data sets that the prior makes rarely, such as long runs in one state under a flat prior, are learned last. With a
``proposal``, half of the data sets are simulated under other hyperparameters p', so theta* ~ r = (p + p') / 2, and all
coefficients of a data set are multiplied by

    p(theta*) / r(theta*)  times  r(theta_0) / p(theta_0),   theta_0 = the flow's image of zero noise.

The first factor makes theta* a draw from the posterior under p again (importance sampling), so q is trained for p;
the second depends on y alone, and says how much the data set counts: about as often as r simulates it. Only the
density of the prior is needed for it: with S = 1, theta* alone, the training is one from simulations as before.

Where the model is wrong there is no theta*, but p(theta, y) is known all the same. A share ``misfit`` of the data sets
is corrupted by `amortmix.training.corruption`; there the gradient is

    -sum_s (w_s - 1 / (S - 1)) grad log q(theta_s | y)

over the draws alone (self-normalized importance sampling): zero where q is the posterior. States are learned from the
other data sets. There q is at its worst, and the inverse of its splines can throw a draw millions of standard
deviations away. The posterior is not there, but with its c the draw has a gradient, which overflows. So draws beyond
`FARTHEST` are left out and the others are weighted among themselves; c stays, and their coefficients add up to the
share that is left out: q is drawn back to them.

The draws are made and weighted before the training step, which sees arrays and no model; so the summary is computed
twice, once without a gradient.
"""

from functools import partial

import jax
import jax.numpy as jnp
import keras

from amortmix.networks.estimator import as_example
from amortmix.training.corruption import corrupt

#: In the place of a log weight at the truth that is not finite: the truth then has all the weight.
CERTAIN = 1e30
#: Standard deviations of u under the prior from its mean, beyond which a draw has neither weight nor gradient. Of
#: 100,000 draws from the prior of case study 3 none is further away than 18.
FARTHEST = 100.0
#: A data set counts at most so many times as often as under the prior: p' / p may have no bound.
LARGEST_RATIO = 100.0


def refined_example(model, number, proposal, misfit, key):
    """`training_example` with its `Data` and the noise from which `weigh` makes all but one of S particles.

    With a ``proposal``, the hyperparameters p' of half of the data sets, the last noise is zero and makes theta_0.
    With ``misfit``, a share, ``modelled`` is 0 for data sets that were corrupted and 1 for the others.
    """
    key, key_noise, key_half, key_misfit = jax.random.split(key, 4)
    model = simulator = model.under_any_prior(key)
    if proposal:
        half, ours = jax.random.bernoulli(key_half), {name: model.hyperparameters[name] for name in proposal}
        mixed = jax.tree.map(lambda ours, theirs: jnp.where(half, theirs, ours), ours, dict(proposal))
        simulator = model.with_prior(mixed)
    theta, data, z = simulator.simulate_dataset(key)
    modelled = {}
    if misfit:
        theta, data, modelled["modelled"] = _corrupted(model, misfit, key_misfit, theta, data, z)
    example = as_example(model, theta, data) | modelled
    u = example["inference_variables"]
    noise = jax.random.normal(key_noise, (number - 1, *u.shape))
    if proposal:
        noise = jnp.concatenate([noise, jnp.zeros_like(u)[None]])
    return {**example, "states": z, "data": data, "noise": noise}


def _corrupted(model, misfit, key, theta, data, z):
    """theta, Data and 1, or with probability ``misfit`` the data corrupted, theta moved into their space, and 0."""
    key_corrupt, key_which = jax.random.split(key)
    chosen = jax.random.bernoulli(key_which, misfit)
    other = corrupt(model, key_corrupt, theta, data, z)
    moved = model.bijection(other).forward(model.bijection(data).inverse(theta))
    theta, data = jax.tree.map(lambda a, b: jnp.where(chosen, a, b), (moved, other), (theta, data))
    return theta, data, 1.0 - chosen


def coefficients(log_weights, modelled):
    """w_s - c_s of unnormalized log weights (B, S), the truth first. A draw without density has weight zero.

    Where ``modelled`` (B,) is false the first has no weight either: there is no truth.
    """
    batch, number = log_weights.shape
    first, modelled = jnp.arange(number) == 0, modelled[:, None]
    known = jnp.isfinite(log_weights) & (modelled | ~first)
    log_weights = jnp.where(known, log_weights, jnp.where(first & modelled, CERTAIN, -jnp.inf))
    weights = jnp.where(jnp.any(known, axis=1, keepdims=True) | modelled, jax.nn.softmax(log_weights, axis=1), 0.0)
    drawn = jnp.where(first, 0.0, weights).sum(1, keepdims=True)
    in_modelled = modelled * drawn
    of_others = (in_modelled.sum() - in_modelled) / jnp.maximum(modelled.sum() - modelled, 1)
    return weights - jnp.where(first, 0.0, jnp.where(modelled, of_others, drawn) / (number - 1))


def counted(model, proposal, u, data):
    """p(theta) / r(theta) at u (S, d), at most 2; 1 where a density is not known, so that nothing is lost."""
    theta = model.bijection(data).forward(u)
    log_ratio = jax.vmap(model.with_prior(proposal).log_prior)(theta) - jax.vmap(model.log_prior)(theta)
    return 2 / (1 + jnp.exp(jnp.where(jnp.isfinite(log_ratio), log_ratio, 0.0)))


def log_joints(model, u, data):
    """log p(u, y) of many u (S, d), see `amortmix.model.declare.Model.log_joint`: (S,)."""
    model, bijection = model.under(data), model.bijection(data)
    theta = bijection.forward(u)
    return model.log_likelihoods(theta, data) + jax.vmap(model.log_prior)(theta) + bijection.log_det(u)


def weigh(model, proposal, estimator, state, batch):
    """A batch of `refined_example` as the estimator takes it: draws from its present q, and their coefficients.

    The likelihood is evaluated only if there are draws beside theta*.

    Parameters
    ----------
    state : tuple
        Trainable and other variables first, see `amortmix.training.loop.state_of`.
    """
    batch = dict(batch)
    data, noise = batch.pop("data"), batch.pop("noise")
    modelled = batch["modelled"] > 0 if "modelled" in batch else jnp.ones(len(noise), bool)
    variables = (*estimator.trainable_variables, *estimator.non_trainable_variables)
    with keras.StatelessScope(state_mapping=list(zip(variables, (*state[0], *state[1]), strict=True))):
        inputs = [batch[k] for k in ("inference_variables", "inference_conditions", "summary_variables")]
        v, log_q = estimator.particles(noise, *inputs)
        mean, scale = estimator.moments()
    importance = 1.0
    if proposal:
        ratio = jax.vmap(partial(counted, model, proposal))(mean + scale * v[:, [0, -1]], data)
        importance = jnp.where(modelled[:, None], ratio[:, :1] / jnp.maximum(ratio[:, 1:], 1 / LARGEST_RATIO), 1.0)
        v, log_q = v[:, :-1], log_q[:, :-1]
    if v.shape[1] == 1:
        return batch | {"particles": v, "coefficients": importance * jnp.ones_like(log_q)}
    first = jnp.arange(v.shape[1]) == 0
    # a draw that overflowed or nearly so changes nothing, and neither does theta* where there is none
    usable = jnp.isfinite(log_q) & jnp.where(first, modelled[:, None], jnp.max(jnp.abs(v), axis=-1) <= FARTHEST)
    v = jnp.where(usable[..., None], v, jnp.where(modelled[:, None, None], v[:, :1], 0.0))
    log_target = jax.vmap(partial(log_joints, model))(mean + scale * v, data)
    log_weights = jnp.where(usable, log_target - log_q, jnp.nan)
    return batch | {"particles": v, "coefficients": importance * coefficients(log_weights, modelled) * usable}
