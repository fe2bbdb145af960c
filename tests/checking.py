"""Shapes and dtypes of arguments and results, checked against annotations at each call of the modules named here.

It holds for what is imported after this module, in tests alone: a run checks nothing, so it costs nothing.
"""

import functools
import inspect
import typing

import jaxtyping
from beartype import BeartypeConf
from beartype.door import die_if_unbearable

#: Modules whose public functions and methods say what shapes they take and give.
CHECKED = ("model.hmm", "model.chains", "model.distributions", "model.mixture", "model.markov", "diagnostics.states")
#: Those that import without JAX and jaxtyping, whose annotations are for readers: nothing evaluates them in a run.
READ = ("model.runs", "inference.psis", "inference.adapted", "diagnostics.intervals")
#: Where a float is asked for an int will do, as type hints have it.
check = functools.partial(die_if_unbearable, conf=BeartypeConf(is_pep484_tower=True))


def layouts(hint):
    """How many layouts of axes an annotation allows."""
    return len({of.dim_str for of in typing.get_args(hint) or (hint,) if hasattr(of, "dim_str")})


def checked(function):
    """The function with its arguments and its result checked by beartype, as `jaxtyping.jaxtyped` asks for it.

    Arguments of one layout come first: sizes that they have tell which of several another has, (K, S) or (N, K).
    What a declaration is made of it checks itself, and says in one line what is wrong.
    """
    if function.__name__ == "__init__":
        return function
    signature = inspect.signature(function)
    hints = dict(function.__annotations__)
    result = hints.pop("return", typing.Any)
    order = sorted(hints, key=lambda name: layouts(hints[name]))

    @functools.wraps(function)
    def call(*args, **kwargs):
        given = signature.bind(*args, **kwargs).arguments
        for name in order:
            if name in given:
                check(given[name], hints[name])
        found = function(*args, **kwargs)
        check(found, result)
        return found

    return call


jaxtyping.install_import_hook([f"amortmix.{name}" for name in CHECKED], "checking.checked")
