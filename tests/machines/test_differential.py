"""The two paths agree where the table does not say otherwise; a planted difference is seen."""

from collections import Counter

import pytest
from hypothesis import seed, settings
from hypothesis.stateful import run_state_machine_as_test

from model.designs import DESIGNS
from model.mutants import MUTANTS
from properties.machines.differential import Differs, differential_machine
from properties.machines.search import PROFILES, profile_settings

CHOSEN = settings(profile_settings(PROFILES["dev"]), max_examples=150)


@pytest.mark.parametrize("design", ["seed"])
def test_only_legal_differences(design: str) -> None:
    counted: Counter[tuple[str, str]] = Counter()
    machine = seed(1)(differential_machine(DESIGNS[design], counted=counted))
    run_state_machine_as_test(machine, settings=CHOSEN)
    assert counted, "nothing differed: the machine compared nothing that matters"


def test_a_missing_commit_is_a_difference() -> None:
    mutant = MUTANTS["fsync-no-commit-wait"]
    machine = seed(1)(differential_machine(DESIGNS["seed"], mutant=mutant))
    with pytest.raises(Differs) as caught:
        run_state_machine_as_test(machine, settings=CHOSEN)
    assert caught.value.difference.kind == "crash-sizes"
