"""The introduction's epidemic: an outbreak from simulator to forecast. `make epidemic`, shown by the page `epidemic`.

Networks are trained for the compartmental model `models/epidemic.py`. One outbreak is fitted after its first 30 days
and forecast to its end, beside NUTS. A hundred outbreaks say how often the verdict trusts regular ones, those in which
ten days were not reported but look as if nothing had happened, and the same with these days declared missing. Seconds
are of CPU, of this process, on one core.
"""

import argparse
import warnings
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

import amortmix as am
from amortmix.mcmc import engine
from amortmix.model.data import Data, as_numpy, without
from amortmix.storage import files
from amortmix_paper.job import measured

MODEL = "models/epidemic.py"
KNOWN = 30  # days after which an outbreak is forecast
GAP = slice(15, 25)  # days without reports
SEED, DRAWS, DATASETS = 3, 1000, 100
NUTS = {"chains": 4, "warmup": 1000, "draws": 1000, "adapt_delta": 0.9}
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def outbreak(model, key):
    """theta and a whole outbreak of `DAYS` days, of the declaration: nothing is missing."""
    key_theta, key_y = jax.random.split(key)
    mask = jnp.ones((model.units[1], 1))
    x = model.sample_covariates(key_y, model.units[1])
    theta = model.sample_prior(key_theta)
    return theta, Data(model.simulate(key_y, theta, mask, x)[0], mask, x)


def first_days(data, days):
    """What is known of an outbreak after so many days."""
    return Data(data.y[:days], data.mask[:days], data.x[:days])


def unreported(data):
    """The days of the gap have no reports: zeros, as if nobody had been infected."""
    y = np.array(data.y)
    y[GAP] = 0
    return data._replace(y=y)


def declared_missing(data):
    """The days of the gap were not observed."""
    days = np.arange(GAP.start, GAP.stop)
    return without(data, days, np.zeros_like(days))


def forecast(model, theta, data, seed):
    """Quantiles of reports of every day of an outbreak from draws theta (S, D): (5, DAYS)."""
    keys = jax.random.split(jax.random.key(seed), len(theta))
    simulate = partial(model.simulate, mask=jnp.ones_like(data.mask), x=data.x)
    y = jax.jit(jax.vmap(lambda key, t: simulate(key, t)[0][:, 0, 0]))(keys, theta)
    return np.quantile(np.asarray(y), QUANTILES, axis=0)


def one_outbreak(nets):
    """Days (table), and numbers of one outbreak: fit and NUTS after `KNOWN` days, seconds, forecasts."""
    model = nets.model
    theta, whole = outbreak(model, jax.random.key(SEED))
    whole = as_numpy(whole)
    known = first_days(whole, KNOWN)
    nets.fit(known, draws=DRAWS)  # compiles
    fit, spent = measured(lambda: nets.fit(known, draws=DRAWS, seed=2))
    nuts, spent_nuts = measured(lambda: engine.sample(model, known, seed=1, engine="numpyro", **NUTS))
    theirs = nuts.theta.reshape(-1, nuts.theta.shape[-1])
    days = {"day": whole.x[:, 0], "reports": whole.y[:, 0, 0]}
    for method, draws in (("ABI", fit.theta), ("MCMC", theirs)):
        for q, values in zip(QUANTILES, forecast(model, draws[:DRAWS], whole, SEED)):
            days[f"{method} {q}"] = values
    means = {
        name: {"truth": t, "ABI": a, "ABI sd": s, "MCMC": m, "MCMC sd": r}
        for name, t, a, s, m, r in zip(
            model.parameter_names,
            np.asarray(theta, float),
            fit.theta.mean(0),
            fit.theta.std(0),
            theirs.mean(0),
            theirs.std(0),
        )
    }
    numbers = {"verdict": fit.verdict, "reason": fit.reason, "parameters": means}
    return pd.DataFrame(days), numbers | {"fit_seconds": spent, "mcmc_seconds": spent_nuts}


def many_outbreaks(nets, number):
    """A row for each outbreak and how it was reported: verdict, p of the MMD test, k-hat."""
    model, rows = nets.model, []
    simulate = jax.jit(lambda key: outbreak(model, key)[1])
    for i in range(number):
        regular = as_numpy(simulate(jax.random.key(1000 * SEED + i)))
        reported = {"all days": regular, "zeros": unreported(regular), "missing": declared_missing(regular)}
        for gap, data in reported.items():
            fit = nets.fit(data, draws=DRAWS, seed=i)
            attrs = fit.tree.attrs
            row = {"outbreak": i, "gap": gap, "verdict": fit.verdict}
            rows.append(row | {"mmd_p": attrs["mmd_p"], "pareto_k": attrs["pareto_k"]})
    return pd.DataFrame(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="results/epidemic", type=Path)
    parser.add_argument("--steps", type=int, help="of the training; by default those of the recipe")
    parser.add_argument("--datasets", default=DATASETS, type=int)
    o = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # verdicts are saved, whatever they are
    nets, trained = measured(lambda: am.train(MODEL, steps=o.steps, folder=o.out / "networks", assess=False))
    quality = nets.validate().metrics
    days, numbers = one_outbreak(nets)
    numbers |= {"training_seconds": trained, "data_sets": nets.card["data_sets"]}
    numbers |= {"gap_nats": quality["gap_nats"], "sbc_inside": quality["sbc"]["inside"]}
    for name, frame in (("epidemic", many_outbreaks(nets, o.datasets)), ("days", days)):
        with files.atomic(o.out / f"{name}.csv") as temporary:
            frame.to_csv(temporary, index=False)
    files.write_json(o.out / "numbers.json", numbers)


if __name__ == "__main__":
    main()
