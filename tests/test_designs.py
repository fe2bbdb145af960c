"""Designs of data sets, drawn and refused, and networks that see missing units and sequences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import simulate

from amortmix.model import design_draws, registry
from amortmix.model.data import pad
from amortmix.model.design import Design
from amortmix.networks.estimator import pack
from amortmix.storage.bundle import Bundle
from amortmix.storage.files import BadInput
from amortmix.training.recipes import designed

HMM, RACE = registry.find("gaussian_hmm"), registry.find("evidence_accumulation")

WIDE = Design((60, 1200), (1, 1), holes=0.2, sequences=4, padding=(150, 300, 600, 1200))


def test_frames_cover_the_range():
    assert WIDE.spans == ((60, 150), (151, 300), (301, 600), (601, 1200))
    assert Design((50, 400)).spans == ((50, 400),)
    assert Design.of_card({"design": WIDE.as_json()}) == WIDE


@pytest.mark.parametrize(
    ("design", "message"),
    [
        ({"units": [60, 50]}, "N from 60 to 50"),
        ({"units": [60, 500], "padding": [400, 300]}, r"frames \(400, 300\); expected increasing ones up to 500"),
        ({"holes": 1.0}, "holes 1.0, sequences 1; expected a share and a number"),
        ({"gaps": 1}, "design has gaps; expected units, observations, holes"),
    ],
)
def test_a_design_that_cannot_be_is_refused(design, message):
    with pytest.raises(BadInput, match=message):
        designed(HMM, {"design": design})


@pytest.fixture(scope="module")
def designs():
    """mask and sequence of 4,000 designs in the largest frame."""
    draw = jax.jit(jax.vmap(lambda key: design_draws.sample(WIDE, key, True)))
    mask, sequence = draw(jax.random.split(jax.random.key(1), 4000))
    return np.asarray(mask)[..., 0], np.asarray(sequence)


def test_designs_are_as_declared(designs):
    """Every N lies in the range, every span comes as often (five standard errors); holes and sequences are bounded."""
    mask, sequence = designs
    n = (sequence > 0).sum(1)
    assert n.min() >= 60 and n.max() <= 1200
    shares = [np.mean((n >= low) & (n <= high)) for low, high in WIDE.spans]
    assert np.max(np.abs(np.array(shares) - 0.25)) < 5 * np.sqrt(0.1875 / 4000)
    missing = 1 - mask.sum(1) / n
    # a share at random may come out somewhat larger than it was drawn
    assert missing.min() == 0 and missing.max() < 0.2 + 0.2
    assert abs(np.mean(missing == 0) - 0.5) < 0.05
    assert not np.any(mask[sequence == 0]) and np.all(mask[:, 0] == 1)
    assert sequence.max() == 4 and abs(np.mean(sequence.max(1) == 1) - 0.5) < 0.05
    steps = np.diff(np.where(sequence > 0, sequence, np.nan), axis=1)
    assert set(np.unique(steps[np.isfinite(steps)])) <= {0.0, 1.0, 2.0, 3.0}
    exists = sequence > 0
    assert np.all(exists[:, :-1] >= exists[:, 1:])


def test_half_of_irregular_data_sets_have_equal_units():
    """P is the same for all units in half of 2,000 data sets: five standard errors."""
    design = Design((20, 20), (1, 5), holes=0.2)
    mask = jax.jit(jax.vmap(lambda k: design_draws.sample(design, k, True)[0]))(
        jax.random.split(jax.random.key(3), 2000)
    )
    p = np.asarray(mask.sum(-1))
    equal = np.mean([len(set(row[row > 0])) == 1 for row in p])
    assert abs(equal - 0.5) < 5 * np.sqrt(0.25 / 2000)


def test_a_frame_has_its_own_numbers_of_units():
    model = RACE.changed(design=WIDE)
    for place, (low, high) in enumerate(WIDE.spans):
        data = jax.jit(jax.vmap(model.in_frame(place).simulate_dataset))(jax.random.split(jax.random.key(2), 50))[1]
        n = np.asarray(data.exists.sum(1))
        assert data.y.shape[1] == high and n.min() >= low and n.max() <= high


def irregular(model):
    return model.changed(design=model.design._replace(holes=0.2, sequences=3))


@pytest.mark.parametrize("name", ["gaussian_mixture", "gaussian_hmm", "evidence_accumulation"])
def test_networks_of_irregular_designs(name, trained_irregular):
    """Nothing behind a mask or after the end is seen; holes, starts and the states beside them are."""
    model, estimator = trained_irregular(name)
    _, data, _ = simulate(model, 5, np.float32)
    n, size = len(data.y), model.design.size
    summary = jax.jit(lambda d: estimator.summary_network(pack(model, d)[None])[0])
    full = pad(data, *size)
    np.testing.assert_allclose(summary(full), summary(pad(data, size[0] + 20, size[1])), atol=2e-4)
    hidden = full._replace(y=np.where(full.mask[..., None] > 0, full.y, full.y[np.asarray(full.mask) > 0][-1]))
    np.testing.assert_allclose(summary(full), summary(hidden), atol=2e-4)
    hole = full._replace(mask=np.where(np.arange(size[0])[:, None] == n // 2, 0, full.mask))
    assert np.abs(summary(full) - summary(hole)).max() > 1e-4
    other = full._replace(
        sequence=np.where((np.arange(size[0]) >= n // 2) & (full.sequence > 0), full.sequence + 1, full.sequence)
    )
    if model.dependent:
        assert np.abs(summary(full) - summary(other)).max() > 1e-5


def test_heads_of_a_chain_know_sequences(trained_irregular):
    """The first unit of a sequence has p(z_1) and no other unit behind it: the filter of a network is exact in that."""
    model, estimator = trained_irregular("evidence_accumulation")
    theta, data, _ = simulate(model, 7, np.float32)
    y = np.array(data.y)
    y[50, 0, 0] = 0.9 * y[..., 0].min()
    data = data._replace(
        y=y, mask=np.ones_like(data.mask), sequence=1.0 + (np.arange(len(data.y)) >= 40).astype(np.float32)
    )
    from amortmix.inference.amortized import Amortized

    amortized = Amortized(model, estimator, {"meaningful": False})
    u = np.asarray(model.bijection(data).inverse(jnp.asarray(theta)))[None]
    whole = amortized.probabilities(data, u)
    # the other sequence is there but not observed, and the fastest response, which bounds tau, is in this one
    before = np.arange(len(data.y)) < 40
    apart = amortized.probabilities(data._replace(mask=np.where(before[:, None], 0, data.mask)), u)
    for head in ("filtering", "backward_filtering", "smoothing"):
        np.testing.assert_allclose(whole[head][0, 40:], apart[head][0, 40:], atol=1e-4)


@pytest.fixture(scope="module")
def trained_irregular():
    """name -> a model of an irregular design and its untrained networks."""
    from conftest import smoke_recipe

    from amortmix.training.loop import prepare

    made = {}

    def get(name):
        if name not in made:
            model = irregular(registry.find(name))
            recipe = smoke_recipe(model)
            if model.dependent:
                recipe["classifier"] = {"kind": "emission", "widths": [16]}
            made[name] = model, prepare(model, recipe, seed=1)[0]
        return made[name]

    return get


def test_frames_have_their_turn_and_a_resumed_training_is_the_same(tmp_path):
    """Each frame is trained in; a training stopped between two dispatches ends bit by bit as one that was not."""
    from conftest import smoke_recipe

    from amortmix.training.loop import train

    recipe = smoke_recipe(RACE) | {"design": {"units": [20, 60], "holes": 0.2, "sequences": 2, "padding": [30, 60]}}
    recipe["schedule"] = recipe["schedule"] | {"phases": [[100, 4]], "reports": 2}
    recipe["flow"] = recipe["flow"] | {"depth": 1}  # which compiles sooner
    whole = train(RACE, recipe, seed=1)
    assert whole.model.design.frames == (30, 60) and [row["step"] for row in whole.history] == [50, 100]
    train(RACE, recipe, seed=1, checkpoint=tmp_path / "c.npz", max_steps=50)
    resumed = train(RACE, recipe, seed=1, checkpoint=tmp_path / "c.npz")
    for a, b in zip(whole.estimator.weights, resumed.estimator.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_wider_design_starts_from_the_networks_of_a_regular_one():
    """Weights for what is new are zero: on a regular data set of the same frame the posterior is the known one."""
    from conftest import smoke_recipe

    from amortmix.inference.amortized import Amortized
    from amortmix.training.loop import prepare
    from amortmix.training.start import start_from

    recipe = smoke_recipe(RACE)
    known = prepare(RACE, recipe, seed=1)[0]
    wide = RACE.changed(design=RACE.design._replace(holes=0.2, sequences=3))
    ours = prepare(wide, recipe, seed=2)[0]
    card = {"recipe": recipe, "meaningful": False}
    start_from(ours, recipe, Bundle(RACE, known, card, None))
    _, data, _ = simulate(RACE, 3, np.float32)
    found, expected = (Amortized(m, e, card).sample(data, 20, seed=1) for m, e in ((wide, ours), (RACE, known)))
    np.testing.assert_allclose(found.theta, expected.theta, rtol=1e-4)
