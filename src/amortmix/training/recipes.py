"""A default recipe for any declared model, from N, P, K and the dimensions: networks, and a schedule as proportions.

The numbers of steps are those of about a quarter of an hour on two cores; a budget of minutes keeps their proportions.
"""

from amortmix.model import declared
from amortmix.storage.files import BadInput

#: Steps of the default schedule: from simulations, then with the density where it is known.
STEPS = (10_000, 6_000)
BATCH, PARTICLES = 32, 16
#: Largest share of missing units, and most sequences of a chain.
HOLES, SEQUENCES = 0.2, 4
#: Largest share of observations that lack a column.
PARTS = 0.2


def designed(model, recipe):
    """The model with the `Design` of a recipe, whose fields may be given one by one, or with its own.

    Raises
    ------
    BadInput
        If there is no such field, or a number cannot be.
    """
    given = {k: tuple(v) if isinstance(v, (list, tuple)) else v for k, v in recipe.get("design", {}).items()}
    if "varied" in given:
        given["varied"] = {k: tuple(v) for k, v in given["varied"].items()}
        declared.check_varied(model, given["varied"])
    if unknown := set(given) - {"units", "observations", "holes", "sequences", "padding", "varied", "parts"}:
        raise BadInput(
            f"{model.name}: design has {', '.join(sorted(unknown))}; expected units, observations, holes, ..."
        )
    design = model.design._replace(**given)
    low, high = design.units
    frames = design.frames
    if not (1 <= low <= high and low <= frames[0] and frames[-1] == high and list(frames) == sorted(set(frames))):
        raise BadInput(
            f"{model.name}: N from {low} to {high} in frames {frames}; expected increasing ones up to {high}"
        )
    if not (0 <= design.holes < 1 and design.sequences >= 1):
        raise BadInput(
            f"{model.name}: holes {design.holes}, sequences {design.sequences}; expected a share and a number"
        )
    if design.parts and not (0 < design.parts < 1 and model.divisible):
        raise BadInput(f"{model.name}: parts {design.parts}; expected a share, for columns that can be missing alone")
    return model.changed(design=design) if given else model


def default_recipe(model, smoke=False):
    """Networks and schedule of a model.

    Parameters
    ----------
    model : Model
    smoke : bool
        Hardly trained and small, to see that everything runs.

    Returns
    -------
    dict
        ``design``, ``local``, ``summary``, ``flow``, ``classifier``, ``classified_share``, ``schedule``.
    """
    size = _SMOKE if smoke else _FULL
    design = {"holes": HOLES}
    design |= {"sequences": SEQUENCES} if model.dependent else {}
    design |= {"parts": PARTS} if model.divisible else {}
    return {
        "design": design,
        "local": _local(model, size),
        "summary": _summary(model, size),
        "flow": {
            "depth": size["depth"],
            "widths": [size["flow"]] * (1 if smoke else 2),
            "bins": size["bins"],
            "whitening": [size["flow"]],
            "bound": 5.0,
        },
        "classifier": _classifier(model, size),
        "classified_share": 0.25,
        "schedule": _schedule(model, smoke),
    }


_FULL = {"width": 48, "mix": [128, 128], "depth": 5, "flow": 128, "bins": 8, "classifier": [48, 48], "local": [24]}
_SMOKE = {"width": 16, "mix": [32], "depth": 1, "flow": 32, "bins": 4, "classifier": [16], "local": [8]}


def _local(model, size):
    """A set network for units of several observations; single ones are passed on."""
    if model.observations[1] == 1:
        return None
    width = size["local"]
    return {"inner": 2 * width, "outer": width, "outputs": 2 + 2 * len(model.columns)}


def _summary(model, size):
    """A Deep Set, or for a chain soft responsibilities of many classes beside those of a rough fit of K."""
    shared = {"width": size["width"], "mix": size["mix"], "dim": 4 * model.free + 4}
    if not model.dependent:
        return {"kind": "deep_set", "depth": 2, **shared}
    k = len(model.state_labels)
    return {"kind": "states", "blocks": 2, "states": 2 * k + 2, "rough": k, **shared}


def _classifier(model, size):
    """Chains start from their log densities, which default conditions have after the number of observations."""
    if not model.dependent:
        return {"kind": "unit", "widths": size["classifier"]}
    known = {"known": int(model.observations[1] > 1)} if model.has_density and model.conditions is None else {}
    return {"kind": "emission", "widths": size["classifier"], **known}


def _schedule(model, smoke):
    if smoke:
        return {"phases": [[120, BATCH]], "optimizer": "adam", "learning_rate": 4e-3, "reports": 4}
    first, second = STEPS
    phases = [[first, BATCH], [second, BATCH, PARTICLES]] if model.has_density else [[first + second, BATCH]]
    return {"phases": phases, "optimizer": "muon", "learning_rate": 2.5e-3}
