"""The library in a few words: `load` pretrained networks or your own, `train` new ones, and ask the `Networks`.

nets = am.load("evidence_accumulation");   fit = nets.fit("me.csv");   nets = am.train(MODEL, minutes=10)
"""

import warnings
from functools import cached_property
from pathlib import Path

from amortmix.diagnostics.quality import quality_of
from amortmix.diagnostics.validation import SETTINGS, simulate_held_out, validate
from amortmix.inference.amortized import Amortized
from amortmix.inference.fit import USABLE, Fit
from amortmix.inference.fitting import Fitter
from amortmix.inference.many import Fits
from amortmix.inference.many import fit_many as _fit_many
from amortmix.inference.reference import Reference, make_reference
from amortmix.mcmc.engine import sample
from amortmix.mcmc.tree import tree_of
from amortmix.model import registry, tables
from amortmix.storage import compiled, files, pretrained
from amortmix.storage.bundle import Bundle, load_bundle, save_bundle
from amortmix.storage.files import BadInput
from amortmix.training.loop import train as _train
from amortmix.training.recipes import default_recipe

#: Posterior draws of one data set, and of each of many.
DRAWS, DRAWS_OF_MANY = 4000, 1000
#: Most draws of the flow, for each posterior draw, among which corrected ones are chosen.
PROPOSALS = 4
#: Fewest draws of the states, likewise.
STATES, STATES_OF_MANY = 1000, 64
REFERENCE_SEED = 2026
FEWEST_STEPS = 500  # of networks that are trained at all; others say so in every fit


class Networks:
    """Trained networks of a model, ready for data.

    Attributes
    ----------
    model : Model
        Bound to the prior under which they were trained.
    card : dict
        How they were trained.
    folder : Path or None
        Where they are kept.
    """

    def __init__(self, bundle, reference=None):
        self.model, self.card, self.folder = bundle.model, bundle.card, bundle.folder
        self.amortized = Amortized.of(bundle)
        self._reference, self._fitters = reference, {}

    def __repr__(self):
        n, p = files.span(self.card["units"]), files.span(self.card["observations"])
        return f"<Networks of {self.model.name}, prior {self.card['priors']}: N {n}, P {p}>"

    @cached_property
    def reference(self):
        """What simulated data sets look like, kept beside the networks."""
        if self._reference is not None:
            return self._reference
        path = None if self.folder is None else self.folder / "reference.npz"
        if path is not None and path.is_file():
            return Reference.load(path)
        return make_reference(self.amortized, REFERENCE_SEED)

    def _fitter(self, draws, proposals, states):
        most = (draws, PROPOSALS * draws) if proposals is None else proposals
        key = draws, tuple(most) if isinstance(most, list) else most, (min(states, draws), draws)
        if key not in self._fitters:
            self._fitters[key] = Fitter(self.amortized, *key[:2], reference=self.reference, states=key[2])
        return self._fitters[key]

    def fit(self, data, draws=DRAWS, seed=1, proposals=None):
        """The posterior of one data set.

        Parameters
        ----------
        data : path, DataFrame, array or Data
            With the columns of the model, see `amortmix.model.tables.read`.
        draws : int
        seed : int
        proposals : int, optional
            Draws of the flow among which corrected ones are chosen; by default ``draws``, or up to four times as many
            if their effective number asks for it.

        Returns
        -------
        Fit

        Raises
        ------
        BadInput
            One line with file, row and expected form.

        Examples
        --------
        >>> fit = am.load("evidence_accumulation").fit("me.csv")
        >>> fit.verdict, fit.summary()
        """
        found = self._fitter(draws, proposals, STATES).fit(data, seed)
        if found.verdict not in USABLE:
            warnings.warn(f"{found.verdict}: {found.reason}", UserWarning, stacklevel=2)
        return found

    def fit_many(
        self, data, by=None, draws=DRAWS_OF_MANY, seed=1, proposals=None, folder=None, states=STATES_OF_MANY
    ) -> Fits:
        """The posteriors of many data sets, with networks that are compiled once and all cores.

        Parameters
        ----------
        data : DataFrame, path, or dict of what `fit` takes
        by : str, optional
            Column of a table that says which rows belong to one data set.
        draws, proposals : as for `fit`
        seed : int
            Of the first data set; each further one has the next.
        folder : path, optional
            Where each fit is written, NAME.nc, once it is made, so that memory hardly grows with their number.
        states : int
            Fewest draws over which state probabilities are averaged; more are taken while the largest standard error of
            a mean is above 0.02 (``states_draws`` and ``states_error`` of a fit).

        Returns
        -------
        Fits
            A mapping from name to `Fit` with one ``summary()`` of all.

        Raises
        ------
        BadInput
            One line with the first data set that is bad; nothing is fitted then.

        Examples
        --------
        >>> am.load("evidence_accumulation").fit_many(frame, by="subject").summary()
        """
        fits = _fit_many(self._fitter(draws, proposals, states), data, by, seed, folder)
        bad = [(name, row["verdict"]) for name, row in fits.rows.items() if row["verdict"] not in USABLE]
        if bad:
            text = f"{len(bad)} of {len(fits)} fits are not to be used, the first is {bad[0][0]}: {bad[0][1]}"
            warnings.warn(f"{text}; see summary()", UserWarning, stacklevel=2)
        return fits

    def mcmc(self, data, seed=1, chains=4, warmup=1000, draws=1000, adapt_delta=0.95, engine=None):
        """The posterior of one data set by MCMC on the same declaration, where it has a density or a ``.stan`` file.

        Parameters
        ----------
        data : as for `fit`
        engine : str, optional
            ``cmdstan``, ``pystan`` or ``numpyro``; by default the first that works here.

        Returns
        -------
        Fit
            Its verdict is CONVERGED or NOT CONVERGED, from R-hat and divergent transitions.

        Raises
        ------
        McmcUnavailable, McmcFailed
            See `amortmix.mcmc.engine.sample`.
        """
        table = tables.read(self.model, data)
        found = sample(self.model, table.data, seed, chains, warmup, draws, adapt_delta, engine)
        return Fit(tree_of(self.model, table, found, {}), self.model, self.amortized)

    def validate(self, seed=2, **settings):
        """How good the networks are, on new simulations: a `Quality` with metrics and a sentence.

        Parameters
        ----------
        seed : int
        settings : int
            Any of `amortmix.diagnostics.validation.SETTINGS`.
        """
        settings = SETTINGS | settings
        held_out = simulate_held_out(self.model, settings["datasets"], seed)
        return quality_of(*validate(self.amortized, settings, seed, held_out))

    def save(self, folder):
        """Copy the networks, their card, curve and reference into a folder; `load` reads it."""
        if self.folder is None or not (self.folder / "bundle.keras").is_file():
            raise BadInput(f"{folder}: these networks are in memory only; train with folder= to keep them")
        for path in self.folder.iterdir():
            if path.is_file():
                with files.atomic(Path(folder) / path.name) as temporary:
                    temporary.write_bytes(path.read_bytes())


def load(name, prior=None, model=None):
    """Pretrained networks by the name of their model, or your own by their folder.

    Parameters
    ----------
    name : str or path
        A model of `amortmix.models`, or a folder that `train` wrote.
    prior : str, optional
        Variant of the prior; by default the first that there is.
    model : Model or path, optional
        The declaration that your networks must belong to, or its file; if it has changed they are refused.

    Raises
    ------
    BadInput
        One line that says what is wrong.
    """
    compiled.keep()
    folder = Path(name)
    if not (folder / "card.json").is_file():
        if len(folder.parts) > 1 or folder.is_dir():
            raise BadInput(f"{folder}: no card.json; expected a folder that amortmix.train wrote")
        folder = pretrained.folder_of(str(name), prior)
    elif prior is not None and load_bundle(folder).card["priors"] != prior:
        raise BadInput(f"{folder}: its networks are not of the prior {prior!r}; expected to load it without `prior`")
    return Networks(load_bundle(folder, None if model is None else registry.find(model)))


def train(model, minutes=None, steps=None, folder=None, prior=None, recipe=None, seed=1, assess=True):
    """Train networks for a model from simulations.

    Parameters
    ----------
    model : Model, str or path
        A declaration, the name of one of the library, or the path of a file that defines MODEL.
    minutes, steps : float, int, optional
        The budget, compilation included; by default the steps of the recipe.
    folder : path, optional
        Where networks and checkpoints are kept: a training that was interrupted goes on there. By default
        ``networks/{model}``.
    prior : str or dict, optional
        Variant, or hyperparameters.
    recipe : dict, optional
        By default `amortmix.training.recipes.default_recipe`.
    seed : int
    assess : bool
        Validate on new simulations at the end and say whether the networks are good enough.

    Returns
    -------
    Networks

    Raises
    ------
    BadInput, TrainingDiverged

    Examples
    --------
    >>> nets = am.train(MODEL, minutes=10)
    >>> nets.fit(frame).summary()
    """
    compiled.keep()
    model = registry.find(model)
    model = model if prior is None else model.with_prior(prior)
    folder = Path("networks", model.name) if folder is None else Path(folder)
    recipe = dict(recipe or default_recipe(model))
    if steps is not None:
        recipe["schedule"] = recipe["schedule"] | {"phases": _shortened(recipe["schedule"]["phases"], steps)}
    bundle = _trained(model, recipe, folder, seed, minutes if steps is None else None)
    nets = Networks(bundle)
    nets.reference.save(folder / "reference.npz")
    if nets.card["skipped"]:
        print(f"{nets.card['skipped']} of {nets.card['steps']} steps were left out: their gradient was not finite.")
    if not nets.card["meaningful"]:
        print(f"Train longer: {nets.card['steps']} steps are too few for anything but a trial.")
    elif assess:
        quality = nets.validate()
        files.write_json(folder / "metrics.json", quality.metrics)
        print(quality.sentence)
    return nets


def _shortened(phases, steps):
    """Phases with ``steps`` steps in all, in the same proportions."""
    total = sum(phase[0] for phase in phases)
    return [[max(1, round(steps * n / total)), *rest] for n, *rest in phases]


def _trained(model, recipe, folder, seed, minutes):
    """Train, with a checkpoint in ``folder``, and keep the bundle there."""
    checkpoint, chosen = folder / "checkpoint.npz", folder / "recipe.json"
    folder.mkdir(parents=True, exist_ok=True)
    if checkpoint.is_file() and chosen.is_file() and minutes is not None:
        recipe, minutes = files.read_json(chosen), None  # the steps that the interrupted training had chosen
    training = _train(
        model,
        recipe,
        seed,
        checkpoint=checkpoint,
        history_file=folder / "history.csv",
        minutes=minutes,
        on_recipe=lambda r: files.write_json(chosen, r),
    )
    save_bundle(folder, training, model, seed, meaningful=training.history[-1]["step"] >= FEWEST_STEPS)
    checkpoint.unlink(missing_ok=True)
    chosen.unlink(missing_ok=True)
    return Bundle(model, training.estimator, files.read_json(folder / "card.json"), folder)
