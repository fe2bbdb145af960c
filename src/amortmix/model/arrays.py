"""What an annotation such as ``Float[Array, "N K"]`` calls an array, and what is more than one array.

Axes have the names that docstrings use; ``*draws`` is any number of axes, those after ``#`` broadcast, and of layouts
with ``|`` between them an argument has one. Tests check this at run time (`tests/checking.py`); a run does not, and a
module that imports without JAX takes these names for annotations alone.
"""

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Float, Real

#: Of JAX, also while it is traced, or of NumPy, whose scalars are arrays without axes.
Array = jax.Array | np.ndarray | np.generic
#: One number; numbers whose shapes broadcast; and what follows from these.
Number = Real[Array, ""] | float
Numbers = Real[Array, "*#shape"] | float
Broadcast = Float[Array, "*#shape"]
#: One number for each state.
Vector = Real[Array, " K"] | Sequence[float]
