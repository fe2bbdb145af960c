"""A gradient with less noise for the posterior network, where the density p(theta, y) is known.

The loss of eq. 11 is judged at the one theta* from which y was simulated. With S - 1 draws from q beside it and

    w_s = p(theta_s, y) / q(theta_s | y)  normalized to sum one,   theta_1 = theta*,

the gradient has the same expectation (conditional importance sampling, Naesseth, Lindsten & Blei 2020),

    grad E[ KL(p || q) ] = -E[ sum_s (w_s - c_s) grad log q(theta_s | y) ],   c_1 = 0, c_s = c,

whatever S: given y, theta* is a draw from the posterior, and so is a theta_s drawn with probability w_s. The c
subtracts nothing in expectation, E_q[grad log q] = 0, if it does not depend on the draws of this data set: it is
the mean weight of a draw in the others of the batch. Where q is far from p, all weight is at theta*, c is zero and
the gradient the usual one; as q approaches p, c approaches 1 / S and the draws cancel one by one.

The draws are made and weighted before the training step, which sees arrays and no model; so the summary is computed
twice, once without a gradient.
"""

import jax
import jax.numpy as jnp
import keras

from amortmix.networks.estimator import as_example

#: In the place of a log weight at the truth that is not finite: the truth then has all the weight.
CERTAIN = 1e30


def refined_example(case, prior, number, key):
    """`training_example` with its `Data` and the noise from which `weigh` makes all but one of S particles."""
    key, key_noise = jax.random.split(key)
    theta, data, z = case.simulate_dataset(key, prior)
    example = as_example(case, theta, data)
    noise = jax.random.normal(key_noise, (number - 1, *example["inference_variables"].shape))
    return {**example, "states": z, "data": data, "noise": noise}


def coefficients(log_weights):
    """w_s - c_s of unnormalized log weights (B, S), the truth first. A draw without density has weight zero."""
    batch, number = log_weights.shape
    known, first = jnp.isfinite(log_weights), jnp.arange(number) == 0
    weights = jax.nn.softmax(jnp.where(known, log_weights, jnp.where(first, CERTAIN, -jnp.inf)), axis=1)
    drawn = 1 - weights[:, :1]
    of_others = (drawn.sum() - drawn) / max(batch - 1, 1)
    return weights - jnp.where(first, 0.0, of_others / (number - 1))


def weigh(case, prior, estimator, state, batch):
    """A batch of `refined_example` as the estimator takes it: draws from its present q, and their coefficients.

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
    density = jax.vmap(jax.vmap(lambda u, d: case.log_joint(u, d, prior), in_axes=(0, None)))
    log_target = density(mean + scale * v, data)
    drawn = jnp.isfinite(log_q)  # a draw that overflowed changes nothing
    v = jnp.where(drawn[..., None], v, v[:, :1])
    return batch | {"particles": v, "coefficients": coefficients(log_target - log_q) * drawn}
