"""Checks of bijection, densities and states that have one right answer. Each takes a `Setting`: (passed, sentence).

Numbers are compared in double precision, so that an error is one of the formula; whether they are finite is asked in
single precision, in which networks are trained.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import logsumexp

from amortmix.model import labels
from amortmix.model.check_setting import TOLERANCE, batched, compiled, difference, double

#: Paths that are enumerated.
PATHS = 1024


def round_trip(c):
    """theta -> u is finite, also in single precision; u -> theta -> u returns."""
    theta, data, _ = jax.tree.map(lambda a: a[:100], c.simulated)

    def there(theta, data):
        return c.model.bijection(data).inverse(theta)

    def back(theta, data):
        bijection = c.model.bijection(data)
        u = bijection.inverse(theta)
        return u, bijection.inverse(bijection.forward(u)), bijection.forward(u)

    single = np.asarray(batched(there)(theta, data))
    bad = ~np.isfinite(single).all(0)
    if bad.any():
        names = [c.model.parameter_names[i] for i in c.model.free_columns[bad]]
        return False, f"u of simulated parameters is not finite: {', '.join(names)} (outside of its support?)"
    with jax.enable_x64(True):
        u, again, theta_again = batched(back)(*double((theta, data)))
    worst = max(difference(u, again), difference(double(theta), theta_again))
    return worst < TOLERANCE, f"u -> theta -> u of {len(theta)} prior draws differs by {worst:.1e}"


def jacobian(c):
    """log |d theta / du| against automatic differentiation; the joint density is made of its parts."""
    model = c.model
    theta, data, _ = jax.tree.map(lambda a: a[:16], c.simulated)

    def one(theta, data):
        bijection = model.bijection(data)
        u = bijection.inverse(theta)
        matrix = jax.jacfwd(bijection.forward)(u)[model.free_columns]
        found, expected = bijection.log_det(u), jnp.linalg.slogdet(matrix)[1]
        if not model.has_density:
            return found, expected
        theta = bijection.forward(u)
        parts = model.log_likelihood(theta, data) + model.log_prior(theta) + expected
        return jnp.stack([found, model.log_joint(u, data)]), jnp.stack([expected, parts])

    with jax.enable_x64(True):
        found, expected = batched(one)(*double((theta, data)))
    worst = difference(found, expected)
    return worst < TOLERANCE, f"log determinant and automatic differentiation differ by {worst:.1e}"


def gradient(c):
    """The joint density and its gradient are finite in single precision."""
    theta, data, _ = jax.tree.map(lambda a: a[:100], c.simulated)

    def one(theta, data):
        u = c.model.bijection(data).inverse(theta)
        return jax.value_and_grad(c.model.log_joint)(u, data)

    value, slope = batched(one)(theta, data)
    bad = ~(np.isfinite(value) & np.isfinite(slope).all(1))
    return not bad.any(), f"log p(u, y) or its gradient is not finite in {bad.sum()} of {len(bad)} data sets"


def chain(c):
    """Shares of classes, first states and transitions are probabilities."""
    model, k = c.model, len(c.model.states)
    theta, data, _ = jax.tree.map(lambda a: a[:100], c.simulated)

    def probabilities(theta, data):
        if model.dependent:
            return dict(zip(("initial", "transitions"), map(jnp.exp, model.chain(theta, data.x))))
        return {"weights": jnp.exp(model.log_weights(theta, data.x))}

    worst, found = 0.0, batched(probabilities)(theta, data)
    units = data.mask.shape[1:2] if model.driven else ()
    for name, values in found.items():
        expected = (*units, k, k) if name == "transitions" else (*units, k)
        if values.shape[1:] != expected:
            return False, f"{name} has shape {values.shape[1:]}; expected {expected}"
        if not np.all(np.asarray(values) >= 0):
            return False, f"{name} has negative numbers or NaN; expected probabilities"
        worst = max(worst, float(np.abs(np.asarray(values).sum(-1) - 1).max()))
    return worst < 1e-4, f"{' and '.join(found)}: sums differ from one by {worst:.1e}"


def densities(c):
    """log p(y_i | z_i = k): one number for each unit and state, finite at the state that made the unit."""
    model = c.model
    theta, data, z = jax.tree.map(lambda a: a[:100], c.simulated)
    found = np.asarray(batched(model.log_densities)(theta, data))
    expected = (len(theta), data.mask.shape[1], len(model.states))
    if found.shape != expected:
        return False, f"shape {found.shape[1:]} in a data set; expected {expected[1:]}, units and states"
    own = np.take_along_axis(found, z[..., None], axis=-1)
    bad = np.isnan(found).any((1, 2)) | ~np.isfinite(own).all((1, 2))
    return (
        not bad.any(),
        f"log p(y | z) is NaN, or not finite at the true state, in {bad.sum()} of {len(bad)} data sets",
    )


def enumeration(c):
    """Likelihood, states and most probable path against the sum over all K^N paths of a few units."""
    model, k = c.model, len(c.model.states)
    n = min(6, model.units[0], int(np.log(PATHS) / np.log(k)) if k > 1 else 6)
    paths = np.array(list(itertools.product(range(k), repeat=n)))

    def one(theta, data):
        # shares that were rounded to single precision sum to one again
        bijection = model.bijection(data)
        theta = bijection.forward(bijection.inverse(theta))
        log_prior = (model.chain if model.dependent else model.log_weights)(theta, data.x)
        return log_prior, model.log_densities(theta, data), answers(model, theta, data)

    worst, run = 0.0, compiled(one)
    for i in range(4):
        theta, data, _ = jax.tree.map(lambda a, i=i: a[i], c.simulated)
        data = jax.tree.map(lambda a: a[:n], data)
        with jax.enable_x64(True):
            log_prior, log_lik, found = jax.tree.map(np.asarray, run(*double((theta, data))))
        expected, joint = _enumerated(paths, log_prior, log_lik, model.heads)
        worst = max(worst, *(difference(found[name], values) for name, values in expected.items()))
        best = joint[np.all(paths == found["path"], axis=1)][0]
        worst = max(worst, joint.max() - best)
    return worst < TOLERANCE, f"likelihood and states differ from all {len(paths)} paths of {n} units by {worst:.1e}"


def _enumerated(paths, log_prior, log_lik, heads):
    """Likelihood of the first t units for every t, and probabilities of states; log p(path, y) of every path."""
    m, n = paths.shape
    if isinstance(log_prior, tuple):
        initial, transitions = log_prior
        if initial.ndim > 1:  # a row for each unit
            prior = initial[0, paths[:, 0]] + transitions[np.arange(n - 1), paths[:, :-1], paths[:, 1:]].sum(1)
        else:
            prior = initial[paths[:, 0]] + transitions[paths[:, :-1], paths[:, 1:]].sum(1)
    else:
        prior = np.broadcast_to(log_prior, log_lik.shape)[np.arange(n), paths].sum(1)
    log_lik_paths = log_lik[np.arange(n), paths]

    def given(seen):
        return prior + np.where(seen, log_lik_paths, 0).sum(1)

    def states(seen):
        found = np.zeros(log_lik.shape)
        for t in range(n):
            joint = given(seen[t])
            weights = np.exp(joint - logsumexp(joint))
            found[t] = np.bincount(paths[:, t], weights, minlength=log_lik.shape[1])
        return found

    everything = np.ones((n, n), bool)
    seen = {"filtering": np.tril(everything), "backward_filtering": np.triu(everything, 1)}
    expected = {head: states(seen.get(head, everything)) for head in heads}
    partial = np.array([logsumexp(given(row)) for row in np.tril(everything)])
    expected |= {"partial": partial, "likelihood": partial[-1]}
    return expected, given(everything[0])


def answers(model, theta, data):
    """Everything exact that a model says of a data set; states as probabilities."""
    states = model.state_log_probs(theta, data)
    return {
        "likelihood": model.log_likelihood(theta, data),
        "partial": jnp.cumsum(model.log_units(theta, data)),
        "path": model.most_probable_path(theta, data),
        **{head: jnp.exp(states[head]) for head in model.heads},
    }


def identified(c):
    """Whether the states have an order; a model without one can be declared, so this never fails."""
    same = labels.exchangeable(c.model, c.simulated[0][:4], c.dataset(0)[1])
    if not same:
        return True, "another order of the states has another density"
    what = "the same density" if c.model.has_density else "the same prior"
    return True, f"not identified: every order of the states has {what}; fit.relabel puts the draws of a fit in order"


#: (name, applies to a model, function).
CHECKS = (
    ("round trip", lambda model: True, round_trip),
    ("Jacobian", lambda model: True, jacobian),
    ("labels", lambda model: len(model.states) > 1, identified),
    ("gradient", lambda model: model.has_density, gradient),
    ("chain", lambda model: True, chain),
    ("densities", lambda model: model.has_density, densities),
    ("enumeration", lambda model: model.has_density, enumeration),
)
