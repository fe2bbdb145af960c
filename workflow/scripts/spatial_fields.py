"""Rule spatial_fields: fields to train on, to test on, and those that are shown."""

from amortmix_paper.job import job, measured

with job(snakemake):
    import numpy as np

    from amortmix.storage import files
    from amortmix_paper.spatial import SHOWN
    from amortmix_paper.spatial.field import simulate

    settings, seed = snakemake.params.settings, snakemake.params.seed
    (theta, field), seconds = measured(simulate, seed, settings["fields"])
    test_theta, test_field = simulate(seed + 1, settings["test"])
    shown_theta, shown_field = simulate(seed + 2, len(SHOWN), SHOWN)
    with files.atomic(snakemake.output.fields) as temporary:
        np.savez(
            temporary,
            theta=theta,
            field=field,
            test_theta=test_theta,
            test_field=test_field,
            shown_theta=shown_theta,
            shown_field=shown_field,
        )
    cost = {"fields": len(field), "seconds": seconds, "meaningful": snakemake.params.meaningful}
    files.write_json(snakemake.output.cost, cost)
