"""Compiled functions, kept from one process to the next.

Compiling the networks of a model takes longer than a hundred fits; JAX finds what it has compiled in a folder again.
"""

import hashlib
import platform
from pathlib import Path

from amortmix.storage import files


def keep(folder=None):
    """Keep compiled functions in ``folder``, by default ``amortmix/compiled`` in the user's cache.

    A folder that JAX was told before, by JAX_COMPILATION_CACHE_DIR or in Python, stays. One that cannot be
    written costs time and a warning. The folder may be deleted at any time.
    """
    import jax

    if not jax.config.jax_compilation_cache_dir:
        base = files.users_cache() / "compiled" if folder is None else Path(folder).absolute()
        jax.config.update("jax_compilation_cache_dir", str(base / processor()))
    # loading networks compiles many tiny functions: keep those as well
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def processor():
    """A name for the kind of processor: what is compiled for one may end another's process.

    Nodes of a cluster share their folders, and JAX does not promise to tell their processors apart.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        known = sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))})
    except OSError:
        known = [platform.machine(), platform.processor()]
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:12]
