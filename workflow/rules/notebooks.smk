"""Executed notebooks, as notebook and HTML."""

#: saved results of `make NAME`; each page is made where they are
SAVED = {
    name: f"results/published/{name}/{name}.csv"
    for name in ("ablation", "components", "epidemic", "factorization", "fields")
}


def pages():
    """Pages that are not about one model."""
    left_out = {
        "smoothing": not dependent_cases(),
        **{name: not os.path.exists(path) for name, path in SAVED.items()},
        "all_trials": not trial_files(),
    }
    return [page for page in PAGES if not left_out.get(page)]


def dependent_cases():
    """Models of the library whose units depend on each other and have a density: there are rules and a smoother."""
    known = {c: run_.models[c] for c in run_.cases if not run_.models.is_own(c)}
    return [c for c, model in known.items() if model.dependent and model.has_density]


def trial_files():
    """{participant: file} of the real ones, whose trials are more than a data set of the paper has."""
    return {d: run_.files[d] for d in run_.participants() if d in run_.files}


def page(w):
    """A page's own name: that of a model, or one of `PAGES`."""
    return w.notebook.removesuffix(SUFFIX)


def notebook_source(w):
    return f"notebooks/{page(w) if page(w) in PAGES else 'case_study'}.ipynb"


def notebook_inputs(w):
    name = page(w)
    if name == "table1":
        return tables_of(w.priors) + participants(w.priors, "fits/{dataset}/comparison.json")
    if name == "smoothing":
        fits = participants(w.priors, "fits/{dataset}/abi.nc")
        dependent = dependent_cases()
        return fits + [f"{RESULTS}/{p}/{c}/validation/metrics.json" for p, c in run_.pairs() if c in dependent]
    if name in SAVED:
        return [SAVED[name]]
    if name == "all_trials":
        return list(trial_files().values())
    if name == "spatial":
        return spatial_files()
    if name == "break_even":
        return [break_even_table(w.priors)]
    if name == "errata":
        return participants(w.priors, "data/{dataset}.nc")
    folder = f"{RESULTS}/{w.priors}/{name}"
    files = [f"{folder}/validation/metrics.json", f"{folder}/networks/history.csv", *costs_of(w.priors, name)]
    for dataset in run_.of_case(name):
        files += [f"{folder}/data/{dataset}.nc", f"{folder}/fits/{dataset}/comparison.json"]
    return files


def tables_of(priors):
    return [t for t in tables() if f"/{priors}/" in t]


def notebook_parameters(w):
    """What a notebook is told."""
    name = page(w)
    datasets = run_.participants() if name in PAGES else run_.of_case(name)
    found = {
        "preset": run_.folder,
        "priors": w.priors,
        "case": name,
        "suffix": SUFFIX,
        "datasets": datasets,
        "sources": run_.sources(datasets),
        "trouble": run_.trouble or "",
    }
    if name == "smoothing":
        return found | {"variants": run_.priors, "cases": dependent_cases()}
    if name == "all_trials":
        return found | {"files_of": trial_files()}
    if name == "break_even":
        return found | {"meaningful": run_.preset != "smoke"}
    if name in PAGES:
        return found
    validated = (w.priors, name) in run_.validated
    return found | {"reference": run_.model(name, w.priors), "validation_shipped": validated}


rule notebook:
    input:
        lambda w: notebook_inputs(w),
        source=notebook_source,
    output:
        notebook=RESULTS + "/{priors}/notebooks/{notebook}.ipynb",
        html=RESULTS + "/{priors}/notebooks/{notebook}.html",
    log:
        f"logs/{RESULTS}/{{priors}}/notebooks/{{notebook}}.log",
    conda:
        "../../envs/notebooks.yaml"
    threads: 1
    resources:
        mem_mb=gibibytes(3),
        runtime=minutes(30),
    params:
        figures=RESULTS + "/{priors}/figures" + SUFFIX,
        parameters=lambda w: notebook_parameters(w),
    script:
        "../scripts/notebook.py"


rule report:
    input:
        metrics=lambda w: [f"{RESULTS}/{p}/{c}/validation/metrics.json" for p, c in run_.pairs() if p == w.priors],
        comparisons=comparisons(),
        table=RESULTS + "/{priors}/tables/" + TABLE + ".csv",
        pages=lambda w: [n for n in notebooks() if f"/{w.priors}/" in n],
    output:
        RESULTS + "/{priors}/report" + SUFFIX + ".html",
    log:
        f"logs/{RESULTS}/{{priors}}/report{SUFFIX}.log",
    conda:
        "../../envs/notebooks.yaml"
    resources:
        mem_mb=gibibytes(2),
        runtime=minutes(20),
    params:
        preset=run_.folder,
        suffix=SUFFIX,
        trouble=run_.trouble,
        config=run_.config,
        validated=lambda w: sorted(c for p, c in run_.validated if p == w.priors),
        titles={c: run_.models[c].title for c in run_.cases},
    script:
        "../scripts/report.py"
