"""Where things are: the one place that knows the folders of the file contract."""

RESULTS = f"results/{run_.folder}"
CASE = f"{RESULTS}/{{priors}}/{{case}}"
SPATIAL = f"{RESULTS}/spatial"
# simulated participants never write where real ones do
SUFFIX = "" if run_.config["participants"] == "real" else "_simulated"
TABLE = f"table1{SUFFIX}"
COSTS = f"costs{SUFFIX}.json"
#: data sets of a model whose fits are measured
MEASURED = 1 if run_.preset == "smoke" else 3


def validations():
    return [f"{RESULTS}/{p}/{c}/validation/metrics.json" for p, c in run_.pairs()]


def comparisons():
    return [f"{RESULTS}/{p}/{c}/fits/{d}/comparison.json" for p, c in run_.pairs() for d in run_.of_case(c)]


def participants(priors, file):
    """A file of each participant, under one prior."""
    return [f"{RESULTS}/{priors}/{run_.datasets[d].case}/{file.format(dataset=d)}" for d in run_.participants()]


def tables(priors):
    return [f"{RESULTS}/{priors}/tables/{TABLE}.{e}" for e in ("csv", "md")]


def notebooks(priors):
    """The pages that the start page of a prior links."""
    names = [*run_.on_start_page(priors), *((priors, page) for page in pages())]
    return [f"{RESULTS}/{p}/notebooks/{n}{SUFFIX}.html" for p, n in names]


def start_pages():
    return [f"{RESULTS}/{p}/notebooks/overview{SUFFIX}.html" for p in run_.priors]


def measured_data_sets(case):
    """The first data sets of a model."""
    return run_.of_case(case)[:MEASURED]


def costs_of(priors, case):
    """Where what the fits of a model cost is; nowhere without a data set."""
    return [f"{RESULTS}/{priors}/{case}/{COSTS}"] if run_.of_case(case) else []


def models_with_costs(priors):
    """Models of a prior that have a data set."""
    return [c for p, c in run_.pairs() if p == priors and run_.of_case(c)]


def break_even_table(priors):
    return f"{RESULTS}/{priors}/tables/break_even{SUFFIX}.csv"


def spatial_files():
    """What the page of the spatial example reads."""
    names = ["fields", "mcmc", *spatial.METHODS]
    return [f"{SPATIAL}/{name}.{suffix}" for name in names for suffix in ("npz", "json")]


def gibibytes(n):
    """Memory that a cluster reserves for a job: more each time the job is tried again."""
    return lambda wildcards, attempt: 1024 * n * attempt


def minutes(n):
    """Time after which a cluster ends a job: a limit, not a budget; longer each time it is tried again."""
    return lambda wildcards, attempt: n * attempt
