"""What fits cost by networks, by Stan and by NUTS, and from how many data sets on training pays for itself."""

EPIDEMIC = in_project("results/published/epidemic/numbers.json")


rule costs:
    input:
        bundle=f"{CASE}/networks/bundle.keras",
        card=f"{CASE}/networks/card.json",
        reference=f"{CASE}/validation/reference.npz",
        data=lambda w: [f"{RESULTS}/{w.priors}/{w.case}/data/{d}.nc" for d in measured_data_sets(w.case)],
        stan=lambda w: [f"{RESULTS}/{w.priors}/{w.case}/fits/{d}/stan.nc" for d in measured_data_sets(w.case)],
    output:
        f"{CASE}/{COSTS}",
    log:
        f"logs/{CASE}/costs{SUFFIX}.log",
    conda:
        "../../envs/networks.yaml"
    threads: 1
    resources:
        mem_mb=gibibytes(3),
        runtime=minutes(60),
    params:
        model=lambda w: run_.model(w.case, w.priors),
        abi=run_.settings["abi"],
        mcmc=run_.settings["mcmc"],
        smoothing_rule=run_.config["smoothing_rule"],
        seeds=lambda w: {d: run_.seed_for("abi", w.priors, w.case, d) for d in measured_data_sets(w.case)},
    script:
        "../scripts/costs.py"


rule break_even:
    input:
        cards=lambda w: [f"{RESULTS}/{w.priors}/{c}/networks/card.json" for c in models_with_costs(w.priors)],
        costs=lambda w: [f for c in models_with_costs(w.priors) for f in costs_of(w.priors, c)],
        field=[f for f in spatial_files() if f.endswith(".json")],
        epidemic=[EPIDEMIC] if os.path.exists(EPIDEMIC) else [],
    output:
        report(
            f"{RESULTS}/{{priors}}/tables/break_even{SUFFIX}.csv",
            caption="../report/break_even.rst",
            category="Tables",
            labels={"table": "Break-even", "priors": "{priors}"},
        ),
    log:
        f"logs/{RESULTS}/{{priors}}/break_even{SUFFIX}.log",
    conda:
        "../../envs/networks.yaml"
    resources:
        mem_mb=gibibytes(1),
        runtime=minutes(10),
    params:
        titles=lambda w: [run_.models[c].title for c in models_with_costs(w.priors)],
    script:
        "../scripts/break_even.py"
