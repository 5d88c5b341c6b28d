"""Many mistakes in one program, each behind its number, so that one compilation serves all.

A batch is a set of variants of the model's program (:class:`~powercut.model.language.Variants`)
beside the mutants that come with it.  ``conf.mutant`` is one byte, so there are at most 255.

Rejected: one build for every mistake (three seconds of translation and as many of compiling, five
thousand times); all in one build (a number in two bytes, and a text that grows with the square of
what overlaps in a function).
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from powercut.checkers.mistakes.generate import Mistake
from powercut.checkers.weave.program import mutated_program, woven_program
from powercut.model.kernel.tasks import PROGRAM
from powercut.model.language import Program
from powercut.model.mutants import Mutant

MOST = 255


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Up to 255 mistakes as variants of the model; equal only to itself."""

    mistakes: tuple[Mistake, ...]

    @property
    def key(self) -> str:
        """A digest of the texts of the mistakes, in their order."""
        digest = blake2b(digest_size=16)
        for mistake in self.mistakes:
            digest.update(f"{len(mistake.patch)}\0{mistake.patch}".encode())
        return digest.hexdigest()

    def woven(self) -> Program:
        """Return the model with every mistake behind its number."""
        return woven_program({n: m.parsed for n, m in enumerate(self.mistakes, 1)})

    def native(self, root: Any) -> Program:
        """Return the model with the one mistake that ``root.conf.mutant`` names, or without."""
        number = root.conf.mutant
        return mutated_program(self.mistakes[number - 1].parsed) if number else PROGRAM

    def mutant(self, number: int) -> Mutant:
        """Return mistake ``number`` (from 1) as what a question may plant."""
        mistake = self.mistakes[number - 1]
        return Mutant(mistake.name, number, mistake.kind, mistake.function, "", "", "", "")


def batches(mistakes: Sequence[Mistake], size: int, seed: int) -> list[tuple[Mistake, ...]]:
    """Return the mistakes in groups of at most ``size``, those of a function far apart.

    Changes that overlap are written out once for each, so a function with many of them in one batch
    makes a long text.
    """
    chance = random.Random(seed)
    order = chance.sample(list(mistakes), len(mistakes))
    order.sort(key=lambda mistake: mistake.function)
    count = max(1, -(-len(order) // min(size, MOST)))
    return [tuple(order[n::count]) for n in range(count)]
