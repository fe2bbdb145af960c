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

The draws are made and weighted before the training step, which sees arrays and no model; so the summary is computed
twice, once without a gradient.
"""

from functools import partial

import jax
import jax.numpy as jnp
import keras

from amortmix.networks.estimator import as_example

#: In the place of a log weight at the truth that is not finite: the truth then has all the weight.
CERTAIN = 1e30
#: A data set counts at most so many times as often as under the prior: p' / p may have no bound.
MOST = 100.0


def refined_example(case, prior, number, proposal, key):
    """`training_example` with its `Data` and the noise from which `weigh` makes all but one of S particles.

    With a ``proposal``, the hyperparameters p' of half of the data sets, the last noise is zero and makes theta_0.
    """
    key, key_noise, key_half = jax.random.split(key, 3)
    if proposal:
        half = jax.random.bernoulli(key_half)
        prior = jax.tree.map(lambda ours, theirs: jnp.where(half, theirs, ours), dict(prior), dict(proposal))
    theta, data, z = case.simulate_dataset(key, prior)
    example = as_example(case, theta, data)
    u = example["inference_variables"]
    noise = jax.random.normal(key_noise, (number - 1, *u.shape))
    if proposal:
        noise = jnp.concatenate([noise, jnp.zeros_like(u)[None]])
    return {**example, "states": z, "data": data, "noise": noise}


def coefficients(log_weights):
    """w_s - c_s of unnormalized log weights (B, S), the truth first. A draw without density has weight zero."""
    batch, number = log_weights.shape
    known, first = jnp.isfinite(log_weights), jnp.arange(number) == 0
    weights = jax.nn.softmax(jnp.where(known, log_weights, jnp.where(first, CERTAIN, -jnp.inf)), axis=1)
    drawn = 1 - weights[:, :1]
    of_others = (drawn.sum() - drawn) / max(batch - 1, 1)
    return weights - jnp.where(first, 0.0, of_others / (number - 1))


def counted(case, prior, proposal, u, data):
    """p(theta) / r(theta) at u (S, d), at most 2; 1 where a density is not known, so that nothing is lost."""
    theta = case.bijection(data).forward(u)
    log_prior = jax.vmap(case.exact.log_prior, in_axes=(0, None))
    log_ratio = log_prior(theta, proposal) - log_prior(theta, prior)
    return 2 / (1 + jnp.exp(jnp.where(jnp.isfinite(log_ratio), log_ratio, 0.0)))


def weigh(case, prior, proposal, estimator, state, batch):
    """A batch of `refined_example` as the estimator takes it: draws from its present q, and their coefficients.

    The likelihood is evaluated only if there are draws beside theta*.

    Parameters
    ----------
    state : tuple
        Trainable and other variables first, see `amortmix.training.state_of`.
    """
    batch = dict(batch)
    data, noise = batch.pop("data"), batch.pop("noise")
    variables = (*estimator.trainable_variables, *estimator.non_trainable_variables)
    with keras.StatelessScope(state_mapping=list(zip(variables, (*state[0], *state[1]), strict=True))):
        inputs = [batch[k] for k in ("inference_variables", "inference_conditions", "summary_variables")]
        v, log_q = estimator.particles(noise, *inputs)
        mean, scale = estimator.moments()
    importance = 1.0
    if proposal:
        ratio = jax.vmap(partial(counted, case, prior, proposal))(mean + scale * v[:, [0, -1]], data)
        importance = ratio[:, :1] / jnp.maximum(ratio[:, 1:], 1 / MOST)
        v, log_q = v[:, :-1], log_q[:, :-1]
    if v.shape[1] == 1:
        return batch | {"particles": v, "coefficients": importance * jnp.ones_like(log_q)}
    density = jax.vmap(jax.vmap(lambda u, d: case.log_joint(u, d, prior), in_axes=(0, None)))
    log_target = density(mean + scale * v, data)
    drawn = jnp.isfinite(log_q)  # a draw that overflowed changes nothing
    v = jnp.where(drawn[..., None], v, v[:, :1])
    return batch | {"particles": v, "coefficients": importance * coefficients(log_target - log_q) * drawn}
