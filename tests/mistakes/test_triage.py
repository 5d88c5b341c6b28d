"""What is known of survivors: entries have a reason, and are about mistakes that exist."""

import pytest

from powercut.checkers.mistakes.generate import all_mistakes
from powercut.checkers.mistakes.judge import Judgement
from powercut.checkers.mistakes.score import cases, line, lines, survivors
from powercut.checkers.mistakes.triage import parse_entries, shipped_entries, triaged, unmatched
from powercut.errors import InputError
from tests.mistakes.small import TEXT, mistakes_in

ENTRY = """
[[entry]]
function = "write"
kind = "left-out"
was = ["inode.i_freeing = 1"]
now = []
reason = "nobody reads it afterwards"
"""


def test_every_shipped_entry_is_about_a_mistake() -> None:
    assert unmatched(all_mistakes(), shipped_entries()) == []


def test_an_entry_whose_line_is_gone_is_told() -> None:
    entries = parse_entries(ENTRY, "equivalent.toml")
    assert unmatched(mistakes_in(), entries) == []
    gone = TEXT.replace("inode.i_freeing = 1", "inode.i_freeing = 0")
    assert unmatched(mistakes_in(gone), entries) == list(entries)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ENTRY.replace("nobody reads it afterwards", "fine"), "no reason"),
        (ENTRY + ENTRY, "there twice"),
        (ENTRY + "why = 1\n", "why"),
        (ENTRY.replace('kind = "left-out"\n', ""), "kind"),
        (ENTRY + 'missing = "nothing"\n', "missing"),
        ("[[entry]", "TOML"),
    ],
)
def test_a_bad_entry_is_refused_with_its_file(text: str, message: str) -> None:
    with pytest.raises(InputError, match=r"equivalent\.toml") as error:
        parse_entries(text, "equivalent.toml")
    assert message.lower() in str(error.value).lower() or message == "TOML"


def test_an_equivalent_counts_neither_as_caught_nor_as_missed() -> None:
    mistakes = mistakes_in(kind="left-out")
    known = triaged(mistakes, parse_entries(ENTRY, "equivalent.toml"))
    assert list(known) == ["write.left-out.1"]
    judgements = {m.name: Judgement(m.name, "survived", runs=1) for m in mistakes}
    judgements["write.left-out.2"] = Judgement("write.left-out.2", "caught", "sizes")
    judgements["write.left-out.3"] = Judgement("write.left-out.3", "not translated", detail="x")
    judgements["write.left-out.4"] = Judgement("write.left-out.4", "not executed")
    found = cases(mistakes, judgements, known)
    total = line("all", found)
    assert (total.made, total.mistakes, total.caught, total.equivalent) == (7, 5, 1, 1)
    assert (total.not_executed, total.not_translated) == (1, 1)
    assert total.score == 20.0
    missing = {case.mistake.name: case.missing for case in survivors(found)}
    assert missing.pop("write.left-out.4") == "workload"
    assert set(missing.values()) == {"not looked at"}
    assert [each.name for each in lines(found, lambda m: m.function)] == ["submit", "write"]


def test_an_equivalent_that_somebody_notices_is_a_mistake() -> None:
    mistakes = mistakes_in(kind="left-out")[:1]
    known = triaged(mistakes, parse_entries(ENTRY, "equivalent.toml"))
    judgements = {m.name: Judgement(m.name, "caught", "sizes") for m in mistakes}
    assert line("all", cases(mistakes, judgements, known)).equivalent == 0
