"""The mistakes of the model: patches with names that stay, each once, and samples of them."""

import ast
from collections import Counter

from powercut.checkers.mistakes.generate import all_mistakes, counts, sample
from powercut.checkers.mistakes.operators import OPERATORS
from powercut.checkers.mistakes.source import PATHS
from powercut.checkers.weave.patch import apply_patch, model_sources
from tests.mistakes.small import TEXT, mistakes_in


def test_the_model_has_mistakes_of_every_kind_in_every_part() -> None:
    mistakes = all_mistakes()
    assert set(counts(mistakes)) == set(OPERATORS)
    assert len(mistakes) > 4_000
    assert all(mistake.file.startswith(PATHS) for mistake in mistakes)


def test_names_and_keys_are_unique() -> None:
    mistakes = all_mistakes()
    assert len({mistake.name for mistake in mistakes}) == len(mistakes)
    assert len({mistake.key for mistake in mistakes}) == len(mistakes)


def test_every_patch_of_a_sample_applies_and_is_python() -> None:
    sources = model_sources()
    for mistake in sample(all_mistakes(), 300, 1):
        (patched,) = apply_patch(mistake.parsed, sources).values()
        ast.parse(patched.text)
        assert patched.text != sources[mistake.file]


def test_an_edit_of_another_function_changes_no_name_and_no_key() -> None:
    def of_write(text: str) -> dict[str, object]:
        return {m.name: m.key for m in mistakes_in(text) if m.function == "write"}

    more = TEXT.replace("    inode.i_size += 1\n", "    inode.i_size += 1\n    inode.i_sync = 0\n")
    assert of_write(TEXT) == of_write(more)
    assert len(mistakes_in(more)) > len(mistakes_in(TEXT))


def test_lines_that_read_the_same_are_told_apart() -> None:
    text = TEXT.replace("    submit(k, inode)\n", "    inode.i_freeing = 1\n")
    twice = [m for m in mistakes_in(text, "left-out") if m.was == ("inode.i_freeing = 1",)]
    assert [mistake.nth for mistake in twice] == [1, 2]


def test_a_sample_is_stratified_and_grows_by_adding() -> None:
    mistakes = all_mistakes()
    few, more = sample(mistakes, 300, 1), sample(mistakes, 900, 1)
    assert len(few) == 300
    assert {m.name for m in few} <= {m.name for m in more}
    assert few != sample(mistakes, 300, 2)
    shares = Counter(m.kind for m in more)
    assert shares["guard"] > shares["and-or"] > 0


def test_a_sample_of_more_than_there_are_is_all_of_them() -> None:
    assert sample(mistakes_in(), 1_000, 1) == mistakes_in()
