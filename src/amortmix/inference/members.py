"""How much of a posterior hangs on errors of a learned density, from what its members disagree about.

    s = sd[log q_1(y | theta) - log q_2(y | theta)] / 2    over the posterior

If the members err independently, the log likelihood of their mean errs by as much as half their difference. To first
order an error delta(theta) of a log likelihood moves a posterior mean by cov(theta_j, delta), at most s posterior
standard deviations. Errors that both members share are not seen.
"""

import numpy as np

#: From here on a fit says that its means may be off: posterior standard deviations.
LARGEST = 0.2


def largest_shift(log_likelihoods, log_weights=None):
    """s of draws from the posterior, or from a proposal with weights.

    Parameters
    ----------
    log_likelihoods : (S, M)
        log q_m(y | theta) of the draws.
    log_weights : (S,), optional

    Returns
    -------
    float
        The largest of all pairs of members, in posterior standard deviations.
    """
    weights = np.ones(len(log_likelihoods)) if log_weights is None else np.exp(log_weights - np.max(log_weights))
    centred = log_likelihoods - np.average(log_likelihoods, axis=0, weights=weights)
    differences = centred[:, :, None] - centred[:, None, :]
    return float(np.sqrt(np.average(differences**2, axis=0, weights=weights).max()) / 2)


def concerns(shift):
    """A sentence, in a list, if a posterior hangs on the errors of its density."""
    if shift is None or shift <= LARGEST:
        return []
    return [f"the learned density is not certain here: means may be off by {shift:.2f} posterior sd"]
