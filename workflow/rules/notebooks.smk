"""Executed notebooks, as notebook and HTML."""


def notebook_inputs(w):
    if w.notebook == TABLE:
        return tables_of(w.priors) + comparisons(w.priors)
    case = w.notebook.removesuffix(SUFFIX)
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
        source=lambda w: "notebooks/table1.ipynb" if w.notebook == TABLE else "notebooks/case_study.ipynb",
    output:
        notebook=RESULTS + "/{priors}/notebooks/{notebook}.ipynb",
        html=RESULTS + "/{priors}/notebooks/{notebook}.html",
    log:
        f"logs/{RESULTS}/{{priors}}/notebooks/{{notebook}}.log",
    threads: 1
    params:
        parameters=lambda w: dict(
            preset=run_.preset,
            priors=w.priors,
            case=w.notebook.removesuffix(SUFFIX),
            suffix=SUFFIX,
            datasets=run_.participants() if w.notebook == TABLE else run_.of_case(w.notebook.removesuffix(SUFFIX)),
            trouble=run_.trouble or "",
        ),
    script:
        "../scripts/notebook.py"
