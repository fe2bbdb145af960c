"""The networks that come with the library fit the case studies, and others are refused in one line."""

import json

import jax
import numpy as np
import pytest
from amortmix import config
from amortmix.cases import CASES
from amortmix.io import BadInput
from amortmix.posterior import Amortized


def test_shipped_networks_are_those_of_the_case_studies_and_fit(case):
    """Every one loads, also those that an earlier version stored, and its fit is made of numbers."""
    _, data, _ = case.simulate_dataset(jax.random.key(5), case.prior("paper"))
    for variant in case.priors:
        config.check_shipped(case, variant)
        amortized = Amortized.load(config.shipped(case.name, variant))
        draws = amortized.sample(data, 20, seed=1)
        assert np.isfinite(draws.theta).all() and np.isfinite(draws.log_q).all()
        for head, p in amortized.probabilities(data, draws.u).items():
            np.testing.assert_allclose(p.sum(-1), 1, atol=1e-5, err_msg=head)


def test_a_card_that_disagrees_is_refused(tmp_path, monkeypatch):
    case = CASES["gaussian_hmm"]
    card = json.loads((config.shipped(case.name, "paper") / "card.json").read_text())
    monkeypatch.setattr(config, "SHIPPED", tmp_path)
    with pytest.raises(BadInput, match="none are shipped for gaussian_hmm, priors paper; use networks=trained"):
        config.check_shipped(case, "paper")
    folder = config.shipped(case.name, "paper")
    folder.mkdir(parents=True)
    card["recipe"]["schedule"]["learning_rate"] = 1.0  # how they were trained may differ, what they are may not
    (folder / "card.json").write_text(json.dumps(card))
    config.check_shipped(case, "paper")
    card["recipe"]["flow"]["depth"] = 1
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(BadInput, match=r"card.json: flow is .*'depth': 1,.*; expected .*'depth': "):
        config.check_shipped(case, "paper")
    card["prior"]["stay"] = [1.0, 1.0]
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(BadInput, match=r"card.json: prior is .*\[1.0, 1.0\].*; expected .*\[2.0, 2.0\]"):
        config.check_shipped(case, "paper")
