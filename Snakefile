"""Amortized Bayesian mixture models: every figure and table, from simulation to notebook.

snakemake --cores all                                               the paper on two CPU cores
snakemake --cores all --configfile config/presets/smoke.yaml        minutes, to see that it runs
"""

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.0")

# jobs in conda environments (--sdm conda), where the library is not installed, find it by the path of this process
sys.path.insert(0, os.path.join(str(workflow.current_basedir), "src"))

from amortmix.storage.files import BadInput
from amortmix_paper import pretrained, spatial
from amortmix_paper.captions import captions_of
from amortmix_paper.ending import failed, finished, say_at_the_end
from amortmix_paper.participants import MODEL
from amortmix_paper.places import in_project
from amortmix_paper.planned_models import PAGES
from amortmix_paper.run import Run

if " " in sys.executable:
    # Snakemake starts it by its path, unquoted
    raise WorkflowError(f"the path of this Python has a space, {sys.executable}: no job would start; move its folder")


configfile: in_project("config/config.yaml")


report: "workflow/report/workflow.rst"


try:
    run_ = Run(config, download=workflow.is_main_process)
except BadInput as error:
    raise WorkflowError(str(error)) from None
if workflow.is_main_process:
    for note_ in run_.notes:
        print(note_, file=sys.stderr)


wildcard_constraints:
    priors="[a-z]+",
    case="[A-Za-z0-9_]+",
    dataset=r"[\w.-]+",
    target="all|abi|pages",


include: "workflow/rules/common.smk"
include: "workflow/rules/asked.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/validate.smk"
include: "workflow/rules/fit.smk"
include: "workflow/rules/compare.smk"
include: "workflow/rules/spatial.smk"
include: "workflow/rules/break_even.smk"
include: "workflow/rules/notebooks.smk"
include: "workflow/rules/pages.smk"
include: "workflow/rules/targets.smk"


localrules:
    all,
    abi,
    pages,


rule all:
    input:
        results("all"),
        problems("all"),


# every data set fitted by the networks, without MCMC, comparison and pages: for many data sets
rule abi:
    input:
        results("abi"),
        problems("abi"),


# the same, and a page for each data set
rule pages:
    input:
        results("pages"),
        problems("pages"),


onsuccess:
    say_at_the_end(finished([p for p in start_pages() if os.path.exists(p)]))


onerror:
    say_at_the_end(failed(Path(log[-1]).read_text(encoding="utf-8") if log else ""))
