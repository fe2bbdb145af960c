"""Growth of an economy that switches between recessions and expansions (Hamilton 1989), per cent a quarter.

    y_t - mu_z(t) = sum_k phi_k (y_t-k - mu_z(t-k)) + e_t,   k = 1, ..., 4

Growth returns to the mean of the quarters that it followed, so that states remember four labels.
"""

import numpyro.distributions as dist
from numpyro import sample

import amortmix as am

LAGS = 4
MEMORY = am.Memory(("recession", "expansion"), LAGS)


def prior():
    return {
        "stay": sample("stay", dist.Beta(8, 2).expand([2]).to_event(1)),  # in the quarter after
        "mu": sample("mu", am.ordered(dist.Normal(0.5, 1), 2)),
        "phi": sample("phi", dist.Normal(0, 0.15).expand([LAGS]).to_event(1)),
        "sd": sample("sd", dist.LogNormal(-0.3, 0.4)),
    }


def growth(p, past):
    mean = MEMORY.of(p["mu"])
    ahead = sum(p["phi"][k] * (past["growth"][k] - mean[k + 1]) for k in range(LAGS))
    return dist.Normal(mean[0] + ahead, p["sd"])


MODEL = am.HiddenMarkov(
    states=MEMORY.states,
    prior=prior,
    transitions=lambda p: MEMORY.transitions(am.two_state(p["stay"])),
    initial=lambda p: MEMORY.initial(am.stationary(am.two_state(p["stay"])), am.two_state(p["stay"])),
    emission=growth,
    lags=LAGS,
    first={"growth": dist.Normal(0.8, 1)},
    columns={"growth": am.Real()},
    units=(100, 140),
)
