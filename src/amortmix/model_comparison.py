"""Probabilities of several models from networks, where a simulator is all that is known of one of them.

    p(M | y) = q(M | y) p(M) / sum_M' q(M' | y) p(M'),     q trained with equal numbers of simulations of every model

Where every model has a density, `amortmix.compare` computes the same from the evidence of fits, exactly.
"""

import warnings
from functools import cached_property, partial
from pathlib import Path

import jax
import numpy as np
import pandas as pd
from scipy.special import softmax

from amortmix.diagnostics.states import reliability
from amortmix.inference.amortized import Amortized
from amortmix.inference.compare import prior_of
from amortmix.inference.reference import SIMULATIONS, MmdTest, Reference, reference_of, unlike_simulations
from amortmix.model import registry, tables
from amortmix.model.data import as_numpy
from amortmix.networks import model_comparison as networks
from amortmix.networks.estimator import pack
from amortmix.storage import compiled, files
from amortmix.storage.bundle import described, load_networks, model_of
from amortmix.storage.card import check_file, load_card
from amortmix.storage.files import BadInput
from amortmix.training.recipes import default_recipe, designed
from amortmix.training.rounds import train_in_rounds

STEPS, BATCH, RATE = 6000, 32, 2.5e-3
HELD_OUT = 1000  # data sets of every model, by which the networks are judged
FEWEST_STEPS = 500


def train_comparison(models, steps=STEPS, folder=None, recipe=None, seed=1):
    """Train networks that give the probabilities of several models of the same data.

    Parameters
    ----------
    models : {name: Model, str or path}
        Declarations with the same columns, numbers of units and of observations.
    steps : int
        Each with 32 data sets, as many of every model.
    folder : path, optional
        Where they are kept; by default ``networks/{name}_or_{name}``.
    recipe : dict, optional
        Of which ``local``, ``summary`` and maybe ``design`` are taken; by default
        `amortmix.training.recipes.default_recipe` of the largest model.
    seed : int

    Returns
    -------
    ModelComparison

    Raises
    ------
    BadInput
        If the models cannot be of the same data, or the loss is not finite.

    Examples
    --------
    >>> which = am.train_comparison({"race": "evidence_accumulation", "leaky": "leaky_accumulator"})
    >>> which.compare("me.csv")
    """
    compiled.keep()
    models = {str(name): registry.find(model) for name, model in dict(models).items()}
    networks.check(models)
    recipe = recipe or default_recipe(networks.viewer(models))
    models = {name: designed(model, recipe) for name, model in models.items()}
    folder = Path("networks", "_or_".join(models)) if folder is None else Path(folder)
    estimator = _trained(models, recipe, steps, seed)
    folder.mkdir(parents=True, exist_ok=True)
    with files.atomic(folder / "bundle.keras") as temporary:
        estimator.save(temporary)
    card = {"models": {name: described(model) for name, model in models.items()}, "steps": steps, "seed": seed}
    card |= {"sha256": files.sha256(folder / "bundle.keras"), "versions": files.versions()}
    found = ModelComparison(folder, models, estimator, card | {"meaningful": steps >= FEWEST_STEPS})
    found.card["quality"] = found.assess(seed)
    files.write_json(folder / "card.json", found.card)
    print(found.sentence)
    return found


def load_comparison(folder, models=None):
    """The networks that `train_comparison` kept in a folder.

    Parameters
    ----------
    folder : path
    models : {name: Model}, optional
        Declarations that were made outside a file.

    Raises
    ------
    BadInput
        If the files are missing or damaged, or a declaration has changed.

    Examples
    --------
    >>> am.load_comparison("networks/which").compare("me.csv")
    """
    folder = Path(folder)
    card = load_card(folder)
    if "models" not in card:
        raise BadInput(f"{folder}: networks of one model; expected those of a comparison, or amortmix.load")
    check_file(card, folder)
    given = models or {}
    found = {name: model_of(known, folder, given.get(name)) for name, known in card["models"].items()}
    return ModelComparison(folder, found, load_networks(folder), card)


def _trained(models, recipe, steps, seed):
    """The estimator after so many steps of the loop in `amortmix.training.step`."""
    estimator = networks.build(models, recipe, seed)
    simulation = partial(networks.example, models), lambda state, batch: networks.flat(batch)
    each, what = max(1, BATCH // len(models)), f"probabilities of {', '.join(models)}"
    train_in_rounds(estimator, lambda particles, place: simulation, steps, each, RATE, seed, what)
    return estimator


class ModelComparison:
    """Trained networks that say which of several models made a data set.

    Attributes
    ----------
    models : {name: Model}
    card : dict
        How they were trained, and their ``quality`` on simulations that they have not seen.
    """

    def __init__(self, folder, models, estimator, card):
        self.folder, self.models, self.card, self._estimator = Path(folder), models, card, estimator
        self._view = Amortized(networks.viewer(models), estimator, card)
        self._log_q = jax.jit(self._log_probabilities)

    def __repr__(self):
        return f"<ModelComparison of {', '.join(self.models)}>"

    @cached_property
    def reference(self):
        """What simulated data sets of all models look like, kept beside the networks: `Reference`."""
        return Reference.load(self.folder / "reference.npz")

    @cached_property
    def _mmd_test(self):
        return MmdTest(self.reference.summaries)

    @property
    def sentence(self):
        """How good they are, in words."""
        q = self.card["quality"]
        return (
            f"{HELD_OUT:,} new data sets of each model: cross-entropy "
            f"{q['cross_entropy']:.3f} (equal probabilities: {np.log(len(self.models)):.3f}), "
            f"most probable model right in {q['accuracy']:.0%}, calibration error {q['calibration_error']:.3f}"
        )

    def assess(self, seed):
        """Write the reference of new simulations, and judge probabilities by them.

        Returns
        -------
        dict
            ``cross_entropy``, -E log q(M | y) in nats; ``accuracy``, the share of data sets whose model is the most
            probable one; ``calibration_error`` of the probabilities.
        """
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), 1), HELD_OUT)
        simulated = [jax.jit(jax.vmap(lambda k, m=m: m.simulate_dataset(k)[1]))(keys) for m in self.models.values()]
        data = as_numpy(jax.tree.map(lambda *rows: np.concatenate(rows), *simulated))
        truth = np.repeat(np.arange(len(self.models)), HELD_OUT)
        log_q = np.asarray(jax.lax.map(self._log_probabilities, data, batch_size=BATCH))
        some = np.random.default_rng(seed).permutation(len(truth))[:SIMULATIONS]
        reference_of(self._view, jax.tree.map(lambda a: a[some], data)).save(self.folder / "reference.npz")
        curve = reliability(log_q[:, None], np.ones((len(truth), 1)), truth[:, None])
        accuracy = float((log_q.argmax(1) == truth).mean())
        return {"cross_entropy": curve["cross_entropy"], "accuracy": accuracy, "calibration_error": curve["ece"]}

    def log_probabilities(self, data):
        """log q(M | y) (M,) of a data set, under equal probabilities before it."""
        return np.asarray(self._log_q(self._view.frame(data)))

    def _log_probabilities(self, data):
        """log q(M | y) (M,) of a framed data set."""
        view = self._view.model
        return networks.log_probabilities(self._estimator, pack(view, data)[None], view.context(data)[None])[0]

    def compare(self, data, prior=None, **reading):
        """Posterior probabilities of the models of one data set.

        Parameters
        ----------
        data : path, DataFrame, array or Data
            See `amortmix.model.tables.read`, also for further arguments.
        prior : {name: float}, optional
            Probability of each model before the data; by default equal.

        Returns
        -------
        DataFrame
            A row for each model, the most probable first: ``probability``, and ``reliable``, the same for all of them:
            whether the data look like simulations of the models. A warning says what speaks against it.

        Raises
        ------
        BadInput
            If the data cannot be read, or ``prior`` has not one positive number for each model.
        """
        table = tables.read(self._view.model, data, **reading)
        log_p = self.log_probabilities(table.data) + np.log(prior_of(self.models, prior))
        concerns = self._concerns(table)
        if concerns:
            warnings.warn(f"probabilities of {', '.join(self.models)}: {'; '.join(concerns)}", stacklevel=2)
        found = {"probability": softmax(log_p), "reliable": not concerns}
        frame = pd.DataFrame(found, index=pd.Index(list(self.models), name="model"))
        return frame.sort_values("probability", ascending=False, kind="stable")

    def _concerns(self, table):
        """Sentences about data that the networks do not know."""
        found = [] if self.card["meaningful"] else ["the networks are hardly trained"]
        summary = self._view.summarize(table.data)
        return found + unlike_simulations(self._view, self.reference, self._mmd_test, table, summary)
