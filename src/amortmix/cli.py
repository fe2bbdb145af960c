"""The command line: ``amortmix models | new | check | train | validate | export | fit | page``, with Python's words.

Bad input ends with exit code 1 and one line, or one for each data set that is bad. Everything heavy is imported when a
command needs it.
"""

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from amortmix.model.varied import parsed
from amortmix.storage.files import BadInput, atomic, read_json, span

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Amortized Bayesian mixture and hidden Markov models.",
)
#: Data sets of which each has a page by default.
PAGES = 20
TEMPLATES = Path(__file__).parent / "templates"

Declaration = Annotated[str, typer.Argument(metavar="MODEL", help="a .py file, or the name of a model")]
Trained = Annotated[str, typer.Argument(metavar="NETWORKS", help="a folder of networks, or the name of a model")]
Prior = Annotated[
    str | None,
    typer.Option(help="variant of the prior, or hyperparameters: 'stay=16,4;power=0.5'; by default the first"),
]
Seed = Annotated[int, typer.Option(help="decides every random number")]


def main():
    """Entry point: runs a command, and turns bad input into one line and exit code 1."""
    try:
        app()
    except BadInput as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        sys.exit(1)
    except ModuleNotFoundError as error:  # of an extra that is not installed
        print(f"error: this needs {error.name}: pip install 'amortmix[train]'", file=sys.stderr)
        sys.exit(1)


@app.command()
def models():
    """List the models that come with pretrained networks, their ranges and their quality.

    Example: amortmix models
    """
    from amortmix.storage.pretrained import design_of, index

    for row in index():
        units, observations = span(row["units"]), span(row["observations"])
        between = f", or any {', '.join(row['varied'])} in a range" if "varied" in row else ""
        priors = " or ".join(row["variants"]) + between
        print(f"{row['model']}, prior {priors}, design {design_of(row)}: {row['title']}")
        print(f"    states       {', '.join(row['states'])}")
        print(f"    parameters   {', '.join(row['parameters'])}")
        print(f"    trained for  N = {units} units, P = {observations} observations each")
        if row["gap"] is None:
            quality = f"calibration error of the states {row['calibration_error']}; no density is known"
        else:
            quality = f"gap {row['gap']} nats per data set, excess cross-entropy {row['excess']} per unit"
        print(f"    quality      {quality}")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="letters, digits and '_', as in two_rates")],
    simulator: Annotated[bool, typer.Option("--simulator", help="no likelihood: declare a simulator")] = False,
    folder: Annotated[Path, typer.Option(help="where the file is written")] = Path("models"),
):
    """Write a file with a model that runs, to start from.

    Example: amortmix new two_rates
    """
    if not name.isidentifier():
        raise BadInput(f"model name {name!r}; expected letters, digits and '_', as in two_rates")
    path = folder / f"{name}.py"
    if path.exists():
        raise BadInput(f"{path}: exists already; expected a new name")
    text = (TEMPLATES / f"{'simulator' if simulator else 'density'}.py.txt").read_text(encoding="utf-8")
    with atomic(path) as temporary:
        temporary.write_text(text.replace("NAME", name.replace("_", " ")), encoding="utf-8")
    print(f"{path} written; next: amortmix check {path}, then amortmix train {path} --minutes 10")


@app.command()
def check(model: Declaration, seed: Seed = 1):
    """Try a declaration: shapes, bijection, density against simulator, padding, and more.

    Example: amortmix check models/two_rates.py
    """
    from amortmix.model.check import check as check_model
    from amortmix.model.registry import find

    report = check_model(find(model), seed=seed)
    print(report)
    if not report.passed:
        raise typer.Exit(1)
    print(f"next: amortmix train {model} --minutes 10")


@app.command()
def train(
    model: Declaration,
    minutes: Annotated[
        float | None, typer.Option(help="budget with compilation; the validation at the end comes on top")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="budget in gradient steps")] = None,
    out: Annotated[Path | None, typer.Option(help="folder of the networks; by default networks/MODEL")] = None,
    prior: Prior = None,
    density: Annotated[
        float | None, typer.Option(help="minutes for a density of one unit, where there is only a simulator")
    ] = None,
    seed: Seed = 1,
):
    """Train networks for a model; an interrupted training goes on in the same folder.

    Example: amortmix train models/two_rates.py --minutes 10
    """
    from amortmix.trainer import train as train_networks

    nets = train_networks(
        model, minutes=minutes, steps=steps, folder=out, prior=parsed(prior), seed=seed, density=density
    )
    print(f"networks in {nets.folder}; next: amortmix fit {nets.folder} DATA.csv --out fits/{nets.folder.name}")


@app.command()
def validate(
    model: Trained,
    prior: Prior = None,
    datasets: Annotated[int, typer.Option(help="simulated data sets")] = 500,
    seed: Seed = 2,
):
    """Measure networks on new simulations: calibration, recovery, gap, states.

    Example: amortmix validate networks/two_rates
    """
    from amortmix.loading import load

    quality = load(model, prior=parsed(prior)).validate(seed=seed, datasets=datasets, gap_datasets=min(200, datasets))
    print(quality.sentence)


@app.command()
def export(model: Trained, prior: Prior = None):
    """Export networks as programs that fit data without JAX; training ends with it.

    Example: amortmix export networks/two_rates
    """
    from amortmix.inference.export import export as export_networks
    from amortmix.loading import load

    nets = load(model, prior=parsed(prior), engine="jax")
    export_networks(nets.amortized, nets.folder)
    print(f"exported: {nets.folder / 'exported.zip'}")


@app.command()
def fit(
    model: Trained,
    data: Annotated[list[Path], typer.Argument(help="CSV, Parquet or Feather files")],
    by: Annotated[str | None, typer.Option(help="column that says which rows are one data set")] = None,
    columns: Annotated[
        list[str], typer.Option(metavar="NAME=COLUMN", help="a column of another name: rt=RT; as often as needed")
    ] = (),
    codes: Annotated[
        list[str],
        typer.Option(metavar="NAME:VALUE=CODE,...", help="codes of a column: accumulator:correct=1,error=2"),
    ] = (),
    scale: Annotated[
        list[str], typer.Option(metavar="NAME=FACTOR", help="values are multiplied: rt=0.001 for milliseconds")
    ] = (),
    sequence: Annotated[
        str | None, typer.Option(help="column of sessions or blocks, in each of which the states begin anew")
    ] = None,
    keep: Annotated[
        list[str], typer.Option(metavar="NAME:LOW:HIGH", help="values that count, others are missing: rt:0.15:5")
    ] = (),
    min_rt: Annotated[float | None, typer.Option(help="faster responses are missing, in their place")] = None,
    max_rt: Annotated[float | None, typer.Option(help="slower responses are missing, in their place")] = None,
    out: Annotated[Path, typer.Option(help="folder of the results")] = Path("fits"),
    draws: Annotated[
        int | None, typer.Option(help="posterior draws: 4000, or 1000 of each of several data sets")
    ] = None,
    pages: Annotated[
        bool | None, typer.Option(help="a page and a notebook for each data set; by default for at most 20")
    ] = None,
    check: Annotated[
        bool | None,
        typer.Option(help="without a density: judge the networks around each data set, in seconds; for at most 20"),
    ] = None,
    prior: Prior = None,
    seed: Seed = 1,
):
    """Fit data sets: one .nc file each, tables of parameters and states, a page and a notebook, and a verdict.

    Several data sets have summary.png and index.html. What is wrong with one of them does not stop the others.

    Example: amortmix fit evidence_accumulation me.csv --out fits
    """
    import pandas as pd

    from amortmix.api import DRAWS, DRAWS_OF_MANY, STATES, STATES_OF_MANY
    from amortmix.inference.many import NOT_FITTED, NOT_TO_BE_USED, beside
    from amortmix.inference.parts import read_parts
    from amortmix.loading import load
    from amortmix.model.naming import codes_of, columns_of, limits_of, scale_of

    nets = load(model, prior=parsed(prior))
    reading = {"columns": columns_of(columns), "codes": codes_of(codes), "keep": limits_of(keep)}
    reading |= {"scale": scale_of(scale)}
    reading |= {"sequence": sequence, "min_rt": min_rt, "max_rt": max_rt}
    tables = data[0] if by is not None and len(data) == 1 else data  # so people have the names that Python gives them
    parts = read_parts(nets.engine.model, tables, by, **reading)
    known = beside(out / "summary.csv", nets.engine.model.parameter_names)
    usual, states = (DRAWS, STATES) if len(parts.tables) + len(parts.problems) == 1 else (DRAWS_OF_MANY, STATES_OF_MANY)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=NOT_FITTED)  # the last lines say it
        warnings.filterwarnings("ignore", message=NOT_TO_BE_USED)  # as does the line of each
        few = len(parts.tables) <= PAGES if check is None else check
        number = usual if draws is None else draws
        fits = nets.fit_many(parts, draws=number, seed=seed, folder=out, states=states, check=few)
    print(f"networks: {nets.engine.networks}")
    for name, found in fits.items():
        _write_csv(found.summary(), out / f"{name}_parameters.csv")
        _write_csv(found.states(), out / f"{name}_states.csv", index=False)
        said = [f"  note: {s}" for s in found.notes] + [f"  warning: {s}" for s in found.warnings]
        print("\n".join([f"{name}: {found.verdict}: {found.reason}", *said]))
    table = fits.summary()
    others = known.drop(table.index.astype(str), errors="ignore")
    _write_csv(pd.concat([others, table]) if len(others) else table, out / "summary.csv", index_label="data set")
    if len(fits) > 1:
        with atomic(out / "summary.png") as temporary:
            fits.plot().savefig(temporary, bbox_inches="tight", dpi=120)
    if pages or (pages is None and len(fits) <= PAGES):
        _write_pages(fits, nets, out, _loading(model, prior, out))
    files = "summary.csv, summary.png" if len(fits) > 1 else "summary.csv"
    print(f"written: {out}/{files} and, for each data set, NAME.nc, NAME_parameters.csv, NAME_states.csv")
    if fits.problems:
        raise BadInput("\n".join(fits.problems.values()))


@app.command("page")
def browser_page(
    networks: Annotated[
        list[str] | None, typer.Argument(metavar="NETWORKS", help="folders or names; by default all that ship")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="folder for the page, which then is not opened")] = None,
):
    """Open a page that fits data in the browser, where no trial leaves the machine; or write it into a folder.

    Example: amortmix page networks/two_rates --out page
    """
    from amortmix.browser.assemble import assemble

    index = assemble(out, networks)
    print(f"page: {index}")
    if out is None:
        typer.launch(index.absolute().as_uri())


def _loading(model, prior, out):
    """Arguments of `amortmix.load`, as a notebook in the folder ``out`` writes them."""
    folder = os.path.relpath(model, out) if Path(model).is_dir() else model
    return repr(folder) if prior is None else f"{folder!r}, prior={parsed(prior)!r}"


def _write_pages(fits, nets, out, loading):
    """NAME.html and NAME.ipynb of each fit, and index.html of several."""
    from amortmix.notebook import notebook, text_of
    from amortmix.page import index, page

    known = nets.folder / "metrics.json"
    quality = read_json(known) if known.is_file() else None
    for name, found in fits.items():
        with atomic(out / f"{name}.html") as temporary:
            temporary.write_text(page(found, name, quality), encoding="utf-8")
        with atomic(out / f"{name}.ipynb") as temporary:
            temporary.write_text(text_of(notebook(name, loading, f"{name}.nc", found)), encoding="utf-8")
    if len(fits) > 1:
        with atomic(out / "index.html") as temporary:
            temporary.write_text(index(fits, {n: f"{quote(str(n))}.html" for n in fits}), encoding="utf-8")
    print(f"pages: {out}/{'index' if len(fits) > 1 else next(iter(fits))}.html")


def _write_csv(frame, path, **options):
    with atomic(path) as temporary:
        frame.to_csv(temporary, **options)
