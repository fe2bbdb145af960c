"""A spatial example by every method of a review: one job for each, which trains, answers and says what it took."""

from amortmix_paper import spatial as spatial_

SPATIAL = f"{RESULTS}/spatial"


def spatial_files():
    """What the page reads."""
    names = ["fields", "mcmc", *spatial_.METHODS]
    return [f"{SPATIAL}/{name}.{suffix}" for name in names for suffix in ("npz", "json")]


def spatial_likelihood(w):
    """The method on whose likelihood of the fields of training another one rests."""
    rests_on = spatial_.RESTS_ON.get(w.method)
    return [f"{SPATIAL}/{rests_on}.{suffix}" for suffix in ("npz", "json")] if rests_on else []


rule spatial_fields:
    output:
        fields=SPATIAL + "/fields.npz",
        cost=SPATIAL + "/fields.json",
    log:
        f"logs/{SPATIAL}/fields.log",
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=gibibytes(2),
        runtime=minutes(20),
    params:
        settings=run_.settings["spatial"],
        meaningful=run_.preset != "smoke",
        seed=run_.seed_for("spatial", "fields"),
    script:
        "../scripts/spatial_fields.py"


rule spatial_mcmc:
    input:
        fields=SPATIAL + "/fields.npz",
    output:
        draws=SPATIAL + "/mcmc.npz",
        cost=SPATIAL + "/mcmc.json",
    log:
        f"logs/{SPATIAL}/mcmc.log",
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=gibibytes(2),
        runtime=minutes(60),
    params:
        settings=run_.settings["mcmc"],
        seed=run_.seed_for("spatial", "mcmc"),
    script:
        "../scripts/spatial_mcmc.py"


rule spatial_method:
    input:
        likelihood=spatial_likelihood,
        fields=SPATIAL + "/fields.npz",
    output:
        answers=SPATIAL + "/{method}.npz",
        cost=SPATIAL + "/{method}.json",
    log:
        f"logs/{SPATIAL}/{{method}}.log",
    wildcard_constraints:
        method="|".join(spatial_.METHODS),
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=gibibytes(2),
        runtime=minutes(60),
    params:
        epochs=run_.settings["spatial"]["epochs"],
        seed=lambda w: run_.seed_for("spatial", w.method),
    script:
        "../scripts/spatial_method.py"
