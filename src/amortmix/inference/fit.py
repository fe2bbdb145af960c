"""A fit: what is known about the parameters and the hidden states of one data set, and whether to trust it.

A `Fit` is an ArviZ DataTree (`amortmix.storage.tree`) with a verdict and methods for the usual questions.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from amortmix.extras import require
from amortmix.model import runs
from amortmix.storage import files
from amortmix.storage import tree as trees

#: Verdicts whose draws can be used.
USABLE = ("ABI", "PSIS", "CONVERGED")
#: Ends of the band that `Fit.states` shows.
BAND = {"low": "q025", "high": "q975"}


@dataclass(frozen=True, eq=False)
class Fit:
    """Posterior of one data set.

    Parameters
    ----------
    tree : xarray.DataTree
    model : Model or Description, optional
        Needed for paths and replicated data sets.
    amortized : Engine, optional
        The networks; needed for paths where no density is known.

    Examples
    --------
    >>> fit = am.load("evidence_accumulation").fit("me.csv")
    >>> fit.verdict
    'ABI'
    """

    tree: xr.DataTree
    model: Any = None
    amortized: Any = None

    @property
    def verdict(self):
        """ABI, PSIS, MCMC or UNRELIABLE (`amortmix.inference.verdict`)."""
        return self.tree.attrs["verdict"]

    @property
    def reason(self):
        """Why, in a sentence."""
        return self.tree.attrs["reason"]

    @property
    def warnings(self):
        """Sentences that a user must know: list of str."""
        return trees.warnings_of(self.tree)

    @property
    def notes(self):
        """What of the table was not taken as an observation: list of str."""
        return json.loads(self.tree.attrs.get("notes", "[]"))

    @property
    def log_evidence(self):
        """log p(y), by importance sampling; None without a density."""
        return self.tree.attrs.get("log_evidence")

    @property
    def log_evidence_error(self):
        """Standard error of `log_evidence`; it means something where k-hat is small."""
        return self.tree.attrs.get("log_evidence_se")

    @property
    def theta(self):
        """The best draws (S, D)."""
        return trees.draws(self.tree)

    @property
    def head(self):
        """Name of the state probabilities given all data."""
        names = self.tree["latent_probabilities"].data_vars
        return "smoothing" if "smoothing" in names else "classification"

    def __repr__(self):
        attrs, names = self.tree.attrs, ", ".join(self.tree["posterior"].data_vars)
        made = f"; networks: {attrs['networks']}" if "networks" in attrs else ""
        return f"<Fit of {attrs['model']}: {len(self.labels)} units; {names}; {self.verdict}: {self.reason}{made}>"

    @property
    def labels(self):
        """The user's labels of the units."""
        return trees.labels_of(self.tree)

    def summary(self):
        """Posterior mean, sd and quantiles of each parameter: DataFrame."""
        theta, names = self.theta, ("mean", "sd", "2.5%", "median", "97.5%")
        quantiles = np.quantile(theta, [0.025, 0.5, 0.975], axis=0)
        columns = dict(zip(names, (theta.mean(0), theta.std(0, ddof=1), *quantiles)))
        return pd.DataFrame(columns, index=pd.Index(self.tree["posterior"].data_vars, name="parameter"))

    def states(self, head=None):
        """Probability of each class or state for every unit, with 95 % bands: DataFrame.

        Where units are missing a column ``observed`` says which were not.

        Parameters
        ----------
        head : str, optional
            ``classification``, ``smoothing`` (default), ``filtering`` or ``backward_filtering``.
        """
        p = files.look_up(self.tree["latent_probabilities"].data_vars, head or self.head, "state probabilities")
        found = {"unit": self.labels}
        for k, state in enumerate(p["state"].values):
            found[f"P({state})"] = p.sel(statistic="mean").values[:, k]
            for end, statistic in BAND.items():
                found[f"{state}, {end}"] = p.sel(statistic=statistic).values[:, k]
        observed = np.asarray(trees.observed(self.tree).observed) > 0
        return pd.DataFrame(found | ({} if observed.all() else {"observed": observed}))

    def path(self):
        """The most probable classes, or the most probable sequence of states (Viterbi) at the posterior mean.

        Returns
        -------
        DataFrame
            Columns unit and state.
        """
        model = self._model()
        if model.dependent:
            z = self._engine().path(trees.observed(self.tree), self.theta)
        else:
            z = self.tree["latent_probabilities"][self.head].sel(statistic="mean").values.argmax(-1)
        return pd.DataFrame({"unit": self.labels, "state": [model.state_labels[k] for k in z]})

    def paths(self, n=100, seed=1):
        """Joint draws of the states of all units, from p(theta, z | y): (n, N), states as 0, 1, ..."""
        return self._engine().paths(trees.observed(self.tree), self.theta[:n], seed)

    def runs(self, n=1000, seed=1):
        """How often the states switch and how long they last, from joint draws of all of them: DataFrame.

        Returns
        -------
        DataFrame
            Mean, sd and quantiles of the number of switches, and of each state's share, mean and longest run, in units
            (`amortmix.model.runs`). The mean run is over draws that have one.

        Examples
        --------
        >>> fit.runs().loc["switches"]
        """
        data = trees.observed(self.tree)
        starts = None if data.starts is None else np.asarray(data.starts)
        names = tuple(map(str, self.tree["latent_probabilities"]["state"].values))
        found = runs.summaries(self.paths(n, seed), np.asarray(data.exists), names, starts)
        frame = pd.DataFrame({name: np.asarray(values, float) for name, values in found.items()})
        columns = {"mean": frame.mean(), "sd": frame.std(ddof=1)}
        columns |= {name: frame.quantile(q) for name, q in (("2.5%", 0.025), ("median", 0.5), ("97.5%", 0.975))}
        return pd.DataFrame(columns)

    def replicate(self, replications=200, seed=1):
        """Posterior predictive data sets: y (R, N, P, D) and z (R, N)."""
        model = self.declaration
        from amortmix.inference import predictive

        return predictive.replicate(model, self.theta, trees.observed(self.tree), seed, replications)

    def sensitivity(self, priors=None, draws=1000, seed=1):
        """The posterior under other priors, in a second: `amortmix.inference.sensitivity.Sensitivity`.

        Parameters
        ----------
        priors : list or dict, optional
            Variants and dicts of hyperparameters, or {label: prior}. By default powers of the prior from a half to two,
            the declared variants, and values along every range that the networks were trained for.
        draws : int
        seed : int

        Examples
        --------
        >>> found = fit.sensitivity([{"power": 0.5}, {"power": 2.0}])
        >>> found.table, found.moved(), found.plot()
        """
        from amortmix.inference.sensitivity import sensitivity

        return sensitivity(self, priors, draws, seed)

    def check(self, simulations=100, seed=1):
        """Are the networks right for these data? Local calibration, which needs no density: `LocalCalibration`.

        Parameters
        ----------
        simulations, seed : int
            Number of data sets that are simulated from the posterior.

        Raises
        ------
        BadInput
            If there are no networks beside the fit.

        Examples
        --------
        >>> fit.check().sentence
        """
        from amortmix.diagnostics.local import local_calibration

        if self.amortized is None or "flow" not in self.tree.children:
            where = f"a fit of {self.tree.attrs['model']} without networks"
            raise files.BadInput(f"{where}; expected one that they made, or `Networks.read` of its file")
        engine, theta = self._engine(), trees.draws(self.tree, "flow")
        data, log_q = engine.frame(trees.observed(self.tree)), np.ravel(self.tree["sample_stats"]["log_q"].values)
        return local_calibration(engine.in_jax, data, theta, log_q, simulations, seed)

    def relabel(self, by):
        """The same fit with the states of every draw in order, where no constraint orders them.

        Parameters
        ----------
        by : str or callable
            A parameter with one value for each state, by which they increase, or theta (S, D) -> (S, K).

        Raises
        ------
        BadInput
            If there is no such parameter, or another order of the states has another density.

        Examples
        --------
        >>> fit.relabel("mu").summary()
        """
        from amortmix.inference.relabel import relabelled

        return relabelled(self, by)

    def to_arviz(self):
        """The DataTree: posterior, flow, sample_stats, latent_probabilities, log_likelihood, observed_data."""
        return self.tree

    def save(self, path):
        """Write as NetCDF; `amortmix.load_fit` reads it."""
        files.save_netcdf(path, self.tree)

    def plot_posterior(self, truth=None):
        """Marginals and pairs of the parameters: a matplotlib figure."""
        from amortmix import plots

        samples = {"PSIS" if self.tree.attrs.get("posterior") == "psis" else "ABI": self.theta}
        return self._marked(plots.joint_posterior(self._model(), samples, truth))

    def plot_states(self):
        """The data and the probabilities of the states: a matplotlib figure."""
        from amortmix import plots

        model, data = self._model(), trees.observed(self.tree)
        if model.dependent:
            return self._marked(plots.states_over_time(model, {"ABI": self.tree}, data))
        means = np.average(data.y[..., 0], axis=1, weights=np.asarray(data.seen)[..., 0] + 1e-9)
        return self._marked(plots.classification(model, {"ABI": self.tree}, means))

    def plot_predictive(self, replications=200, seed=1):
        """Observed values of each column among replicated ones: a matplotlib figure."""
        from amortmix import plots

        y = self.replicate(replications, seed)[0]
        return self._marked(plots.predictive(self._model(), trees.observed(self.tree), y))

    def _marked(self, figure):
        """A figure of draws that are not to be used says so above itself."""
        from amortmix.plots import warn

        return warn(figure, "" if self.verdict in USABLE else f"{self.verdict}: these draws are not to be used")

    def _model(self):
        if self.model is None:
            require("what a fit that was loaded says of its model")
            raise files.BadInput(f"the model {self.tree.attrs['model']} is not known here: load_fit(path, model=MODEL)")
        return self.model

    @property
    def declaration(self):
        """The declaration, which can simulate, bound to the prior of this fit: `Model`."""
        require("to simulate")
        if hasattr(known := self._model(), "simulate"):
            return known
        model, prior = self.amortized.in_jax.model, files.plain(known.hyperparameters)
        return model if files.plain(model.hyperparameters) == prior else model.with_prior(prior)

    def _engine(self):
        """What runs the functions of the model: its networks, or JAX without any."""
        if self.amortized is not None:
            return self.amortized
        require("a fit that was loaded, for paths,")
        from amortmix.inference.amortized import Amortized

        return Amortized(self._model(), None, None)
