"""What a training keeps on disk while it runs: its state and its learning curve, each whole or not at all."""

import csv
import json
import math
import os
import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from amortmix.storage.files import BadInput


def save_checkpoint(path, state, spec, done, history, seconds, cpu_seconds):
    """Write all state to a temporary file, then rename it: a kill leaves the previous checkpoint."""
    leaves = jax.tree.leaves(state)
    known = {"spec": spec, "done": done, "history": history, "seconds": seconds, "cpu_seconds": cpu_seconds}
    meta = json.dumps(known)
    temporary = path.with_name(path.name + ".part")
    with open(temporary, "wb") as file:
        np.savez(file, meta=np.array(meta), **{f"leaf_{i}": np.asarray(x) for i, x in enumerate(leaves)})
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def load_checkpoint(path, state, spec):
    """State, dispatches done, history, seconds and CPU seconds of a checkpoint of the same training; else None.

    CPU seconds are NaN where the checkpoint does not have them.
    """
    if path is None or not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            meta = json.loads(str(file["meta"]))
            if meta["spec"] != json.loads(json.dumps(spec)):
                return None
            old, tree = jax.tree.flatten(state)
            leaves = [jnp.asarray(file[f"leaf_{i}"]) for i in range(len(old))]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path}: damaged checkpoint ({error}); delete it to start over") from error
    cpu_seconds = meta.get("cpu_seconds", math.nan)
    return jax.tree.unflatten(tree, leaves), meta["done"], meta["history"], meta["seconds"], cpu_seconds


def write_history(path, history):
    """Learning curve as CSV, replaced atomically."""
    temporary = Path(f"{path}.part")
    with open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(history[0]))
        writer.writeheader()
        writer.writerows(history)
    os.replace(temporary, path)
