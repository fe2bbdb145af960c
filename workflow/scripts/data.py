"""Rule data: one row of datasets.tsv as a checked NetCDF file."""

from amortmix.job import job

with job(snakemake):
    from amortmix import fits
    from amortmix.data import Dataset, load

    wanted = Dataset(
        snakemake.wildcards.dataset, snakemake.wildcards.case, snakemake.params.source, snakemake.params.rows
    )
    path = snakemake.input[0] if snakemake.input else None
    data, truth = load(wanted, params.prior, path)
    attrs = {"source": wanted.source, "simulated": int(wanted.simulated)}
    fits.save_data(snakemake.output[0], data, truth, attrs)
