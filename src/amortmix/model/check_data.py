"""Checks of data sets: simulated ones, what must not matter in them, and their tables. Each takes a `Setting`."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from amortmix.model import tables
from amortmix.model.check_exact import answers
from amortmix.model.check_setting import TOLERANCE, batched, compiled, difference, double
from amortmix.model.data import pad
from amortmix.model.emissions import takes_covariates

#: Networks learn badly from features beyond this, which 99 of 100 must not reach.
FEATURE = 50
#: With probability exp(-20) no design lies within ENDS / number of designs of an end of its range.
ENDS = 20


def simulation(c):
    """Shapes, finite values, and values that the columns accept, padding included."""
    model = c.model
    theta, data, z = c.simulated
    s, d = len(theta), len(model.columns)
    shapes = {
        "theta": (theta.shape, (s, len(model.parameters))),
        "y": (data.y.shape, (s, *model.design.size, d)),
        "mask": (data.mask.shape, (s, *model.design.size)),
        "z": (z.shape, (s, model.design.units[1])),
    }
    for name, (found, expected) in shapes.items():
        if found != expected:
            return False, f"{name} has shape {found[1:]} in a data set; expected {expected[1:]}"
    for name, values in {"theta": theta, "y": data.y, **({} if data.x is None else {"x": data.x})}.items():
        bad = ~np.isfinite(values).reshape(s, -1).all(1)
        if bad.any():
            return False, f"{name} has numbers that are not finite in {bad.sum()} of {s} data sets"
    if not (z.min() >= 0 and z.max() < len(model.states)):
        return False, f"states are {z.min()} to {z.max()}; expected 0 to {len(model.states) - 1}"
    for j, (column, kind) in enumerate(model.columns.items()):
        good = kind.valid(data.y[..., j])
        if not good.all():
            return False, f"{column} is {data.y[..., j][~good][0]:g} in a simulation; expected {kind.expected}"
    return True, f"{s} data sets of shape {data.y.shape[1:]}, every number finite and valid for its column"


def design(c):
    """N and P come near both ends of their ranges, as uniform ones do, and lie inside."""
    model, mask = c.model, c.simulated[1].mask
    counts = mask.sum(-1)
    passed, parts = bool(np.isin(mask, (0, 1)).all()), []
    for name, found, (low, high) in (("N", mask.max(-1).sum(-1), model.units), ("P", counts[:, 0], model.observations)):
        first, last = int(found.min()), int(found.max())
        slack = ENDS * (high - low + 1) / len(mask)
        passed = passed and 0 <= first - low <= slack and 0 <= high - last <= slack
        parts.append(f"{name} from {first} to {last} (declared: {low} to {high})")
    return passed, f"{len(mask)} data sets: {', '.join(parts)}"


def _view(c):
    """A compiled function of theta and data: exact answers, what the networks see, and bounds, in double precision."""
    if "view" in c.shared:
        return c.shared["view"]
    model = c.model

    def view(theta, data):
        seen = {"features": model.network_inputs(data), "context": model.context(data), **model.bounds(data)}
        return {**seen, **(answers(model, theta, data) if model.has_density else {})}

    # the scaling of features is simulated in single precision, as everywhere
    _ = model.feature_scaling if model.features is None else None
    run = compiled(view)

    def call(theta, data):
        with jax.enable_x64(True):
            return jax.tree.map(np.asarray, run(*double((theta, data))))

    c.shared["view"] = call
    return call


def _worst(first, second, data):
    """Largest difference of two views in the places that exist in ``data``, and its name."""
    n, p = data.mask.shape
    worst = {}
    for name, a in first.items():
        b = second[name]
        if name == "features":
            a, b = (np.where(data.mask[..., None] > 0, x[:n, :p], 0) for x in (a, b))
        elif name != "context" and np.ndim(a):
            a, b = a[:n], b[:n]
        worst[name] = difference(a, b)
    name = max(worst, key=worst.get)
    return worst[name], name


def _framed(c):
    """theta, the data set with the fewest observations, and the same in a frame with more of both."""
    theta, data, _ = c.dataset(int(c.simulated[1].mask.sum(-1).max(-1).argmin()))
    return theta, data, pad(data, data.mask.shape[0] + 7, c.model.observations[1])


def padding(c):
    """Units and observations that do not exist change nothing."""
    theta, data, frame = _framed(c)
    view = _view(c)
    worst, name = _worst(view(theta, data), view(theta, frame), data)
    return worst < TOLERANCE, f"in a frame of shape {frame.mask.shape}, {name} differs by {worst:.1e}"


def masks(c):
    """Values in masked places change nothing."""
    theta, data, frame = _framed(c)
    others = c.dataset(1)[1].y.reshape(-1, data.y.shape[-1])
    others = np.resize(others, frame.y.shape)
    changed = frame._replace(y=np.where(frame.mask[..., None] > 0, frame.y, others))
    view = _view(c)
    worst, name = _worst(view(theta, frame), view(theta, changed), data)
    return (
        worst < TOLERANCE,
        f"with other values in {int((frame.mask == 0).sum())} places, {name} differs by {worst:.1e}",
    )


def order(c):
    """The order of exchangeable units changes nothing."""
    theta, data, _ = c.dataset(0)
    order = np.random.default_rng(c.seed).permutation(data.mask.shape[0])
    view = _view(c)
    first, second = view(theta, data), view(theta, jax.tree.map(lambda a: a[order], data))
    for name in ("features", "path", *c.model.heads):
        if name in first:
            first[name] = first[name][order]
    first.pop("partial", None)
    worst, name = _worst(first, second, jax.tree.map(lambda a: a[order], data))
    return worst < TOLERANCE, f"with the units in another order, {name} differs by {worst:.1e}"


def features(c):
    """What the networks see has one row for each observation or unit, is finite, and of order one."""
    model = c.model
    theta, data, _ = jax.tree.map(lambda a: a[:100], c.simulated)

    def one(theta, data):
        u = model.bijection(data).inverse(theta)
        return model.network_inputs(data), model.context(data), model.unit_conditions(u, data)

    found = dict(zip(("features", "context", "conditions"), batched(one)(theta, data)))
    shapes = {"features": data.mask.shape, "context": data.mask.shape[:1], "conditions": data.mask.shape[:2]}
    for name, lead in shapes.items():
        values = np.asarray(found[name])
        if values.ndim != len(lead) + 1 or values.shape[:-1] != lead:
            return False, f"{name} has shape {values.shape[1:]} in a data set; expected {(*lead[1:], 'any number')}"
        if not np.isfinite(values).all():
            return False, f"{name} has numbers that are not finite"
    seen = np.abs(np.asarray(found["features"]))[data.mask > 0]
    largest = float(np.quantile(seen, 0.99, axis=0).max())
    return (
        largest < FEATURE,
        f"99 of 100 features are below {largest:.1f} in size (expected: order one, below {FEATURE})",
    )


def table(c):
    """A simulated data set written as a table is read back as it was, with its labels."""
    for i in range(20):
        _, data, _ = c.dataset(i)
        frame, labels = _frame(c.model, data)
        found = tables.read(c.model, frame)
        same = found.labels == labels and np.array_equal(found.data.mask, data.mask)
        where = data.mask > 0
        same = same and np.array_equal(found.data.y[where], data.y[where])
        if not same or (data.x is not None and not np.array_equal(found.data.x, data.x)):
            return False, f"data set {i + 1}, written as a table, is not the same when it is read"
    return True, f"20 data sets written as tables with {', '.join(frame.columns)} are the same when they are read"


def _frame(model, data):
    """A data set as the table that `amortmix.model.tables.read` reads, and the labels of its units."""
    unit, place = np.nonzero(data.mask)
    labels = tuple(f"unit {i + 1}" for i in range(data.mask.shape[0]))
    columns = {"unit": [labels[i] for i in unit]}
    for j, (column, kind) in enumerate(model.columns.items()):
        codes = {stored: code for code, stored in getattr(kind, "codes", ())}
        columns[column] = [codes.get(v, v) for v in data.y[unit, place, j].tolist()]
    for j, covariate in enumerate(model.covariates):
        columns[covariate] = data.x[unit, j]
    return pd.DataFrame(columns), labels


def demos(c):
    """Every demonstration data set can be simulated and is finite."""
    for name in c.model.demos:
        data, _ = c.model.simulate_demo(name)
        if not all(np.isfinite(a).all() for a in jax.tree.leaves(data)):
            return False, f"{name} has numbers that are not finite"
    return True, f"simulated: {', '.join(c.model.demos) or 'none declared'}"


def covariates(c):
    """Every covariate changes the density, in the middle of a data set too unless it decides beginnings alone."""
    model = c.model
    fields = [getattr(model, f, None) for f in ("weights", "transitions", "emission")]
    everywhere = any(f is not None and takes_covariates(f) for f in fields)
    density, left = compiled(model.log_likelihood), dict.fromkeys(model.covariates)
    for i in range(20):
        theta, data, _ = c.dataset(i)
        where = len(data.x) // 2 if everywhere else 0
        for name in list(left):
            j = list(model.covariates).index(name)
            other = data._replace(x=jnp.asarray(data.x).at[where, j].add(1.0))
            if density(theta, other) != density(theta, data):
                del left[name]
    if left:
        return False, f"{', '.join(left)} in the middle of a data set changes no density: is it used, for every unit?"
    return True, f"{', '.join(model.covariates)} change the density, in the middle of a data set too"


#: (name, applies to a model, function).
CHECKS = (
    ("simulation", lambda model: True, simulation),
    ("design", lambda model: True, design),
    ("padding", lambda model: True, padding),
    ("masks", lambda model: True, masks),
    ("order", lambda model: not model.dependent, order),
    ("features", lambda model: True, features),
    ("table", lambda model: True, table),
    ("covariates", lambda model: bool(model.covariates) and model.has_density, covariates),
    ("demos", lambda model: bool(model.demos), demos),
)
