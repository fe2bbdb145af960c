"""One network for all designs and priors against one for each prior, on the paper's data sets. `make one_network`.

    weights      k-hat and divergence of pretrained networks of both kinds: participants (first 400 trials), the
                 demonstration data sets of case studies 1 and 2, and others drawn from the prior
    c2st         the same networks against NUTS (NumPyro), on participants and demonstration data sets
    sensitivity  `fit.sensitivity()` of the first participant, by the one network, against NUTS under four priors
    speed        CPU seconds of a fit, of this process, on one core; the networks take turns

Each writes its table, CSV, under that name. Chains are kept in `mcmc/` of the folder and read from there, rows of c2st
from their table: what was stopped goes on.
"""

import argparse
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from arviz_stats.base import array_stats

import amortmix as am
from amortmix.diagnostics.comparison import against_mcmc
from amortmix.diagnostics.simulated import divergence
from amortmix.inference import psis
from amortmix.storage import files
from amortmix_paper.datasets import Dataset, Loader
from amortmix_paper.job import measured
from amortmix_paper.run import Run
from amortmix_paper.table1 import markdown

#: Prior variants of each case study; the first is the one under which its networks are loaded.
CASES = {
    "evidence_accumulation": ("paper", "reference"),
    "gaussian_hmm": ("paper", "reference"),
    "gaussian_mixture": ("paper",),
}
#: `design` of both kinds of pretrained networks, as `amortmix.load` takes it.
NETWORKS = {"one": "wide", "separate": "paper"}
SIMULATED = 10  # further data sets of case studies 1 and 2, under each prior
PEOPLE = "evidence_accumulation"
GRID = {"stay = 2, 2": {"stay": (2, 2)}, "stay = 16, 4": {"stay": (16, 4)}}
GRID |= {f"power = {power:g}": {"power": power} for power in (0.5, 2.0)}
SEED, SEEDS, ROUNDS, DRAWS = 1, 4, 5, 4000
SENSITIVE = 1  # participants, the first of the list, whose sensitivity is looked at
LIMIT = 0.7


def tables(plan, case, prior, simulated=0):
    """{name: Table} of a case study: those of the list of data sets, and so many from the prior."""
    loader = Loader(am.load(case, prior=prior, design="paper").model)
    items = [plan.datasets[name] for name in plan.of_case(case)]
    items += [Dataset(f"prior_{i}", case, f"prior:{i}", None) for i in range(1, simulated + 1)]
    return {item.dataset: loader.load(item, plan.files.get(item.dataset))[0] for item in items}


def chains(networks, name, table, out, settings):
    """The `Fit` of a data set by NUTS under the prior of some networks, kept in a file."""
    path = out / "mcmc" / networks.card["model"] / f"{name} {networks.model.prior_name}.nc"
    if path.is_file():
        return networks.read(path)
    found = networks.mcmc(table, seed=SEED, engine="numpyro", **settings)
    found.save(path)
    return found


def divergence_of(fit):
    """KL(p || q) in nats, of the networks' own draws, by their importance weights."""
    log_joint, log_q = (np.ravel(fit.tree["sample_stats"][name].values) for name in ("log_joint", "log_q"))
    ratio = psis.log_ratio(log_joint, log_q)
    return divergence(psis.smooth(log_joint, log_q), ratio, psis.evidence(ratio)[0])


def both(case, prior):
    """{kind: Networks} of a case study under a prior."""
    return {k: am.load(case, prior=prior, design=design, engine="jax") for k, design in NETWORKS.items()}


def weights(plan, out):
    """Rows: what importance weights say of both kinds of networks, for every data set and prior."""
    for case, priors in CASES.items():
        for prior in priors:
            nets = both(case, prior)
            for name, table in tables(plan, case, prior, 0 if case == PEOPLE else SIMULATED).items():
                row = {"case": case, "prior": prior, "data set": name}
                for kind, networks in nets.items():
                    fit = networks.fit(table, draws=DRAWS, proposals=DRAWS, seed=SEED)
                    said = {k: fit.tree.attrs[k] for k in ("verdict", "pareto_k", "ess")}
                    yield row | {"networks": kind} | said | {"divergence": divergence_of(fit)}


def of_weights(rows):
    """A row for each case study and prior: both kinds of networks, and the difference in nats."""
    found = {}
    for which, part in _pairs(rows):
        row = {"data sets": len(part)}
        for kind in NETWORKS:
            row[f"{kind}, k-hat at most {LIMIT}"] = int((part["pareto_k"][kind] <= LIMIT).sum())
            row[f"{kind}, largest k-hat"] = part["pareto_k"][kind].max()
            row |= {f"{kind}, median {name}": part[name][kind].median() for name in ("pareto_k", "divergence")}
        found[which] = row | _difference(part, "divergence")
    return pd.DataFrame(found).T.rename_axis("networks of")


def c2st(plan, out):
    """Rows: C2ST of both kinds of networks, raw and corrected, against NUTS for every data set and prior."""
    known = out / "c2st.csv"
    known = pd.read_csv(known).to_dict("records") if known.is_file() else []
    yield from known
    done = {(r["case"], r["prior"], r["data set"], r["networks"]) for r in known}
    for case, priors in CASES.items():
        for prior in priors:
            nets = both(case, prior)
            for name, table in tables(plan, case, prior).items():
                missing = [kind for kind in nets if (case, prior, name, kind) not in done]
                exact = chains(nets["separate"], name, table, out, plan.settings["mcmc"]) if missing else None
                for kind in missing:
                    fit = nets[kind].fit(table, seed=SEED, **plan.settings["abi"])
                    row = {"case": case, "prior": prior, "data set": name, "mcmc": exact.verdict, "networks": kind}
                    settings = plan.settings["compare"]
                    yield row | against_mcmc(nets[kind].model, fit.tree, exact.tree, settings, SEED, null=False)


def of_c2st(rows):
    """A row for each case study and prior: medians of both kinds of networks, and the differences."""
    found = {}
    for which, part in _pairs(rows):
        row = {"data sets": len(part)}
        for name in ("c2st", "c2st_psis"):
            row |= {f"{kind}, median {name}": part[name][kind].median() for kind in NETWORKS} | _difference(part, name)
        found[which] = row
    return pd.DataFrame(found).T.rename_axis("networks of")


def _pairs(rows):
    """(case study and prior, a row for each data set that both kinds of networks have, columns (name, kind))."""
    for which, part in rows.groupby(["case", "prior"], sort=False):
        wide = part.pivot(index="data set", columns="networks")
        yield " ".join(which), wide[wide[part.columns[-1]].notna().all(axis=1)]


def _difference(part, name):
    """Mean paired difference of both kinds of networks, and its standard error."""
    more = (part[name]["one"] - part[name]["separate"]).dropna().astype(float)
    return {f"{name}, one - separate": more.mean(), f"± {name}": more.std(ddof=1) / np.sqrt(len(more))}


def shifts(means, sds, draws):
    """How far means and sds of R runs (R,) are from those of chains (C, S), in sds of the chains.

    Returns
    -------
    dict
        ``shift`` and ``ratio`` of the first run, with their Monte Carlo errors ``error`` and ``ratio error``; ``mean
        shift`` of all runs with ``mean error``.
    """
    sd = draws.std(ddof=1)
    moved, ratio = (np.asarray(means) - draws.mean()) / sd, np.asarray(sds) / sd
    exact = float(array_stats.mcse(draws)) / sd
    exact_sd = float(array_stats.mcse(draws, method="sd")) / sd
    return {
        "shift": moved[0],
        "ratio": ratio[0],
        "mean shift": moved.mean(),
        "error": np.hypot(moved.std(ddof=1), exact),
        "mean error": np.hypot(moved.std(ddof=1) / np.sqrt(len(moved)), exact),
        "ratio error": np.hypot(ratio.std(ddof=1), exact_sd),
    }


def sensitivity(plan, out):
    """Rows: each parameter of some participants under each prior of `GRID`, `fit.sensitivity` against NUTS."""
    networks = am.load(PEOPLE)
    under = {label: am.load(PEOPLE, prior=prior) for label, prior in GRID.items()}
    for name, table in list(tables(plan, PEOPLE, "paper").items())[:SENSITIVE]:
        fit = networks.fit(table, seed=SEED)
        runs = [fit.sensitivity(GRID, seed=seed) for seed in range(1, SEEDS + 1)]
        for place, (label, bound) in enumerate(under.items()):
            exact = chains(bound, name, table, out, plan.settings["mcmc"])
            states = exact.tree["latent_probabilities"][exact.head].sel(statistic="mean").values
            row = {"data set": name, "prior": label, "mcmc": exact.verdict}
            row |= {k: runs[0].table.loc[label, k] for k in ("how", "reliable", "pareto_k")}
            row |= {"state of a trial": np.abs(runs[0].states[place] - states).max()}
            for parameter, draws in exact.tree["posterior"].data_vars.items():
                one = [[run.table.loc[label, f"{parameter} {what}"] for run in runs] for what in ("mean", "sd")]
                yield row | {"parameter": parameter} | shifts(*one, np.asarray(draws.values, float))


def of_sensitivity(rows):
    """A row for each prior, over participants and parameters, as far as a run says that it can be relied on."""
    found = {}
    for label, part in rows[rows["reliable"]].groupby("prior", sort=False):
        largest = part.loc[part["shift"].abs().idxmax()]
        found[label] = {
            "participants": part["data set"].nunique(),
            "largest shift (sd)": abs(largest["shift"]),
            "its error": largest["error"],
            "mean square shift over error": ((part["shift"] / part["error"]) ** 2).mean(),
            "root mean square of mean shifts": np.sqrt((part["mean shift"] ** 2).mean()),
            "root mean square of their errors": np.sqrt((part["mean error"] ** 2).mean()),
            "smallest ratio of sds": part["ratio"].min(),
            "largest ratio of sds": part["ratio"].max(),
            "root mean square error of ratios": np.sqrt((part["ratio error"] ** 2).mean()),
            "state of a trial": part["state of a trial"].max(),
        }
    return pd.DataFrame(found).T.rename_axis("prior")


def speed(plan, out):
    """Rows: CPU seconds of a fit of the first data set, in rounds in which both kinds of networks take their turn."""
    for case in CASES:
        table = next(iter(tables(plan, case, "paper").values()))
        nets = {k: am.load(case, prior="paper", design=design) for k, design in NETWORKS.items()}
        for step in range(-1, ROUNDS):  # the first warms up
            for kind in nets if step % 2 else reversed(nets):
                for proposals in (DRAWS, None):  # equal work, and as many draws of the flow as it takes
                    fit, spent = measured(partial(nets[kind].fit, table, draws=DRAWS, proposals=proposals))
                    row = {"case": case, "proposals": "equal" if proposals else "as needed", "networks": kind}
                    if step >= 0:
                        yield row | {"round": step, "made": fit.tree.attrs["proposals"], "seconds": spent}


def of_speed(rows):
    """A row for each way: median CPU seconds of both, and the ratio of the one network's with its error over rounds."""
    found = {}
    for which, part in rows.groupby(["case", "proposals"], sort=False):
        seconds = part.pivot(index="round", columns="networks", values="seconds")
        ratio = np.log(seconds["one"] / seconds["separate"])
        found[", ".join(which)] = {
            **{f"{kind}, CPU seconds": seconds[kind].median() for kind in NETWORKS},
            "ratio": np.exp(ratio.mean()),
            "±": np.exp(ratio.mean()) * ratio.std(ddof=1) / np.sqrt(len(ratio)),
        }
    return pd.DataFrame(found).T.rename_axis("fit")


PARTS = {
    "weights": (weights, of_weights),
    "c2st": (c2st, of_c2st),
    "sensitivity": (sensitivity, of_sensitivity),
    "speed": (speed, of_speed),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"by default all: {', '.join(PARTS)}")
    parser.add_argument("--out", default="results/one_network", type=Path)
    o = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # verdicts are saved, whatever they are
    plan = Run(yaml.safe_load(Path("config/config.yaml").read_text(encoding="utf-8")))
    for name in o.parts or PARTS:
        work, short = PARTS[name]
        rows = []
        for row in work(plan, o.out):
            rows.append(row)
            with files.atomic(o.out / f"{name}.csv") as temporary:  # what there is, should it be stopped
                pd.DataFrame(rows).to_csv(temporary, index=False)
        print(markdown(short(pd.DataFrame(rows)), []))


if __name__ == "__main__":
    main()
