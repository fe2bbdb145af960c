"""The page's own modules, under Node, against NumPy, ArviZ and the library: the same numbers and the same messages."""

import base64
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from browser_cases import cases, needs_node, node

import amortmix as am
from amortmix.browser import card as cards
from amortmix.browser.pieces import in_pieces
from amortmix.inference import adapted, members, noise, psis, states_check
from amortmix.inference.exported import FILE
from amortmix.inference.reference import FAR, MmdTest, Reference, far_outside
from amortmix.model.columns import as_json
from amortmix.storage.files import BadInput

pytestmark = needs_node

#: Of `cases`, which are fitted or refused.
CASES = (
    *("clean", "anticipation", "limits", "missing", "gaps", "semicolons", "spreadsheet", "names_unknown"),
    *("codes_unknown", "names", "milliseconds", "bad", "words", "surplus", "empty", "open_quote", "pooled", "people"),
    *("workbook", "sessions_pooled", "sessions", "holes", "disorder", "classes", "shifted", "narrow"),
    "long_anticipation",
)
#: Cases whose proposals are adapted, and the verdict; single precision decides the draws of the last.
ADAPTED = {"anticipation": "PSIS", "long_anticipation": "PSIS", "shifted": "MCMC", "narrow": "PSIS"}


def called(*calls):
    """Answers of functions of the page: (module, name, arguments) each."""
    known = [{"module": m, "name": n, "values": [_plain(v) for v in values]} for m, n, *values in calls]
    return node("call.mjs", given=json.dumps(known))


def _plain(value):
    if isinstance(value, np.ndarray):
        return [_plain(v) for v in value.tolist()]
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value


def test_random_numbers_are_those_of_numpy():
    for seed in (0, 7, 2**40):
        normal, words = called(
            ("numbers/normal.js", "normal", seed, 4001), ("numbers/seeds.js", "seedWords", [seed, 3], 5)
        )
        np.testing.assert_allclose(normal, noise.normal(seed, (4001,)), rtol=2e-6)
        assert words == np.random.SeedSequence([seed, 3]).generate_state(5).tolist()
        (gumbel,) = called(("numbers/normal.js", "gumbel", seed, 30, 12))
        np.testing.assert_allclose(gumbel, noise.gumbel(seed, (42,))[12:], rtol=2e-6, atol=1e-6)


@pytest.mark.parametrize("width", [1, 4, 7])
def test_adapted_proposals_are_those_of_python(width):
    """Density, weights and the next proposal to 1e-9, noise to single precision."""
    random, rules = np.random.default_rng(width), cards.rules()["adapted"]
    factor = 0.3 * random.normal(size=(width, width)) + np.eye(width)
    known = adapted.Adapted(random.normal(size=width), factor @ factor.T)
    given = {"location": known.location.tolist(), "shape": known.shape.ravel().tolist()}
    eps = 3 * random.normal(size=(2, 300, width)).astype(np.float32)
    targets = np.where(random.random((2, 300)) < 0.2, -np.inf, 4 * random.normal(size=(2, 300)))
    pieces = [adapted.Piece(None, None, e, t) for e, t in zip(eps, targets)]
    expected = adapted.fitted(pieces, [adapted.Flow(), known])
    rows = [{"noise": e.ravel().tolist(), "log_target": _plain(t)} for e, t in zip(eps, targets)]
    flow, density, sample, few, next_one = called(
        ("numbers/proposals.js", "logDensity", eps.ravel(), width),
        ("numbers/proposals.js", "logDensity", eps.ravel(), width, given, rules),
        ("numbers/proposals.js", "sample", given, 1000, 5, rules),
        ("numbers/proposals.js", "tempered", targets.ravel(), 580),
        ("fit/adapted.js", "fitted", rows, [None, given], width, rules),
    )
    np.testing.assert_allclose(flow, adapted.Flow().log_density(eps).ravel(), rtol=1e-9)
    np.testing.assert_allclose(density, known.log_density(eps).ravel(), rtol=1e-9)
    np.testing.assert_allclose(np.reshape(sample, (-1, width)), known.sample(1000, 5), rtol=2e-6, atol=1e-6)
    assert few is None and adapted.tempered(targets.ravel(), 580) is None
    np.testing.assert_allclose(next_one["location"], expected.location, rtol=1e-9)
    np.testing.assert_allclose(next_one["shape"], expected.shape.ravel(), rtol=1e-9)


@pytest.mark.parametrize("fewest", [2, 40, 150])
def test_tempered_weights_are_those_of_python(fewest):
    log_weights = np.r_[6 * np.random.default_rng(3).normal(size=200), -np.inf]
    (found,) = called(("numbers/proposals.js", "tempered", log_weights, fewest))
    np.testing.assert_allclose(found, adapted.tempered(log_weights, fewest), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("spread", "number"), [(0.3, 1000), (2.0, 1000), (6.0, 150), (0.0, 300)])
def test_weights_are_those_of_arviz(spread, number):
    random = np.random.default_rng(number)
    target = spread * random.standard_t(3, number)
    target[3] = target[3] if spread == 0 else -np.inf
    proposal = np.zeros(number)
    expected = psis.smooth(target, proposal)
    asked_for = ("numbers/psis.js", "smooth", target, proposal), ("numbers/psis.js", "evidence", target)
    found, (value, error) = called(*asked_for)
    assert found["k"] == ("-inf" if spread == 0 else pytest.approx(expected.pareto_k, abs=1e-9))
    weights = np.array([float(w) for w in found["logWeights"]])
    np.testing.assert_allclose(np.exp(weights), expected.weights, rtol=1e-9)
    assert found["ess"] == pytest.approx(expected.ess) and found["reliable"] == expected.is_reliable
    assert (value, error) == pytest.approx(psis.evidence(target), abs=1e-7)
    (chosen,) = called(("numbers/psis.js", "resample", expected.log_weights, number, 11))
    assert chosen == psis.resample(expected.log_weights, number, 11).tolist()


@pytest.mark.parametrize(("number", "same"), [(1000, 94), (1000, 997), (25, 5), (24, 1), (3, 1)])
def test_a_tail_of_one_value_cannot_be_relied_on_here_either(number, same):
    target, proposal = np.where(np.arange(number) < same, 5.0, 0.0), np.zeros(number)
    (found,) = called(("numbers/psis.js", "smooth", target, proposal))
    assert found["k"] == "NaN" and not found["reliable"] and np.isnan(psis.smooth(target, proposal).pareto_k)
    np.testing.assert_allclose(np.exp(np.array(found["logWeights"])), np.exp(target) / np.exp(target).sum())


def test_the_distance_from_simulations():
    summaries = np.random.default_rng(2).normal(size=(200, 6)).astype(np.float32)
    test, summary = MmdTest(summaries), np.full(6, 0.4, np.float32)
    known = {"dimension": 6, "scales": cards.reference.SCALES.tolist(), "null": test.null.tolist()}
    known |= {"alone": test.alone, "within": test.within, "summaries": summaries.ravel().tolist()}
    (found,) = called(("numbers/mmd.js", "mmdTest", summary, known))
    assert (found["mmd"], found["p"]) == pytest.approx(test(summary), abs=1e-6)


def test_what_lies_far_outside_the_simulations():
    """Values, means and covariates, with the sentences of Python; units that do not exist have no covariate."""
    model = SimpleNamespace(columns={"rt": am.Positive(), "y": am.Real()}, covariates={"water": None, "time": None})
    ranges = [[-2, 1], [-3, 3]], [[-1, 0], [-1, 1]], [[0, 1], [0, 1]]
    known = Reference(np.zeros((1, 1)), *(np.array(r, float) for r in ranges))
    kinds = {name: as_json(kind) for name, kind in model.columns.items()}
    card = {"model": {"columns": kinds, "covariates": list(model.covariates)}}
    card["reference"] = {k: v.astype(float) for k, v in known._asdict().items()}
    card["reference"] = {k: v.tolist() for k, v in card["reference"].items()}
    y = np.array([[[0.5, 9.0]], [[600.0, 5.0]], [[0.4, 8.0]], [[0.3, 0.0]]])
    data = am.Data(y, np.array([[1], [1], [1], [0.0]]), np.array([[0, 0], [9, 0], [0.5, -0.25], [99, 99]]))
    flat = {k: getattr(data, k).ravel().tolist() for k in ("y", "mask", "x")} | {"n": 4, "p": 1, "d": 2, "c": 2}
    flat |= {"sequence": None, "components": None}
    labels = ["a", "b", "c", "d"]
    expected = far_outside(model, known, SimpleNamespace(data=data, labels=labels))
    named = ["rt of unit b is 600", "y of unit a is 9", "water of unit b is 9"]
    assert [e.split(",")[0] for e in expected] == named
    assert called(("fit/reference.js", "farOutside", card, {"data": flat, "labels": labels}, FAR)) == [expected]
    mild = data._replace(y=np.where(y > 5, 3.0, y), x=np.zeros((4, 2)))
    assert far_outside(model, known, SimpleNamespace(data=mild, labels=labels)) == [
        "the mean of y is far outside those of all simulated data sets"
    ]


def test_numbers_in_messages():
    values = [0.0, 1.0, -0.2, 1e-5, 123456789.0, 0.00012345678, 1e16, 100.0, 3.14159265, -2.5e-7, 999999.5]
    general = called(*(("reading/format.js", "general", v, digits) for v in values for digits in (2, 3, 6)))
    assert general == [f"{v:.{digits}g}" for v in values for digits in (2, 3, 6)]
    assert called(*(("reading/format.js", "decimal", v) for v in values)) == [repr(v) for v in values]
    texts = ["a", "it's", 'say "so"', "both ' and \"", "tab\t"]
    assert called(*(("reading/format.js", "quoted", t) for t in texts)) == [repr(t) for t in texts]


def test_programs_in_pieces_are_the_same_programs():
    """Equal arrays of different programs are kept once."""
    import zlib

    def field(number, content):
        size = []
        n = len(content)
        while True:
            size.append((n & 127) | (128 if n > 127 else 0))
            n >>= 7
            if not n:
                return bytes([number << 3 | 2, *size]) + content

    shared, own = bytes(range(256)) * 20, bytes(7000)
    programs = {
        n: field(7, field(5, field(9, shared)) + field(5, field(9, a)) + b"\x08\x01")
        for n, a in (("a", own), ("b", own[:-1]))
    }
    places, pieces, content = in_pieces(programs)
    compressed = base64.b64decode(content)
    parts = [zlib.decompress(compressed[start : start + size]) for start, size in pieces]
    assert {n: b"".join(parts[i] for i in p) for n, p in places.items()} == programs
    assert parts.count(shared) == 1 and len(compressed) == sum(size for _, size in pieces)


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """{name: (networks, path, reading, what the page says)} of every case; one process for each model."""
    folder, found = tmp_path_factory.mktemp("cards"), {}
    known = cases(folder)
    for model in ("evidence_accumulation", "gaussian_hmm", "gaussian_mixture"):
        nets = am.load(model, engine="exported")
        ours = {name: case for name, case in known.items() if case[0] == model}
        said = asked(nets.folder, folder, [{"path": str(path), **reading} for _, path, reading in ours.values()])
        found |= {name: (nets, *case[1:], answer) for (name, case), answer in zip(ours.items(), said)}
    return found


def asked(networks, folder, jobs):
    """What the modules of the page answer for files."""
    for name, content in (("card", cards.card_of(networks)), ("rules", cards.rules())):
        (folder / f"{name}.json").write_text(json.dumps(content))
    return node("run.mjs", folder / "card.json", folder / "rules.json", given=json.dumps(jobs))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_file_is_fitted_or_refused_as_by_python(answers, name, monkeypatch):
    """Draws of a seed agree to 1e-3; where weights choose among them, all but those on the edge of a weight."""
    monkeypatch.setattr(states_check, "missing", lambda: "jax")  # a page has none
    nets, path, reading, said = answers[name]
    by = reading.pop("by", None)
    try:
        if by:
            expected = nets.fit_many(path, by=by, states=1000, **reading)
        else:
            expected = {"": nets.fit(path, draws=1000, **reading)}
    except BadInput as error:
        assert said.get("problem") == str(error).replace(str(path), path.name)
        return
    assert "problem" not in said, said
    assert len(said["found"]) == len(expected)
    for found, fit in zip(said["found"], expected.values()):
        _compare(found, fit, exactly=name != "narrow")
        assert fit.tree.attrs["adapted"] == (name in ADAPTED) and fit.verdict == ADAPTED.get(name, fit.verdict)


def test_no_message_of_the_page_is_python(answers):
    """Refusals and what decides a fit name fields of the page, not arguments or options."""
    said = [answer["problem"] for *_, answer in answers.values() if "problem" in answer]
    said += [fit["reason"] for *_, answer in answers.values() for fit in answer.get("found", [])]
    python = re.compile(r"--\w|\w=[\[{\")]|_rt\b")
    assert sum(bool(python.search(text)) for text in said) >= 5
    here = called(*(("reading/words.js", "inPage", text) for text in said))
    assert [text for text in here if python.search(text)] == []


def _compare(found, fit, exactly=True):
    """What the page found beside a fit; if not ``exactly``, other draws of the same posterior will do."""
    attrs, theta = fit.tree.attrs, np.reshape(found["theta"], fit.theta.shape)
    moved = (np.abs(theta - fit.theta) > 1e-3 * (1 + np.abs(fit.theta))).any(1)
    assert not exactly or moved.mean() <= (0.03 if attrs["posterior"] == "psis" else 0)
    words, expected = (re.sub(r"-?\d\.\d+", "0", reason) for reason in (found["reason"], fit.reason))
    assert words == expected
    assert found["verdict"] == fit.verdict and found["notes"] == fit.notes
    assert len(found["warnings"]) == len(fit.warnings) and found["labels"] == [str(x) for x in fit.labels]
    wide = {} if exactly else {"proposals_k": 0.1, "log_evidence": attrs["log_evidence_se"]}
    known = {"pareto_k": 2e-3, "proposals_k": 2e-3, "mmd_p": 2e-3, "log_evidence": 1e-3, "proposals": 0, "adapted": 0}
    for key, close in (known | wide).items():
        assert found["said"][key] == pytest.approx(attrs[key], abs=close), key
    table = fit.summary()
    sd = table["sd"].to_numpy()
    for key, column in {"mean": "mean", "low": "2.5%", "median": "median", "high": "97.5%"}.items():
        values = np.array([p[key] for p in found["parameters"]])
        assert np.all(np.abs(values - table[column].to_numpy()) < (0.1 if exactly else 0.5) * sd), key
    p = fit.tree["latent_probabilities"][fit.head].sel(statistic="mean").values
    assert np.abs(np.reshape(found["states"]["mean"], p.shape) - p).max() < 0.01


def test_networks_of_ones_own_and_the_predictive_density(tmp_path):
    """The density of one more value, which a page draws, is that of the mixture at the same draws."""
    am.load("gaussian_mixture", design="paper").save(tmp_path / "mine")
    path = cases(tmp_path)["classes"][1]
    (said,) = asked(tmp_path / "mine", tmp_path, [{"path": str(path), "pictures": True}])
    (picture,) = said["found"][0]["predictive"]
    theta = np.reshape(said["found"][0]["theta"], (1000, 6))
    grid = np.array(picture["points"])
    normal = np.exp(-((grid[:, None, None] - theta[:, 3:]) ** 2) / 2) / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(picture["mean"], (normal * theta[:, :3]).sum(-1).mean(1), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("spread", [0.05, 1.0])
def test_doubts_about_a_learned_density(spread):
    """Sentences for answers of its programs are those of the library."""
    random = np.random.default_rng(8)
    draws, units = 200, 6
    theta, weights = random.normal(size=(draws, 2)), random.normal(size=draws)
    answers = {"members": spread * random.normal(size=(draws, 3)), "units": spread * random.normal(size=(draws, units))}
    answers["tails"] = np.where(np.arange(units) == 4, 1e-5, 0.2) * np.ones((25, 1))
    engine = SimpleNamespace(
        log_likelihoods_of_members=lambda data, theta: answers["members"],
        log_units=lambda data, theta: answers["units"],
        tails=lambda data, theta: np.median(answers["tails"], axis=0),
    )
    y = random.normal(size=(units, 1, 1))
    labels = tuple("abcdef")
    expected = members.shift(engine, None, theta, weights).concerns(
        SimpleNamespace(data=SimpleNamespace(y=y), labels=labels), "y"
    )
    given = {"outputs": {k: v.ravel().tolist() for k, v in answers.items()}, "labels": labels}
    given |= {"data": {"n": units, "p": 1, "d": 1, "y": y.ravel().tolist()}, "theta": theta.ravel().tolist()}
    given |= {"model": {"parameters": [0, 1], "columns": {"y": {}}}, "logWeights": weights.tolist()}
    (found,) = node("doubts.mjs", given=json.dumps(given | {"rules": cards.rules()["members"]}))
    assert found == expected and bool(found) == (spread > 0.5)


def test_networks_without_programs_are_refused(tmp_path):
    am.load("gaussian_hmm", design="paper").save(tmp_path / "mine")
    (tmp_path / "mine" / FILE).unlink()
    with pytest.raises(BadInput, match="amortmix export"):
        cards.card_of(tmp_path / "mine")
