"""Rule simulate: held-out data sets of one case study under one prior."""

from amortmix.job import job

with job(snakemake):
    import jax
    import numpy as np
    import xarray as xr
    from amortmix import io
    from amortmix.cases import get_case

    case, params = get_case(snakemake.wildcards.case), snakemake.params
    keys = jax.random.split(jax.random.key(params.seed), params.datasets)
    theta, data, z = jax.jit(jax.vmap(lambda k: case.simulate_dataset(k, params.prior)))(keys)
    dataset = xr.Dataset(
        {
            "theta": (("dataset", "parameter"), np.asarray(theta)),
            "y": (("dataset", "unit", "observation", "variable"), np.asarray(data.y)),
            "mask": (("dataset", "unit", "observation"), np.asarray(data.mask)),
            "z": (("dataset", "unit"), np.asarray(z)),
        },
        coords={"parameter": list(case.parameter_names)},
    )
    io.save_netcdf(snakemake.output[0], dataset)
