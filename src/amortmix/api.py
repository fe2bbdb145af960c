"""The library in a few words: `amortmix.load` networks, or `amortmix.train` new ones, and ask the `Networks`.

nets = am.load("evidence_accumulation");   fit = nets.fit("me.csv");   nets = am.train(MODEL, minutes=10)

Exported programs answer a fit, without JAX; everything else has JAX, which is imported when it is asked for.
"""

import json
import warnings
from functools import cached_property
from pathlib import Path

import numpy as np

from amortmix.extras import missing, require
from amortmix.inference import many
from amortmix.inference.exported import FILE, Exported
from amortmix.inference.fit import USABLE, Fit
from amortmix.inference.fitting import LOCAL, Fitter
from amortmix.inference.parts import read_parts
from amortmix.inference.reference import Reference, make_reference
from amortmix.inference.saved import read_tree
from amortmix.model import tables
from amortmix.model.design import Design
from amortmix.storage import files, pretrained
from amortmix.storage.card import MADE_FROM_THEM, check_file, check_library, load_card
from amortmix.storage.files import BadInput
from amortmix.storage.in_jax import Declared

#: Posterior draws of one data set, and of each of many.
DRAWS, DRAWS_OF_MANY = 4000, 1000
#: Most draws of the flow, for each posterior draw, among which corrected ones are chosen.
PROPOSALS = 4
#: Fewest draws of the states, likewise.
STATES, STATES_OF_MANY = 1000, 64
#: From so many draws on, of all data sets together, JAX is faster, although it has to be imported and to compile.
MANY = 100_000
REFERENCE_SEED = 2026


class Networks:
    """Trained networks of a model, ready for data.

    Parameters
    ----------
    folder : Path
        Where they are kept.
    amortized : Amortized, optional
        If they are in memory already.
    model : Model, optional
        The declaration; by default the one of the library, or the one that the card keeps.
    engine : str, optional
        See `amortmix.load`.
    prior : str or dict, optional
        Under which data are fitted; by default that of the card.

    Attributes
    ----------
    card : dict
        How they were trained.
    engine : Engine
        What answers a fit: exported programs where there are any, else JAX.
    """

    def __init__(self, folder, amortized=None, model=None, engine=None, prior=None):
        self.folder, self.card, self._fitters, self._engines = Path(folder), load_card(folder), {}, {}
        check_file(self.card, self.folder)
        check_library(self.card, self.folder)
        self._declared = Declared(self.folder, self.card, model, amortized)
        exported = amortized is None and engine != "jax" and (engine == "exported" or (self.folder / FILE).is_file())
        self._only = engine is not None
        known = Exported(self.folder, self.card) if exported else self._declared.amortized
        known.declared = self._declared
        self._prior = prior
        self.engine = self._under(known)

    def __repr__(self):
        n, p = map(files.span, Design.of_card(self.card)[:2])
        return f"<Networks of {self.card['model']}, prior {self.engine.model.prior_name}: N {n}, P {p}>"

    def _under(self, engine, prior=None):
        """An engine under the prior of these `Networks`, and then ``prior``; the same one whenever it is asked for."""
        engine.called = pretrained.called(self.folder)
        for chosen in (p for p in (self._prior, prior) if p is not None):
            key = engine.name, engine.model.prior_name, json.dumps(files.plain(chosen))
            engine = self._engines.setdefault(key, engine.under(chosen))
        return engine

    @property
    def amortized(self):
        """The networks in JAX, `amortmix.inference.amortized.Amortized`."""
        return self._under(self._declared.amortized)

    @property
    def model(self):
        """The declaration, bound to the prior under which the networks were trained: `Model`."""
        return self.amortized.model

    @cached_property
    def reference(self):
        """What simulated data sets look like, kept beside the networks."""
        path = self.folder / "reference.npz"
        return Reference.load(path) if path.is_file() else make_reference(self.amortized, REFERENCE_SEED)

    def _fitter(self, engine, draws, proposals, states, check):
        most = (draws, PROPOSALS * draws) if proposals is None else proposals
        key = engine, draws, tuple(map(int, most)) if np.ndim(most) else most, (min(states, draws), draws), check
        if key not in self._fitters:
            local = LOCAL if check else 0
            self._fitters[key] = Fitter(*key[:3], reference=self.reference, states=key[3], local=local)
        return self._fitters[key]

    def _engine_for(self, data, draws, prior):
        """The engine for data sets: JAX where one is larger than exported programs take, or the draws are many."""
        fine = all(self.engine.accepts(d) for d in data)
        many = len(data) > 1 and len(data) * draws > MANY and missing() is None
        if not fine:
            require(f"more than {self._size()}, which is all that exported programs take,")
        engine = self.amortized if not fine or (many and not self._only) else self.engine
        return engine if prior is None else self._under(engine, prior)

    def _size(self):
        """The largest data set of training, in words."""
        n, p = Design.of_card(self.card).size
        return f"{n} units x {p} observations"

    def fit(self, data, draws=DRAWS, seed=1, proposals=None, prior=None, check=True, **reading):
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
        prior : str or dict, optional
            A variant, or hyperparameters in the ranges that the networks were trained for: {"power": 0.5}.
        check : bool
            Whether networks of a model without density are judged by local calibration, which takes seconds; see
            `Fit.check`.
        reading : optional
            ``columns``, ``codes``, ``sequence``, ``keep``, ``min_rt``, ``max_rt``: how a table is read, see
            `amortmix.model.tables.read`.

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
        table = tables.read(self.engine.model, data, **reading)
        engine = self._engine_for([table.data], draws, prior)
        found = self._fitter(engine, draws, proposals, STATES, check).fit(table, seed)
        if found.verdict not in USABLE:
            warnings.warn(f"{found.verdict}: {found.reason}", UserWarning, stacklevel=2)
        return found

    def fit_many(
        self,
        data,
        by=None,
        draws=DRAWS_OF_MANY,
        seed=1,
        proposals=None,
        folder=None,
        states=STATES_OF_MANY,
        prior=None,
        check=False,
        **reading,
    ) -> many.Fits:
        """The posteriors of many data sets, with networks that are compiled once and all cores.

        What is wrong with one data set does not stop the others: it is a warning, and stands in ``problems``.

        Parameters
        ----------
        data : DataFrame, path, list of paths, or dict of what `fit` takes
        by : str, optional
            Column of a table that says which rows belong to one data set.
        draws, proposals, prior, check, reading : as for `fit`
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
            A mapping from name to `Fit` with one ``summary()``, ``plot()`` and ``save(path)`` of all, and the
            ``problems`` of those that could not be read, {name: message}.

        Raises
        ------
        BadInput
            If no data set can be read: a line for each.

        Examples
        --------
        >>> am.load("evidence_accumulation").fit_many(frame, by="subject").summary()
        """
        parts = read_parts(self.engine.model, data, by, **reading)
        engine = self._engine_for([table.data for table in parts.tables.values()], draws, prior)
        fits = many.fit_many(self._fitter(engine, draws, proposals, states, check), parts, seed, folder)
        bad = [(name, row["verdict"]) for name, row in fits.rows.items() if row["verdict"] not in USABLE]
        if bad:
            text = f"{len(bad)} of {len(fits)} fits are not to be used, the first is {bad[0][0]}: {bad[0][1]}"
            warnings.warn(f"{text}; see summary()", UserWarning, stacklevel=2)
        if fits.problems:
            lines = "\n".join(fits.problems.values())
            text = f"{many.NOT_FITTED}{len(fits.problems)} of {len(fits) + len(fits.problems)} data sets\n{lines}"
            warnings.warn(text, UserWarning, stacklevel=2)
        return fits

    def read(self, path):
        """A `Fit` that was saved, with these networks beside it: what `amortmix.load_fit` reads without them.

        Raises
        ------
        BadInput
            If the file is damaged, or a fit of another model.
        """
        tree = read_tree(path)
        if tree.attrs["model"] != self.card["model"]:
            raise BadInput(f"{path}: a fit of {tree.attrs['model']}; expected one of {self.card['model']}")
        return Fit(tree, self.engine.model, self.engine)

    def mcmc(self, data, seed=1, chains=4, warmup=1000, draws=1000, adapt_delta=0.95, engine=None, **reading):
        """The posterior of one data set by MCMC on the same declaration, where it has a density or a ``.stan`` file.

        Parameters
        ----------
        data, reading : as for `fit`
        engine : str, optional
            ``cmdstan``, ``pystan`` or ``numpyro``; by default the first that works here.

        Returns
        -------
        Fit
            Its verdict is CONVERGED or NOT CONVERGED, from R-hat and divergent transitions, or UNRELIABLE under a
            learned density that failed its own check.

        Raises
        ------
        McmcUnavailable, McmcFailed
            See `amortmix.mcmc.engine.sample`.
        """
        model = self.model
        from amortmix.mcmc.engine import sample
        from amortmix.mcmc.tree import tree_of

        table = tables.read(model, data, **reading)
        found = sample(model, table.data, seed, chains, warmup, draws, adapt_delta, engine)
        return Fit(tree_of(model, table, found, {}), model, self.amortized)

    def validate(self, seed=2, units=None, prior=None, **settings):
        """How good the networks are, on new simulations: a `Quality` with metrics and a sentence.

        Parameters
        ----------
        seed : int
        units : int, optional
            Of data sets of this size alone; by default of all that the networks were trained for.
        prior : as for `fit`
        settings : int
            Any of `amortmix.diagnostics.validation.SETTINGS`.
        """
        amortized = self._under(self._declared.amortized, prior)
        from amortmix.diagnostics.quality import quality_of
        from amortmix.diagnostics.validation import SETTINGS, simulate_held_out, validate

        settings = SETTINGS | settings
        held_out = simulate_held_out(amortized.model, settings["datasets"], seed, units)
        return quality_of(*validate(amortized, settings, seed, held_out))

    def save(self, folder):
        """Copy the networks, their card, curve, reference and programs into a folder; `load` reads it."""
        for name in MADE_FROM_THEM:  # of other networks that may be there
            if not (self.folder / name).is_file():
                (Path(folder) / name).unlink(missing_ok=True)
        for path in self.folder.iterdir():
            if path.is_file():
                with files.atomic(Path(folder) / path.name) as temporary:
                    temporary.write_bytes(path.read_bytes())
