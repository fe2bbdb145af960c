"""What a fit asks of networks, whichever program answers.

    answer       noise (S, d)      theta, u, log q(theta | y), log p(theta, y), and the summary of y  (eqs. 11 and 12)
    states       u (S, d)          {head: probabilities (S, N, K)}                                    (eqs. 15 to 18)
    units        theta (S, D)      log p(y_i | y_1:i-1, theta): (S, N)
    unconstrain  theta (S, D)      u (S, d)
    path         u (S, d)          the most probable states (S, N)
    paths        theta, noise      draws of the states of all units (S, N); noise (S, N, K), standard Gumbel
    members      theta (S, D)      log p(y | theta) by each member of a learned density: (S, M)
    tails        theta (S, D)      how far out each unit lies under a learned density: (S, N)

These functions of one data set in the frame of training are all that there is to run: by JAX, see
`amortmix.inference.amortized`, or as exported programs that need neither JAX nor Keras, `amortmix.inference.exported`.
Noise is made here, from the seed, so that both give the same draws.
"""

import copy
from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from amortmix.inference import noise
from amortmix.model import varied
from amortmix.model.data import one_sequence, pad
from amortmix.storage import files
from amortmix.storage.files import BadInput


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


class Engine(ABC):
    """The questions of a fit to one data set.

    Parameters
    ----------
    model : Model or Description
        Bound to its prior.
    card : dict
        Says among others whether the networks are ``meaningful``.
    smoothing_rule : {"exact", "printed", "shifted"}
        See `amortmix.networks.classifiers.smoothing`.
    """

    #: Whether the first call for each size takes longer than the next.
    compiles = False
    #: What runs the functions, as a fit notes it.
    name = ""
    #: Which networks these are, where their model has several: what `amortmix.api.Networks` calls them.
    called = ""
    #: `amortmix.storage.in_jax.Declared`, which loads the same networks in JAX.
    declared = None

    def __init__(self, model, card, smoothing_rule="exact"):
        self.model, self.card, self.smoothing_rule = model, card, smoothing_rule

    @property
    @abstractmethod
    def identity(self):
        """What `amortmix.model.identity.parts` says of the model."""

    @property
    def networks(self):
        """Which networks these are, and for how many units, as a fit says it."""
        units = f"for {files.span([f'{n:,}' for n in self.model.design.units])} units"
        return f"{self.called}, {units}" if self.called else units

    @property
    def in_jax(self):
        """The same networks in JAX, for what exported programs do not answer, under the prior of their training."""
        return self.declared.amortized

    def under(self, prior):
        """The same networks under another prior: a variant, or hyperparameters within the ranges of training.

        Raises
        ------
        BadInput
            If the networks know one prior alone, or not this one.
        """
        ranges, ours = self.model.design.varied, self.model.hyperparameters
        if not ranges:
            raise BadInput(f"{self.model.name}: prior {prior}; these networks know the prior of their training alone")
        found = copy.copy(self)
        found.model = self.model.with_prior(prior)
        theirs = found.model.hyperparameters
        if fixed := varied.fixed(ranges, ours, theirs):
            names = ", ".join(ranges)
            raise BadInput(f"{self.model.name}: another {', '.join(fixed)}; these networks know another {names}")
        return found

    def accepts(self, data):
        """Whether there is a program for a data set of this size."""
        return True

    @abstractmethod
    def run(self, name, data, *rows):
        """The function ``name`` of a framed data set and of arrays with one row for each draw."""

    def frame(self, data):
        """The data set padded to the next larger frame of training, or to a multiple of the largest.

        Frames come in few sizes, so that functions compile for few shapes.
        """
        n, frames = data.y.shape[0], self.model.design.frames
        frame = next((f for f in frames if f >= n), frames[-1] * -(-n // frames[-1]))
        framed = pad(one_sequence(data), frame, max(self.model.design.observations[1], data.y.shape[1]))
        if self.model.design.parts and framed.components is None:
            framed = framed._replace(components=np.array(framed.seen, framed.mask.dtype))
        if ranges := self.model.design.varied:
            framed = framed._replace(prior=varied.vector(ranges, self.model.hyperparameters))
        return framed

    def check(self, data):
        """Raise `BadInput` for a data set that the networks cannot take at all."""
        kind = self.card.get("recipe", {}).get("classifier", {}).get("kind")
        gaps = data.starts is not None and bool((data.starts > 0).any() or (data.exists > data.observed).any())
        if str(kind).endswith("filter") and gaps:
            raise BadInput(
                f"{self.model.name}: units are missing or sequences begin; expected none, for a classifier "
                "of kind filter knows neither"
            )

    def warnings(self, data):
        """Sentences about a data set outside the range of training; empty if inside."""
        exists, p = np.asarray(data.exists) > 0, np.asarray(data.mask).sum(-1)
        n, holes, design = int(exists.sum()), int((exists & (p == 0)).sum()), self.model.design
        p, found = p[p > 0], []
        if not design.units[0] <= n <= design.units[1]:
            found.append(f"N = {n} units lies outside {files.span(design.units)}, the range of training")
        if p.min() < design.observations[0] or p.max() > design.observations[1]:
            seen, known = files.span((int(p.min()), int(p.max()))), files.span(design.observations)
            found.append(f"P = {seen} observations per unit lies outside {known}, the range of training")
        if holes > design.holes * n:
            most = f"at most {design.holes:.0%}" if design.holes else "none"
            found.append(f"{holes} of {n} units were not observed; in training {most}")
        lacks = 0.0 if data.components is None else 1 - data.components[data.mask > 0].mean(0).min()
        if lacks > (design.parts or 0):
            most = f"at most {design.parts:.0%}" if design.parts else "none"
            found.append(
                f"{lacks:.0%} of the values of a column are missing where others are there; in training {most}"
            )
        sequences = 1 if data.starts is None else 1 + int(np.asarray(data.starts).sum())
        if sequences > design.sequences and self.model.dependent:
            found.append(f"there are {sequences} sequences; in training at most {design.sequences}")
        if design.varied and (sentence := varied.outside(design.varied, self.model.hyperparameters)):
            found.append(sentence)
        return found

    def answer(self, data, draws, seed):
        """`Answer` of one data set."""
        return self.answer_to(data, self.noise(draws, seed))

    def answer_to(self, data, noise):
        """`Answer` whose draws are made of this noise (S, d), whatever it was drawn from."""
        *drawn, log_joint, summary = self.run("answer", self.frame(data), noise)
        return Answer(Draws(*drawn), log_joint, summary)

    def noise(self, draws, seed):
        """Standard normal noise (S, d) from which ``draws`` posterior draws are made."""
        return noise.normal(seed, (draws, self.model.free))

    def probabilities(self, data, u):
        """Probabilities of the indicators given each draw, {head: (S, N, K)}, from the networks alone.

        For a hidden Markov model ``smoothing`` is combined from the trained heads, of which ``reversed`` is
        left out unless the rule needs it.
        """
        return {k: p[:, : data.y.shape[0]] for k, p in self.run("states", self.frame(data), u).items()}

    def log_units(self, data, theta):
        """log likelihood of every unit, (S, N), given the units before it where they depend. Needs a density."""
        return self.run("units", self.frame(data), theta)[:, : data.y.shape[0]]

    @property
    def learned(self):
        """Whether the density of a unit was learned."""
        return self.card.get("density") is not None

    def log_likelihoods_of_members(self, data, theta):
        """log p(y | theta) by each member of a learned density: (S, M)."""
        return self.run("members", self.frame(data), theta)

    def tails(self, data, theta):
        """How far out each unit (N,) lies under a learned density: the median over draws theta (S, D)."""
        return np.median(self.run("tails", self.frame(data), theta), axis=0)[: data.y.shape[0]]

    def path(self, data, theta):
        """The most probable states (N,) at the mean of draws theta (S, D) on the unconstrained space."""
        framed = self.frame(data)
        centre = self.run("unconstrain", framed, theta).mean(0, keepdims=True)
        return self.run("path", framed, centre)[0, : data.y.shape[0]]

    def paths(self, data, theta, seed):
        """Joint draws of the states of all units, one for each draw theta (S, D): (S, N)."""
        if not len(theta):
            return np.zeros((0, data.y.shape[0]), int)
        framed = self.frame(data)
        gumbel = noise.gumbel(seed, (len(theta), framed.y.shape[0], len(self.model.states)))
        return self.run("paths", framed, theta, gumbel)[:, : data.y.shape[0]]
