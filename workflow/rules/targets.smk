"""What is said at the end of a run that had to leave data sets out."""


rule report_problems:
    input:
        lambda w: results(w.target),
    output:
        f"{RESULTS}/problems_{{target}}",
    log:
        f"logs/{RESULTS}/problems_{{target}}.log",
    conda:
        "../../envs/networks.yaml"
    params:
        problems=run_.problems,
    script:
        "../scripts/problems.py"
