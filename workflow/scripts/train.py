"""Rule train: networks of one case study under one prior."""

from pathlib import Path

from amortmix.job import job

with job(snakemake):
    from amortmix.bundle import save_bundle
    from amortmix.cases import get_case
    from amortmix.training import train

    case, params = get_case(snakemake.params.case), snakemake.params
    folder = Path(snakemake.output.bundle).parent
    checkpoint = folder.parent / "checkpoint.npz"  # not an output: it survives a failed or killed job
    preset = params.preset
    if preset == "smoke":
        print("smoke preset: the networks are hardly trained, results are not meaningful")
    training = train(
        case,
        params.prior,
        params.recipe,
        params.seed,
        checkpoint=checkpoint,
        history_file=folder / "history.csv",
        start=Path(snakemake.input.start[0]).parent if snakemake.input.get("start") else None,
    )
    save_bundle(folder, training, case, preset, snakemake.wildcards.priors, params.seed)
    checkpoint.unlink()
