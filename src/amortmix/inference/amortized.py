"""Amortized inference by JAX: a data set of any size in, joint posterior of theta and z out.

    theta^(s) ~ q_phi(theta | h(y))  (eq. 12),     p(z_t | y, theta^(s)) from the classifier (eqs. 15-18),

with log q_phi of every draw as a density of the constrained parameters: the density on the real space
minus the log-Jacobian of the bijection.
"""

import jax
import jax.numpy as jnp
import numpy as np

from amortmix.inference.engine import Draws, Engine
from amortmix.model import hmm, identity, shown
from amortmix.networks.classifiers import smoothing
from amortmix.networks.estimator import chain_of, pack
from amortmix.storage.files import BadInput

#: Draws x units that are classified at a time: few, so that they stay in the cache, but some draws of any series.
ROWS_PER_BATCH, FEWEST_DRAWS = 50_000, 8
#: Draws whose density is computed at a time: the filters of all at once would not fit into memory.
DENSITIES_PER_BATCH = 1000


def in_batches(work, rows, size):
    """work(rows) for rows (S, D), ``size`` rows at a time and then the rest: a tree of arrays (S, ...)."""
    if len(rows) <= size:
        return work(rows)
    whole = len(rows) // size * size
    found = [] if whole == len(rows) else [work(rows[whole:])]
    batches = jax.lax.map(work, rows[:whole].reshape(-1, size, rows.shape[1]))
    found.insert(0, jax.tree.map(lambda a: a.reshape(whole, *a.shape[2:]), batches))
    return jax.tree.map(lambda *parts: jnp.concatenate(parts), *found)


def log_joint(model, theta, data):
    """log p(theta, y) of many theta (S, D) for one data set: a density of the constrained parameters.

    A draw that overflowed, or was rounded onto the edge of the space, has no density: -inf.
    """
    model, inverse = model.under(data), model.bijection(data).inverse

    def batch(t):
        density = jax.vmap(model.log_prior)(t) + model.log_likelihoods(t, data)
        return jnp.where(jnp.all(jnp.isfinite(inverse(t)), axis=-1), density, -jnp.inf)

    return in_batches(batch, theta, DENSITIES_PER_BATCH)


def drawn(model, estimator, data, conditions, noise):
    """theta (S, D), u (S, d) and log q (S,) of noise (S, d), the flow being told ``conditions`` (S, C)."""
    mean, scale = estimator.moments()
    x, log_density = estimator.inference_network(noise, conditions=conditions, inverse=True, density=True)
    u = mean + scale * x
    bijection = model.bijection(data)
    log_q = log_density - jnp.log(scale).sum() - bijection.log_det(u)
    return bijection.forward(u), u, log_q


def log_density(model, estimator, data, conditions, u):
    """log q(theta) at u (S, d), a density of the constrained parameters, the flow being told ``conditions`` (S, C)."""
    mean, scale = estimator.moments()
    density = estimator.inference_network.log_prob((u - mean) / scale, conditions=conditions)
    return density - jnp.log(scale).sum() - model.bijection(data).log_det(u)


class Amortized(Engine):
    """Trained networks of one model, ready for data.

    Parameters
    ----------
    model : Model
        Bound to its prior.
    estimator : MixtureEstimator
    card, smoothing_rule : see `Engine`
    """

    compiles, name = True, "jax"

    def __init__(self, model, estimator, card, smoothing_rule="exact"):
        super().__init__(model, card, smoothing_rule)
        self.estimator = estimator
        self.functions = {
            "answer": self._answer,
            "states": self._states,
            "unconstrain": lambda data, theta: model.bijection(data).inverse(theta),
            "path": self._path,
            "paths": self._paths,
        }
        if model.has_density:
            self.functions["units"] = lambda data, theta: jax.vmap(model.log_units, in_axes=(0, None))(theta, data)
        if model.density is not None:
            self.functions["members"] = self._members
            self.functions["tails"] = lambda data, theta: jax.vmap(lambda t: model.density.tails(model, t, data))(theta)
        self._compiled = {name: jax.jit(f) for name, f in self.functions.items()}
        self._flow = jax.jit(self.flow)
        self._flow_many = jax.jit(lambda data, noise: jax.lax.map(lambda x: self.flow(*x), (data, noise)))
        self._summarize_many = jax.jit(jax.vmap(self._summary))
        self._log_prob = jax.jit(self._log_prob_one)
        self._log_joint = jax.jit(lambda theta, data: log_joint(model, theta, data))
        self.heads = jax.jit(self._heads)

    @property
    def identity(self):
        return identity.parts(self.model)

    @property
    def in_jax(self):
        return self

    @classmethod
    def of(cls, bundle, smoothing_rule="exact"):
        """Networks of a `Bundle`."""
        return cls(bundle.model, bundle.estimator, bundle.card, smoothing_rule)

    def run(self, name, data, *rows):
        return jax.tree.map(np.asarray, self._compiled[name](data, *rows))

    def sample(self, data, draws, seed):
        """Posterior draws of one data set, `Draws`: those of `answer`."""
        return Draws(*map(np.asarray, self._flow(self.frame(data), self.noise(draws, seed))))

    def sample_many(self, data, draws, seed):
        """Posterior draws of batched data in the frame of training: `Draws` with leading axis M."""
        keys = jax.random.split(jax.random.key(seed), data.y.shape[0])
        noise = jax.vmap(lambda key: jax.random.normal(key, (draws, self.model.free)))(keys)
        # one data set after the other: the layers of a thousand draws just stay in the cache of a core
        return Draws(*map(np.asarray, self._flow_many(data, noise)))

    def log_prob(self, data, u):
        """log q(theta | y) at u (S, d), a density of the constrained parameters: (S,)."""
        if np.ndim(u) != 2 or np.shape(u)[1] != self.model.free:
            raise BadInput(
                f"u of shape {np.shape(u)}; expected (draws, {self.model.free}), the unconstrained parameters"
                " (of theta: model.bijection(data).inverse)"
            )
        return np.asarray(self._log_prob(self.frame(data), u))

    def log_joint(self, data, theta):
        """log p(theta, y) of draws theta (S, D), a density of the free coordinates: (S,). Needs a density."""
        return np.asarray(self._log_joint(theta, self.frame(data)))

    def summarize(self, data):
        """Summary statistics (dim,) of one data set."""
        return self.summarize_many(jax.tree.map(lambda a: a[None], self.frame(data)))[0]

    def summarize_many(self, data):
        """Summary statistics (M, dim) of batched data in the frame of training."""
        return np.asarray(self._summarize_many(data))

    def _summary(self, data):
        return self.estimator.summary_network(pack(self.model, data)[None])[0]

    def conditions(self, data):
        """What the flow is told of a framed data set: context and summary (1, C)."""
        return jnp.concatenate([self.model.context(data), self._summary(data)])[None]

    def flow(self, data, noise):
        """theta (S, D), u (S, d) and log q (S,) of noise (S, d), for one framed data set."""
        conditions = jnp.repeat(self.conditions(data), len(noise), axis=0)
        return drawn(self.model, self.estimator, data, conditions, noise)

    def _answer(self, data, noise):
        theta, u, log_q = self.flow(data, noise)
        density = log_joint(self.model, theta, data) if self.model.has_density else None
        return theta, u, log_q, density, self._summary(data)

    def _members(self, data, theta):
        """log p(y | theta) (S, M) by each member of a learned density."""
        densities = [self.model.density.member(i) for i in range(self.model.density.members)]
        models = [self.model.changed(density=density) for density in densities]
        return jnp.stack([model.log_likelihoods(theta, data) for model in models], axis=-1)

    def _log_prob_one(self, data, u):
        conditions = jnp.repeat(self.conditions(data), u.shape[0], axis=0)
        return log_density(self.model, self.estimator, data, conditions, u)

    def _heads(self, data, u):
        """Log probabilities of the trained heads for all draws: units are summarized once, theta varies."""
        packed = pack(self.model, data)[None]
        units, places = self.estimator.summary_network.embed(packed)
        conditions = jax.vmap(lambda x: self.model.unit_conditions(x, data))(u)
        forward = self.model.bijection(data).forward
        chain = jax.vmap(lambda x: chain_of(self.model, forward(x), data))(u) if self.model.dependent else None
        # networks of regular designs know no sequence that begins: the recursions do
        places = places._replace(exists=data.exists[None], starts=None if data.starts is None else data.starts[None])
        units, places = jax.tree.map(lambda a: jnp.broadcast_to(a, (u.shape[0], *a.shape[1:])), (units, places))
        return self.estimator.classifier(units, conditions=conditions, places=places, chain=chain)

    def _states(self, data, u):
        """Probabilities of every head for all draws, `ROWS_PER_BATCH` at a time."""

        def batch(x):
            log_probs = self._heads(data, x)
            if self.model.dependent:
                log_probs["smoothing"] = smoothing(log_probs, self.smoothing_rule)
                if self.smoothing_rule != "shifted":
                    del log_probs["reversed"]
            return {k: shown.probabilities(self.model.states, jnp.exp(v)) for k, v in log_probs.items()}

        return in_batches(batch, u, max(FEWEST_DRAWS, ROWS_PER_BATCH // data.y.shape[0]))

    def _log_lik(self, data, theta):
        """log p(y_i | z_i = k, theta) up to a constant in k, (S, N, K): exact, or what the networks' heads imply."""
        model = self.model
        if model.has_density:
            return jax.vmap(model.log_densities, in_axes=(0, None))(theta, data)
        if self.estimator is None:
            raise BadInput(f"{model.name} has no density: paths need its networks, so ask the fit they return")
        heads = self._heads(data, model.bijection(data).inverse(theta))
        if not model.dependent:
            return heads["classification"] - self._log_weights(data, theta)
        chain, past = self._draws_last(theta, data, heads["filtering"])
        return jnp.moveaxis(hmm.evidence_of_filter(*chain, past, data.starts), -1, 0)

    def _log_weights(self, data, theta):
        """log pi of a mixture (S, 1, K), or of each unit (S, N, K)."""
        return jax.vmap(lambda t: jnp.atleast_2d(self.model.log_weights(t, data.x)))(theta)

    def _path(self, data, u):
        theta = self.model.bijection(data).forward(u)
        log_lik = self._log_lik(data, theta)
        if not self.model.dependent:
            return shown.path(self.model.states, jnp.argmax(self._log_weights(data, theta) + log_lik, axis=-1))
        chain, log_lik = self._draws_last(theta, data, log_lik)
        return shown.path(self.model.states, hmm.most_probable_path(*chain, log_lik, data.exists, data.starts).T)

    def _paths(self, data, theta, noise):
        log_lik = self._log_lik(data, theta)
        if not self.model.dependent:
            return shown.path(self.model.states, jnp.argmax(self._log_weights(data, theta) + log_lik + noise, axis=-1))

        (log_init, log_trans), log_lik = self._draws_last(theta, data, log_lik)
        past = hmm.filter(log_init, log_trans, log_lik, data.starts, self.model.arcs).log_filter
        z = hmm.sample_states(jnp.moveaxis(noise, 0, -1), log_trans, past, data.exists, data.starts).T
        return shown.path(self.model.states, z)

    def _draws_last(self, theta, data, log_lik):
        """The chains of theta (S, D) and log_lik (S, N, K) as the recursions like them."""
        chain = jax.vmap(lambda t: self.model.chain(t, data.x))(theta)
        return tuple(jnp.moveaxis(x, 0, -1) for x in chain), jnp.moveaxis(log_lik, 0, -1)
