"""A population from fits: means, spreads and differences of groups of people, from separate fits, without fitting anew.

    w_i ~ Normal(mu_g(i), Sigma)
    p(mu, Sigma | y) ∝ p(mu, Sigma) prod_i E[ p(y_i | w) ]    over w ~ Normal(mu_g(i), Sigma)

w is theta on the real line, by a map that is the same for all people. NUTS samples mu and Sigma with a normal
likelihood of each person, made from the draws of the fit; importance weights with the exact likelihood, or where there
is none with the draws, correct it. Where they cannot, the normal likelihoods are made anew for the population found so
far.
"""

import itertools
from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd

from amortmix.inference import person
from amortmix.inference.fit import USABLE
from amortmix.inference.hierarchy import by_draws, by_likelihood, sample_group
from amortmix.storage import files
from amortmix.storage import tree as trees
from amortmix.storage.files import BadInput

#: Draws of all people together, fewest and most of each.
DRAWS, EACH = 50_000, (400, 4000)
#: Effective draws that each person and the population must have, and rounds of normal likelihoods in which they may
#: come about.
ENOUGH, ENOUGH_POPULATIONS, ROUNDS = 100, 400, 3
RHAT = 1.02
FEWEST_PEOPLE = 3
INTERVAL = (0.025, 0.5, 0.975)


def population(fits, by=None, seed=1) -> "Population":
    """Means, spreads and group differences of the parameters over people.

    Parameters
    ----------
    fits : Fits or {name: Fit}
        Of the same model, one for each person.
    by : {name: group}, optional
        Groups whose means may differ; their covariance is one.
    seed : int

    Returns
    -------
    Population

    Raises
    ------
    BadInput
        If there are fewer than three people, fits of several models, fits that are not to be used, or no group for one.

    Examples
    --------
    >>> fits = am.load("evidence_accumulation").fit_many(frame, by="subject")
    >>> am.population(fits, by={"A": "young", "B": "old", "C": "old"}).differences()
    """
    people = {name: fits[name] for name in fits}
    _check(people, by)
    model = next(iter(people.values())).declaration
    names = list(dict.fromkeys(by[name] for name in people)) if by else ["all"]
    groups = np.array([names.index(by[name]) if by else 0 for name in people])
    scale = person.scale_of(model, seed)
    known = _people(people, scale, seed)
    normals = [person.likelihood_of_draws(one, *_prior(scale)) for one in known]
    for number in range(ROUNDS + 1):
        weigh = partial(by_likelihood, model, scale) if model.has_density else by_draws
        weigh = partial(weigh, known, normals, groups, 1000 * number + seed)
        group = sample_group(normals, groups, len(names), weigh, seed + number)
        if number == ROUNDS or is_enough(group):
            break
        mu, covariance = group.centre
        both = zip(known, normals, groups)
        normals = [_anew(model, scale, *pair, mu[g], covariance, seed + i) for i, (*pair, g) in enumerate(both)]
    return Population(model, scale, names, list(people), group)


def _prior(scale):
    """Mean and covariance of people under the prior of the declaration."""
    return np.zeros(len(scale.mean)), np.eye(len(scale.mean))


def _anew(model, scale, one, normal, mu, covariance, seed):
    """The normal likelihood of a person for a population near this one."""
    if model.has_density:
        return person.refined(model, scale, one.data, normal, mu, covariance, seed)
    return person.likelihood_of_draws(one, mu, covariance)


def is_enough(group):
    """Whether the draws of every person, and those of the population, can carry it."""
    enough = group.effective.min() >= ENOUGH and group.weights.ess >= ENOUGH_POPULATIONS
    return enough and group.weights.is_reliable


def _check(people, by):
    if len(people) < FEWEST_PEOPLE:
        raise BadInput(f"{len(people)} fits; expected at least {FEWEST_PEOPLE} people")
    if len({fit.tree.attrs["model"] for fit in people.values()}) > 1:
        raise BadInput("fits of several models; expected those of one declaration")
    if bad := [str(name) for name, fit in people.items() if fit.verdict not in USABLE]:
        raise BadInput(f"fits of {', '.join(bad)} are not to be used; expected to leave them out, or MCMC for them")
    if by is not None and not isinstance(by, Mapping):
        raise BadInput(f"by is {by!r}; expected {{name: group}}")
    if lost := [str(name) for name in people if by is not None and name not in by]:
        raise BadInput(f"no group for {', '.join(lost)}; expected one for each person")


def _people(people, scale, seed):
    """`Person` of every fit, with as many draws each."""
    rng, found = np.random.default_rng(seed), []
    each = min(int(np.clip(DRAWS // len(people), *EACH)), *(len(fit.theta) for fit in people.values()))
    for fit in people.values():
        theta = fit.theta[rng.choice(len(fit.theta), each, replace=False)]
        found.append(person.person_of(scale, fit.declaration.log_prior, trees.observed(fit.tree), theta))
    return found


def _row(values):
    """Mean, sd and 95 % interval of draws."""
    low, _, high = np.quantile(values, INTERVAL)
    return {"mean": values.mean(), "sd": values.std(ddof=1), "2.5%": low, "97.5%": high}


class Population:
    """What is known of a population; see `population`.

    Attributes
    ----------
    groups, members : list
        Names of the groups and of the people.
    draws : Group
        Of means, covariance and people, on the real line.
    effective : Series
        Effective number of each person's draws.
    """

    def __init__(self, model, scale, groups, members, draws):
        self.model, self.scale, self.groups, self.members = model, scale, groups, members
        mean, sd = scale.mean, scale.sd
        on_line = {"mu": mean + sd * draws.mu, "covariance": sd[:, None] * draws.covariance * sd}
        self.draws = draws._replace(people=mean + sd * draws.people, **on_line)
        self.effective = pd.Series(draws.effective, index=pd.Index(members, name="person"), name="effective draws")

    def __repr__(self):
        return f"<Population of {len(self.members)} people, {self.model.name}: {self.verdict}: {self.reason}>"

    @property
    def verdict(self):
        """CONVERGED, or UNRELIABLE: chains that differ, or draws of people that cannot carry a population."""
        return "CONVERGED" if self.draws.rhat <= RHAT and is_enough(self.draws) else "UNRELIABLE"

    @property
    def reason(self):
        """Why, in a sentence."""
        few, weights = self.effective[self.effective < ENOUGH], self.draws.weights
        numbers = (
            f"largest R-hat {self.draws.rhat:.3f}, k-hat {weights.pareto_k:.2f}, effective draws: {weights.ess:.0f} "
        )
        numbers += f"of the population, at least {self.effective.min():.0f} of a person"
        return numbers if few.empty else f"{numbers}; fewer than {ENOUGH}: {', '.join(map(str, few.index))}"

    @property
    def names(self):
        """Of the coordinates of w: the free parameters."""
        return [self.model.parameter_names[j] for j in self.model.free_columns]

    def summary(self):
        """Of each group and parameter: ``mean`` of mu, its ``sd`` and 95 % interval; ``people``, the standard deviation
        over people; and ``typical``, with an interval, the value of a person at mu: DataFrame.

        All but ``typical`` are on the real line: logarithms of positive parameters, logits of probabilities.
        """
        rows, spread = [], np.sqrt(np.diagonal(self.draws.covariance, axis1=1, axis2=2))
        for g, group in enumerate(self.groups):
            mu = self.draws.mu[:, g]
            theta = np.asarray(self.scale.bijection.forward(mu))[:, self.model.free_columns]
            for j, name in enumerate(self.names):
                own = dict(zip(("typical 2.5%", "typical", "typical 97.5%"), np.quantile(theta[:, j], INTERVAL)))
                row = {"group": group, "parameter": name, **_row(mu[:, j]), "people": np.median(spread[:, j])}
                rows.append(row | own)
        return pd.DataFrame(rows).set_index(["group", "parameter"])

    def differences(self):
        """Differences of the means of every two groups, on the real line: DataFrame with the probability that the
        first is larger.

        Raises
        ------
        BadInput
            If there is one group.
        """
        if len(self.groups) < 2:
            raise BadInput("there is one group; expected a population of two or more, `by=`")
        rows = []
        for (a, one), (b, other) in itertools.combinations(enumerate(self.groups), 2):
            for j, name in enumerate(self.names):
                away = self.draws.mu[:, a, j] - self.draws.mu[:, b, j]
                both = {"first": one, "second": other, "parameter": name}
                rows.append(both | _row(away) | {"P(larger)": (away > 0).mean()})
        return pd.DataFrame(rows)

    def person(self, name):
        """Draws of theta (C, D) of one person given all people."""
        place = files.look_up({member: i for i, member in enumerate(self.members)}, name, "person")
        return np.asarray(self.scale.bijection.forward(self.draws.people[place]))

    def people(self):
        """Mean, sd and 95 % interval of every parameter of every person given all people: DataFrame."""
        rows = {}
        for name in self.members:
            drawn = zip(self.model.parameter_names, self.person(name).T)
            rows[name] = {f"{parameter} {k}": v for parameter, values in drawn for k, v in _row(values).items()}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("person")
