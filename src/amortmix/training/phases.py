"""Phases of a training: how many steps it has with which batches, and how many draws each data set gets.

A recipe lists each as [steps, batch] or, with the known density, [steps, batch, particles]. Where it has s_i of T steps
in phase i, a training of S steps has

    round(S s_i / T),   at least 1.
"""

from typing import NamedTuple


class Phase(NamedTuple):
    """Steps with one batch size and one number of particles; 1 particle is theta* alone."""

    steps: int
    batch: int
    particles: int = 1

    @property
    def data_sets(self):
        """How many it simulates."""
        return self.steps * self.batch

    @property
    def listed(self):
        """As a recipe has it."""
        return [self.steps, self.batch, self.particles] if self.particles > 1 else [self.steps, self.batch]


def phases_of(schedule):
    """The phases of a schedule."""
    return [Phase(*phase) for phase in schedule["phases"]]


def with_steps(recipe, steps):
    """A recipe with so many steps in all, at least one in each phase, which keep their shares."""
    phases = phases_of(recipe["schedule"])
    total = sum(p.steps for p in phases)
    chosen = [p._replace(steps=max(1, round(steps * p.steps / total))) for p in phases]
    return recipe | {"schedule": recipe["schedule"] | {"phases": [p.listed for p in chosen]}}
