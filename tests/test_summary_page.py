"""Pages: formulas as MathML that parses, nothing that a browser would fetch, and words for what is not there."""

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nbformat
from amortmix import overview, tables
from amortmix.gallery import caption, clear_figures
from amortmix.pages import to_html, with_mathml
from amortmix.report import card_lines, table_answer

MATHML = "{http://www.w3.org/1998/Math/MathML}"


def test_formulas_become_mathml():
    text = with_mathml(r"Given $z_t$, costing \$5:" + "\n\n$$\n\\frac{a}{b}\n$$\n")
    inline, block = (ElementTree.fromstring(m) for m in re.findall(r"<math.*?</math>", text, re.DOTALL))
    assert [e.text for e in inline.iter(f"{MATHML}mi")] == ["z", "t"] and inline.find(f".//{MATHML}msub") is not None
    assert [e.text for e in block.find(f".//{MATHML}mfrac").iter(f"{MATHML}mi")] == ["a", "b"]
    assert (inline.get("display"), block.get("display")) == ("inline", "block")
    assert "$" not in text.replace(r"\$5", "")


def test_pages_need_no_network():
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell("Text, $x$"), nbformat.v4.new_code_cell("1")]
    )
    page = to_html(notebook)
    assert "<math" in page and "<script" not in page
    fetched = re.findall(r"<(?!a\b)\w+[^>]*\b(?:src|href)=[\"'](https?:[^\"']*)", page)
    assert not fetched and "@import" not in page
    assert notebook.cells[0].source == "Text, $x$"


def test_a_list_without_participants_has_an_empty_table():
    frame = tables.table1([])
    assert tuple(frame.columns) == tables.COLUMNS and not len(frame)
    assert "| " not in tables.markdown(frame, ["a note"])
    assert "has no participants" in table_answer({}, "paper", None)


def test_failed_and_divergent_chains_are_named():
    fine = {"mcmc_not_run": None, "divergences": 0}
    comparisons = [
        {"dataset": "A", **fine},
        {"dataset": "B", **fine, "divergences": 7},
        {"dataset": "C", **fine, "mcmc_not_run": "pystan failed: no start", "divergences": None},
    ]
    assert tables.mcmc_notes(comparisons) == [
        "MCMC: not run for C: pystan failed: no start",
        "Divergent transitions after warm-up: B (7)",
    ]


def test_every_figure_has_a_heading_and_a_caption_of_its_own():
    """Names of figures that runs make; a name that no rule knows is shown as it is."""
    captions = {
        "fig04_calibration": ("Gaussian mixture model", "figure 4 of the paper"),
        "fig09_recovery_poorly": ("Gaussian hidden Markov model", "poorly separated states"),
        "fig15_joint_dutilh_B": ("Latent switches in cognitive processing", "dutilh_B"),
        "evidence_accumulation_joint_dutilh_H": ("Latent switches in cognitive processing", "dutilh_H"),
        "gaussian_hmm_learning_curve": ("Gaussian hidden Markov model", "held-out simulations"),
        "smoothing_rules": ("Smoothing", "exact smoother"),
        "ablation_gaussian_hmm": ("Ablation", "Gaussian hidden Markov model"),
        "my_own": ("More", "my own"),
    }
    for stem, (heading, words) in captions.items():
        found = caption(stem)
        assert found[0] == heading and words in found[1], stem
    assert "of the paper" not in caption("evidence_accumulation_joint_dutilh_H")[1]


def test_a_page_clears_the_figures_of_its_earlier_runs_and_no_others(tmp_path):
    """Those of data sets that it no longer shows would stay in the report."""
    own = {"fig15_joint_dutilh_B.pdf", "evidence_accumulation_joint_dutilh_H.png", "posterior_predictive.png"}
    others = {"fig04_calibration.png", "gaussian_hmm_gap.pdf", "smoothing_rules.png", "c2st.png", "my_own.png"}
    for name in own | others:
        (tmp_path / name).touch()
    clear_figures(tmp_path, "evidence_accumulation")
    assert {path.name for path in tmp_path.iterdir()} == others


def test_more_is_asked_of_networks_that_are_shipped():
    """A gap between the two targets is reached by trained networks only."""
    trained, shipped = (overview.TARGETS[k].gap["gaussian_hmm"] for k in ("trained", "shipped"))
    metrics = {"gaussian_hmm": {"gap_nats": {"mean": (trained + shipped) / 2, "se": 0.0}, "sbc": {"inside": True}}}
    reached = {n: overview.target_rows(metrics, {}, n)["reached"].tolist() for n in ("trained", "shipped")}
    assert reached == {"trained": ["yes", "yes"], "shipped": ["no", "yes"]}


def test_a_card_says_if_training_simulated_from_a_proposal():
    """Its training curves are then not of the data sets of its held-out curves."""
    card = json.loads((Path(__file__).parents[1] / "networks/paper/gaussian_mixture/card.json").read_text())
    assert "half of the data sets" not in card_lines(card)
    card["recipe"]["schedule"]["proposal"] = {"mu_scale": 2.0}
    assert "half of the data sets trained on last are simulated with mu_scale = 2.0" in card_lines(card)
    assert "no parameter makes" not in card_lines(card)
    card["recipe"]["schedule"]["misfit"] = 0.25
    assert "25% of the data sets trained on last are such as no parameter makes" in card_lines(card)
