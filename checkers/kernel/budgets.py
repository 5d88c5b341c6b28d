"""A scope with the budgets of a real kernel.

What: commits at any time, two flusher passes at least, a log and a disk with room, small and large
folios.
Why so: a small scope bounds what a kernel does not; what a kernel shows is compared with the model
that has its freedom.
Rejected: the scope as it is (a second pass of the flusher would look like a mistake of the model).
"""

from dataclasses import replace

from powercut.model.scope import Geometry, Scope, Timer

FLUSHER_PASSES = 2


def kernel_scopes(scope: Scope) -> tuple[Scope, ...]:
    """Return the scope with a kernel's budgets, once for each size of a folio.

    A kernel makes folios of one block and of several as it likes, where both fit the file.
    """
    geometry = scope.geometry
    is_free = geometry.blocks_per_folio == 1 and geometry.nr_blocks > 1
    folios = (1, 2) if is_free else (geometry.blocks_per_folio,)
    return tuple(_widened(scope, _roomy(geometry, folio)) for folio in folios)


def _roomy(geometry: Geometry, blocks_per_folio: int) -> Geometry:
    blocks = geometry.nr_blocks * geometry.nr_inodes + 1
    return replace(
        geometry, blocks_per_folio=blocks_per_folio, nr_phys=max(geometry.nr_phys, blocks)
    )


def _widened(scope: Scope, geometry: Geometry) -> Scope:
    mounts = tuple(
        replace(mount, flusher_passes=max(mount.flusher_passes, FLUSHER_PASSES))
        for mount in scope.mounts
    )
    return replace(scope, mounts=mounts, timer=Timer.FREE, log_transactions=0, geometry=geometry)
