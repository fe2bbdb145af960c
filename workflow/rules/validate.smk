"""How good the networks are, on simulations they have not seen."""


rule simulate:
    output:
        f"{CASE}/simulations/held_out.nc",
    log:
        f"logs/{CASE}/simulate.log",
    # what the longest chains of jobs begin with comes before what can fill the gaps
    priority: 5
    conda:
        "../../envs/networks.yaml"
    resources:
        mem_mb=gibibytes(2),
        runtime=minutes(20),
    params:
        model=lambda w: run_.model(w.case, w.priors),
        datasets=run_.settings["validation"]["datasets"],
        seed=lambda w: run_.seed_for("held out", w.priors, w.case),
    script:
        "../scripts/simulate.py"


rule validate:
    input:
        bundle=f"{CASE}/networks/bundle.keras",
        card=f"{CASE}/networks/card.json",
        held_out=f"{CASE}/simulations/held_out.nc",
    output:
        metrics=report(
            f"{CASE}/validation/metrics.json",
            caption="../report/metrics.rst",
            category="Numbers",
            labels={"model": "{case}", "priors": "{priors}", "file": "validation"},
        ),
        recovery=f"{CASE}/validation/recovery.nc",
        reference=f"{CASE}/validation/reference.npz",
    log:
        f"logs/{CASE}/validate.log",
    benchmark:
        f"logs/{CASE}/validate.benchmark.tsv"
    # data sets are fitted after it, for their verdicts need its reference
    priority: 5
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=gibibytes(3),
        runtime=minutes(60),
    params:
        model=lambda w: run_.model(w.case, w.priors),
        settings=run_.settings["validation"],
        # that of the simulations: `Networks.validate` finds the same with this one seed
        seed=lambda w: run_.seed_for("held out", w.priors, w.case),
    script:
        "../scripts/validate.py"


# what ships with its networks, made with the settings of this run; of two rules for a file Snakemake takes the one without
# wildcards
for priors_, case_ in sorted(run_.validated):

    rule:
        name:
            f"validated_{priors_}_{case_}"
        input:
            [str(pretrained.folder(case_, priors_) / file) for file in pretrained.VALIDATION],
        output:
            metrics=report(
                f"{RESULTS}/{priors_}/{case_}/validation/{pretrained.VALIDATION[0]}",
                caption="../report/metrics.rst",
                category="Numbers",
                labels={"model": case_, "priors": priors_, "file": "validation"},
            ),
            rest=[f"{RESULTS}/{priors_}/{case_}/validation/{file}" for file in pretrained.VALIDATION[1:]],
        log:
            f"logs/{RESULTS}/{priors_}/{case_}/validated.log",
        priority: 5
        conda:
            "../../envs/networks.yaml"
        resources:
            mem_mb=gibibytes(1),
            runtime=minutes(10),
        params:
            folder=lambda w, output: os.path.dirname(output.metrics),
        shell:
            "cp -v {input:q} {params.folder:q} > {log:q} 2>&1"
