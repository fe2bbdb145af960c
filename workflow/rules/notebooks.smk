"""Executed notebooks, as notebook and HTML."""

#: saved results of `make ablation`; the page is made where they are
ABLATION = "results/published/ablation/ablation.csv"
#: pages that are not about one case study
PAGES = (
    "table1",
    "errata",
    *(["smoothing"] if any(CASES[c].dependent for c in run_.cases) else []),
    *(["ablation"] if os.path.exists(ABLATION) else []),
)


def page(w):
    """A page's own name: that of a case study, or one of `PAGES`."""
    return w.notebook.removesuffix(SUFFIX)


def notebook_source(w):
    return f"notebooks/{page(w) if page(w) in PAGES else 'case_study'}.ipynb"


def notebook_inputs(w):
    case = page(w)
    if case == "table1":
        return tables_of(w.priors) + comparisons(w.priors)
    if case == "smoothing":
        fits = [f"{RESULTS}/{w.priors}/{run_.datasets[d].case}/fits/{d}/abi.nc" for d in run_.participants()]
        return fits + [f"{RESULTS}/{p}/{c}/validation/metrics.json" for p, c in run_.pairs() if CASES[c].dependent]
    if case == "ablation":
        return [ABLATION]
    if case == "errata":
        return [f"{RESULTS}/{w.priors}/{run_.datasets[d].case}/data/{d}.nc" for d in run_.participants()]
    folder = f"{RESULTS}/{w.priors}/{case}"
    files = [f"{folder}/validation/metrics.json", f"{folder}/networks/history.csv"]
    for dataset in run_.of_case(case):
        files += [f"{folder}/data/{dataset}.nc", f"{folder}/fits/{dataset}/comparison.json"]
    return files


def tables_of(priors):
    return [t for t in tables() if f"/{priors}/" in t]


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
        parameters=lambda w: dict(
            preset=run_.folder,
            priors=w.priors,
            case=page(w),
            suffix=SUFFIX,
            datasets=run_.participants() if page(w) in PAGES else run_.of_case(page(w)),
            trouble=run_.trouble or "",
            **({"variants": run_.priors, "cases": run_.cases} if page(w) == "smoothing" else {}),
        ),
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
    threads: 1
    resources:
        mem_mb=gibibytes(2),
        runtime=minutes(20),
    params:
        preset=run_.folder,
        suffix=SUFFIX,
        trouble=run_.trouble,
        config=run_.config,
    script:
        "../scripts/report.py"
