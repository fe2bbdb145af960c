"""Data sets in one form, checked."""


rule data:
    input:
        lambda w: run_.files.get(w.dataset, []),
    output:
        CASE + "/data/{dataset}.nc",
    log:
        f"logs/{CASE}/data/{{dataset}}.log",
    conda:
        "../../envs/plain.yaml"
    params:
        source=lambda w: run_.datasets[w.dataset].source,
        rows=lambda w: run_.datasets[w.dataset].rows,
        prior=lambda w: run_.prior(w.case, w.priors),
    script:
        "../scripts/data.py"
