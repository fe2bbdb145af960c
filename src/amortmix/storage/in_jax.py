"""Networks in JAX, which are loaded once they are asked for: what exported programs answer does without."""

from functools import cached_property

from amortmix.extras import require
from amortmix.storage import compiled
from amortmix.storage.files import BadInput


class Declared:
    """Networks in JAX and their declaration, once they are asked for; fits keep it, and through it nothing else."""

    def __init__(self, folder, card, model, amortized):
        self.folder, self.card, self.declaration = folder, card, model
        if amortized is not None:
            self.amortized = amortized

    @cached_property
    def amortized(self):
        require("this")
        from amortmix.inference.amortized import Amortized
        from amortmix.storage.bundle import load_bundle

        compiled.keep()
        bundle = load_bundle(self.folder, self.declaration)
        if bundle.card["sha256"] != self.card["sha256"]:
            raise BadInput(f"{self.folder}: holds other networks than when it was loaded; load it again")
        return Amortized.of(bundle)
