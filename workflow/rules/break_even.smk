"""What fits cost by networks, by Stan and by NUTS, and from how many data sets on training pays for itself."""

#: data sets of a model whose fits are measured
MEASURED = 1 if run_.preset == "smoke" else 3
COSTS = f"costs{SUFFIX}.json"
EPIDEMIC = "results/published/epidemic/numbers.json"


def measured_data_sets(case):
    """The first data sets of a model."""
    return run_.of_case(case)[:MEASURED]


def costs_of(priors, case):
    """Where what the fits of a model cost is; nowhere without a data set."""
    return [f"{RESULTS}/{priors}/{case}/{COSTS}"] if run_.of_case(case) else []


def models_with_costs(priors):
    """Models of a prior that have a data set."""
    return [c for p, c in run_.pairs() if p == priors and run_.of_case(c)]


def break_even_table(priors):
    return f"{RESULTS}/{priors}/tables/break_even{SUFFIX}.csv"


rule costs:
    input:
        bundle=CASE + "/networks/bundle.keras",
        card=CASE + "/networks/card.json",
        reference=CASE + "/validation/reference.npz",
        data=lambda w: [f"{RESULTS}/{w.priors}/{w.case}/data/{d}.nc" for d in measured_data_sets(w.case)],
        stan=lambda w: [f"{RESULTS}/{w.priors}/{w.case}/fits/{d}/stan.nc" for d in measured_data_sets(w.case)],
    output:
        CASE + "/" + COSTS,
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
        RESULTS + "/{priors}/tables/break_even" + SUFFIX + ".csv",
    log:
        f"logs/{RESULTS}/{{priors}}/break_even{SUFFIX}.log",
    conda:
        "../../envs/plain.yaml"
    resources:
        mem_mb=gibibytes(1),
        runtime=minutes(10),
    params:
        titles=lambda w: [run_.models[c].title for c in models_with_costs(w.priors)],
    script:
        "../scripts/break_even.py"
