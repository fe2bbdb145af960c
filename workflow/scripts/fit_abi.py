"""Rules fit_abi: amortized posteriors of data sets, each with its verdict."""

import time
from pathlib import Path

from amortmix_paper.job import job

with job(snakemake):
    from amortmix.inference.fitting import Fitter
    from amortmix.inference.reference import Reference
    from amortmix.progress import progress
    from amortmix.storage import files, tree
    from amortmix_paper.models import amortized_of, bound_model

    params = snakemake.params
    amortized = amortized_of(snakemake.input.bundle, bound_model(params.model), params.smoothing_rule)
    fitter = Fitter(amortized, **params.settings, reference=Reference.load(snakemake.input.reference))
    made = Path(snakemake.input.data)
    sources = [made.with_name(f"{name}.nc") for name in params.seeds]
    for source in sources:
        if not source.is_file():
            raise files.BadInput(f"{source}: no such file; delete {made} and run again: all are made anew")
    began = time.perf_counter()
    bar = progress(len(sources), f"fitting {amortized.model.name}", unit="data sets")
    for (name, seed), source, target in zip(params.seeds.items(), sources, snakemake.output):
        table, _, attrs = tree.load_data(source)
        fit = fitter.fit(table, seed, attrs)
        for sentence in fit.warnings:
            print(f"WARNING: {name}: {sentence}")
        fit.save(target)
        bar.advance(1, name)
    bar.close()
    seconds = time.perf_counter() - began
    print(f"{len(sources)} data sets in {seconds:.0f} s: {len(sources) / seconds:.2f} per second")
