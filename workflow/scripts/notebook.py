"""Rule notebook: execute a parameterized notebook, keep it if it fails, render it if it does not."""

import os
import tempfile
from pathlib import Path

from amortmix_paper.job import job

with job(snakemake):
    import nbformat
    import papermill
    from ipykernel.kernelspec import write_kernel_spec

    import amortmix
    from amortmix.storage import files
    from amortmix_paper.notebook_html import titled, to_html

    # the kernel inherits both: other backends draw, but nothing appears under the cells; and it finds the library
    # where this script does, in a conda environment too
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    os.environ["PYTHONPATH"] = str(Path(amortmix.__file__).parents[1])
    failed = Path(snakemake.log[0]).with_suffix(".failed.ipynb")
    Path(snakemake.output.figures).mkdir(parents=True, exist_ok=True)
    parameters = dict(snakemake.params.parameters)
    with tempfile.TemporaryDirectory() as folder:
        # this Python, whatever other kernels of the name are installed: the first folder that is looked through
        write_kernel_spec(Path(folder) / "kernels" / "python3")
        os.environ["JUPYTER_PATH"] = folder
        try:
            papermill.execute_notebook(
                snakemake.input.source,
                failed,
                parameters=parameters,
                kernel_name="python3",
                cwd=os.getcwd(),
                progress_bar=False,
            )
        except papermill.PapermillExecutionError as error:
            where = f"{snakemake.input.source}: cell {error.exec_count}"
            raise SystemExit(f"{where} failed ({error.ename}: {error.evalue}); see {failed}") from error
    executed = titled(nbformat.read(failed, as_version=4), snakemake.params.title)
    with files.atomic(snakemake.output.notebook) as temporary:
        nbformat.write(executed, temporary)
    os.remove(failed)
    html = to_html(executed, parameters["page"] != "overview")
    with files.atomic(snakemake.output.html) as temporary:
        temporary.write_text(html, encoding="utf-8")
