"""`amortmix.check`: does a declaration do what it says?

check_data         simulated data sets, what must not matter in them (padding, masked values, order), and their tables
check_exact        bijection, densities and states against automatic differentiation and enumeration
check_statistics   prior, states and emission against the simulator; the seed is fixed, and all of these checks together
                   fail a correct declaration with a probability of at most 1e-4
"""

from typing import NamedTuple

import pandas as pd

from amortmix.model import check_data, check_exact, check_statistics, registry
from amortmix.model.check_setting import NotTried, Setting


class Row(NamedTuple):
    """One check: its name, whether it passed, a sentence with the number, and whether it could be tried at all."""

    name: str
    passed: bool
    sentence: str
    tried: bool = True


class Report:
    """What `check` found.

    Attributes
    ----------
    model : str
        Name of the model.
    rows : tuple of Row
    """

    def __init__(self, model, rows):
        self.model, self.rows = model, tuple(rows)

    @property
    def passed(self):
        """Whether every check passed."""
        return all(row.passed for row in self.rows)

    @property
    def frame(self):
        """The rows as a DataFrame."""
        return pd.DataFrame(self.rows, columns=Row._fields)

    def __str__(self):
        width = max(len(row.name) for row in self.rows)
        tried = [row for row in self.rows if row.tried]
        lines = [f"  {'ok  ' if row.passed else 'FAIL'}  {row.name:<{width}}  {row.sentence}" for row in tried]
        for sentence in dict.fromkeys(row.sentence for row in self.rows if not row.tried):
            names = ", ".join(row.name for row in self.rows if row.sentence == sentence)
            lines.append(f"  --    {names}: {sentence}")
        passed = sum(row.passed for row in self.rows)
        head = f"{self.model}: {passed} of {len(self.rows)} checks passed"
        first = next((row.name for row in self.rows if not row.passed), None)
        # later checks use what earlier ones made
        return "\n".join([head if first is None else f"{head}; look at {first} first", *lines])

    __repr__ = __str__


def check(model, seed=1):
    """Try a model: simulator, prior, bijection, densities, states, features and tables against each other.

    Parameters
    ----------
    model : Model, str or path
        A declaration, the name of one of the library, or the path of a file that defines MODEL; also one without a
        density, of which less can be checked.
    seed : int
        Of all simulations.

    Returns
    -------
    Report
        Prints as a table; ``passed`` says whether every check did.

    Examples
    --------
    >>> print(am.check(MODEL))
    """
    model = registry.find(model)
    setting = Setting(model, seed)
    checks = (*check_data.CHECKS, *check_exact.CHECKS, *check_statistics.CHECKS)
    return Report(model.name, [run(name, function, setting) for name, applies, function in checks if applies(model)])


def run(name, function, setting):
    """The `Row` of one check."""
    try:
        passed, sentence = function(setting)
    except NotTried as error:
        return Row(name, False, f"not tried without {error}", tried=False)
    except Exception as error:  # a user's functions may raise anything; the other checks go on
        first = (str(error).splitlines() or [""])[0]
        return Row(name, False, f"{type(error).__name__}: {first}")
    return Row(name, bool(passed), sentence)
