"""What a fit knows of a model without its declaration: plain facts, which a file keeps and which need no JAX.

A `Description` stands in the place of a `Model` wherever data are read and fits are arranged.
"""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from amortmix.model import columns as kinds
from amortmix.model import shown, varied
from amortmix.model.design import Design
from amortmix.storage.files import BadInput


class Parameter(NamedTuple):
    """Name in files, LaTeX label and physical unit of one scalar of theta."""

    name: str
    label: str
    unit: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Description:
    """Facts of a model that is bound to its prior; all are attributes of `amortmix.model.declare.Model` too.

    Attributes
    ----------
    name, title, prior_name : str
    states : tuple of str
        Names; states of the same name are one to a user, see ``state_labels``.
    columns : dict
        Column of a table -> its kind.
    covariates : tuple of str
    units, observations : (int, int)
    design : Design
        What the networks were trained for.
    parameters : tuple of Parameter
    free : int
        Dimension of u.
    has_density, dependent : bool
        Whether the likelihood is known, and whether the states are a chain.
    lags : int
        How many observations that came before an emission reads.
    divisible : bool
        Whether a component of an observation may be missing while others are there.
    variants, hyperparameters : dict
        Variant of the prior -> its hyperparameters, and those that are bound.
    """

    name: str
    title: str
    prior_name: str
    states: tuple
    columns: dict
    covariates: tuple
    units: tuple
    observations: tuple
    design: Design
    parameters: tuple
    free: int
    has_density: bool
    dependent: bool
    lags: int = 0
    divisible: bool = False
    identity: dict = field(default_factory=dict)
    variants: dict = field(default_factory=dict)
    hyperparameters: dict = field(default_factory=dict)

    def with_prior(self, prior):
        """The same model under a variant of its prior, or with other hyperparameters."""
        if isinstance(prior, str):
            if prior not in self.variants:
                known = ", ".join(self.variants) or self.prior_name
                raise BadInput(f"{self.name} has no prior variant {prior!r}; expected one of {known}")
            return replace(self, prior_name=prior, hyperparameters=self.variants[prior])
        chosen = varied.chosen(self, prior)
        return replace(self, prior_name=varied.named(chosen, self.variants, self.prior_name), hyperparameters=chosen)

    @property
    def state_labels(self):
        """Names of the classes or states as a user sees them, each once."""
        return shown.labels(self.states)

    @property
    def parameter_names(self):
        return tuple(p.name for p in self.parameters)

    @classmethod
    def of(cls, model, identity):
        """That of a `Model`; ``identity`` is what `amortmix.model.identity.parts` says of it."""
        known = {name: getattr(model, name) for name in cls.__dataclass_fields__ if name != "identity"}
        return cls(**known | {"covariates": tuple(model.covariates), "identity": identity})

    def as_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        found = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return found | {
            "columns": {name: kinds.as_json(kind) for name, kind in self.columns.items()},
            "parameters": [list(p) for p in self.parameters],
            "design": self.design.as_json(),
        }

    @classmethod
    def from_json(cls, known):
        """A description that a file kept."""
        found = {name: tuple(v) if isinstance(v, list) else v for name, v in known.items()}
        return cls(
            **found
            | {
                "columns": {name: kinds.from_json(kind) for name, kind in known["columns"].items()},
                "parameters": tuple(Parameter(*p) for p in known["parameters"]),
                "design": Design.of_card(known),
            }
        )
