"""Rule train: networks of one model under one prior."""

from pathlib import Path

from amortmix_paper.job import job

with job(snakemake):
    from amortmix.storage.bundle import load_bundle, save_bundle
    from amortmix.training.loop import train
    from amortmix_paper.models import bound_model

    params = snakemake.params
    model = bound_model(params.model)
    folder = Path(snakemake.output.bundle).parent
    checkpoint = folder.parent / "checkpoint.npz"  # not an output: it survives a failed or killed job
    meaningful = params.preset != "smoke"
    if not meaningful:
        print("smoke preset: the networks are hardly trained, results are not meaningful")
    training = train(
        model,
        params.recipe,
        params.seed,
        checkpoint=checkpoint,
        history_file=folder / "history.csv",
        start=load_bundle(Path(snakemake.input.start[0]).parent) if snakemake.input.get("start") else None,
    )
    save_bundle(folder, training, params.seed, preset=params.preset, meaningful=meaningful)
    checkpoint.unlink()
