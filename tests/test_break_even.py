"""Break-even: costs are equal there and nowhere else, rows are what jobs say, figures mark where lines cross."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from amortmix import plots
from amortmix.diagnostics.cost import break_even
from amortmix.plots.methods import cumulative
from amortmix.storage import tree
from amortmix.storage.files import BadInput, save_netcdf
from amortmix_paper import break_even_page as page
from amortmix_paper.break_even import (
    CLOCK,
    CPU,
    of_epidemic,
    of_field,
    of_model,
    stan_seconds,
    table,
    training_of,
)

CARD = {"seconds": 900.0, "cpu_seconds": 600.0, "device": "cpu: cpu"}
SECONDS = {
    "a": {"networks": 0.5, "Stan": 30.0, "NUTS": 8.0},
    "b": {"networks": 1.5, "Stan": 32.0, "NUTS": None},
}


def test_costs_are_equal_at_the_break_even_number_and_nowhere_else():
    rng = np.random.default_rng(1)
    for training, fit, saved in rng.gamma(1.0, 10.0, size=(50, 3)):
        n = break_even(training, fit, fit + saved)
        assert math.isclose(training + n * fit, n * (fit + saved), rel_tol=1e-9)
        assert training + 1.01 * n * fit < 1.01 * n * (fit + saved)
        assert training + 0.99 * n * fit > 0.99 * n * (fit + saved)


def test_networks_that_are_not_faster_never_pay_for_themselves():
    assert break_even(10.0, 2.0, 2.0) == break_even(10.0, 3.0, 2.0) == math.inf
    assert break_even(0.0, 1.0, 2.0) == 0
    for wrong in ((math.nan, 1.0, 2.0), (1.0, -1.0, 2.0), (1.0, 1.0, math.inf)):
        with pytest.raises(BadInput, match="seconds; expected a finite number, at least 0"):
            break_even(*wrong)


def test_a_training_without_cpu_seconds_is_measured_by_the_clock():
    assert training_of(CARD) == (600.0, CPU)
    without = {k: v for k, v in CARD.items() if k != "cpu_seconds"}
    for card in (without, without | {"cpu_seconds": None}, CARD | {"device": "gpu: NVIDIA"}):
        assert training_of(card) == (900.0, CLOCK)


def test_a_row_has_means_over_what_a_method_fitted():
    row = of_model("A model", CARD, SECONDS)
    assert (row["networks"], row["Stan"], row["NUTS"], row["fits"]) == (1.0, 31.0, 8.0, 2)
    assert math.isclose(row["meets Stan"], 600 / 30) and math.isclose(row["meets NUTS"], 600 / 7)
    alone = of_model("A simulator", CARD, {"a": {"networks": 0.5, "Stan": None, "NUTS": None}})
    assert all(math.isnan(alone[k]) for k in ("Stan", "NUTS", "meets Stan", "meets NUTS"))


def costs_of_field():
    methods = {"forward_kl": {"seconds": 0.002, "training_seconds": 20.0}, "exact": {"seconds": 1.0}}
    return {"fields": {"seconds": 5.0}, "mcmc": {"seconds": 50.002}} | methods


def all_rows():
    simulator = of_model("A simulator", CARD, {"a": {"networks": 0.5, "Stan": None, "NUTS": None}})
    never = of_model("Slow networks", CARD, {"a": {"networks": 9.0, "Stan": 3.0, "NUTS": None}})
    epidemic = of_epidemic({"training_seconds": 300.0, "fit_seconds": 0.1, "mcmc_seconds": 20.1})
    return [of_model("A model", CARD, SECONDS), simulator, never, epidemic, *of_field(costs_of_field())]


def test_the_field_has_a_row_for_each_trained_method_and_pays_for_its_simulations():
    (row,) = of_field(costs_of_field())
    assert row["trained"] == "forward KL" and row["training"] == 25 and math.isclose(row["meets NUTS"], 0.5)


def test_the_table_survives_its_file(tmp_path):
    rows = table(all_rows())
    rows.to_csv(tmp_path / "rows.csv", index=False)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "rows.csv"), rows)
    assert np.isinf(rows["meets Stan"]).sum() == 1 and table([]).shape == (0, rows.shape[1])


def test_claims_hold_for_true_numbers_alone():
    rows = table(all_rows())
    assert "too small" in list(page.claims(rows, meaningful=False))[-1]
    assert "chains of Stan alone take less for Slow networks" in "".join(page.claims(rows, meaningful=True))
    fast = rows[rows["model"] != "Slow networks"]
    assert len(list(page.claims(fast, meaningful=True))) == 5
    with pytest.raises(AssertionError, match="costs differ"):
        list(page.claims(fast.assign(**{"meets NUTS": 2 * fast["meets NUTS"]}), meaningful=False))
    with pytest.raises(AssertionError, match="where networks are slower"):
        list(page.claims(fast.assign(**{"meets Stan": math.inf}), meaningful=False))


def test_words_name_numbers_rounded_up_and_what_has_no_mcmc():
    rows = table(all_rows())
    text = page.answer(rows)
    assert "after 20 data sets against Stan, never against Stan in 1 of 2 comparisons" in text
    assert "1 to 86 data sets against NUTS." in text and text.endswith("One model is fitted by networks alone.")
    first, simulator = page.time_answer(rows.iloc[0]), page.time_answer(rows.iloc[1])
    assert "10.0 minutes of CPU" in first and "by NUTS 8 s (training has paid for itself after 86 data sets)" in first
    assert simulator.endswith("MCMC was not run.")
    clock = of_model("A model", CARD | {"cpu_seconds": None}, SECONDS)
    assert "15.0 minutes of clock, beside other jobs" in page.time_answer(clock)
    html = page.shown(rows).to_html()
    assert ">never<" in html and ">–<" in html and ">86<" in html


def test_a_point_marks_where_two_lines_cross():
    figure, axis = plt.subplots()
    cumulative(axis, 600.0, 1.0, {"Stan": 31.0, "NUTS": 0.5}, (1, 1000))
    ours, stan, point, _ = axis.lines
    x, y = point.get_xdata()[0], point.get_ydata()[0]
    for line in (ours, stan):
        assert math.isclose(np.interp(x, *line.get_data()), y, rel_tol=1e-3)
    plt.close(figure)


def test_figures_have_a_panel_for_each_model_on_common_axes():
    figure = page.figure(table(all_rows()))
    panels = [axis for axis in figure.axes if axis.get_visible()]
    assert len(panels) == 5 and len({axis.get_xlim() for axis in panels}) == 1
    assert [axis.get_title().split("\n")[-1] for axis in panels] == [
        "meets Stan at 20, NUTS at 86",
        "no MCMC: nothing but networks fits it",
        "meets Stan never",
        "meets NUTS at 15",
        "meets NUTS at 1",
    ]
    single, many = plots.cost(600.0, [1.0], {"Stan": [31.0], "NUTS": [0.5]}).axes
    assert many.get_title() == "equal with Stan after 20 data sets"
    assert [text.get_text() for text in single.get_xticklabels()] == ["ABI", "Stan", "NUTS"]
    plt.close("all")


def test_seconds_of_stan_are_those_of_a_stan_program(tmp_path):
    path = tmp_path / "stan.nc"
    for attrs, expected in (
        ({"engine": "cmdstan 2.37", "cpu_seconds": 12.5}, 12.5),
        ({"engine": "pystan 3.14", "cpu_seconds": 7.5}, 7.5),
        ({"engine": "numpyro 0.22", "cpu_seconds": 3.0}, None),
    ):
        fit = tree.not_run("")
        fit.attrs |= attrs
        save_netcdf(path, fit)
        assert stan_seconds(path) == expected
    save_netcdf(path, tree.not_run("there is no compiler"))
    assert stan_seconds(path) is None
