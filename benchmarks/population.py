"""A population from separate fits, held against what is known of it: `make population`, shown by the page `population`.

    twenty        simulated people, beside one NUTS over the marginal likelihoods of all of them, under the same priors
    hundred       a hundred people, for the seconds
    calibration   a hundred groups of ten people, drawn from the priors: simulation-based calibration of the group
    participants  the eleven participants of case study 3

Simulated people are of case study 2, with parameters w_i ~ Normal(mu, Sigma) on the real line. Each part writes
``{part}.csv``, all of them ``population.json`` and the table ``population.csv``. Seconds are of CPU, of this process,
compilation apart.
"""

import argparse
import warnings
from functools import lru_cache, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
from numpyro.diagnostics import split_gelman_rubin
from numpyro.handlers import block
from numpyro.infer import Predictive
from numpyro.infer.util import constrain_fn, potential_energy, unconstrain_fn

import amortmix as am
from amortmix.diagnostics import simulated as quality
from amortmix.inference.fit import USABLE
from amortmix.inference.hierarchy import population_prior
from amortmix.inference.person import scale_of
from amortmix.mcmc import nuts
from amortmix.mcmc.results import Settings
from amortmix.model import tables
from amortmix.populations import FEWEST_PEOPLE
from amortmix.storage import files
from amortmix_paper.job import measured
from amortmix_paper.participants import CHECKSUMS, FOLDER, find_participants

CASE, UNITS, DRAWS, SEED = "gaussian_hmm", 100, 4000, 1
#: Of the one model of all people.
SETTINGS = Settings(chains=4, warmup=1000, draws=1000, adapt_delta=0.9)
#: On the scale of the priors: where people of the parts that are not drawn from these are.
CENTRE, SPREAD = 0.3, 0.4
TRIALS = 400  # of each participant, as in the paper
#: Groups of the calibration, and every which draw of a population is ranked among.
GROUPS, RANKED = 100, 10
INTERVAL = (0.025, 0.975)
#: Numbers of a part that the table of all repeats.
SUMMARY = ("people", "verdict", "fewest_effective", "fit_seconds", "population_seconds", "nuts_seconds")
SUMMARY += ("largest_shift_sd",)


def networks(name):
    """Networks under the printed prior, and the scale of the parameters of people."""
    nets = am.load(name, prior="paper")
    return nets, nets.amortized.model, scale_of(nets.amortized.model, SEED)


def simulated(model, scale, mu, factor, number, key):
    """{name: Data} of people whose parameters, on the scale of the priors, are Normal(mu (d,), factor factor')."""
    key_x, key_y = jax.random.split(key)
    x = mu + jax.random.normal(key_x, (number, len(mu))) @ factor.T
    mask = jnp.ones((UNITS, model.observations[1]))
    y = np.asarray(_simulate(model)(jax.random.split(key_y, number), scale.theta_of(x), mask))
    return {f"person {i + 1}": am.Data(y[i], np.asarray(mask)) for i in range(number)}


@lru_cache
def _simulate(model):
    return jax.jit(jax.vmap(lambda key, theta, mask: model.simulate(key, theta, mask)[0], (0, 0, None)))


def typical(model):
    """mu and the factor of Sigma of people who are not drawn from the priors."""
    return jnp.full(model.free, CENTRE), SPREAD * jnp.eye(model.free)


def means_and_spreads(mu, covariance):
    """Draws (C, 2 d) of means and of standard deviations over people."""
    return np.concatenate([mu, np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))], axis=1)


def named(model):
    """Pairs (quantity, parameter) of `means_and_spreads`."""
    names = [model.parameter_names[j] for j in model.free_columns]
    return [(quantity, name) for quantity in ("mean", "spread") for name in names]


def rows_of(pairs, draws, truth, method):
    low, high = np.quantile(draws, INTERVAL, axis=0)
    known = zip(pairs, draws.mean(0), draws.std(0), low, high, truth)
    keys = ("mean", "sd", "low", "high", "truth")
    return [dict(zip(("quantity", "parameter"), pair)) | {"method": method} | dict(zip(keys, k)) for pair, *k in known]


def all_at_once(model, data, scale):
    """Means (C, d), covariances (C, d, d) and the largest R-hat, from NUTS over the likelihoods of all people."""
    together = jax.tree.map(lambda *a: jnp.stack(a), *data.values())

    def everyone():
        mu, factor = population_prior(1, model.free)
        z = numpyro.sample("z", dist.Normal(0, 1).expand([len(data), model.free]).to_event(2))
        theta = scale.theta_of(mu[0] + z @ factor.T)
        with block():  # the declaration's own sites have the same names
            log_lik = jax.vmap(model.log_likelihood)(theta, together)
        numpyro.factor("people", log_lik.sum())

    start = {"mu": jnp.zeros((1, model.free)), "spread": jnp.full(model.free, 0.5)}
    start |= {"correlations": jnp.eye(model.free), "z": jnp.zeros((len(data), model.free))}
    chain = nuts.chain(partial(potential_energy, everyone, (), {}), SETTINGS)

    @jax.jit
    def run(keys):
        u, _ = jax.vmap(chain, in_axes=(0, None))(keys, unconstrain_fn(everyone, (), {}, start))
        return jax.vmap(jax.vmap(partial(constrain_fn, everyone, (), {}, return_deterministic=True)))(u)

    keys = jax.random.split(jax.random.key(SEED), SETTINGS.chains)
    run = run.lower(keys).compile()
    found, seconds = measured(lambda: {k: np.asarray(v) for k, v in run(keys).items()})
    rhat = max(float(np.max(split_gelman_rubin(found[name]))) for name in ("mu", "spread"))
    mu, factor = (found[k].reshape(-1, *found[k].shape[2:]) for k in ("mu", "factor"))
    covariance = scale.sd[:, None] * (factor @ factor.transpose(0, 2, 1)) * scale.sd
    return scale.mean + scale.sd * mu[:, 0], covariance, rhat, seconds


def of_fits(nets, data):
    """A `Population` of {name: Data}, its fits, and the seconds of these and of itself, each after compilation."""
    few = dict(list(data.items())[:3])
    nets.fit_many(few, draws=DRAWS, seed=SEED)
    fits, fitting = measured(lambda: nets.fit_many(data, draws=DRAWS, seed=SEED))
    am.population(fits, seed=SEED)
    found, seconds = measured(lambda: am.population(fits, seed=SEED))
    about = {"people": len(data), "fit_seconds": fitting, "population_seconds": seconds}
    about |= {"verdict": found.verdict, "reason": found.reason, "fewest_effective": float(found.effective.min())}
    return found, fits, about


def twenty():
    nets, model, scale = networks(CASE)
    mu, factor = typical(model)
    data = simulated(model, scale, mu, factor, 20, jax.random.key(SEED))
    found, _, about = of_fits(nets, data)
    theirs = all_at_once(model, data, scale)
    truth = np.concatenate([scale.mean + scale.sd * np.asarray(mu), scale.sd * SPREAD])
    ours = means_and_spreads(found.draws.mu[:, 0], found.draws.covariance)
    both = {"separate fits": ours, "one NUTS": means_and_spreads(*theirs[:2])}
    rows = pd.DataFrame([r for method, x in both.items() for r in rows_of(named(model), x, truth, method)])
    one, other = (rows[rows["method"] == m].reset_index() for m in both)
    width = (one["high"] - one["low"]) / (other["high"] - other["low"])
    about |= {
        "nuts_seconds": theirs[3],
        "nuts_rhat": theirs[2],
        "largest_shift_sd": float(((one["mean"] - other["mean"]).abs() / other["sd"]).max()),
        "width_ratios": [float(width.min()), float(width.max())],
    }
    return rows, about


def hundred():
    nets, model, scale = networks(CASE)
    found, _, about = of_fits(nets, simulated(model, scale, *typical(model), 100, jax.random.key(SEED + 1)))
    return found.summary().reset_index(), about


def calibration():
    """Ranks of the means, standard deviations and correlations of each group among the draws of its posterior.

    People whose fits are not to be used are left out, as users do; that depends on their data alone, so ranks stay
    uniform, but for a group of which fewer than three are left.
    """
    nets, model, scale = networks(CASE)
    drawn = Predictive(partial(population_prior, 1, model.free), num_samples=GROUPS)(jax.random.key(SEED + 2))
    truths, draws, verdicts, kept = [], [], [], []
    for number, (mu, factor) in enumerate(zip(drawn["mu"][:, 0], drawn["factor"])):
        data = simulated(model, scale, mu, factor, 10, jax.random.key(1000 + number))
        fits = nets.fit_many(data, draws=DRAWS, seed=SEED)
        usable = {name: fits[name] for name in fits if fits[name].verdict in USABLE}
        kept.append(len(usable))
        if len(usable) < FEWEST_PEOPLE:
            continue
        found = am.population(usable, seed=SEED)
        verdicts.append(found.verdict)
        draws.append(means_and_spreads(found.draws.mu[:, 0], found.draws.covariance)[::RANKED])
        truths.append(np.concatenate([scale.mean + scale.sd * mu, scale.sd * np.sqrt(np.diag(factor @ factor.T))]))
        print(f"group {number + 1} of {GROUPS}: {len(usable)} people, {found}", flush=True)
    truths, draws = np.stack(truths), np.stack(draws)
    sbc = quality.calibration(truths, draws, SEED)
    ranks = pd.DataFrame((draws < truths[:, None]).sum(1), columns=pd.MultiIndex.from_tuples(named(model)))
    about = {"people": 10, "groups": len(truths), "people_left_out": 10 * GROUPS - sum(kept), "ranks": draws.shape[1]}
    about |= {"verdict": f"{verdicts.count('CONVERGED')} of {len(verdicts)} CONVERGED", "inside": sbc["inside"]}
    about |= {"false_alarm_rate": sbc["false_alarm_rate"]}
    rows = ranks.T.stack().rename("rank").rename_axis(["quantity", "parameter", "group"]).reset_index()
    return rows, about


def participants():
    """Their group on the scale of the parameters, and each of them given all."""
    nets, model, _ = networks("evidence_accumulation")
    known, trouble = find_participants(CHECKSUMS, [FOLDER], download=False)
    if trouble:
        raise SystemExit(trouble)
    data = {name: tables.read(model, path, rows=TRIALS).data for name, path in known.items()}
    found, fits, about = of_fits(nets, data)
    rows = []
    for name in found.members:
        alone, given = fits[name].theta, found.person(name)
        for j, parameter in enumerate(model.parameter_names):
            for method, x in (("alone", alone[:, j]), ("given all", given[:, j])):
                low, median, high = np.quantile(x, (INTERVAL[0], 0.5, INTERVAL[1]))
                about_one = {"person": name, "parameter": parameter, "method": method}
                rows.append(about_one | {"low": low, "median": median, "high": high, "sd": x.std()})
    about["group"] = found.summary().reset_index().to_dict("records")
    return pd.DataFrame(rows), about


PARTS = {"twenty": twenty, "hundred": hundred, "calibration": calibration, "participants": participants}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"by default all: {', '.join(PARTS)}")
    parser.add_argument("--out", default="results/population", type=Path)
    o = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # verdicts are saved, whatever they are
    saved = o.out / "population.json"
    numbers = files.read_json(saved) if saved.is_file() else {}
    for name in o.parts or PARTS:
        rows, numbers[name] = PARTS[name]()
        with files.atomic(o.out / f"{name}.csv") as temporary:
            rows.to_csv(temporary, index=False, float_format="%.5g")
        files.write_json(saved, numbers)
    with files.atomic(o.out / "population.csv") as temporary:
        pd.DataFrame(numbers).T.reindex(columns=SUMMARY).to_csv(temporary, index_label="part")


if __name__ == "__main__":
    main()
