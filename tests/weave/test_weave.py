"""Many variants in one tree: under its number each does what its own text does, and says where."""

import ast
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest

from powercut.checkers.weave.errors import PatchError
from powercut.checkers.weave.weave import Variant, weave

BASE = '''
"""A module."""


def run(k, a, b):
    """Do something that shows every path."""
    seen = [0]
    if a > b:
        seen.append(1)
        seen.append(2)
    elif a == b:
        seen.append(3)
    for n in range(b):
        seen.append(n)
        if n == a:
            break
    total = a + b
    return [*seen, total]
'''
VARIANTS = {
    1: BASE.replace("if a > b", "if a >= b"),
    2: BASE.replace("        seen.append(2)\n", ""),
    3: BASE.replace("        seen.append(1)\n        seen.append(2)\n", "        seen.append(9)\n"),
    4: BASE.replace("range(b)", "range(a)"),
    5: BASE.replace("a + b", "a - b"),
    6: BASE.replace("    total", "    seen.append(7)\n    total"),
    7: BASE.replace("    total", "    seen.append(8)\n    seen.append(8)\n    total"),
    8: BASE.replace("            break\n", "            seen.append(4)\n            break\n"),
    9: BASE.replace("    elif a == b:\n        seen.append(3)\n", ""),
    10: BASE.replace("    return [*seen, total]", "    return more(seen)")
    + "\n\ndef more(seen):\n    return [*seen, 99]\n",
    11: BASE.replace("a > b", "a < b").replace("seen.append(n)", "seen.append(-n)"),
}


def loaded(tree: ast.Module) -> Any:
    names: dict[str, Any] = {}
    exec(compile(tree, "woven", "exec"), names)
    return names["run"]


def conf(number: int) -> Any:
    return SimpleNamespace(conf=SimpleNamespace(mutant=number))


def woven(texts: dict[int, str]) -> ast.Module:
    variants = [Variant(n, f"v{n}", ast.parse(text)) for n, text in texts.items()]
    return weave(ast.parse(BASE), variants)


def test_each_variant_does_what_its_own_text_does() -> None:
    run = loaded(woven(VARIANTS))
    alone = {0: loaded(ast.parse(BASE))} | {n: loaded(ast.parse(t)) for n, t in VARIANTS.items()}
    for number, a, b in product(alone, range(4), range(4)):
        assert run(conf(number), a, b) == alone[number](conf(0), a, b), (number, a, b)


def test_the_variants_differ_from_the_base_and_from_each_other() -> None:
    """Otherwise the test above could pass with nothing woven."""
    run = loaded(woven(VARIANTS))
    told = {n: str([run(conf(n), a, b) for a in range(4) for b in range(4)]) for n in range(12)}
    assert len(set(told.values())) == len(told)


def test_a_changed_condition_does_not_copy_its_body() -> None:
    text = ast.unparse(woven({1: VARIANTS[1]}))
    assert text.count("seen.append(1)") == 1


def test_what_no_variant_changes_stays_as_it_is() -> None:
    assert ast.dump(woven({})) == ast.dump(ast.parse(BASE))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BASE.replace("(k, a, b)", "(k, a)"), "keeps a function's parameters"),
        (BASE + "\nLIMIT = 3\n", "functions only"),
        (BASE.replace("seen = [0]", "yield"), "no path"),
    ],
)
def test_what_cannot_be_woven_is_refused(text: str, words: str) -> None:
    with pytest.raises(PatchError, match=words):
        woven({1: text})


def test_two_patches_that_add_different_functions_of_one_name_are_refused() -> None:
    other = VARIANTS[10].replace("99", "98")
    with pytest.raises(PatchError, match="another name"):
        woven({1: VARIANTS[10], 2: other})
