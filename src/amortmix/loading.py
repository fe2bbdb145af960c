"""Networks by name or by folder, with one line about what cannot be loaded."""

from pathlib import Path

from amortmix.api import Networks
from amortmix.extras import require
from amortmix.model.design import Design
from amortmix.storage import pretrained
from amortmix.storage.card import check_identity, load_card
from amortmix.storage.files import BadInput

ENGINES = (None, "exported", "jax")


def load(name, prior=None, model=None, engine=None, design=None):
    """Pretrained networks by the name of their model, or your own by their folder.

    Parameters
    ----------
    name : str or path
        A model of `amortmix.models`, or a folder that `train` wrote.
    prior : str or dict, optional
        Variant of the prior, or hyperparameters where the networks were trained for a range; by default the first that
        there is.
    model : Model or path, optional
        The declaration that your networks must belong to, or its file; if it has changed they are refused.
    engine : str, optional
        ``exported``, the programs that were exported, or ``jax``, which is three to five times as fast once it has been
        imported and has compiled. By default the programs where there are any, and JAX for many draws.
    design : str, optional
        ``wide``, the pretrained networks for many numbers of units, missing ones and several sequences, where there
        are any, and the default; or ``paper``, those for the numbers of units of the paper.

    Raises
    ------
    BadInput
        One line that says what is wrong.

    Examples
    --------
    >>> fit = am.load("evidence_accumulation").fit("me.csv")
    >>> fit.verdict
    'ABI'
    """
    if engine not in ENGINES:
        raise BadInput(f"engine {engine!r}; expected exported or jax")
    folder = Path(name)
    if not (folder / "card.json").is_file():
        if len(folder.parts) > 1 or folder.is_dir():
            raise BadInput(f"{folder}: no card.json; expected a folder that amortmix.train wrote")
        folder = pretrained.folder_of(str(name), prior if isinstance(prior, str) else None, design)
    card = load_card(folder)
    if "models" in card:
        raise BadInput(f"{folder}: networks that compare models; expected those of one, or amortmix.load_comparison")
    other = prior if prior != card["priors"] else None
    if isinstance(other, str) and not Design.of_card(card).varied:
        raise BadInput(f"{folder}: its networks are not of the prior {prior!r}; expected to load it without `prior`")
    if model is not None:
        require("a declaration")
        from amortmix.model import registry

        model = registry.find(model)
        check_identity(model, card, folder)
    return Networks(folder, model=model, engine=engine, prior=other)
