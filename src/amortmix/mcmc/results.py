"""What every engine takes and returns, and how it says that it cannot."""

import re
from typing import NamedTuple

import numpy as np

#: Longest message of a failure: one line of a log or of a page.
LONGEST = 200


class McmcUnavailable(RuntimeError):
    """No engine can sample this model here; the message says why and what to install."""


class McmcFailed(RuntimeError):
    """An engine ran and a chain failed; the message is one line of at most `LONGEST` characters."""


class EngineBroken(RuntimeError):
    """An engine is there and cannot run; the message completes "CmdStan was passed over: ..."."""


class Settings(NamedTuple):
    """Number of chains, of warmup iterations and of draws per chain, and the target acceptance rate."""

    chains: int
    warmup: int
    draws: int
    adapt_delta: float


class Draws(NamedTuple):
    """What an engine hands back.

    Attributes
    ----------
    sites : dict
        Site -> (chains, draws, *shape of the site), natural values.
    stats : dict
        ``diverging``, ``tree_depth``, ``acceptance_rate``, ``lp``, each (chains, draws).
    seconds, cpu_seconds : float
        Of the chains alone, warmup included: no compilation, no start of an interpreter.
    """

    sites: dict
    stats: dict
    seconds: float
    cpu_seconds: float


class McmcFit(NamedTuple):
    """Draws of one fit.

    Attributes
    ----------
    theta : (chains, draws, D)
        Columns as ``model.parameters``.
    stats : dict
        ``diverging``, ``tree_depth``, ``acceptance_rate``, ``lp``, each (chains, draws).
    engine : str
        Name and version of the engine.
    seconds : float
        Wall time of the chains, without compilation.
    cpu_seconds : float
        Processor time of all chains together, without compilation.
    warnings : list of str
        One sentence for each engine that is there and could not run.
    """

    theta: np.ndarray
    stats: dict
    engine: str
    seconds: float
    cpu_seconds: float
    warnings: list

    @property
    def rhat_max(self):
        """Largest rank-normalized R-hat over the parameters; NaN if one of them never moved."""
        from arviz_stats.base import array_stats

        return float(np.max([array_stats.rhat(self.theta[..., j]) for j in range(self.theta.shape[-1])]))


def one_line(text, longest=LONGEST):
    """``text`` in one line of at most ``longest`` characters; of a path only the last part stays.

    Temporary folders are in the messages of compilers and chains, and mean nothing when they are read.
    """
    text = re.sub(r"\(in '[^']*', (line \d+)[^)]*\)", r"(\1)", text)
    text = re.sub(r"(?:/[^\s/'\"`:,()]+)+/([^\s/'\"`:,()]+)", r"\1", text)
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def telling_line(text, last=False):
    """The first line of an output that names an error, or the last that does; without one, the last line.

    Compilers stumble on after the first error; chains survive exceptions, but not the last one.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for words in (r"\bexception:|\berror:|No space left", r"error|fail|not found|cannot|invalid"):
        for line in reversed(lines) if last else lines:
            if re.search(words, line, re.IGNORECASE):
                return line
    return lines[-1] if lines else "no message"
