"""A model is a declaration; everything else is derived from it.

    theta ~ prior,   z ~ p(z | theta),   y_i ~ p(y_i | z_i, theta)                                   (eq. 2)

A user declares prior, structure of the hidden classes or states, and either an emission distribution or a simulator of
one unit. Derived are names, bijection, densities, simulator, state probabilities and what the networks see of a data
set. All functions are pure JAX for one data set; they are batched by ``vmap``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import jax
import numpy as np

from amortmix.model import declared, design_draws, emissions, features, shown, sites, streams, varied
from amortmix.model.columns import Real
from amortmix.model.data import Data, filled
from amortmix.model.design import Design

#: Name of a model that is declared outside a file, unless it is given one.
UNNAMED = "model"


@dataclass(frozen=True, eq=False, kw_only=True)
class Model:
    """What mixtures and hidden Markov models share; use `Mixture` or `HiddenMarkov`.

    Parameters
    ----------
    states : tuple of str
        Names of the K classes or hidden states. Those of the same name are one to a user, who sees its probability.
    prior : callable
        A NumPyro function; its arguments are the hyperparameters of ``variants``. It returns a dict p.
    emission : callable, optional
        p, or p and {covariate: (N, 1, 1)} -> a NumPyro distribution whose last batch axis is the state, a list of K, or
        {column or tuple of columns: either} for columns with distributions of their own.
    simulate_unit : callable, optional
        In its place, where no density is known: (key, p, z) or (key, p, z, {covariate: ()}) -> the observations of one
        unit in state z: (P, D), or without axes of length one.
    columns : dict
        Column of a table -> its kind (`amortmix.model.columns`), in the order of the components of y.
    units, observations : (int, int)
        Smallest and largest N and P: the range in which the networks are trained, unless a recipe says otherwise.
    name, title : str, optional
        Identifier, by default that of the file that declares MODEL, and heading.
    variants : dict, optional
        Prior variant -> {hyperparameter: plain numbers}; the first is the default.
    varied : dict, optional
        Hyperparameter -> `amortmix.Between`: networks are trained for every prior in these ranges, and told which.
    covariates : dict, optional
        Column of a table -> distribution from which it is simulated.
    below : dict, optional
        Site of the prior -> column: the parameter lies between zero and the smallest observed value of that column.
    names, labels, physical : dict, optional
        Site -> names of its scalars; name -> LaTeX label; name -> physical unit.
    features, conditions : callable, optional
        What the networks see of each observation, Data -> (N, P, F), and the classifier at each unit,
        (u, Data) -> (N, C); both have defaults.
    stan : str, optional
        A ``.stan`` file beside the declaration; its parameters are the sites.
    demos : dict, optional
        Name -> {"theta", "units", "observations", "seed"} of a demonstration data set.
    scaling : (C, 2) array, optional
        Location and scale of each feature; by default from simulations. Stored with networks.
    design : Design, optional
        What networks are trained for; by default ``units`` and ``observations``, nothing missing. Stored with networks.
    density : LearnedDensity, optional
        That of ``simulate_unit``, which `amortmix.learn_density` adds. Stored with networks.

    Raises
    ------
    BadInput
        One line that names the model and what was expected.
    """

    states: tuple
    prior: Callable
    emission: Callable | None = None
    simulate_unit: Callable | None = None
    columns: Mapping[str, Any] = field(default_factory=lambda: {"y": Real()})
    units: tuple
    observations: tuple = (1, 1)
    name: str = UNNAMED
    title: str = ""
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"default": {}})
    varied: Mapping[str, Any] = field(default_factory=dict)
    covariates: Mapping[str, Any] = field(default_factory=dict)
    below: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, tuple] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    physical: Mapping[str, str] = field(default_factory=dict)
    features: Callable | None = None
    conditions: Callable | None = None
    stan: str | None = None
    demos: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    scaling: Any = None
    design: Design | None = None
    density: Any = None
    variant: str | None = None
    bound: Mapping[str, Any] | None = None
    checked: bool = True

    #: Fields that give probabilities of classes or states; how many observations that came before an emission reads.
    hidden, lags = (), 0

    def __post_init__(self):
        if self.name == UNNAMED:
            object.__setattr__(self, "name", declared.name_of_file(self.prior) or UNNAMED)
        if not self.title:
            object.__setattr__(self, "title", self.name.replace("_", " "))
        if self.checked:
            declared.check(self)
        if self.design is None:
            ranges = {k: tuple(v) for k, v in self.varied.items()} or None
            object.__setattr__(self, "design", Design(tuple(self.units), tuple(self.observations), varied=ranges))

    def changed(self, **changes):
        """The same declaration with other fields, checked again."""
        if {"units", "observations", "varied"} & set(changes):
            changes = {"design": None} | changes
        return replace(self, **changes)

    def with_prior(self, prior):
        """The same model under another prior.

        Parameters
        ----------
        prior : str or dict
            A variant, or hyperparameters that replace those of the present one; arrays may be traced by JAX.
        """
        if not isinstance(prior, str):
            return replace(self, bound=varied.chosen(self, prior), checked=False)
        declared.check_variant(self, prior)
        return replace(self, variant=prior, bound=None, scaling=None, checked=False)

    def under(self, data):
        """The same model under the prior that a data set carries, if it does (`amortmix.model.varied`)."""
        if data.prior is None:
            return self
        ours = self.hyperparameters
        return self.with_prior(varied.values(self.design.varied, ours, data.prior))

    def under_any_prior(self, key):
        """The same model under a prior that is drawn from the ranges of its hyperparameters, if there are any."""
        if not self.design.varied:
            return self
        drawn = design_draws.prior(self.design, self.hyperparameters, self.variants, jax.random.fold_in(key, 1))
        return self.with_prior(drawn)

    @property
    def prior_name(self):
        """The variant of the prior that is bound, and in what the bound one differs from it."""
        default = self.variant or next(iter(self.variants))
        return default if self.bound is None else varied.named(self.bound, self.variants, default)

    @property
    def hyperparameters(self):
        """The hyperparameters that are bound: {name: value}."""
        return dict(self._variant if self.bound is None else self.bound)

    @property
    def _variant(self):
        return self.variants[self.variant or next(iter(self.variants))]

    @cached_property
    def sites(self):
        """The sites of the prior, `amortmix.model.sites.Site`."""
        return sites.find_sites(self.prior, dict(self._variant), self.name)

    @cached_property
    def parameters(self):
        """One `Parameter` for each scalar of theta (D,)."""
        return declared.parameters(self)

    @property
    def state_labels(self):
        """Names of the states as a user sees them, each once (L,)."""
        return shown.labels(self.states)

    @property
    def parameter_names(self):
        return tuple(p.name for p in self.parameters)

    @cached_property
    def free_columns(self):
        """Columns of theta that are free coordinates: all but the last share of each simplex."""
        return np.concatenate([s.free_columns for s in self.sites])

    @property
    def free(self):
        """Dimension of u."""
        return len(self.free_columns)

    @property
    def has_density(self):
        """Whether the likelihood is known."""
        return self.emission is not None or self.density is not None

    @cached_property
    def divisible(self):
        """Whether a component of an observation may be missing while others are there."""
        return self.emission is not None and streams.divisible(emissions.example(self))

    # --- prior and bijection ---------------------------------------------------------------------------------------

    def sample_prior(self, key):
        """theta (D,)."""
        return sites.sample(self.prior, self.hyperparameters, self.sites, key)

    def log_prior(self, theta):
        """log p(theta), a density of the free coordinates."""
        return sites.log_density(self.prior, self.hyperparameters, self.sites, theta)

    def natural(self, theta):
        """What the prior returns at theta (D,)."""
        return sites.natural(self.prior, self.hyperparameters, self.sites, theta)

    def bounds(self, data):
        """{site: upper bound ()} of the parameters that the data bound."""
        return declared.bounds(self, data)

    def bijection(self, data):
        """`Bijection` between theta (..., D) and u (..., d) on which the flow lives."""
        return sites.bijection(self.sites, self.bounds(data))

    # --- simulation ------------------------------------------------------------------------------------------------

    def in_frame(self, place):
        """The same model, whose data sets are simulated in one frame of the design (``place`` in its frames)."""
        scaling = self.feature_scaling if self.features is None else None
        return replace(self, design=self.design._replace(place=place), scaling=scaling, checked=False)

    def sample_design(self, key):
        """mask (N, P) and sequence (N,) or None, see `amortmix.model.design_draws.sample`."""
        return design_draws.sample(self.design, key, self.ragged)

    def sample_covariates(self, key, units):
        """x (N, C) from the distributions of the covariates, or None."""
        return emissions.sample_covariates(self.covariates, key, units)

    def simulate(self, key, theta, mask, x=None, sequence=None, components=None, given=None):
        """y (N, P, D) and z (N,) of one data set; ``given`` (N, P, D) are observations that condition, with lags."""
        key_z, key_y = jax.random.split(key)
        p, design = self.natural(theta), Data(None, mask, x, sequence, components=components)
        z = self._sample_states(key_z, p, mask.shape[0], design.starts, x)
        y = emissions.simulate(self, key_y, p, z, design, given)
        return filled(design._replace(y=y)).y, z

    def simulate_dataset(self, key):
        """theta, Data and z of one draw from the generative model (eq. 2)."""
        key_prior, key_design, key_data, key_x = jax.random.split(key, 4)
        theta = self.sample_prior(key_prior)
        mask, sequence = self.sample_design(key_design)
        x = self.sample_covariates(key_x, mask.shape[0])
        components = design_draws.components(self.design, key_design, mask, len(self.columns))
        y, z = self.simulate(key_data, theta, mask, x, sequence, components)
        ranges = self.design.varied
        prior = varied.vector(ranges, self.hyperparameters) if ranges else None
        return theta, Data(y, mask, x, sequence, prior, components), z

    def simulate_demo(self, name):
        """Data and z of a demonstration data set, as NumPy arrays."""
        return design_draws.demo(self, **self.demos[name])

    # --- densities, where the emission has one ---------------------------------------------------------------------

    def log_densities(self, theta, data):
        """log p(y_i | z_i = k, theta): (N, K), zero for units that do not exist."""
        if self.density is not None:
            return self.density.log_densities(self, theta, data)
        return emissions.log_densities(self, self.natural(theta), data)

    def log_joint(self, u, data):
        """log p(u, y) on the unconstrained space: log p(y | theta) + log p(theta) + log |d theta / du|."""
        bijection = self.bijection(data)
        theta = bijection.forward(u)
        return self.log_likelihood(theta, data) + self.log_prior(theta) + bijection.log_det(u)

    # --- what the networks see -------------------------------------------------------------------------------------

    @cached_property
    def feature_scaling(self):
        """Location and scale (F, 2) of each feature: stored ones, or from simulations with a fixed seed."""
        return features.scaling(self) if self.scaling is None else np.asarray(self.scaling, dtype=np.float32)

    def network_inputs(self, data):
        """What the summary networks see of each observation: (N, P, F)."""
        return features.standardized(self, data) if self.features is None else self.features(data)

    def context(self, data):
        """The design as the flow sees it: (C,)."""
        return features.context(self, data)

    def unit_conditions(self, u, data):
        """What the classifier sees of theta at each unit: (N, C)."""
        return features.conditions(self, u, data) if self.conditions is None else self.conditions(self, u, data)
