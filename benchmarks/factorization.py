"""Indicators first, or parameters first? `make factorization`, shown by the page `factorization`.

On case study 1 networks are trained for both factorizations by the same loop, on the same number of data sets,

    eq. 14   q(theta | y) prod_i q(z_i | y_i, theta)      eqs. 21 to 23   prod_i q(z_i | y) q(theta | z, y),

and held against the exact joint posterior p(theta, z | y), which is known: p(theta | y) by importance weights of the
pretrained networks, p(z_i | y_i, theta) by eq. 5, p(theta | z, y) by conjugacy. The same is done with exact
distributions in the place of networks, which leaves the error of the factorization alone.
"""

import argparse
import time
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pandas as pd

from amortmix.diagnostics import states
from amortmix.diagnostics.validation import simulate_held_out
from amortmix.inference import indicators_first, psis
from amortmix.inference.amortized import Amortized
from amortmix.model import registry
from amortmix.storage import files, pretrained
from amortmix.storage.bundle import load_bundle, save_bundle
from amortmix.training.loop import train
from amortmix_paper import conjugate
from amortmix_paper import factorization as exactly
from amortmix_paper.exact_joint import Exact, distance
from amortmix_paper.job import limit_threads
from amortmix_paper.run import preset_recipes

MODEL, SEED = "gaussian_mixture", 14
ORDERS = ("parameters first", "indicators first")
#: Steps and batch: an eighth of the data sets of the recipe `default`.
PHASES = [[8000, 32]]
#: Passes of a Gibbs sampler after which its draws are looked at; numbers of blocks, and draws of z for each.
PASSES, BLOCKS, PATHS = (1, 2, 4, 8, 16), (1, 2, 5, 10, 25, 50), 10
REPEATS = 5


class Sizes(NamedTuple):
    """Held-out data sets, those among them on which remedies are tried, and draws of each."""

    datasets: int = 300
    remedies: int = 100
    draws: int = 200


def recipe_of(order, recipe, phases):
    """The recipe of a factorization: one has a second global summary, of the size of the first."""
    more = {"labelled_summary": recipe["summary"]} if order == "indicators first" else {}
    return recipe | more | {"schedule": recipe["schedule"] | {"phases": phases}}


def networks(order, recipe, folder):
    """Estimator and cost of its training, compilation included; trained unless it is there."""
    model, folder = registry.find(MODEL), Path(folder) / order.replace(" ", "_")
    if not (folder / "cost.json").is_file():
        began = time.process_time()
        training = train(model, recipe, SEED)
        seconds = time.process_time() - began
        save_bundle(folder, training, SEED)
        weights = sum(int(np.prod(w.shape)) for w in training.estimator.trainable_variables)
        cost = {"training CPU seconds": seconds, "data sets": training.datasets, "weights": weights}
        files.write_json(folder / "cost.json", cost)
    return load_bundle(folder).estimator, files.read_json(folder / "cost.json")


class Networks:
    """Both factorizations, as functions of one framed data set and of draws, in NumPy.

    Parameters
    ----------
    model : Model
    parameters, indicators : estimators
        Of eq. 14, and of eqs. 22 and 23.
    """

    def __init__(self, model, parameters, indicators):
        self.model = model
        amortized = Amortized(model, parameters, {"units": model.units, "observations": model.observations})
        given = partial(indicators_first.log_density_given, model, indicators)

        def u(data, theta):
            return model.bijection(data).inverse(theta)

        self._flow = jax.jit(lambda d, noise: amortized.flow(d, noise)[0])
        self._log_flow = jax.jit(lambda d, t: amortized._log_prob_one(d, u(d, t)))
        self._heads = jax.jit(lambda d, t: amortized.heads(d, u(d, t))["classification"])
        self._marginal = jax.jit(partial(indicators_first.indicator_log_probs, model, indicators))
        self._given = jax.jit(lambda *a: indicators_first.parameters_given(model, indicators, *a)[0])
        self._log_given = jax.jit(lambda d, z, t: given(d, z, u(d, t)))

    def _noise(self, draws, rng):
        return rng.normal(size=(draws, self.model.free)).astype(np.float32)

    def parameters(self, data, draws, rng):
        """theta (S, 6) of eq. 11."""
        return np.asarray(self._flow(data, self._noise(draws, rng)), float)

    def log_parameters(self, data, theta):
        """log q(theta | y) (S,)."""
        return np.asarray(self._log_flow(data, theta), float)

    def indicators_given(self, data, theta):
        """log q(z_i | y_i, theta) of the units that exist, eq. 15: (S, N, 3)."""
        return np.asarray(self._heads(data, theta), float)[:, data.observed > 0]

    def indicators(self, data):
        """log q(z_i | y), eq. 22: (N, 3)."""
        return np.asarray(self._marginal(data), float)[data.observed > 0]

    def parameters_given(self, data, z, rng):
        """theta (S, 6) of eq. 23, given z (S, N)."""
        return np.asarray(self._given(data, _framed(data, z), self._noise(len(z), rng)), float)

    def log_parameters_given(self, data, z, theta):
        """log q(theta | z, y) (S,)."""
        return np.asarray(self._log_given(data, _framed(data, z), theta), float)

    def parameters_first(self, data, draws, rng):
        """Joint draws theta (S, 6), z (S, N) by eq. 14."""
        theta = self.parameters(data, draws, rng)
        return theta, exactly.draw_indicators(self.indicators_given(data, theta), rng)

    def indicators_first(self, data, draws, rng):
        """Joint draws by eqs. 22 and 23."""
        z = exactly.draw_indicators(np.repeat(self.indicators(data)[None], draws, axis=0), rng)
        return self.parameters_given(data, z, rng), z

    def gibbs(self, data, theta, rng):
        """The next theta, z of a Gibbs sampler: eq. 15, then eq. 23."""
        z = exactly.draw_indicators(self.indicators_given(data, theta), rng)
        return self.parameters_given(data, z, rng), z


def _framed(data, z):
    """Indicators (S, N) of the units that exist at their places in the frame."""
    found = np.zeros((len(z), len(data.observed)), np.int32)
    found[:, data.observed > 0] = z
    return found


def parts(nets, exact, data, theta, z):
    """The divergence from the exact joint posterior by its parts, in nats; theta (S, 6), z (S, N) are exact draws."""
    r = conjugate.log_responsibilities(exact.units, theta)
    given_z = conjugate.log_density(exact.given(z), theta)
    # Bayes' rule: log p(z | y), whatever the theta
    log_z = exact.log_joint_of(theta) - exact.evidence + exactly.log_chosen(r, z) - given_z
    ratio = psis.log_ratio(exact.log_joint, nets.log_parameters(data, exact.theta))
    # draws with two means that are equal in single precision have no u
    known = np.isfinite(ratio)
    return {
        "units": len(exact.units.count),
        "pareto_k": exact.pareto_k,
        "independence": np.mean(log_z - exactly.log_chosen(exact.marginals, z)),
        "indicators_22": exactly.divergence(exact.marginals, nets.indicators(data)),
        "parameters_23": np.mean(given_z - nets.log_parameters_given(data, z, theta)),
        "parameters_11": np.exp(exact.log_weights[known]) @ ratio[known] - exact.evidence,
        "indicators_15": exactly.divergence(r, nets.indicators_given(data, theta)).mean(),
        "variance": exact.independent_variances.sum() / exact.variances.sum(),
    }


def examine(nets, exact, data, truth, sizes, remedies, rng):
    """Rows of one data set for each of the four tables. ``truth``: theta (1, 6) and z (1, N)."""
    ours, reference = exact.joint(sizes.draws, rng), exact.joint(sizes.draws, rng)[0]
    sources = {
        "exact": ours,
        "eq. 14, networks": nets.parameters_first(data, sizes.draws, rng),
        "eqs. 22 and 23, exact": exact.independent(sizes.draws, rng),
        "eqs. 22 and 23, networks": nets.indicators_first(data, sizes.draws, rng),
    }
    found = {"factorization": [parts(nets, exact, data, *ours)], "ranks": [], "distances": [], "blocks": []}

    def look(source, passes, theta, z, ranked=True):
        where = {"draws": source, "passes": passes}
        known = not source.endswith("networks")
        found["distances"].append(where | distance(exact, reference, theta, z, known))
        if ranked:
            ranks = exactly.ranks(exact.quantities(*truth), exact.quantities(theta, z), rng)
            found["ranks"].append(where | dict(zip(exactly.QUANTITIES, ranks)))

    for source, drawn in sources.items():
        look(source, 0, *drawn)
    if not remedies:
        return found
    for source, step in (("exact", exact.gibbs), ("networks", partial(nets.gibbs, data))):
        source = f"eqs. 22 and 23, {source}"
        theta, _ = sources[source]
        for passes in range(1, PASSES[-1] + 1):
            theta, z = step(theta, rng)
            if passes in PASSES:
                look(source, passes, theta, z, passes == PASSES[-1])
    paths = ours[1][:PATHS]
    log_z = np.logaddexp.reduce([exact.log_weights + exactly.log_chosen(exact.r, path) for path in paths], axis=1)
    for blocks in BLOCKS:
        lost = np.mean(log_z - exactly.log_in_blocks(exact.r, exact.log_weights, paths, blocks))
        found["blocks"].append({"blocks": blocks, "nats": lost})
    return found


def unit_calibration(nets, held_out):
    """Calibration error of the probabilities of single units by eq. 22, largest of a class; and nats per unit."""
    log_q = np.full((*held_out.z.shape, conjugate.CLASSES), -np.log(conjugate.CLASSES))
    for i, data in enumerate(_each(held_out.data)):
        log_q[i, data.observed > 0] = nets.indicators(data)
    found = states.reliability(log_q, held_out.data.observed, held_out.z)
    return {"calibration error of eq. 22": found["ece"], "cross-entropy of eq. 22": found["cross_entropy"]}


def _each(data):
    """The data sets of a batch, one by one."""
    return (jax.tree.map(itemgetter(i), data) for i in range(len(data.y)))


def sampling_seconds(nets, data, draws):
    """CPU seconds of joint draws of one data set by each factorization, and of one more Gibbs pass; compiled before."""
    rng = np.random.default_rng(SEED)
    theta, _ = nets.indicators_first(data, draws, rng)
    found = {}
    for name, work in (
        ("parameters first", lambda: nets.parameters_first(data, draws, rng)),
        ("indicators first", lambda: nets.indicators_first(data, draws, rng)),
        ("Gibbs pass", lambda: nets.gibbs(data, theta, rng)),
    ):
        work()
        began = time.process_time()
        for _ in range(REPEATS):
            work()
        found[name] = (time.process_time() - began) / REPEATS
    return found


def measure(nets, reference, held_out, sizes, seed):
    """{table: DataFrame} over held-out data sets."""
    rows = {}
    for i, (theta, data, z) in enumerate(zip(held_out.theta, _each(held_out.data), held_out.z)):
        rng = np.random.default_rng([seed, i])
        exact = Exact.of(reference, data, int(rng.integers(2**31)))
        truth = theta[None].astype(float), z[None, data.observed > 0]
        found = examine(nets, exact, data, truth, sizes, i < sizes.remedies, rng)
        for table, more in found.items():
            rows.setdefault(table, []).extend({"data_set": i, **row} for row in more)
    return {table: pd.DataFrame(found) for table, found in rows.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="results/factorization", type=Path)
    parser.add_argument("--steps", default=PHASES[0][0], type=int, help="of each training")
    parser.add_argument("--datasets", default=Sizes().datasets, type=int, help="held out")
    o = parser.parse_args()
    limit_threads(1)
    recipe = preset_recipes("default")[MODEL]
    found = {order: networks(order, recipe_of(order, recipe, [[o.steps, PHASES[0][1]]]), o.out) for order in ORDERS}
    nets = Networks(registry.find(MODEL), *(estimator for estimator, _ in found.values()))
    reference = Amortized.of(load_bundle(pretrained.folder_of(MODEL, "paper", "paper")))
    began, sizes = time.process_time(), Sizes(o.datasets, min(Sizes().remedies, o.datasets))
    held_out = simulate_held_out(nets.model, sizes.datasets, SEED + 1)
    for table, frame in measure(nets, reference, held_out, sizes, SEED + 1).items():
        with files.atomic(o.out / f"{table}.csv") as temporary:
            frame.to_csv(temporary, index=False, float_format="%.5g")
    summary = {order: cost for order, (_, cost) in found.items()} | sizes._asdict() | unit_calibration(nets, held_out)
    summary["measuring CPU seconds"] = time.process_time() - began
    summary["sampling CPU seconds"] = sampling_seconds(nets, next(_each(held_out.data)), sizes.draws)
    files.write_json(o.out / "summary.json", summary)


if __name__ == "__main__":
    main()
