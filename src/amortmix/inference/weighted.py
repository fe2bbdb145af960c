"""The best draws of one data set: those of the flow, or draws chosen by importance weight among enough proposals.

    w_s ∝ p(theta_s, y) / q(theta_s),    theta_s ~ q,

q being the flow, or a proposal adapted to the data where weights of the flow cannot be relied on, or would waste too
many draws (`amortmix.inference.adapted`).
"""

from typing import Any, NamedTuple

import numpy as np

from amortmix.inference import psis
from amortmix.inference.adapted import Flow, Piece, adapt, piece
from amortmix.inference.engine import Draws
from amortmix.inference.psis import Psis

#: Corrected draws are the best there are if the proposals are worth at least this share of them; below the second
#: share more proposals are drawn.
ENOUGH, AMPLE = 0.25, 0.5


class Weighted(NamedTuple):
    """What weights make of a data set.

    Attributes
    ----------
    best : Draws
        Chosen by weight where the weights can be relied on, else the flow's own.
    stats : dict of (S,)
        Of the flow's draws: log_q, and where the density is known log_joint and log_weight.
    flow : Psis or None
        Weights of the flow's draws; None without a density.
    used : Psis or None
        Weights of the proposals among which `best` were chosen.
    attrs : dict
        What a fit says of them.
    """

    best: Draws
    stats: dict[str, np.ndarray]
    flow: Psis | None
    used: Psis | None
    attrs: dict[str, Any]

    @property
    def adapted(self):
        """Weights of adapted proposals, if `best` were chosen among such."""
        return self.used if self.attrs.get("adapted") and self.attrs["posterior"] == "psis" else None


def weigh(engine, data, answer, noise, proposals, seed):
    """`Weighted` draws of one data set.

    Parameters
    ----------
    engine : Engine
    data : Data
    answer : Answer
        Of the networks to ``noise`` (S, d), standard normal.
    proposals : (int, int)
        Fewest and most draws among which S are chosen.
    seed : int
    """
    drawn, log_joint = answer.draws, answer.log_joint
    stats = {"log_q": drawn.log_q}
    if log_joint is None:
        return Weighted(drawn, stats, None, None, {"posterior": "flow"})
    flow = psis.smooth(log_joint, drawn.log_q)
    stats |= {"log_joint": log_joint, "log_weight": flow.log_weights}
    source = Source(engine, data, len(noise), proposals)
    adapted = None
    if not source.suffices(flow):
        adapted = adapt(source.draw, piece(noise, answer, Flow()), seed, source.suffices)
    if adapted is None:
        pieces, used = source.more(Flow(), Piece(drawn, log_joint), flow, seed)
    else:
        proposal, first = adapted
        pieces, used = source.more(proposal, first, psis.smooth(first.log_joint, first.draws.log_q), seed)
    among = Draws(*map(np.concatenate, zip(*(p.draws for p in pieces))))
    value, error = psis.evidence(psis.log_ratio(np.concatenate([p.log_joint for p in pieces]), among.log_q))
    chosen = psis.resample(used.log_weights, len(noise), seed)
    # a tail that the first draws of the flow have is not gone because more draws hide it
    reliable = used.is_reliable if adapted is not None else flow.is_reliable
    usable = reliable and chosen is not None and used.ess >= ENOUGH * len(noise)
    attrs = {
        "posterior": "psis" if usable else "flow",
        "pareto_k": flow.pareto_k,
        "ess": flow.ess,
        "adapted": int(adapted is not None),
        "proposals": len(among.log_q),
        "proposals_k": used.pareto_k,
        "proposals_ess": used.ess,
        "log_evidence": value,
        "log_evidence_se": error,
    }
    return Weighted(Draws(*(x[chosen] for x in among)) if usable else drawn, stats, flow, used, attrs)


class Source:
    """Makes draws of a data set from any proposal, in pieces of one size, so that one compiled function serves all.

    Parameters
    ----------
    engine : Engine
    data : Data
    draws : int
        Of each piece, and of the fit.
    proposals : (int, int)
        Fewest and most.
    """

    def __init__(self, engine, data, draws, proposals):
        self.engine, self.data, self.draws, (self.fewest, self.most) = engine, data, draws, proposals

    def suffices(self, weights):
        """Whether as many draws as there may be of these weights are worth what is asked for."""
        number = max(self.most // self.draws, 1)
        return weights.is_reliable and number * weights.ess >= AMPLE * self.draws

    def draw(self, proposal, seed):
        """`Piece` of a proposal."""
        if isinstance(proposal, Flow):
            answer = self.engine.answer(self.data, self.draws, seed)
            return Piece(answer.draws, answer.log_joint)
        eps = proposal.sample(self.draws, seed)
        return piece(eps, self.engine.answer_to(self.data, eps), proposal)

    def more(self, proposal, first, weights, seed):
        """Pieces of a proposal, ``first`` among them, as many as it takes, and `Psis` of all."""
        pieces = [first]
        while (size := len(pieces) * self.draws) < self.fewest or (size < self.most and not self._ample(weights)):
            pieces.append(self.draw(proposal, int(np.random.SeedSequence([seed, len(pieces)]).generate_state(1)[0])))
            if len(pieces) * self.draws >= self.fewest:
                targets, densities = [p.log_joint for p in pieces], [p.draws.log_q for p in pieces]
                weights = psis.smooth(np.concatenate(targets), np.concatenate(densities))
        return pieces, weights

    def _ample(self, weights):
        return weights.is_reliable and weights.ess >= AMPLE * self.draws
