"""Whether the extra ``train`` is installed: what it takes to declare, simulate, train and validate models."""

from importlib.util import find_spec

from amortmix.storage.files import BadInput

TRAIN = ("jax", "keras", "bayesflow", "numpyro")
HOW = "pip install 'amortmix[train]'"


def missing():
    """The first package of the extra that is not installed, or None."""
    return next((name for name in TRAIN if find_spec(name) is None), None)


def require(what):
    """Raise `BadInput` with one line if ``what`` cannot be done without the extra, and it is not installed."""
    if name := missing():
        raise BadInput(f"{what} needs {name}: {HOW}")
