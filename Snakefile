"""Amortized Bayesian mixture models: every figure and table, from simulation to notebook.

snakemake --cores all                                               the paper on two CPU cores
snakemake --cores all --configfile config/presets/smoke.yaml        minutes, to see that it runs
"""

import os
import sys

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.0")

# jobs, notebook kernels and cluster jobs all inherit the path of the library
LIBRARY = os.path.join(workflow.basedir, "workflow")
sys.path.insert(0, LIBRARY)
os.environ["PYTHONPATH"] = os.pathsep.join(p for p in (LIBRARY, os.environ.get("PYTHONPATH")) if p)

from amortmix.cases import CASES
from amortmix.config import Run, shipped
from amortmix.io import BadInput


configfile: "config/config.yaml"


try:
    run_ = Run(config, download=workflow.is_main_process)
except (BadInput, FileNotFoundError) as error:
    raise WorkflowError(str(error)) from None
if run_.trouble and workflow.is_main_process:
    print(f"WARNING: {run_.trouble}. Everything else is made.", file=sys.stderr)


wildcard_constraints:
    priors="[a-z]+",
    case="[a-z_]+",
    dataset=r"[\w.-]+",


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/validate.smk"
include: "workflow/rules/fit.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/notebooks.smk"


localrules:
    all,
    abi,


rule all:
    input:
        validations(),
        comparisons(),
        tables(),
        notebooks(),
        reports(),


# every data set fitted by the networks, without Stan, comparison and pages: for many data sets
rule abi:
    input:
        [f"{RESULTS}/{p}/{c}/fits/{d}/abi.nc" for p, c in run_.pairs() for d in run_.of_case(c)],
