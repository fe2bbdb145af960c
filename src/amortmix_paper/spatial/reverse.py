"""Posterior networks from a likelihood in place of simulated parameters: amortized variational inference.

    min E_Z E_{u ~ q(. | Z)} [log q(u | Z) - log p(u) - l(theta(u); Z)],   u = log(theta / (0.6 - theta))

the expectation of KL(q || p) but for a constant, with l the logarithm of a likelihood, exact or synthetic. A flow says
z = f(u; Z) with z standard normal. A draw of q is where f(u; Z) equals a fixed z, so with the weights phi of the flow

    du/dphi = -(df/dphi) / (df/du)

which takes no derivative of the inverse of splines; theirs is not finite outside their domain.
"""

import jax
import jax.numpy as jnp
import keras
from bayesflow.estimators import BasicEstimator
from jax.lax import stop_gradient
from jax.nn import log_sigmoid
from jax.scipy.stats import norm

from amortmix_paper.spatial.tables import between

DRAWS = 4  # of q for each field of a batch


class ReverseKL(BasicEstimator):
    """BayesFlow's estimator of u (b, 1) with the other direction of the divergence.

    ``sample`` and ``log_prob`` are inherited.
    """

    def compute_metrics(self, inference_variables, summary_variables, log_likelihood, stage="training"):
        """The loss of a batch.

        Parameters
        ----------
        inference_variables : (b, 1)
            Not used: nothing here knows the parameters that made the fields.
        summary_variables : (b, 16, 16, 1)
        log_likelihood : (b, 128)
            The rows of these fields in a table of l.
        """
        conditions = jnp.repeat(self.summary_network(summary_variables, training=stage == "training"), DRAWS, axis=0)
        noise = keras.random.normal((len(conditions), 1), seed=self.seed_generator)
        u, log_q = self.draws(noise, conditions)
        log_prior = log_sigmoid(u) + log_sigmoid(-u)  # of u, where theta is uniform
        # the root of sigmoid(u), whose gradient is finite however small it is
        known = between(log_likelihood, jnp.exp(0.5 * log_sigmoid(u)).reshape(-1, DRAWS))
        return {"loss": jnp.mean(log_q - log_prior[:, 0]) - jnp.mean(known)}

    def draws(self, noise, conditions):
        """The draw u (n, 1) of q for the noise and the conditions in each row, and log q(u) (n,).

        The gradient passes through u alone. What log q changes with phi at fixed u has the expectation zero, and
        without it nothing of the gradient is left to chance where q is the posterior (Roeder, Wu & Duvenaud 2017).
        """
        start = stop_gradient(self.inference_network(noise, conditions=conditions, inverse=True))

        def density(u):
            z, log_q = self.inference_network(u, conditions=conditions, density=True)
            return jnp.sum(log_q), (z, log_q)

        slope_log_q, (z, log_q) = jax.grad(density, has_aux=True)(start)
        slope_z = stop_gradient(jnp.exp(log_q[:, None] - norm.logpdf(z)))
        moved = (stop_gradient(z) - z) / slope_z  # zero, with the gradient of u
        return start + moved, stop_gradient(log_q) + (stop_gradient(slope_log_q) * moved)[:, 0]
