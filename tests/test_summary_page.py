"""Pages: formulas as MathML that parses, nothing that a browser would fetch, and words for what is not there."""

import json
import re
import xml.etree.ElementTree as ElementTree

import matplotlib.pyplot as plt
import nbformat
import pandas as pd

from amortmix.model import registry
from amortmix_paper import pretrained, summary_page, table1
from amortmix_paper.captions import ModelFigures, captions_of
from amortmix_paper.notebook_html import titled, to_html, with_mathml
from amortmix_paper.statements import card_lines, chosen_data_sets, table_answer, validation_line

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


def test_a_page_of_a_model_has_its_title():
    cells = [nbformat.v4.new_markdown_cell(text) for text in ("# A model: from data\nMore.", "# A model: again")]
    found = titled(nbformat.v4.new_notebook(cells=cells), "Epidemic")
    assert [c.source for c in found.cells] == ["# Epidemic: from data\nMore.", "# A model: again"]


def comparison(name, source, case="evidence_accumulation", **changes):
    """A comparison.json, as far as tables read it."""
    numbers = {"mmd": 3.5, "mmd_p": 0.4, "pareto_k": 0.5, "c2st": 0.6, "c2st_psis": 0.55, "rhat_max": 1.001}
    words = {"verdict": "ABI", "reason": "because", "engine": "numpyro", "mcmc_not_run": None}
    rest = {
        "divergences": 0,
        "seconds_abi": 1.0,
        "seconds_stan": 60.0,
        "simulated": source.startswith(("demo", "prior", "simulated")),
    }
    return {"dataset": name, "source": source, "case": case, **numbers, **words, **rest, **changes}


def test_a_list_without_participants_has_an_empty_table():
    frame = table1.table1([])
    assert tuple(frame.columns) == table1.COLUMNS and not len(frame)
    assert "| " not in table1.markdown(frame, ["a note"])
    assert "has no participants" in table_answer({}, "paper", None)


def test_a_participant_that_is_listed_twice_has_two_rows():
    people = [
        comparison("a_first", "participant:A"),
        comparison("a_all", "participant:A"),
        comparison("b", "participant:B"),
    ]
    frame = table1.table1(people)
    assert list(frame.index) == ["a_first", "a_all", "B"]
    assert frame.loc["a_all", "k-hat (paper)"] == table1.PUBLISHED["A"][2]


def test_failed_and_divergent_chains_are_named():
    fine = {"mcmc_not_run": None, "divergences": 0}
    comparisons = [
        {"dataset": "A", **fine},
        {"dataset": "B", **fine, "divergences": 7},
        {"dataset": "C", **fine, "mcmc_not_run": "pystan failed: no start", "divergences": None},
    ]
    assert table1.mcmc_notes(comparisons) == [
        "MCMC: not run for C: pystan failed: no start",
        "Divergent transitions after warm-up: B (7)",
    ]


def test_captions_say_what_a_figure_shows_and_whether_the_paper_has_it(tmp_path):
    """By the source of a data set: one that is named like a participant, or is not the demo, has no number."""
    others = plt.get_fignums()  # what tests of the same process have left open
    sources = {"people_B": "participant:B", "dutilh_C": "file:mine.csv", "sim_A": "simulated:A"}
    figures = ModelFigures(tmp_path, registry.find("evidence_accumulation"), sources)
    for dataset in sources:
        figures.add(plt.figure(), "joint", dataset)
    figures.add(plt.figure(), "recovery", part="poorly separated states")
    found = captions_of(tmp_path)
    assert (
        set(found)
        == {p.stem for p in tmp_path.glob("*.png")}
        == {
            "fig15_joint_people_B",
            "evidence_accumulation_joint_dutilh_C",
            "evidence_accumulation_joint_sim_A",
            "fig13_recovery_poorly",
        }
    )
    assert "Joint posterior, people_B. " in found["fig15_joint_people_B"]
    assert {n for n, words in found.items() if "of the paper" in words} == {
        "fig15_joint_people_B",
        "fig13_recovery_poorly",
    }
    assert plt.get_fignums() == others and captions_of(tmp_path / "nowhere") == {}


TITLES = {
    "gaussian_hmm": "Gaussian hidden Markov model",
    "evidence_accumulation": "Latent switches",
    "mine": "My model",
}


def test_more_is_asked_of_networks_that_are_shipped():
    """A gap between the two targets is reached by trained networks only."""
    trained, shipped = (summary_page.TARGETS[k].gap["gaussian_hmm"] for k in ("trained", "shipped"))
    metrics = {"gaussian_hmm": {"gap_nats": {"mean": (trained + shipped) / 2, "se": 0.0}, "sbc": {"inside": True}}}
    reached = {n: summary_page.target_rows(metrics, {}, TITLES, n)["reached"].tolist() for n in ("trained", "shipped")}
    assert reached == {"trained": ["yes", "yes"], "shipped": ["no", "yes"]}


def test_own_models_and_data_sets_have_rows_and_no_targets():
    """Also where no density is known and MCMC was not run; nothing is asked of them but calibration."""
    metrics = {"mine": {"sbc": {"inside": False}}}
    nothing = {"c2st": None, "c2st_psis": None, "pareto_k": None, "rhat_max": None, "mcmc_not_run": "no density"}
    comparisons = {
        "dutilh_pilot_A": comparison("dutilh_pilot_A", "file:a.csv"),
        "exp1_A": comparison("exp1_A", "file:b.csv", "mine", **nothing, verdict="UNRELIABLE"),
        "sim_study": comparison("sim_study", "prior:1"),
    }
    targets = summary_page.target_rows(metrics, comparisons, TITLES)
    assert targets["quantity"].tolist() == ["SBC ranks inside simultaneous bands"]
    assert targets["reached"].tolist() == ["no"]
    rows = summary_page.data_set_rows(comparisons, TITLES)
    assert list(rows.index) == list(comparisons) and rows.loc["exp1_A", "verdict"] == "UNRELIABLE"
    assert rows.loc["exp1_A", "model"] == "My model"
    assert not len(summary_page.published_rows({"paper": comparisons}))
    assert "exp1_A" in summary_page.shown(rows).to_html()


def test_the_papers_numbers_stand_beside_ours_by_source():
    comparisons = {"someone": comparison("someone", "participant:C", c2st=0.57, mmd_p=0.7)}
    rows = summary_page.published_rows({"reference": comparisons})
    assert rows["agree"].to_dict() == {
        "Table 1, C: C2ST": "yes",
        "Table 1, C: k-hat at most 0.7": "yes",
        "Table 1, C: MMD p at most 0.1": "yes",
    }


def test_a_number_that_is_better_than_the_papers_says_so():
    """Participant B has C2ST 0.62 and k-hat 0.49 there, A 0.99 and 3.81."""
    found = {
        "b": comparison("b", "participant:B", c2st=0.50, pareto_k=0.8),
        "a": comparison("a", "participant:A", c2st=0.98, pareto_k=0.6),
    }
    agree = summary_page.published_rows({"reference": found})["agree"]
    assert agree["Table 1, B: C2ST"] == "better" and agree["Table 1, B: k-hat at most 0.7"] == "no"
    assert agree["Table 1, A: C2ST"] == "yes" and agree["Table 1, A: k-hat at most 0.7"] == "better"
    worse = summary_page.published_rows({"reference": {"b": comparison("b", "participant:B", c2st=0.7)}})["agree"]
    assert worse["Table 1, B: C2ST"] == "no"


def test_all_data_sets_are_shown_but_of_many_participants_four():
    people = {f"p{letter}": f"participant:{letter}" for letter in "ABCDEFGHIJK"}
    own = {"dutilh_pilot_A": "file:a.csv", "sim_study": "prior:1"}
    comparisons = {n: comparison(n, s, pareto_k=1 - i / 100) for i, (n, s) in enumerate((people | own).items())}
    assert list(chosen_data_sets(people | own, comparisons)) == ["pC", "pB", "pA", "pK", *own]
    assert list(chosen_data_sets(own, comparisons)) == list(own)


def test_a_card_says_if_training_simulated_from_a_proposal():
    """Its training curves are then not of the data sets of its held-out curves."""
    card = json.loads((pretrained.folder("gaussian_mixture", "paper") / "card.json").read_text())
    history = pd.DataFrame({"step": [1000, 2000], "skipped": [0.0, 0.0]})
    assert "half of the data sets" not in card_lines(card, history)
    card["recipe"]["schedule"]["proposal"] = {"mu_scale": 2.0}
    assert "half of the data sets trained on last are simulated with mu_scale = 2.0" in card_lines(card, history)
    assert "corrupted" not in card_lines(card, history)
    card["recipe"]["schedule"]["misfit"] = 0.25
    assert "25% of the data sets trained on last are corrupted" in card_lines(card, history)


def test_a_page_says_how_many_steps_were_left_out():
    card = json.loads((pretrained.folder("gaussian_mixture", "paper") / "card.json").read_text())
    history = pd.DataFrame({"step": [1000, 2000], "skipped": [3.0, 0.0]})
    assert "3 of the 2,000 steps of this curve were left out: their gradient" in card_lines(card, history)
    assert "left out" not in card_lines(card, history.assign(skipped=0.0))


def test_a_page_says_whose_seed_its_validation_has():
    """That of the run, or one in which the run has no part."""
    metrics = {"settings": {"datasets": 1000, "draws": 500}, "seed": 7}
    own, shipped = (validation_line(metrics, flag) for flag in (False, True))
    assert own.endswith("1,000 held-out data sets with 500 draws of each, seed 7.") and shipped.startswith(own)
    assert "the seed of this run has no part in it" in shipped and "revalidate=true" in shipped


def test_the_report_counts_the_steps_that_were_left_out():
    """A dash where the card does not say, as those of the pretrained networks."""
    card = json.loads((pretrained.folder("gaussian_mixture", "paper") / "card.json").read_text())
    name, titles = "gaussian_mixture", {"gaussian_mixture": "mixture"}
    rows = summary_page.time_rows({name: card | {"skipped": 4}}, {}, {}, titles)
    assert rows.loc["mixture", "steps left out"] == 4
    assert "steps left out" in summary_page.shown(rows).to_html()
    unknown = summary_page.time_rows({name: {k: v for k, v in card.items() if k != "skipped"}}, {}, {}, titles)
    assert table1.cell("steps left out", unknown.loc["mixture", "steps left out"]) == "–"


def test_times_are_of_the_cpu_and_by_the_clock():
    """Means of what is known of each; a model without Stan, and networks whose CPU time nobody kept, have dashes."""
    cards = {"mine": {"seconds": 600.0, "cpu_seconds": 300.0, "data_sets_per_second": 10.0}}
    people = {n: comparison(n, "file:a.csv", "mine", seconds_stan=s) for n, s in {"a": 50.0, "b": None}.items()}
    costs = {"mine": {n: {"networks": c, "Stan": None, "NUTS": 8.0} for n, c in {"a": 0.5, "b": 1.5}.items()}}
    row = summary_page.time_rows(cards, people, costs, TITLES).loc["My model"]
    assert row[["training (CPU min)", "training (min)"]].tolist() == [5, 10]
    assert row[["networks (CPU s)", "networks (s)", "NUTS (CPU s)", "MCMC (s)"]].tolist() == [1, 1, 8, 50]
    assert pd.isna(row["Stan (CPU s)"])
    unknown = summary_page.time_rows({"mine": cards["mine"] | {"cpu_seconds": None}}, {}, {}, TITLES)
    assert table1.cell("", unknown.loc["My model", "training (CPU min)"]) == "–"
