"""How many classes or states, and which model? `make components`, shown by the page `components`.

For Gaussian mixtures with K = 1 to 4 and hidden Markov models with K = 1 to 3, networks of every model are trained for
a few minutes. Then data sets are simulated, K drawn at random, and fitted by all models of their family: p(K | y) from
the log evidence of each fit (`amortmix.compare`), and from networks that were trained to tell the models apart
(`amortmix.train_comparison`), which need no density. If these probabilities are right, they are the frequencies of K.

Networks alone compare the race of case study 3 with the leaky accumulators of case study 4, of which only a simulator
is known, also for the eleven participants.
"""

import argparse
import warnings
from pathlib import Path

import jax
import numpy as np
import numpyro.distributions as dist
import pandas as pd
from jax import numpy as jnp
from numpyro import sample

import amortmix as am
from amortmix.model import registry
from amortmix.model.data import as_numpy, existing
from amortmix.storage import files
from amortmix_paper.participants import CHECKSUMS, FOLDER, find_participants

UNITS = (100, 200)
FAMILIES = {"mixture": (1, 2, 3, 4), "chain": (1, 2, 3), "accumulators": ("race", "leaky")}
LIBRARY = {"race": "evidence_accumulation", "leaky": "leaky_accumulator"}
TRIALS = 400  # of a participant
#: Steps of the networks that tell models apart.
STEPS = {"mixture": 4000, "chain": 4000, "accumulators": 2000}
SEED, DRAWS = 11, 1000


def _prior(k):
    """Increasing means, one standard deviation, and what the family adds."""
    mu = sample("mu", am.ordered(dist.Normal(0, 2), k))
    return {"mu": mu, "sigma": sample("sigma", dist.LogNormal(0, 0.3))}


def _emission(p):
    return dist.Normal(p["mu"], p["sigma"])


def mixture(k):
    """Normal classes with means of their own and one standard deviation."""

    def prior():
        shares = {} if k == 1 else {"pi": sample("pi", dist.Dirichlet(2 * jnp.ones(k)))}
        return shares | _prior(k)

    weights = None if k == 1 else (lambda p: p["pi"])
    states = tuple(f"class {i + 1}" for i in range(k))
    return am.Mixture(name=f"mixture_{k}", states=states, prior=prior, weights=weights, emission=_emission, units=UNITS)


def chain(k):
    """The same as states that last: three quarters of the prior mean of each row of the transition matrix."""

    def prior():
        rows = jnp.eye(k) * 3 * max(k - 1, 1) + 1 - jnp.eye(k) if k > 1 else jnp.ones((1, 1))
        stays = {} if k == 1 else {"transitions": sample("transitions", dist.Dirichlet(rows).to_event(1))}
        return stays | _prior(k)

    def transitions(p):
        return p["transitions"] if k > 1 else jnp.ones((1, 1))

    states = tuple(f"state {i + 1}" for i in range(k))
    return am.HiddenMarkov(
        name=f"chain_{k}", states=states, prior=prior, transitions=transitions, emission=_emission, units=UNITS
    )


def models(family):
    """{K or name: model} of a family."""
    if family == "accumulators":
        return {name: registry.find(model).with_prior("paper") for name, model in LIBRARY.items()}
    return {k: {"mixture": mixture, "chain": chain}[family](k) for k in FAMILIES[family]}


def networks(family, steps, folder):
    """{K: networks}, trained unless they are there."""
    found = {}
    for k, model in models(family).items():
        where = Path(folder) / model.name
        done = (where / "card.json").is_file()
        found[k] = am.load(where, model=model) if done else am.train(model, steps=steps, folder=where, assess=False)
    return found


def comparison(family, steps, folder):
    """Networks that tell the models of a family apart, trained unless they are there."""
    where, declared = Path(folder) / f"{family}_comparison", {str(k): m for k, m in models(family).items()}
    done = (where / "card.json").is_file()
    return am.load_comparison(where, declared) if done else am.train_comparison(declared, steps=steps, folder=where)


def data_sets(simulated, number):
    """Simulated data sets of {K or name: model} with what made them: (i, K, Data)."""
    random, names = np.random.default_rng(SEED), list(simulated)
    simulators = {k: jax.jit(model.simulate_dataset) for k, model in simulated.items()}
    for i in range(number):
        truth = names[random.choice(len(names))]
        _, data, _ = simulators[truth](jax.random.key(1000 * SEED + i))
        yield i, truth, as_numpy(existing(data), np.float32)


def _rows(family, by, i, truth, table):
    return [
        {"family": family, "by": by, "data_set": i, "truth": truth, "k": k, **row.to_dict()}
        for k, row in table.iterrows()
    ]


def rows_by_evidence(family, nets, number):
    """A row for each data set and model: the K that made it, log evidence, probability, reliability."""
    found = []
    for i, truth, data in data_sets({k: n.model for k, n in nets.items()}, number):
        fits = {k: nets[k].fit(data, draws=DRAWS, seed=i) for k in nets}
        found += _rows(family, "evidence", i, truth, am.compare(fits))
    return found


def rows_by_networks(family, which, number):
    """The same by networks that tell the models apart."""
    return [
        row
        for i, truth, data in data_sets(which.models, number)
        for row in _rows(family, "networks", i, truth, which.compare(data))
    ]


def participants(which):
    """The race against leaky accumulators for every participant, likewise; nobody knows what made their trials."""
    found, _ = find_participants(CHECKSUMS, [FOLDER], download=False)
    return [
        row
        for letter, path in found.items()
        for row in _rows("participants", "networks", letter, "", which.compare(path, rows=TRIALS))
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="results/components", type=Path)
    parser.add_argument("--steps", default=3000, type=int, help="of the networks of each model")
    parser.add_argument("--datasets", default=150, type=int, help="of each family")
    o = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # a result that cannot be relied on says so in `reliable`
    rows = []
    for family in FAMILIES:
        if family != "accumulators":
            rows += rows_by_evidence(family, networks(family, o.steps, o.out), o.datasets)
        which = comparison(family, STEPS[family], o.out)
        rows += rows_by_networks(family, which, o.datasets) + (participants(which) if family == "accumulators" else [])
        with files.atomic(o.out / "components.csv") as temporary:
            pd.DataFrame(rows).to_csv(temporary, index=False)


if __name__ == "__main__":
    main()
