"""The design of data sets: how many units and observations, which are missing, and where sequences begin.

Networks are trained for a range of designs. Data sets are padded to frames of one or few sizes, so that functions
compile for few shapes and short data sets cost little. A span is the range of N of one frame.
"""

from typing import NamedTuple


class Design(NamedTuple):
    """A range of designs.

    Attributes
    ----------
    units, observations : (int, int)
        Smallest and largest N and P.
    holes : float
        Largest share of units without an observation.
    sequences : int
        Most sequences in a data set.
    padding : tuple of int, optional
        The `frames`, in increasing order, the last of which is the largest N; by default that one alone.
    varied : {str: (low, high)}, optional
        Hyperparameters with a range, see `amortmix.model.varied`.
    parts : float, optional
        Largest share of observations in which a column is missing while others are there.
    place : int, optional
        The one frame in which data sets are simulated; by default the largest, with N of any.
    """

    units: tuple
    observations: tuple = (1, 1)
    holes: float = 0.0
    sequences: int = 1
    padding: tuple | None = None
    varied: dict | None = None
    parts: float | None = None
    place: int | None = None

    @property
    def irregular(self):
        """Whether units may be missing or begin a sequence."""
        return self.holes > 0 or self.sequences > 1

    @property
    def frames(self):
        """Numbers of units to which data sets are padded, in increasing order."""
        return self.padding or (self.units[1],)

    @property
    def spans(self):
        """(smallest, largest) N of each frame."""
        frames = self.frames
        return tuple(zip((self.units[0], *(f + 1 for f in frames[:-1])), frames))

    @property
    def size(self):
        """(N, P) of the frame in which data sets are simulated."""
        return self.frames[-1 if self.place is None else self.place], self.observations[1]

    def as_json(self):
        """What a card keeps, which `of_card` reads."""
        known = {k: v for k, v in self._asdict().items() if v is not None and k != "place"}
        found = {k: list(v) if isinstance(v, tuple) else v for k, v in known.items()}
        return found | ({"varied": {k: list(v) for k, v in self.varied.items()}} if self.varied else {})

    def words(self):
        """In a sentence."""
        (low, high), (fewest, most) = self.units, self.observations
        found = [f"N = {low} to {high} units" if low < high else f"N = {low} units"]
        found.append(f"P = {fewest} to {most} observations each" if fewest < most else f"P = {fewest}")
        if self.holes:
            found.append(f"up to {self.holes:.0%} of the units missing")
        if self.parts:
            found.append(f"any column missing in up to {self.parts:.0%}")
        if self.sequences > 1:
            found.append(f"up to {self.sequences} sequences")
        if self.varied:
            found.append(f"priors with any {', '.join(self.varied)} in a range")
        return ", ".join(found)

    @classmethod
    def of_card(cls, card):
        """What networks were trained for."""
        known = card.get("design") or {"units": card["units"], "observations": card["observations"]}
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in known.items()})
