"""How many classes or states? `make components`, shown by the page `components`.

For Gaussian mixtures with K = 1 to 4 and hidden Markov models with K = 1 to 3, networks of every model are trained for
a few minutes. Then data sets are simulated, K drawn at random, and fitted by all models of their family: p(K | y) from
the log evidence of each fit (`amortmix.compare`). If these probabilities are right, they are the frequencies of K.
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
from amortmix.model.data import as_numpy, existing
from amortmix.storage import files

UNITS = (100, 200)
FAMILIES = {"mixture": (1, 2, 3, 4), "chain": (1, 2, 3)}
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
    """{K: model} of a family."""
    return {k: {"mixture": mixture, "chain": chain}[family](k) for k in FAMILIES[family]}


def networks(family, steps, folder):
    """{K: networks}, trained unless they are there."""
    found = {}
    for k, model in models(family).items():
        where = Path(folder) / model.name
        done = (where / "card.json").is_file()
        found[k] = am.load(where, model=model) if done else am.train(model, steps=steps, folder=where, assess=False)
    return found


def data_set(model, key):
    """One simulated data set."""
    _, data, _ = jax.jit(model.simulate_dataset)(key)
    return as_numpy(existing(data), np.float32)


def rows_of(family, nets, number):
    """A row for each data set and model: the K that made it, log evidence, probability, reliability."""
    random, found = np.random.default_rng(SEED), []
    for i in range(number):
        truth = int(random.choice(FAMILIES[family]))
        data = data_set(nets[truth].model, jax.random.key(1000 * SEED + i))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a verdict that is not to be used stands in `reliable`
            fits = {k: nets[k].fit(data, draws=DRAWS, seed=i) for k in nets}
        table = am.compare(fits)
        for k in nets:
            row = table.loc[k]
            found.append({"family": family, "data_set": i, "truth": truth, "k": k, **row.to_dict()})
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="results/components", type=Path)
    parser.add_argument("--steps", default=3000, type=int, help="of each training")
    parser.add_argument("--datasets", default=200, type=int, help="of each family")
    o = parser.parse_args()
    frames = []
    for family in FAMILIES:
        frames += rows_of(family, networks(family, o.steps, o.out), o.datasets)
        with files.atomic(o.out / "components.csv") as temporary:
            pd.DataFrame(frames).to_csv(temporary, index=False)


if __name__ == "__main__":
    main()
