"""Missing units and several sequences: recursions by enumeration, and tables."""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp
from test_hmm import chain, enumerate_paths

from amortmix.model import hmm, registry, tables
from amortmix.model.data import Data
from amortmix.plots.posterior import places
from amortmix.storage.files import BadInput

HMM, RACE = registry.find("gaussian_hmm"), registry.find("evidence_accumulation")
THETA = np.array([0.9, 0.8, -1.2, 1.1])
FIRST, SECOND = slice(0, 3), slice(3, 7)
STARTS = jnp.array([0.0, 0, 0, 1, 0, 0, 0])


def both(model, work):
    """``work`` of each of two sequences by itself, one after the other."""
    log_init, log_trans, log_lik = model
    return np.concatenate([np.asarray(work(log_init, log_trans, log_lik[part])) for part in (FIRST, SECOND)])


def test_sequences_are_separate_chains(float64):
    model = tuple(map(jnp.asarray, chain(3, 7, 3)))
    log_init, log_trans, log_lik = model
    found = hmm.filter(*model, STARTS)
    paths = [
        logsumexp(list(enumerate_paths(*(np.asarray(a) for a in (log_init, log_trans, log_lik[p]))).values()))
        for p in (FIRST, SECOND)
    ]
    np.testing.assert_allclose(found.log_marginal, sum(paths), rtol=1e-12)
    np.testing.assert_allclose(found.log_units, both(model, lambda *m: hmm.filter(*m).log_units), rtol=1e-10)
    for head, p in hmm.state_log_probs(*model, STARTS).items():
        np.testing.assert_allclose(p, both(model, lambda *m: hmm.state_log_probs(*m)[head]), atol=1e-10)  # noqa: B023
    exists = jnp.ones(7)
    path = hmm.most_probable_path(*model, exists, STARTS)
    np.testing.assert_array_equal(path, both(model, lambda *m: hmm.most_probable_path(*m, jnp.ones(len(m[2])))))
    evidence = hmm.evidence_of_filter(log_init, log_trans, found.log_filter, STARTS) - log_lik
    np.testing.assert_allclose(evidence - evidence[:, :1], np.zeros((7, 3)) + evidence[:, :1] * 0, atol=1e-10)


def test_paths_of_sequences_are_drawn_from_their_joint_probability(float64):
    """20,000 draws against enumeration; the chi-squared test errs once in 10,000 seeds."""
    model = tuple(map(jnp.asarray, chain(4, 4, 2, scale=1.0)))
    starts = jnp.array([0.0, 0, 1, 0])
    past = hmm.filter(*model, starts).log_filter
    noise = jax.random.gumbel(jax.random.key(1), (20_000, 4, 2))
    drawn = np.asarray(jax.vmap(lambda g: hmm.sample_states(g, model[1], past, jnp.ones(4), starts))(noise))
    log_init, log_trans, log_lik = (np.asarray(a) for a in model)
    parts = [enumerate_paths(log_init, log_trans, log_lik[p]) for p in (slice(0, 2), slice(2, 4))]
    expected = np.exp([a + b for a in parts[0].values() for b in parts[1].values()])
    counts = np.bincount(drawn @ [8, 4, 2, 1], minlength=16)
    assert stats.chisquare(counts, expected / expected.sum() * len(drawn)).pvalue > 1e-4


def test_simulated_chains_begin_anew():
    """First states of 4,000 second sequences follow p(z_1), whatever came before: five standard errors."""
    log_init, log_trans = jnp.log(jnp.array([0.9, 0.1])), jnp.log(hmm.two_state(jnp.array([0.1, 0.99])))
    starts = jnp.array([0.0, 0, 0, 1])
    keys = jax.random.split(jax.random.key(2), 4000)
    z = np.asarray(jax.vmap(lambda k: hmm.simulate_states(k, log_init, log_trans, 4, starts))(keys))
    assert abs(np.mean(z[:, 3] == 0) - 0.9) < 5 * np.sqrt(0.09 / 4000)
    assert abs(np.mean(z[:, 2] == 0) - 0.1) < 0.1  # without a start the chain sits in the second state


def observed(units, theta=THETA, seed=1):
    """A table of numbered units, three observations each, from the Gaussian hidden Markov model."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(units, 3)
    return pd.DataFrame({"unit": unit, "y": rng.normal(np.where(unit % 7 < 4, *theta[2:]), 1)})


def by_matrix_powers(frame, theta=THETA):
    """log p(y) of a table whose unit numbers count, without any recursion of the library."""
    stay, mu = theta[:2], theta[2:]
    trans = np.array([[stay[0], 1 - stay[0]], [1 - stay[1], stay[1]]])
    message, before, total = np.array([0.5, 0.5]), None, 0.0
    for unit, y in frame.groupby("unit")["y"]:
        if before is not None:
            message = message @ np.linalg.matrix_power(trans, unit - before)
        message = message * np.exp(stats.norm.logpdf(y.to_numpy()[:, None], mu).sum(0))
        total, message, before = total + np.log(message.sum()), message / message.sum(), unit
    return total


def log_likelihood(table):
    with jax.enable_x64(True):
        data = jax.tree.map(lambda a: jnp.asarray(a, float), table.data)
        return float(HMM.log_likelihood(jnp.asarray(THETA), data))


def test_a_gap_in_the_numbers_is_a_gap_in_time():
    frame = observed([*range(1, 11), *range(31, 41)])
    table = tables.read(HMM, frame)
    assert table.labels == tuple(range(1, 41)) and table.notes == (
        "20 units between those of the table were not observed",
    )
    assert table.data.exists.sum() == 40 and table.data.observed.sum() == 20
    np.testing.assert_allclose(log_likelihood(table), by_matrix_powers(frame), rtol=1e-6)


def test_empty_fields_stay_in_their_place():
    """Of a unit whose values are all empty the chain goes on; of others the rest counts."""
    frame = observed(range(1, 21))
    frame.loc[frame["unit"].between(5, 8), "y"] = np.nan
    frame.loc[0, "y"] = np.nan
    table = tables.read(HMM, frame)
    assert table.data.observed.sum() == 16 and table.data.mask[0].sum() == 2
    np.testing.assert_allclose(log_likelihood(table), by_matrix_powers(frame.dropna()), rtol=1e-6)


def test_sequences_of_a_column_add_up():
    parts = [observed(range(1, 11), seed=3).assign(session="am"), observed(range(1, 16), seed=4).assign(session="pm")]
    table = tables.read(HMM, pd.concat(parts, ignore_index=True), sequence="session")
    assert (
        table.labels[0] == "am: 1" and table.labels[-1] == "pm: 15" and list(np.unique(table.data.sequence)) == [1, 2]
    )
    np.testing.assert_allclose(log_likelihood(table), sum(map(by_matrix_powers, parts)), rtol=1e-6)
    with pytest.raises(BadInput, match=r"row 30: unit is 1; expected at least 10, as before it; .*\(sequence=\)"):
        tables.read(HMM, pd.concat(parts, ignore_index=True).drop(columns="session"))


TRIALS = pd.DataFrame(
    {"trial": [1, 2, 3, 4, 5], "rt": [0.5, 0.012, np.nan, 0.6, 8.0], "accumulator": [1, 2, np.nan, 1, 1]}
)


def test_limits_declare_trials_missing_in_their_place():
    table = tables.read(RACE, TRIALS, min_rt=0.15, max_rt=5)
    np.testing.assert_array_equal(table.data.observed, [1, 0, 0, 1, 0])
    assert "rt is below 0.15 or above 5 in 2 rows, not observed: 1, 4" in table.notes
    same = tables.read(RACE, TRIALS, keep={"rt": (0.15, 5)})
    np.testing.assert_array_equal(same.data.mask, table.data.mask)
    np.testing.assert_array_equal(tables.read(RACE, TRIALS, keep={"rt": (0.15, None)}).data.observed, [1, 0, 0, 1, 1])
    array = tables.read(HMM, np.array([1.0, np.nan, 2.0]), keep={"y": (None, 1.5)})
    np.testing.assert_array_equal(array.data.observed, [1, 0, 0])


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (TRIALS, {"keep": {"speed": (0, 1)}}, "limits of speed: expected those of rt or accumulator"),
        (TRIALS, {"keep": {"rt": (2, 1)}}, r"limits of rt: \(2, 1\); expected \(smallest, largest\)"),
        (TRIALS, {"min_rt": 9}, "the table: no row is an observation; expected at least one with rt, accumulator"),
        (TRIALS, {"sequence": "block"}, "no column 'block' for sequences; found trial, rt, accumulator"),
        (TRIALS.assign(trial=[1, 2, 2, 3, 4]), {}, "row 2: trial is 2; expected a label of its own"),
        (TRIALS.assign(trial=[1, 2, 5, 4, 6]), {}, "row 3: trial is 4; expected at least 5, as before it"),
        (TRIALS.assign(trial=[1, 2, 3, 4, 20251101]), {}, "row 4: trial is 20251101; expected a count of units"),
        (TRIALS.assign(trial=[1, 2, np.nan, 4, 5]), {}, "row 2: trial is nan; expected the label of a unit"),
        (TRIALS.assign(rt=[0.5, -0.2, 1, 1, 1]), {}, "row 1: rt is -0.2; expected a response time"),
        (TRIALS.assign(rt=["0.5", "fast", "1", "1", "1"]), {}, "rt is 'fast'; expected a finite number or nothing"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_places_is_one_line(frame, options, message):
    with pytest.raises(BadInput, match=message) as raised:
        tables.read(RACE, frame, **options)
    assert "\n" not in str(raised.value)


def test_data_of_a_table_keep_their_places_in_a_file(tmp_path):
    from amortmix.storage import tree

    table = tables.read(HMM, observed([1, 2, 5, 6]))
    tree.save_data(tmp_path / "data.nc", HMM, table, None, {})
    found, _, _ = tree.load_data(tmp_path / "data.nc")
    assert isinstance(found.data, Data) and found.labels == table.labels
    for a, b in zip(found.data, table.data):
        np.testing.assert_array_equal(a, b)


def test_figures_show_holes_and_sequences():
    """Grey over units 3, 4 and 7, which nobody observed, and a dashed line between units 5 and 6; none without."""
    observed = np.array([1, 1, 0, 0, 1, 1, 0, 1.0])
    data = Data(np.zeros((8, 1, 1)), observed[:, None], sequence=np.array([1.0] * 5 + [2.0] * 3))
    axis = plt.figure().subplots()
    places(axis, data)
    grey = axis.collections[0].get_paths()
    assert [(p.vertices[:, 0].min(), p.vertices[:, 0].max()) for p in grey] == [(2.5, 4.5), (6.5, 7.5)]
    assert [line.get_xdata()[0] for line in axis.lines] == [5.5]
    plain = plt.figure().subplots()
    places(plain, data._replace(mask=np.ones((8, 1)), sequence=None))
    assert not plain.lines and not plain.collections[0].get_paths()
    plt.close("all")
