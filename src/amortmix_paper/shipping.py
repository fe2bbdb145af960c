"""Networks of a run become those that come with the library: programs and index, made anew.

`make ship` copies bundles, cards and curves, and the validation of each with its reference simulations, into
``src/amortmix/pretrained/{prior}/{model}`` and runs this module. Networks of a wide design are copied by hand, to
``src/amortmix/pretrained/wide/{model}``, and validated here, over their design and at single sizes.
"""

import sys

from amortmix.api import REFERENCE_SEED, Networks
from amortmix.inference.reference import make_reference
from amortmix.model import registry
from amortmix.model.design import Design
from amortmix.storage import files
from amortmix.storage.pretrained import FOLDER, INDEX
from amortmix.trainer import export

#: Validation of networks of a wide design, and that at single sizes under single priors.
SETTINGS = {"datasets": 500, "draws": 1000, "gap_datasets": 250, "gap_draws": 2000, "share_draws": 200}
SINGLE = {"datasets": 200, "draws": 400, "gap_datasets": 150, "gap_draws": 1000, "share_draws": 50}
SEED, UNITS = 2, (60, 200, 400, 1000)
#: The size at which priors between and beyond the variants are validated, and these priors.
MIDDLE, POWERS = 400, ({"power": 0.5}, {"power": 2.0})
#: What the index repeats from a card.
FROM_CARD = ("priors", "prior", "sha256", "fingerprint")


def index_row(folder):
    """What the index says of one bundle."""
    card, metrics = files.read_json(folder / "card.json"), files.read_json(folder / "metrics.json")
    model, design = registry.find(card["model"]), Design.of_card(card)
    return {
        "model": model.name,
        "title": model.title,
        "states": list(model.state_labels),
        "parameters": list(model.parameter_names),
        "folder": folder.parent.name,
        **{key: card[key] for key in FROM_CARD},
        "variants": list(model.variants) if design.varied else [card["priors"]],
        **design.as_json(),
        **_quality(metrics),
        "sbc_inside": metrics["sbc"]["inside"],
    }


def _quality(metrics):
    """Gap and excess cross-entropy; where no density is known None, and the calibration error of the states."""
    if "gap_nats" in metrics:
        return {"gap": round(metrics["gap_nats"]["mean"], 3), "excess": round(excess(metrics), 5)}
    error = max(c["ece"] for c in metrics["state_calibration"].values())
    return {"gap": None, "excess": None, "calibration_error": round(error, 5)}


def assess(folder):
    """Metrics, recovery and reference of networks of a wide design, with gap and calibration of `places`."""
    nets = Networks(folder, engine="jax")
    quality = nets.validate(SEED, **SETTINGS)
    single = []
    for prior, n in places(nets.model):
        found = nets.validate(SEED, units=n, prior=prior, **SINGLE).metrics
        words = nets.model.with_prior(prior).prior_name
        entry = {"prior": words, "units": n, "excess_ce": excess(found), "settings": SINGLE}
        single.append(entry | {key: found[key] for key in ("gap_nats", "sbc", "not_finite")})
        gap, inside = found["gap_nats"]["mean"], found["sbc"]["inside"]
        print(f"{words}, N = {n}: gap {gap:.3f}, SBC inside: {inside}", flush=True)
    files.save_netcdf(folder / "recovery.nc", quality.recovery)
    make_reference(nets.amortized, REFERENCE_SEED).save(folder / "reference.npz")
    files.write_json(folder / "metrics.json", quality.metrics | {"single": single})


def places(model):
    """(prior, N) at which networks of a wide design are validated: every variant at every size, and other powers."""
    low, high = model.design.units
    sizes = [n for n in UNITS if low <= n <= high]
    variants = list(model.variants) if model.design.varied else [model.prior_name]
    found = [(variant, n) for variant in variants for n in sizes]
    return found + [(power, MIDDLE) for power in POWERS if model.design.varied]


def excess(metrics):
    """Largest excess cross-entropy of any head, nats per unit."""
    return max(e["mean"] for e in metrics["excess_ce"].values())


def is_assessed(folder):
    """Whether the metrics are there, and of these networks."""
    path = folder / "metrics.json"
    return path.is_file() and files.read_json(path)["sha256"] == files.read_json(folder / "card.json")["sha256"]


def main():
    """Programs of every bundle in the package, validation of those of a wide design, and the index of all."""
    folders = sorted(path.parent for path in FOLDER.glob("*/*/card.json"))
    for folder in folders:
        if folder.parent.name == "wide" and not is_assessed(folder):
            assess(folder)
        if not registry.find(folder.name).has_density:
            print(f"{folder.parent.name}/{folder.name}: answered by JAX, for without a density a fit simulates")
        elif export(folder):
            print(f"{folder.parent.name}/{folder.name}: exported")
        else:
            sys.exit(1)
    files.write_json(INDEX, [index_row(folder) for folder in folders])


if __name__ == "__main__":
    main()
