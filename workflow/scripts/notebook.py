"""Rule notebook: execute a parameterized notebook, keep it if it fails, render it if it does not."""

import os
from pathlib import Path

from amortmix.job import job

with job(snakemake):
    import nbformat
    import papermill
    from amortmix import io, pages
    from amortmix.gallery import clear_figures

    # the kernel inherits it: other backends draw, but nothing appears under the cells
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    failed = Path(snakemake.log[0]).with_suffix(".failed.ipynb")
    parameters = snakemake.params.parameters
    clear_figures(snakemake.params.figures, parameters["case"])
    try:
        papermill.execute_notebook(
            snakemake.input.source,
            failed,
            parameters=dict(parameters),
            kernel_name="python3",
            cwd=os.getcwd(),
            progress_bar=False,
        )
    except papermill.PapermillExecutionError as error:
        raise SystemExit(
            f"{snakemake.input.source}: cell {error.exec_count} failed ({error.ename}: {error.evalue}); see {failed}"
        ) from error
    with io.atomic(snakemake.output.notebook) as temporary:
        os.replace(failed, temporary)
    html = pages.to_html(nbformat.read(snakemake.output.notebook, as_version=4))
    with io.atomic(snakemake.output.html) as temporary:
        temporary.write_text(html)
