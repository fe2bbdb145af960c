"""A page for each data set, and one of all: for a user's own data, in the form that the command line writes."""

for priors_, case_, number_, chunk_ in run_.chunks():
    folder_ = f"{RESULTS}/{priors_}/{case_}"

    rule:
        name:
            f"pages_{priors_}_{case_}_{number_}"
        input:
            fits=[f"{folder_}/fits/{d}/abi.nc" for d in chunk_],
            metrics=f"{folder_}/validation/metrics.json",
        output:
            pages=[f"{folder_}/pages/{d}.html" for d in chunk_],
            notebooks=[f"{folder_}/pages/{d}.ipynb" for d in chunk_],
        log:
            f"logs/{folder_}/pages_{number_}.log",
        conda:
            "../../envs/networks.yaml"
        threads: 1
        resources:
            mem_mb=gibibytes(3),
            runtime=minutes(60),
        params:
            names=lambda w, output, names=chunk_: names,
            model=run_.model(case_, priors_),
        script:
            "../scripts/pages.py"


rule pages_index:
    input:
        fits=lambda w: [f"{RESULTS}/{w.priors}/{w.case}/fits/{d}/abi.nc" for d in run_.of_case(w.case)],
    output:
        f"{CASE}/pages/index.html",
    log:
        f"logs/{CASE}/pages_index.log",
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=gibibytes(2),
        runtime=minutes(60),
    params:
        names=lambda w: run_.of_case(w.case),
        model=lambda w: run_.model(w.case, w.priors),
    script:
        "../scripts/pages_index.py"
