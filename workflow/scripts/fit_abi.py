"""Rules fit_abi: amortized posteriors of data sets, with importance weights where the likelihood is known."""

import time

from amortmix.job import job

with job(snakemake):
    from pathlib import Path

    from amortmix import fits
    from amortmix.fitting import Fitter
    from amortmix.posterior import Amortized
    from amortmix.progress import progress

    params = snakemake.params
    amortized = Amortized.load(Path(snakemake.input.bundle).parent, params.smoothing_rule)
    fitter = Fitter(amortized, params.prior, params.draws, params.proposals)
    began = time.perf_counter()
    bar = progress(len(params.datasets), f"fitting {amortized.case.name}", unit="data sets")
    for name, seed, source, target in zip(params.datasets, params.seeds, snakemake.input.data, snakemake.output):
        data, _, attrs = fits.load_data(source)
        fit = fitter.fit(data, seed)
        for sentence in fit.warnings:
            print(f"WARNING: {name}: {sentence}")
        fitter.save(target, fit, data, attrs)
        bar.advance(1, name)
    bar.close()
    seconds = time.perf_counter() - began
    print(f"{len(params.datasets)} data sets in {seconds:.0f} s: {len(params.datasets) / seconds:.2f} per second")
