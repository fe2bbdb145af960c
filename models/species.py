"""Groups of birds in four measures, whose covariance all groups share; a measure may be missing.

y ~ Normal(mu_k, L L^T),    mu_k in standard deviations of all birds, ordered by the length of the flipper
"""

import jax.numpy as jnp
import numpyro.distributions as dist
from numpyro import sample

import amortmix as am

MEASURES = ("flipper", "bill_length", "bill_depth", "mass")


def declared(groups):
    """The mixture of a number of groups."""

    def prior():
        return {
            "share": sample("share", dist.Dirichlet(jnp.full(groups, 3.0))),
            "flipper": sample("flipper", am.ordered(dist.Normal(0, 1), groups)),
            "other": sample("other", dist.Normal(0, 1).expand([groups, 3]).to_event(2)),
            "scale": sample("scale", dist.LogNormal(-0.7, 0.4).expand([4]).to_event(1)),
            "tilt": sample("tilt", dist.Normal(0, 0.5).expand([6]).to_event(1)),  # of L below its diagonal, in scales
        }

    def measures(p):
        tilt = jnp.eye(4).at[jnp.tril_indices(4, -1)].set(p["tilt"])
        means = jnp.concatenate([p["flipper"][:, None], p["other"]], axis=-1)
        return {MEASURES: dist.MultivariateNormal(means, scale_tril=p["scale"][:, None] * tilt)}

    return am.Mixture(
        states=tuple(f"group {k + 1}" for k in range(groups)),
        prior=prior,
        weights=lambda p: p["share"],
        emission=measures,
        columns=dict.fromkeys(MEASURES, am.Real()),
        units=(300, 350),
    )


MODEL = declared(3)
