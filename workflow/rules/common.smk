"""Where things are: the one place that knows the folders of the file contract."""

RESULTS = f"results/{run_.folder}"
CASE = RESULTS + "/{priors}/{case}"
# simulated participants never write where real ones do
SUFFIX = "" if run_.config["participants"] == "real" else "_simulated"
TABLE = f"table1{SUFFIX}"


def validations():
    return [f"{RESULTS}/{p}/{c}/validation/metrics.json" for p, c in run_.pairs()]


def comparisons(priors=None, case=None):
    return [
        f"{RESULTS}/{p}/{c}/fits/{d}/comparison.json"
        for p, c in run_.pairs()
        for d in run_.of_case(c)
        if priors in (None, p) and case in (None, c)
    ]


def participants(priors, file):
    """A file of each participant, under one prior."""
    return [f"{RESULTS}/{priors}/{run_.datasets[d].case}/{file.format(dataset=d)}" for d in run_.participants()]


def tables():
    return [f"{RESULTS}/{p}/tables/{TABLE}.{e}" for p in run_.priors for e in ("csv", "md")]


def notebooks():
    cases = [f"{RESULTS}/{p}/notebooks/{c}{SUFFIX}.html" for p, c in run_.pairs()]
    return cases + [f"{RESULTS}/{p}/notebooks/{n}{SUFFIX}.html" for p in run_.priors for n in pages()]


def reports():
    return [f"{RESULTS}/{p}/report{SUFFIX}.html" for p in run_.priors]


def gibibytes(n):
    """Memory that a cluster reserves for a job: more each time the job is tried again."""
    return lambda wildcards, attempt: 1024 * n * attempt


def minutes(n):
    """Time after which a cluster ends a job: a limit, not a budget; longer each time it is tried again."""
    return lambda wildcards, attempt: n * attempt
