"""The exact joint posterior of a data set of case study 1, and how far draws of theta and z are from it.

    p(theta | y)                by importance weights of pretrained networks
    p(z_i | y_i, theta)         eq. 5
    p(theta | z, y)             conjugate

so that both factorizations can be drawn from without any error of networks.
"""

import numpy as np

from amortmix.inference import psis
from amortmix_paper import conjugate
from amortmix_paper import factorization as exactly

#: Flow draws that are weighted.
IMPORTANCE = 2000


class Exact:
    """The exact posterior of one data set.

    Parameters
    ----------
    hyper : dict
        Hyperparameters of the prior.
    units : Units
    theta : (S, 6)
    log_q : (S,)
        Log density of the distribution from which theta was drawn; weights make draws of the posterior of it.

    Attributes
    ----------
    r : (S, N, 3)
        log p(z_i = k | y_i, theta); ``marginals`` (N, 3) without theta.
    sd : (6,)
        Standard deviations of theta; ``variances`` (3,) of the numbers of units, and ``independent_variances`` of those
        of independent indicators.
    """

    def __init__(self, hyper, units, theta, log_q):
        self.hyper, self.units, self.theta = hyper, units, np.asarray(theta, float)
        self.log_joint = self.log_joint_of(self.theta)
        smoothed = psis.smooth(self.log_joint, log_q)
        self.log_weights, self.pareto_k = smoothed.log_weights, smoothed.pareto_k
        self.evidence, _ = psis.evidence(psis.log_ratio(self.log_joint, log_q))
        self.r = conjugate.log_responsibilities(self.units, self.theta)
        self.marginals = exactly.marginals(self.r, self.log_weights)
        self.sd = exactly.weighted_sd(self.theta, self.log_weights)
        self.independent_variances, self.variances = exactly.count_variances(self.r, self.log_weights)

    @classmethod
    def of(cls, reference, data, seed):
        """By the draws of pretrained networks."""
        sampled = reference.sample(data, IMPORTANCE, seed)
        return cls(reference.model.hyperparameters, conjugate.units_of(data), sampled.theta, sampled.log_q)

    def log_joint_of(self, theta):
        """log p(theta, y) of theta (S, 6), but for a constant of the data."""
        prior = conjugate.log_density(conjugate.prior(self.hyper), theta)
        return conjugate.log_likelihood(self.units, theta) + prior

    def given(self, z):
        """p(theta | z, y) of z (..., N)."""
        return conjugate.given(self.hyper, self.units, z)

    def joint(self, draws, rng):
        """Joint draws theta (S, 6), z (S, N)."""
        theta = self.theta[psis.resample(self.log_weights, draws, int(rng.integers(2**31)))]
        return theta, exactly.draw_indicators(conjugate.log_responsibilities(self.units, theta), rng)

    def independent(self, draws, rng):
        """Joint draws by eq. 22 as it stands, without any error of networks: z one by one, theta given z."""
        z = exactly.draw_indicators(np.repeat(self.marginals[None], draws, axis=0), rng)
        return conjugate.draw(self.given(z), rng), z

    def gibbs(self, theta, rng):
        """The next theta, z of a Gibbs sampler."""
        z = exactly.draw_indicators(conjugate.log_responsibilities(self.units, theta), rng)
        return conjugate.draw(self.given(z), rng), z

    def quantities(self, theta, z):
        """What theta (S, 6) and z (S, N) say, alone and together: `exactly.QUANTITIES` (S, 10)."""
        together = self.log_joint_of(theta)
        together = together + exactly.log_chosen(conjugate.log_responsibilities(self.units, theta), z)
        return np.concatenate([theta, exactly.counts(z, conjugate.CLASSES), together[:, None]], axis=-1)


def distance(exact, reference, theta, z, known):
    """How far joint draws are from exact ones: ratios of standard deviations, and nats of theta.

    The ratio of the parameters is a geometric mean; that of the numbers of units is of their variances' sum, for a
    class may have none.

    Where p(theta | z, y) is ``known``, q(theta) is its mean over the draws of z; ``reference`` are exact theta, drawn
    apart from z.
    """
    counts = exactly.counts(z, conjugate.CLASSES)
    found = {
        "sd_theta": np.exp(np.mean(np.log(theta.std(0, ddof=1) / exact.sd))),
        "sd_counts": np.sqrt(counts.var(0, ddof=1).sum() / exact.variances.sum()),
    }
    if known:
        log_p = exact.log_joint_of(reference) - exact.evidence
        log_q = conjugate.log_density(exact.given(z), reference[:, None])
        found["theta_nats"] = np.mean(log_p - np.logaddexp.reduce(log_q, axis=1) + np.log(len(z)))
    return found
