"""Kinds of columns: which values of a table are valid, how they are stored, and how a network sees them.

A network sees (g(y) - location) / scale, with one or more g of the kind and location and scale from simulations.
"""

from dataclasses import asdict, dataclass, fields

import numpy as np

from amortmix.storage.files import BadInput


@dataclass(frozen=True)
class Real:
    """Any finite number.

    Examples
    --------
    >>> am.Real().accepts(np.array([-1.5, np.inf]))
    array([ True, False])
    """

    expected = "a finite number"

    def accepts(self, values):
        """Booleans, where a column of numbers is valid."""
        return np.isfinite(values)

    def stored(self, values):
        """The column as component of y."""
        return values

    def valid(self, y):
        """Booleans, where a component of y is valid."""
        return self.accepts(y)

    def usual(self, y):
        """The form of a valid component that distributions know."""
        return y

    def feature(self, y):
        """The scale on which values are compared, of an array of NumPy or JAX."""
        return y

    def features(self, y):
        """What a network sees of an array, before it is standardized: a list of arrays."""
        return [self.feature(y)]


@dataclass(frozen=True)
class Positive(Real):
    """A positive number, such as a duration.

    Parameters
    ----------
    below : float, optional
        Values from here on are refused, for instance milliseconds in the place of seconds.
    words : str, optional
        What a user should have written: completes "expected ...".

    Examples
    --------
    >>> seconds = am.Positive(below=60, words="seconds below a minute")
    >>> seconds.accepts(np.array([0.5, 500.0]))
    array([ True, False])
    """

    below: float = np.inf
    words: str = "a positive number"

    @property
    def expected(self):
        return self.words + (f" below {self.below:g}" if np.isfinite(self.below) else "")

    def accepts(self, values):
        return (values > 0) & (values < self.below)

    def feature(self, y):
        return y.__array_namespace__().log(y)


@dataclass(frozen=True)
class NonNegative(Real):
    """Zero or a positive number, such as a distance that may not have been covered; zeros are of their own kind.

    Examples
    --------
    >>> am.NonNegative().accepts(np.array([0.0, 2.5, -1.0]))
    array([ True,  True, False])
    """

    expected = "zero or a positive number"

    def accepts(self, values):
        return np.isfinite(values) & (values >= 0)

    def feature(self, y):
        return y.__array_namespace__().sqrt(y)

    def features(self, y):
        arrays = y.__array_namespace__()
        return [1.0 * (y > 0), arrays.log(arrays.where(y > 0, y, 1.0))]


@dataclass(frozen=True)
class Angle(Real):
    """A direction in radians, turned into (-pi, pi).

    Examples
    --------
    >>> am.Angle().stored(np.array([3.0, 4.0])).round(2)
    array([ 3.  , -2.28])
    """

    expected = "an angle in radians, from -6.29 to 6.29"

    def accepts(self, values):
        return np.abs(values) <= 6.29

    def stored(self, values):
        return self.usual(values)

    def usual(self, y):
        # distributions refuse a pi that was rounded up
        return np.clip((y + np.pi) % (2 * np.pi) - np.pi, -3.141592, 3.141592)

    def features(self, y):
        arrays = y.__array_namespace__()
        return [arrays.cos(y), arrays.sin(y)]


@dataclass(frozen=True)
class NonNegativeInteger(Real):
    """A count: 0, 1, 2, ...

    Examples
    --------
    >>> am.NonNegativeInteger().accepts(np.array([3.0, 2.5]))
    array([ True, False])
    """

    expected = "a count: 0, 1, 2, ..."

    def accepts(self, values):
        return (values >= 0) & (values == np.floor(values))

    def feature(self, y):
        return y.__array_namespace__().sqrt(y + 0.375)


@dataclass(frozen=True)
class Choice(Real):
    """One of a few codes.

    Parameters
    ----------
    codes : dict
        Value in the table -> value in y.
    words : str, optional
        Completes "expected ...".

    Examples
    --------
    >>> answer = am.Choice({1: 1.0, 2: 0.0}, "1 (correct) or 2 (error)")
    >>> answer.accepts(np.array([1, 2, 3]))
    array([ True,  True, False])
    """

    codes: tuple = ((0, 0.0), (1, 1.0))
    words: str = ""

    def __post_init__(self):
        object.__setattr__(self, "codes", tuple(dict(self.codes).items()))

    @property
    def expected(self):
        return self.words or " or ".join(f"{k:g}" for k, _ in self.codes)

    def accepts(self, values):
        return np.isin(values, [k for k, _ in self.codes])

    def stored(self, values):
        return np.select([values == k for k, _ in self.codes], [v for _, v in self.codes])

    def valid(self, y):
        return np.isin(y, [v for _, v in self.codes])

    def feature(self, y):
        return 2 * y - 1

    def features(self, y):
        if len(self.codes) == 2:
            return [self.feature(y)]
        return [1.0 * (y == value) for _, value in self.codes]


KINDS = {kind.__name__: kind for kind in (Real, Positive, NonNegative, Angle, NonNegativeInteger, Choice)}


def as_json(kind):
    """A kind as plain numbers and text, which `from_json` reads; BadInput if it is a user's own."""
    name = type(kind).__name__
    if KINDS.get(name) is not type(kind):
        raise BadInput(f"a column of the kind {name}; expected one of {', '.join(KINDS)}")
    defaults = {f.name: f.default for f in fields(kind)}
    return {"kind": name, **{k: v for k, v in asdict(kind).items() if v != defaults[k]}}


def from_json(known):
    """The kind that `as_json` wrote."""
    known = dict(known)
    return KINDS[known.pop("kind")](**known)
