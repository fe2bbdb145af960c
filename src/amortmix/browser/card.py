"""What a page knows of networks: plain facts, rules and numbers, in place of the library's own objects.

card.json, exported.zip, reference.npz  ->  one dictionary, of which the page makes a fit
"""

import base64
import json
import zipfile
from pathlib import Path

import numpy as np

from amortmix.browser.pieces import in_pieces
from amortmix.inference import adapted, fitting, influence, members, reference, states_check, verdict, weighted
from amortmix.inference.exported import CONTENT, FILE, Exported, file_of
from amortmix.model import naming, places, pooled, varied
from amortmix.storage.card import check_file, load_card
from amortmix.storage.files import BadInput, plain

#: Programs that a page runs, where there are any.
PROGRAMS = ("answer", "states", "units", "paths", "members", "tails")
#: Posterior draws, proposals for each of them, and the fewest draws of the states: of one data set, and of many.
DRAWS, PROPOSALS_PER_DRAW, STATES, STATES_OF_MANY = 1000, 4, 1000, 64


def card_of(folder):
    """What a page knows of the networks in a folder: a dictionary of numbers and text.

    Parameters
    ----------
    folder : path
        With ``card.json``, ``exported.zip`` and, for the MMD test, ``reference.npz``.

    Raises
    ------
    BadInput
        If there are no exported programs, or the networks are not what their card says.
    """
    folder = Path(folder)
    card = load_card(folder)
    if not (folder / FILE).is_file():
        raise BadInput(f"{folder}: no {FILE}, which a page runs; expected networks that amortmix export has exported")
    check_file(card, folder)
    engine = Exported(folder, card)
    model, design = engine.model, engine.model.design
    names = [n for n in PROGRAMS if n in engine.content["outputs"]]
    with zipfile.ZipFile(folder / FILE) as archive:
        files = {file: archive.read(file) for n in names for f in design.frames if (file := file_of(n, f))}
        description = json.loads(archive.read(CONTENT))["model"]
    programs, pieces, content = in_pieces(files)
    return plain(
        {
            "title": model.title,
            "model": {k: v for k, v in description.items() if k not in ("identity", "hyperparameters", "variants")},
            "labels": model.state_labels,
            "needed": naming.needed(model),
            "expected": {name: kind.expected for name, kind in model.columns.items()},
            "frames": design.frames,
            "priors": _priors(model),
            "meaningful": bool(card["meaningful"]),
            "filter": str(card.get("recipe", {}).get("classifier", {}).get("kind")).endswith("filter"),
            "learned": engine.learned,
            "flaw": members.flaw(card.get("density")),
            "outputs": {n: engine.content["outputs"][n] for n in names},
            "sizes": {n: engine.content["sizes"][n] for n in names},
            "reference": _reference(folder),
            "programs": programs,
            "pieces": pieces,
            "content": content,
        }
    )


def _priors(model):
    """{variant: the vector that networks of many priors see, or None}, the one of the training first."""
    ranges = model.design.varied
    if not ranges:
        return {model.prior_name: None}
    names = [model.prior_name, *(n for n in model.variants if n != model.prior_name)]
    known = {n: model.with_prior(n).hyperparameters for n in names}
    inside = [
        n for n in names if not (varied.outside(ranges, known[n]) or varied.fixed(ranges, known[names[0]], known[n]))
    ]
    return {n: varied.vector(ranges, known[n]).tolist() for n in inside}


def _reference(folder):
    """The simulations against which data sets are held, with the null distribution of their MMD; None without any."""
    path = folder / "reference.npz"
    if not path.is_file():
        return None
    known = reference.Reference.load(path)
    test = reference.MmdTest(known.summaries)
    return {
        "values": known.values.astype(float),
        "means": known.means.astype(float),
        "covariates": known.covariates.astype(float),
        "alone": test.alone,
        "within": test.within,
        "scales": reference.SCALES,
        "null": np.sort(test.null),
        "dimension": test.summaries.shape[1],
        "summaries": base64.b64encode(test.summaries.astype("<f4").tobytes()).decode(),
    }


def rules():
    """Numbers and words by which a fit is judged, the same in a page as here."""
    return plain(
        {
            "fit": {
                "draws": DRAWS,
                "most": PROPOSALS_PER_DRAW,
                "states": STATES,
                "states_of_many": STATES_OF_MANY,
                "enough": weighted.ENOUGH,
                "ample": weighted.AMPLE,
                "fewest": fitting.FEWEST_DRAWS,
                "states_error": fitting.STATES_ERROR,
                "mmd_alpha": verdict.MMD_ALPHA,
                "far": reference.FAR,
            },
            "influence": {
                "apart": influence.APART,
                "somewhat": influence.SOMEWHAT_APART,
                "draws": influence.DRAWS,
                "moved": influence.MOVED,
                "most": influence.MOST_ENDS,
                "together": influence.TOGETHER,
            },
            "members": _named(members, "largest", "rare", "draws", "named"),
            "adapted": _named(adapted, "rounds", "own", "freedom", "for_moments"),
            "states": _named(states_check, "largest", "draws", "errors"),
            "whose": sorted(pooled.WHOSE),
            "ends": pooled.ENDS.pattern,
            "most_missing": places.MOST_MISSING,
        }
    )


def _named(module, *names):
    """Constants of a module by their names in small letters."""
    return {name: getattr(module, name.upper()) for name in names}
