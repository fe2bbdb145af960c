"""How fast this is, as ratios: `make benchmark`.

Training against a plain BayesFlow ``fit`` with a NumPy simulator on the same networks; eleven participants by ABI
against Stan; the first fit of a process by either engine; peak memory; cost against the number of units and of data
sets; time to an amortization gap, from the learning curves of the published networks. One part after the other in one
run: trainings with one thread, fits on all cores. Writes ``benchmark.csv`` and ``benchmark.png``.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

from amortmix import plots
from amortmix.storage import files
from amortmix_paper import plots as paper_plots

ROOT = Path(__file__).parents[1]
CASES = ("gaussian_mixture", "gaussian_hmm", "evidence_accumulation")
METRICS = ROOT / "results" / "published" / "default_shipped" / "paper"
GAPS = (1.0, 0.5, 0.2, 0.1, 0.05)  # nats
STATES = 8  # most of them


def measure(part, *arguments):
    """Rows of one part, measured in a process of its own with a cold compilation cache.

    A training has one thread, as in a run; fits have all cores, as the chains of Stan beside them.
    """
    threads = {"NPROC": "1", "OMP_NUM_THREADS": "1"} if part in ("train", "plain") else {}
    environment = os.environ | threads | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    print("measuring", part, *arguments, flush=True)
    command = [sys.executable, str(Path(__file__).with_name("parts.py")), part, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, encoding="utf-8", check=True)
    return json.loads(done.stdout.splitlines()[-1])


def time_to_gap(case):
    """Minutes of training until the gap is reached for good: validation loss falls by what the gap falls by.

    The learning curve of networks that were trained on begins with what they cost before.
    """
    card, metrics = (files.read_json(METRICS / case / f) for f in ("networks/card.json", "validation/metrics.json"))
    history = pd.read_csv(METRICS / case / "networks" / "history.csv")
    loss = history["validation_posterior"]
    gap = metrics["gap_nats"]["mean"] + loss - loss.iloc[-1]
    data_sets = (history["step"].diff().fillna(history["step"]) * history["batch"]).cumsum()
    speed = card["data_sets_per_second"]
    before = card["seconds"] - data_sets.iloc[-1] / speed
    for level in GAPS:
        reached = gap[gap.iloc[::-1].cummax().iloc[::-1] <= level]
        # reached in the first row of a second stage means: some time before it
        if len(reached) and (reached.index[0] > 0 or card["started_from"] is None):
            minutes = (before + data_sets[reached.index[0]] / speed) / 60
            yield {
                "part": "time to gap",
                "case": case,
                "method": "amortmix",
                "x": level,
                "value": minutes,
                "unit": "min",
            }


def write(rows, folder):
    """``benchmark.csv`` of what has been measured; after each part, since the whole takes an hour."""
    folder.mkdir(parents=True, exist_ok=True)
    with files.atomic(folder / "benchmark.csv") as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="results/benchmark", type=Path)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--steps", default=200, type=int, help="training steps of 32 that are timed")
    parser.add_argument(
        "--mcmc-fits", default=11, type=int, help="participants fitted by MCMC; the rest is extrapolated"
    )
    parser.add_argument("--repeats", default=3, type=int, help="how often what is compared is measured, in turn")
    parser.add_argument("--units", default=10**5, type=int, help="longest series")
    parser.add_argument("--data-sets", default=10**4, type=int, help="most data sets")
    o = parser.parse_args()
    rows = [row for case in CASES for row in time_to_gap(case)]
    for repeat in range(o.repeats):
        pair = [("train", o.steps), ("plain", o.steps // 10)]
        found = [row for case in CASES for part, steps in pair for row in measure(part, case, o.preset, steps)]
        found += measure("inference", o.mcmc_fits if repeat == 0 else 0)
        rows += [row | {"repeat": repeat} for row in found]
        write(rows, o.out)
    for part, most in (("start", o.repeats), ("length", o.units), ("states", STATES), ("many", o.data_sets)):
        rows += measure(part, most)
        write(rows, o.out)
    plots.save(paper_plots.benchmark(pd.DataFrame(rows)), o.out, "benchmark")
    print(pd.DataFrame(rows).to_string(index=False))


if __name__ == "__main__":
    main()
