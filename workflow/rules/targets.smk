"""What can be asked for, and what is said at the end of a run that had to leave data sets out."""


def results(target):
    """The files of a target."""
    if target == "abi":
        return [f"{RESULTS}/{p}/{c}/fits/{d}/abi.nc" for p, c in run_.pairs() for d in run_.of_case(c)]
    if target == "pages":
        return data_set_pages()
    return validations() + comparisons() + tables() + notebooks() + reports()


def problems(target):
    """A file that is never made where there are problems: the run ends with them, and not as if all were well."""
    return [f"{RESULTS}/problems_{target}"] if run_.problems else []


rule report_problems:
    input:
        lambda w: results(w.target),
    output:
        RESULTS + "/problems_{target}",
    log:
        f"logs/{RESULTS}/problems_{{target}}.log",
    conda:
        "../../envs/plain.yaml"
    params:
        problems=run_.problems,
    script:
        "../scripts/problems.py"
