"""Published data of other fields, fitted by declarations of forty lines: `make fields`, shown by the page `fields`.

    recessions   growth of the gross national product (Hamilton 1989), against recessions as NBER dates them
    elk          steps and turns of four elk (Morales et al. 2004), transitions by the distance to water
    pay_off      the participants of case study 3, all trials, switched by what accuracy pays (Dutilh et al. 2011)

Networks of the derived recipe are trained for each, fitted to the data, and compared with NUTS under the same
declaration. Seconds are of CPU, of this process. Each field writes ``{field}.json`` (numbers), and as CSV
``{field}_parameters``, ``{field}_units`` (data, probabilities of states), ``{field}_predicted`` (histograms of
replicated data) and what is asked of it beside: ``pay_off_people``.
"""

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd

import amortmix as am
from amortmix.mcmc import engine
from amortmix.model import shown
from amortmix.storage import files
from amortmix.storage import tree as trees
from amortmix_paper.job import measured

DATA, PEOPLE = Path("data/fields"), Path("data/dutilh2011")
MINUTES, DRAWS, REPLICATIONS, BINS = 16, 4000, 200, 25
NUTS = {"chains": 4, "warmup": 1000, "draws": 1000, "adapt_delta": 0.9}


#: What a fit says of itself that is kept.
KEPT = ("pareto_k", "ess", "adapted", "proposals", "proposals_k", "proposals_ess", "mmd_p")
KEPT += ("log_evidence", "log_evidence_se", "notes")
#: Numbers of a field that the table of all repeats.
SUMMARY = ("verdict", "pareto_k", "largest_shift_sd", "training_seconds", "data_sets", "fit_seconds", "mcmc_seconds")


class Field(NamedTuple):
    """A table, how it is read, what is known of each unit that no model has seen, and what is asked beside.

    ``more(nets)`` returns tables by name.
    """

    frame: pd.DataFrame
    reading: dict[str, Any]
    truth: pd.Series
    more: Callable | None = None


def recessions():
    frame = pd.read_csv(DATA / "gnp.csv")
    labels = frame["nber_recession"].map({1: "recession", 0: "expansion"})
    return Field(frame[["quarter", "growth"]], {}, labels)


def elk():
    frame = pd.read_csv(DATA / "elk.csv")
    water = (frame["water_km"] - frame["water_km"].mean()) / frame["water_km"].std()
    frame = frame.assign(water=water).rename(columns={"step_km": "step", "turn_rad": "turn"})
    return Field(frame[["elk", "step", "turn", "water"]], {"sequence": "elk"}, frame["elk"])


def pay_off():
    """The participant with most trials; `people` are all."""
    frame = participants()["F"]
    return Field(frame, {}, frame["pacc"], people)


def participants():
    files_ = sorted(PEOPLE.glob("dutilh_2010_subject_*.csv"))
    return {p.stem[-1]: pd.read_csv(p)[["rt", "accumulator", "pacc"]] for p in files_}


def people(nets):
    """Pay-offs of the switch over and back of each participant, and the probability of hysteresis."""
    rows = []
    for person, frame in participants().items():
        own = nets.fit(frame, draws=DRAWS, seed=1)
        columns = [nets.model.parameter_names.index(name) for name in ("up", "down")]
        up, down = own.theta[:, columns].T
        known = {"up": up, "down": down, "up - down": up - down}
        numbers = {f"{name} {q}": np.quantile(x, v) for name, x in known.items() for q, v in QUANTILES.items()}
        about = {"person": person, "trials": len(frame), "verdict": own.verdict, "P(up > down)": (up > down).mean()}
        rows.append(about | numbers | {"reason": own.reason})
    return {"people": pd.DataFrame(rows)}


FIELDS = {"recessions": recessions, "elk": elk, "pay_off": pay_off}
QUANTILES = {"low": 0.025, "median": 0.5, "high": 0.975}


def states_of(model, theta, data):
    """Mean probabilities (N, L) of the labels given all data, exact, over draws theta (S, D)."""
    run = jax.jit(lambda t: jax.lax.map(lambda x: model.state_log_probs(x, data)[model.heads[-1]], t))
    return shown.probabilities(model.states, np.exp(np.asarray(run(theta)))).mean(0)


def predicted(fit, model, data):
    """Histograms of each column: observed numbers, and quantiles of those of replicated data."""
    y, _ = fit.replicate(REPLICATIONS, seed=1)
    rows = []
    for j, column in enumerate(model.columns):
        there = np.asarray(data.seen)[..., j] > 0
        ours, theirs = np.asarray(data.y)[there, j], [r[there, j] for r in y]
        edges = np.linspace(ours.min(), np.quantile(ours, 0.995), BINS + 1)
        counts = np.quantile([np.histogram(r, edges)[0] for r in theirs], [0.025, 0.5, 0.975], axis=0)
        found = {"low": edges[:-1], "high": edges[1:], "observed": np.histogram(ours, edges)[0]}
        found |= dict(zip(("q025", "median", "q975"), counts))
        rows.append(pd.DataFrame(found).assign(column=column))
    return pd.concat(rows)


def agreement(name, truth, p):
    """How well probabilities (N, L) of labels agree with what is known: {name: number}."""
    if name == "recessions":
        seen = slice(4, None)  # the first four quarters are given
        brier = np.mean((p["P(recession)"][seen] - (truth[seen] == "recession")) ** 2)
        share = (truth[seen] == "recession").mean()
        return {"brier": brier, "brier of the share alone": share * (1 - share)}
    return {}


def means_of(model, draws):
    """Mean and sd of each parameter under each method, {method: theta (S, D)}: a table."""
    columns = {
        f"{m} {s}": f(theta, axis=0) for m, theta in draws.items() for s, f in (("mean", np.mean), ("sd", np.std))
    }
    return pd.DataFrame({"parameter": model.parameter_names, **columns})


def networks(name, folder, minutes, steps):
    """Networks of a field: those that are there, or trained."""
    path = f"models/{name}.py"
    if (folder / "card.json").is_file():
        return am.load(folder, model=path)
    return am.train(path, minutes=None if steps else minutes, steps=steps, folder=folder, assess=False)


def beside_nuts(nets, field, fit):
    """NUTS under the same declaration and data: parameters and units of both, and numbers of how they differ."""
    model, data = nets.model, trees.observed(fit.tree)
    nuts, spent = measured(lambda: engine.sample(model, data, seed=1, engine="numpyro", **NUTS))
    theirs = nuts.theta.reshape(-1, nuts.theta.shape[-1]).astype(np.float32)
    parameters = means_of(model, {"networks": fit.theta, "NUTS": theirs})
    ours = fit.states()[[f"P({label})" for label in model.state_labels]]
    exact = states_of(model, theirs[:: len(theirs) // 500], data)
    units = field.frame.assign(known=field.truth.to_numpy(), **ours)
    units = units.assign(**{f"{c}, NUTS": exact[:, k] for k, c in enumerate(ours.columns)})
    shift = (parameters["networks mean"] - parameters["NUTS mean"]).abs() / parameters["NUTS sd"]
    numbers = {
        "largest_shift_sd": float(shift.max()),
        "largest_state_difference": float(np.nanmax(np.abs(ours.to_numpy() - exact))),
        "rhat_max": float(nuts.rhat_max),
        "divergences": int(nuts.stats["diverging"].sum()),
        "mcmc_seconds": spent,
    }
    return parameters, units, numbers


def one(name, out, minutes, steps):
    """Train, fit, compare and write the files of a field."""
    field = FIELDS[name]()
    nets = networks(name, out / name, minutes, steps)
    quality = nets.validate().metrics
    nets.fit(field.frame, draws=DRAWS, seed=1, **field.reading)  # compiles
    fit, spent = measured(lambda: nets.fit(field.frame, draws=DRAWS, seed=1, **field.reading))
    parameters, units, compared = beside_nuts(nets, field, fit)
    numbers = {
        "verdict": fit.verdict,
        "reason": fit.reason,
        **{k: fit.tree.attrs.get(k) for k in KEPT},
        "training_seconds": nets.card["cpu_seconds"],
        "data_sets": nets.card["data_sets"],
        "fit_seconds": spent,
        "gap_nats": quality["gap_nats"],
        "sbc_inside": quality["sbc"]["inside"],
        **compared,
        **agreement(name, field.truth, units[[f"P({label})" for label in nets.model.state_labels]]),
    }
    tables = {
        "parameters": parameters,
        "units": units,
        "predicted": predicted(fit, nets.model, trees.observed(fit.tree)),
    }
    tables |= field.more(nets) if field.more else {}
    for part, frame in tables.items():
        with files.atomic(out / f"{name}_{part}.csv") as temporary:
            frame.to_csv(temporary, index=False, float_format="%.5g")
    files.write_json(out / f"{name}.json", numbers)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fields", nargs="*", help=f"by default all: {', '.join(FIELDS)}")
    parser.add_argument("--out", default="results/fields", type=Path)
    parser.add_argument("--minutes", default=MINUTES, type=float, help="of each training")
    parser.add_argument("--steps", type=int, help="of each training, in the place of minutes")
    o = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # verdicts are saved, whatever they are
    for name in o.fields or FIELDS:
        one(name, o.out, o.minutes, o.steps)
    known = {name: files.read_json(path) for name in FIELDS if (path := o.out / f"{name}.json").is_file()}
    with files.atomic(o.out / "fields.csv") as temporary:
        pd.DataFrame(known).T[list(SUMMARY)].to_csv(temporary, index_label="field")


if __name__ == "__main__":
    main()
