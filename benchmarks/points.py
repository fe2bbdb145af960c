"""Answers without draws, beside those of draws: `make points`.

Point estimators (`amortmix.train_points`) are trained on the summaries of the networks that are shipped for the designs
of the paper. On new simulations: root mean squared error, interval score and coverage of 90 % intervals, of the
estimates and of 1,000 draws of the same networks; and data sets per second of CPU of either, one batch after the other.
"""

import argparse
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
import pandas as pd

import amortmix as am
from amortmix.diagnostics.validation import simulate_held_out
from amortmix.storage import files
from amortmix_paper.job import limit_threads

CASES = ("gaussian_mixture", "gaussian_hmm", "evidence_accumulation", "leaky_accumulator")
STEPS, SEED, DRAWS = 10_000, 7, 1000
#: Data sets whose estimates are timed, of which one in so many is fitted by draws; and turns of both.
TIMED, FEWER, TURNS = 1024, 16, 3


def judge(name, steps, folder):
    """Rows (parameter, method) of scores, and the row of costs of one case study."""
    am.load(name, prior="paper", design="paper").save(folder)
    nets = am.load(folder, engine="jax")
    began = time.process_time()
    points = am.train_points(nets, steps=steps, seed=SEED)
    seconds = time.process_time() - began
    quality = points.card["quality"]
    rows = [
        {"case": name, "parameter": parameter, "method": method, **{k: v[j] for k, v in quality[method].items()}}
        for method in ("points", "draws")
        for j, parameter in enumerate(quality["parameters"])
    ]
    cost = {"case": name, "steps": steps, "training": seconds, **speeds(points, TIMED)}
    return rows, cost


def speeds(points, number):
    """Data sets per second of CPU: estimates with the checks of the data, and draws alone; medians of some turns."""
    amortized = points.nets.amortized
    data = simulate_held_out(amortized.model, number, SEED).data
    some = jax.tree.map(lambda a: a[: number // FEWER], data)
    framed = [jax.tree.map(lambda a, i=i: a[i], data) for i in range(number)]
    works = {
        "estimates_per_second": (number, lambda: points.of_framed(framed)),
        "draws_per_second": (number // FEWER, lambda: amortized.sample_many(some, DRAWS, SEED)),
    }
    found = {name: [] for name in works}
    for work in (w for _, w in works.values()):
        work()  # compiles
    for _ in range(TURNS):
        for name, (n, work) in works.items():
            began = time.process_time()
            work()
            found[name].append(n / (time.process_time() - began))
    return {name: float(np.median(each)) for name, each in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", default=CASES)
    parser.add_argument("--out", type=Path, default=Path("results/points"))
    parser.add_argument("--steps", type=int, default=STEPS)
    arguments = parser.parse_args()
    limit_threads(1)
    rows, costs = [], []
    for name in arguments.cases:
        with tempfile.TemporaryDirectory() as folder:
            more, cost = judge(name, arguments.steps, Path(folder))
        rows += more
        costs.append(cost)
        for table, found in (("scores", rows), ("costs", costs)):
            with files.atomic(arguments.out / f"{table}.csv") as temporary:
                pd.DataFrame(found).to_csv(temporary, index=False, float_format="%.5g")


if __name__ == "__main__":
    main()
