"""What can be asked for, which pages there are, and what each is made from."""

#: Saved results of `make NAME`; each page is made where they are
SAVED = ("ablation", "components", "epidemic", "factorization", "fields", "population")


def results(target):
    """The files of a target."""
    if target == "abi":
        return [f"{RESULTS}/{p}/{c}/fits/{d}/abi.nc" for p, c in run_.pairs() for d in run_.of_case(c)]
    if target == "pages":
        return data_set_pages()
    made = [f for p in run_.priors for f in [*tables(p), *notebooks(p)]]
    return validations() + comparisons() + made + start_pages()


def problems(target):
    """A file that is never made where there are problems: the run ends with them, and not as if all were well."""
    return [f"{RESULTS}/problems_{target}"] if run_.problems else []


def data_set_pages():
    """The pages of every model, the index last."""
    found = []
    for p, c in run_.pairs():
        names = run_.of_case(c)
        found += [f"{RESULTS}/{p}/{c}/pages/{d}.html" for d in names]
        found += [f"{RESULTS}/{p}/{c}/pages/index.html"] if names else []
    return found


def saved(name):
    """The table that `make NAME` has saved."""
    return in_project(f"results/published/{name}/{name}.csv")


def pages():
    """Pages that are not about one model, but the start page, which shows what all others have."""
    left_out = {
        "smoothing": not dependent_cases(),
        **{name: not os.path.exists(saved(name)) for name in SAVED},
        "all_trials": not trial_files(),
        "overview": True,
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


def page_title(w):
    """Under which the report lists what a page has drawn."""
    name = page(w)
    return PAGES[name] if name in PAGES else run_.models[name].title


def notebook_source(w):
    return in_project(f"notebooks/{page(w) if page(w) in PAGES else 'case_study'}.ipynb")


def notebook_inputs(w):
    """What a page shows: its own results, or the saved ones of a study."""
    name = page(w)
    about = {
        "overview": overview_inputs,
        "table1": table1_inputs,
        "smoothing": smoothing_inputs,
        "all_trials": lambda w: list(trial_files().values()),
        "spatial": lambda w: spatial_files(),
        "break_even": lambda w: [break_even_table(w.priors)],
        "errata": lambda w: participants(w.priors, "data/{dataset}.nc"),
    }
    if name in SAVED:
        return [saved(name)]
    return about.get(name, case_study_inputs)(w)


def overview_inputs(w):
    """Numbers of every model and data set of the run, and all other pages."""
    shown = run_.on_start_page(w.priors)
    metrics = [f"{RESULTS}/{p}/{c}/validation/metrics.json" for p, c in shown]
    costs = [file for p, c in shown for file in costs_of(p, c)]
    return metrics + comparisons() + costs + tables(w.priors)[:1] + notebooks(w.priors)


def table1_inputs(w):
    compared = participants(w.priors, "fits/{dataset}/comparison.json")
    return tables(w.priors) + compared + (costs_of(w.priors, MODEL) if compared else [])


def smoothing_inputs(w):
    dependent = dependent_cases()
    fits = participants(w.priors, "fits/{dataset}/abi.nc")
    return fits + [f"{RESULTS}/{p}/{c}/validation/metrics.json" for p, c in run_.pairs() if c in dependent]


def case_study_inputs(w):
    name = page(w)
    folder = f"{RESULTS}/{w.priors}/{name}"
    files = [f"{folder}/validation/metrics.json", f"{folder}/networks/history.csv", *costs_of(w.priors, name)]
    for dataset in run_.of_case(name):
        files += [f"{folder}/data/{dataset}.nc", f"{folder}/fits/{dataset}/comparison.json"]
    return files


def notebook_parameters(w):
    """What a notebook is told."""
    name = page(w)
    datasets = run_.participants() if name in PAGES else run_.of_case(name)
    found = {
        "preset": run_.folder,
        "priors": w.priors,
        "page": name,
        "suffix": SUFFIX,
        "datasets": datasets,
        "sources": run_.sources(datasets),
        "trouble": run_.trouble or "",
    }
    if name == "overview":
        return found | overview_parameters(w)
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


def overview_parameters(w):
    shown = run_.on_start_page(w.priors)
    return {
        "networks": run_.config["networks"],
        "titles": PAGES | {c: run_.models[c].title for c in run_.cases},
        "fitted": {f"{p}/{c}": run_.of_case(c) for p, c in run_.pairs()},
        "places": {c: f"{p}/{c}" for p, c in shown},
        "validated": sorted(c for p, c in shown if (p, c) in run_.validated),
        "pages": notebooks(w.priors),
    }
