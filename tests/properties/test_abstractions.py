"""What the model leaves out: a checked file, and the runs that touch its entries."""

from dataclasses import replace

import pytest

from powercut.checkers.workload.shipped import SCOPES
from powercut.errors import InputError
from powercut.model.designs import DESIGNS
from powercut.properties.abstractions import abstractions, parse_abstractions, touched

SEED, BH, MIXED = DESIGNS["seed"], DESIGNS["bh-ordered"], DESIGNS["mixed"]


def test_a_run_touches_what_its_calls_and_options_are_about() -> None:
    plain = SCOPES["append-fsync"]
    assert touched(plain, SEED, {}) == ()
    assert touched(SCOPES["sync-overwrite"], SEED, {}) == ("sync-worker",)
    assert touched(SCOPES["unlink"], SEED, {}) == ("handle-restart", "namespace")
    assert touched(replace(plain, nodelalloc=True), SEED, {}) == ()
    assert touched(replace(plain, nodelalloc=True), BH, {}) == ("zeroout",)
    assert touched(plain, SEED, {"checkpointing": True}) == ("checkpoint",)


def test_a_path_is_asked_of_every_file() -> None:
    one = replace(SCOPES["append-fsync"], nodelalloc=True)
    two = replace(one, geometry=replace(one.geometry, nr_inodes=2, nr_phys=8))
    assert touched(one, MIXED, {}) == ("zeroout",)
    assert touched(two, SEED, {}) == ()
    assert touched(two, MIXED, {}) == ("zeroout",)


def test_every_entry_can_be_touched_or_is_about_every_run() -> None:
    runs = [
        touched(scope, design, dict.fromkeys(["checkpointing"], True))
        for scope in SCOPES.values()
        for design in (SEED, BH)
    ]
    met = {name for names in runs for name in names}
    assert {name for name, entry in abstractions().items() if not entry.is_everywhere} == met


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\n", "missing required field `left_out`"),
        ('[a]\nleft_out = "x"\nwhy = "y"\n', "unknown field `why`"),
        ('[a]\nleft_out = "x"\noperations = ["wirte"]\n', "a.operations: there is no 'wirte'"),
        ('[a]\nleft_out = "x"\npaths = ["xfs"]\n', "a.paths: there is no 'xfs'"),
        ("[a\n", "Expected ']'"),
    ],
)
def test_a_mistake_in_the_file_is_named(text: str, message: str) -> None:
    with pytest.raises(InputError, match=r"a\.toml") as caught:
        parse_abstractions(text, "a.toml")
    assert message in str(caught.value)
