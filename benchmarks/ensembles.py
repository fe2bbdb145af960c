"""Two small networks averaged, or one that was trained twice as long? `make ensembles`.

    q(theta | y) = (q_1(theta | y) + q_2(theta | y)) / 2

Both members and the single network have the recipe `default`, shortened; the single one sees as many data sets as the
members together. On the same held-out data sets: amortization gap and divergence, k-hat, and the divergence on data
sets that no theta makes; and CPU seconds of training and of a thousand draws.
"""

import argparse
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from ablation import recipe_of

from amortmix.diagnostics import simulated
from amortmix.diagnostics.validation import simulate_held_out
from amortmix.inference.amortized import Amortized
from amortmix.inference.engine import Draws
from amortmix.model import registry
from amortmix.storage import files
from amortmix.training.loop import train
from amortmix_paper.job import limit_threads

#: Data sets that each member is trained on.
DATA_SETS = {"gaussian_mixture": 128_000, "gaussian_hmm": 96_000, "evidence_accumulation": 64_000}
HELD_OUT, DRAWS, MISFIT, SEED = 500, 1000, 200, 21


class Averaged:
    """Networks of one model as a mixture in equal parts, for `amortmix.diagnostics.simulated`.

    Every member makes as many draws; the density of each draw is that of the mixture.
    """

    def __init__(self, members):
        self.members, self.model = members, members[0].model
        self._densities = jax.jit(lambda data, u: jax.lax.map(lambda x: self._log_prob_one(*x), (data, u)))

    def _log_prob_one(self, data, u):
        found = jnp.stack([member._log_prob_one(data, u) for member in self.members])
        return jax.nn.logsumexp(found, axis=0) - np.log(len(self.members))

    def sample_many(self, data, draws, seed):
        """`Draws` of batched data."""
        each = draws // len(self.members)
        parts = [member.sample_many(data, each, seed + i) for i, member in enumerate(self.members)]
        theta, u = (np.concatenate([part[i] for part in parts], axis=1) for i in range(2))
        return Draws(theta, u, np.asarray(self._densities(data, u)))


def trained(name, data_sets, seed):
    """`Amortized` of a model after so many data sets, and CPU seconds."""
    model = registry.find(name).with_prior("paper")
    began = time.process_time()
    found = train(model, recipe_of(name, {}, data_sets), seed)
    card = {"units": model.units, "observations": model.observations, "meaningful": True}
    return Amortized(found.model, found.estimator, card), time.process_time() - began


def judge(networks, held_out):
    """A row of numbers, and the gap and divergence of each data set."""
    gap = simulated.amortization_gap(networks, held_out.theta, held_out.data, DRAWS, SEED)
    found = simulated.importance(networks, held_out.data, DRAWS, SEED)
    corrupted = simulated.misfit_divergence(networks, MISFIT, DRAWS, SEED)
    began = time.process_time()
    networks.sample_many(held_out.data, DRAWS, SEED)
    seconds = (time.process_time() - began) / len(held_out.theta)
    k_hat = np.array([smoothed.pareto_k for smoothed in found.smoothed])
    row = {
        "gap": gap["mean"],
        "gap_se": gap["se"],
        "divergence": gap["divergence"]["mean"],
        "k_hat_median": np.median(k_hat),
        "k_hat_above": int((k_hat > 0.7).sum()),
        "ess": gap["ess"],
        "misfit_median": corrupted["quartiles"][1],
        "misfit_upper_quartile": corrupted["quartiles"][2],
        "misfit_above": corrupted["unreliable"],
        "seconds_for_draws": seconds,
    }
    return row, found.divergence


def compare(name, data_sets, held_out):
    """Rows of one model; divergences are compared on the same data sets with the networks trained twice as long."""
    members, seconds = zip(*(trained(name, data_sets, seed) for seed in (1, 2)))
    single, twice = trained(name, 2 * data_sets, 3)
    data = simulate_held_out(single.model, held_out, SEED)
    candidates = {
        "one member": (members[0], seconds[0]),
        "the other": (members[1], seconds[1]),
        "both averaged": (Averaged(members), sum(seconds)),
        "one, twice as long": (single, twice),
    }
    found = {label: (*judge(networks, data), cost) for label, (networks, cost) in candidates.items()}
    best = found["one, twice as long"][1]
    for label, (row, divergence, cost) in found.items():
        more = simulated.mean_and_error(divergence - best)
        yield {
            "case": name,
            "networks": label,
            "training_seconds": cost,
            **row,
            "more_divergence": more["mean"],
            "more_divergence_se": more["se"],
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=list(DATA_SETS))
    parser.add_argument("--out", type=Path, default=Path("results/ensembles"))
    parser.add_argument("--share", type=float, default=1.0, help="of the data sets")
    parser.add_argument("--held-out", type=int, default=HELD_OUT)
    arguments = parser.parse_args()
    limit_threads(1)
    rows = []
    for name in arguments.cases:
        rows += compare(name, round(arguments.share * DATA_SETS[name]), arguments.held_out)
        with files.atomic(arguments.out / "ensembles.csv") as temporary:
            pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.5g")


if __name__ == "__main__":
    main()
