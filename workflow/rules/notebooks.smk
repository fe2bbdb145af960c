"""Executed notebooks, as notebook and HTML, and the figures that each draws; the last, `overview`, is the start page."""


rule notebook:
    input:
        lambda w: notebook_inputs(w),
        source=notebook_source,
    output:
        notebook=f"{RESULTS}/{{priors}}/notebooks/{{notebook}}.ipynb",
        html=report(
            f"{RESULTS}/{{priors}}/notebooks/{{notebook}}.html",
            caption="../report/notebook.rst",
            category="Notebooks",
            labels=lambda w: {"page": page_title(w), "priors": w.priors},
        ),
        figures=report(
            directory(f"{RESULTS}/{{priors}}/figures/{{notebook}}"),
            patterns=["{figure}.png"],
            caption="../report/figure.rst",
            category="Figures",
            subcategory=page_title,
            labels={"figure": "{figure}", "priors": "{priors}"},
        ),
    log:
        f"logs/{RESULTS}/{{priors}}/notebooks/{{notebook}}.log",
    conda:
        "../../envs/notebooks.yaml"
    threads: 1
    resources:
        mem_mb=gibibytes(3),
        runtime=minutes(30),
    params:
        parameters=lambda w: notebook_parameters(w),
        title=page_title,
        # not in the records, since it is made from the output: what `snakemake --report` says below each figure
        captions=lambda w, output: captions_of(output.figures),
    script:
        "../scripts/notebook.py"
