"""Data sets in one form, checked."""

for case_, number_, chunk_ in run_.chunks():

    rule:
        name:
            f"data_{case_}_{number_}"
        input:
            sorted({run_.files[d] for d in chunk_ if d in run_.files}),
        output:
            expand(f"{RESULTS}/{{{{priors}}}}/{case_}/data/{{d}}.nc", d=chunk_),
        log:
            f"logs/{RESULTS}/{{priors}}/{case_}/data_{number_}.log",
        priority: 5
        conda:
            "../../envs/plain.yaml"
        params:
            datasets=[(d, run_.datasets[d].source, run_.datasets[d].rows) for d in chunk_],
            files={d: run_.files[d] for d in chunk_ if d in run_.files},
            case=case_,
            prior=lambda w, case=case_: run_.prior(case, w.priors),
        script:
            "../scripts/data.py"
