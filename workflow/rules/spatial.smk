"""A spatial example by every method of a review: one job for each, which trains, answers and says what it took."""


rule spatial_fields:
    output:
        fields=f"{SPATIAL}/fields.npz",
        cost=f"{SPATIAL}/fields.json",
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
        fields=f"{SPATIAL}/fields.npz",
    output:
        draws=f"{SPATIAL}/mcmc.npz",
        cost=f"{SPATIAL}/mcmc.json",
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
        fields=f"{SPATIAL}/fields.npz",
    output:
        answers=f"{SPATIAL}/{{method}}.npz",
        cost=f"{SPATIAL}/{{method}}.json",
    log:
        f"logs/{SPATIAL}/{{method}}.log",
    wildcard_constraints:
        method="|".join(m for m in spatial.METHODS if m not in spatial.RESTS_ON),
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


# the same with the likelihood of the fields of training, which another method has made
use rule spatial_method as spatial_reverse_kl with:
    input:
        fields=f"{SPATIAL}/fields.npz",
        likelihood=lambda w: [f"{SPATIAL}/{spatial.RESTS_ON[w.method]}.{suffix}" for suffix in ("npz", "json")],
    wildcard_constraints:
        method="|".join(spatial.RESTS_ON),
