"""ABI against MCMC for each data set, and Table 1."""


rule compare:
    input:
        abi=f"{CASE}/fits/{{dataset}}/abi.nc",
        mcmc=f"{CASE}/fits/{{dataset}}/stan.nc",
    output:
        f"{CASE}/fits/{{dataset}}/comparison.json",
    log:
        f"logs/{CASE}/fits/{{dataset}}/compare.log",
    priority: 2
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=gibibytes(3),
        runtime=minutes(30),
    params:
        model=lambda w: run_.model(w.case, w.priors),
        settings=run_.settings["compare"],
        seed=lambda w: run_.seed_for("compare", w.priors, w.case, w.dataset),
    script:
        "../scripts/compare.py"


rule table1:
    input:
        lambda w: participants(w.priors, "fits/{dataset}/comparison.json"),
    output:
        csv=report(
            f"{RESULTS}/{{priors}}/tables/{TABLE}.csv",
            caption="../report/table1.rst",
            category="Tables",
            labels={"table": "Table 1", "priors": "{priors}"},
        ),
        md=f"{RESULTS}/{{priors}}/tables/{TABLE}.md",
    log:
        f"logs/{RESULTS}/{{priors}}/{TABLE}.log",
    conda:
        "../../envs/networks.yaml"
    resources:
        mem_mb=gibibytes(1),
        runtime=minutes(10),
    params:
        datasets=run_.participants(),
        trouble=run_.trouble,
        meaningful=run_.preset != "smoke",
    script:
        "../scripts/table1.py"
