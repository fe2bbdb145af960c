"""Rule data: one row of datasets.tsv as a checked NetCDF file."""

from amortmix.job import job

with job(snakemake):
    from amortmix import fits
    from amortmix.data import Dataset, load

    names, params = snakemake.wildcards, snakemake.params
    wanted = Dataset(names.dataset, names.case, params.source, params.rows)
    data, truth = load(wanted, params.prior, snakemake.input[0] if snakemake.input else None)
    attrs = {"source": wanted.source, "simulated": int(wanted.simulated)}
    fits.save_data(snakemake.output[0], data, truth, attrs)
