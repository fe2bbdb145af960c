"""Amortized inference: a data set of any size in, joint posterior of theta and z out.

    theta^(s) ~ q_phi(theta | h(y))  (eq. 12),     p(z_t | y, theta^(s)) from the classifier (eqs. 15-18),

with log q_phi of every draw as a density of the constrained parameters: the density on the real space
minus the log-Jacobian of the bijection.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from amortmix.inference import psis
from amortmix.model.data import pad
from amortmix.networks.classifiers import smoothing
from amortmix.networks.estimator import chain_of, pack
from amortmix.storage import files
from amortmix.storage.files import BadInput

#: Draws x units that are classified at a time: few, so that they stay in the cache, but some draws of any series.
ROWS_PER_BATCH, FEWEST_DRAWS = 50_000, 8


class Draws(NamedTuple):
    """Posterior draws of one data set.

    Attributes
    ----------
    theta : (S, D)
        In the constrained space, columns as ``model.parameters``.
    u : (S, d)
        The same draws in the unconstrained space.
    log_q : (S,)
        Neural log density of the free coordinates of theta.
    """

    theta: np.ndarray
    u: np.ndarray
    log_q: np.ndarray


class Answer(NamedTuple):
    """What the networks say about one data set before any state: draws, their density, the summary.

    Attributes
    ----------
    draws : Draws
    log_joint : (S,) or None
        log p(theta, y) of the draws, where the density is known.
    summary : (dim,)
    """

    draws: Draws
    log_joint: np.ndarray | None
    summary: np.ndarray


class Amortized:
    """Trained networks of one model, ready for data.

    Parameters
    ----------
    model : Model
        Bound to its prior.
    estimator : MixtureEstimator
    card : dict
        Needs ``units`` and ``observations``, the ranges of N and P in training.
    smoothing_rule : {"exact", "printed", "shifted"}
        See `amortmix.networks.classifiers.smoothing`.
    """

    def __init__(self, model, estimator, card, smoothing_rule="exact"):
        self.model, self.estimator, self.card = model, estimator, card
        self.smoothing_rule = smoothing_rule
        self._sample = jax.jit(self._sample_one, static_argnums=2)
        self._answer = jax.jit(self._answer_one, static_argnums=2)
        self._sample_many = jax.jit(self._sample_all, static_argnums=2)
        self._summarize = jax.jit(lambda data: estimator.summary_network(pack(model, data)[None])[0])
        self._summarize_many = jax.jit(jax.vmap(lambda d: estimator.summary_network(pack(model, d)[None])[0]))
        self._classify = jax.jit(self._classify_all)
        self.heads = jax.jit(self._heads)
        self._log_prob = jax.jit(self._log_prob_one)
        if model.has_density:
            self._log_joint = jax.jit(lambda theta, data: psis.log_joint(model, theta, data))
            self._log_units = jax.jit(jax.vmap(model.log_units, in_axes=(0, None)))

    @classmethod
    def of(cls, bundle, smoothing_rule="exact"):
        """Networks of a `Bundle`."""
        return cls(bundle.model, bundle.estimator, bundle.card, smoothing_rule)

    def frame(self, data):
        """The data set padded to the frame of training, or to the next larger multiple of it.

        Frames come in few sizes, so that functions compile for few shapes.
        """
        frame = self.model.units[1] * -(-data.y.shape[0] // self.model.units[1])
        return pad(data, frame, max(self.model.observations[1], data.y.shape[1]))

    def warnings(self, data):
        """Sentences about a data set outside the range of training; empty if inside."""
        n = int((np.asarray(data.mask).max(-1) > 0).sum())
        p = np.asarray(data.mask).sum(-1)
        p = p[p > 0]
        found = []
        units, observations = self.card["units"], self.card["observations"]
        if not units[0] <= n <= units[1]:
            found.append(f"N = {n} units lies outside {files.span(units)}, the range of training")
        if p.min() < observations[0] or p.max() > observations[1]:
            seen = files.span((int(p.min()), int(p.max())))
            found.append(
                f"P = {seen} observations per unit lies outside {files.span(observations)}, the range of training"
            )
        return found

    def sample(self, data, draws, seed):
        """Posterior draws of one data set, `Draws`."""
        data = self.frame(data)
        theta, u, log_q = self._sample(data, jax.random.key(seed), draws)
        return Draws(*(np.asarray(x) for x in (theta, u, log_q)))

    def answer(self, data, draws, seed):
        """`Answer` of one data set in one compiled program; its draws are those of `sample`."""
        drawn, log_joint, summary = self._answer(self.frame(data), jax.random.key(seed), draws)
        return Answer(
            Draws(*map(np.asarray, drawn)), *(None if x is None else np.asarray(x) for x in (log_joint, summary))
        )

    def sample_many(self, data, draws, seed):
        """Draws of many data sets in one frame, `Draws` with a leading axis; `data` has batched fields."""
        keys = jax.random.split(jax.random.key(seed), data.y.shape[0])
        return Draws(*(np.asarray(x) for x in self._sample_many(data, keys, draws)))

    def log_prob(self, data, u):
        """Neural log density of theta(u), (S,), at any points u (S, d)."""
        if np.ndim(u) != 2 or np.shape(u)[1] != self.model.free:
            raise BadInput(
                f"u of shape {np.shape(u)}; expected (draws, {self.model.free}), the unconstrained parameters"
                " (of theta: model.bijection(data).inverse)"
            )
        return np.asarray(self._log_prob(self.frame(data), jnp.asarray(u)))

    def log_joint(self, data, theta):
        """log p(theta, y) of draws theta (S, D), a density of the free coordinates: (S,). Needs a density."""
        return np.asarray(self._log_joint(theta, self.frame(data)))

    def log_units(self, data, theta):
        """log likelihood of every unit, (S, N), given the units before it where they depend. Needs a density."""
        return np.asarray(self._log_units(theta, self.frame(data)))[:, : data.y.shape[0]]

    def summarize(self, data):
        """Summary statistics (dim,) of one data set."""
        return np.asarray(self._summarize(self.frame(data)))

    def summarize_many(self, data):
        """Summary statistics (M, dim) of batched data in the frame of training."""
        return np.asarray(self._summarize_many(data))

    def probabilities(self, data, u):
        """Probabilities of the indicators given each draw, {head: (S, N, K)}, from the networks alone.

        For a hidden Markov model ``smoothing`` is combined from the trained heads, of which ``reversed`` is
        left out unless the rule needs it.
        """
        heads = self._classify(self.frame(data), jnp.asarray(u))
        return {k: np.asarray(v)[:, : data.y.shape[0]] for k, v in heads.items()}

    def _conditions(self, data):
        summary = self.estimator.summary_network(pack(self.model, data)[None])
        return jnp.concatenate([self.model.context(data)[None], summary], axis=-1)

    def _sample_one(self, data, key, draws):
        mean, scale = self.estimator.moments()
        xi = jax.random.normal(key, (draws, mean.shape[-1]))
        conditions = jnp.repeat(self._conditions(data), draws, axis=0)
        x, log_density = self.estimator.inference_network(xi, conditions=conditions, inverse=True, density=True)
        u = mean + scale * x
        bijection = self.model.bijection(data)
        log_q = log_density - jnp.log(scale).sum() - bijection.log_det(u)
        return bijection.forward(u), u, log_q

    def _answer_one(self, data, key, draws):
        theta, u, log_q = self._sample_one(data, key, draws)
        log_joint = psis.log_joint(self.model, theta, data) if self.model.has_density else None
        return (theta, u, log_q), log_joint, self.estimator.summary_network(pack(self.model, data)[None])[0]

    def _sample_all(self, data, keys, draws):
        # one after the other: the layers of a thousand draws just stay in the cache of a core
        return jax.lax.map(lambda x: self._sample_one(*x, draws), (data, keys))

    def _log_prob_one(self, data, u):
        mean, scale = self.estimator.moments()
        conditions = jnp.repeat(self._conditions(data), u.shape[0], axis=0)
        log_density = self.estimator.inference_network.log_prob((u - mean) / scale, conditions=conditions)
        return log_density - jnp.log(scale).sum() - self.model.bijection(data).log_det(u)

    def _heads(self, data, u):
        """Log probabilities of the trained heads for all draws: units are summarized once, theta varies."""
        packed = pack(self.model, data)[None]
        units, mask = self.estimator.summary_network.embed(packed)
        conditions = jax.vmap(lambda x: self.model.unit_conditions(x, data))(u)
        forward = self.model.bijection(data).forward
        chain = jax.vmap(lambda x: chain_of(self.model, forward(x)))(u) if self.model.dependent else None
        units = jnp.broadcast_to(units, (u.shape[0], *units.shape[1:]))
        mask = jnp.broadcast_to(mask, (u.shape[0], mask.shape[1]))
        return self.estimator.classifier(units, conditions=conditions, present=mask, chain=chain)

    def _classify_all(self, data, u):
        """Probabilities of every head for all draws, `ROWS_PER_BATCH` at a time."""

        def batch(x):
            log_probs = self._heads(data, x)
            if self.model.dependent:
                log_probs["smoothing"] = smoothing(log_probs, self.smoothing_rule)
                if self.smoothing_rule != "shifted":
                    del log_probs["reversed"]
            return {k: jnp.exp(v) for k, v in log_probs.items()}

        return psis.in_batches(batch, u, max(FEWEST_DRAWS, ROWS_PER_BATCH // data.y.shape[0]))
