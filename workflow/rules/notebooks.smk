"""Executed notebooks, as notebook and HTML."""


def notebook_inputs(w):
    if w.notebook == TABLE:
        return tables_of(w.priors) + comparisons(w.priors)
    fits = [f"{RESULTS}/{w.priors}/{w.notebook}/fits/{d}/comparison.json" for d in run_.of_case(w.notebook)]
    return fits + [f"{RESULTS}/{w.priors}/{w.notebook}/validation/metrics.json"]


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
            case=w.notebook,
            datasets=run_.participants() if w.notebook == TABLE else run_.of_case(w.notebook),
            trouble=run_.trouble or "",
        ),
    script:
        "../scripts/notebook.py"
