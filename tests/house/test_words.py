"""How files, names and comments read."""

import ast
import re

import pytest

from tests.house import sources

EMPTY_WORDS = {
    *("manager", "managers", "helper", "helpers", "util", "utils", "utilities"),
    *("base", "common", "data", "info", "handle", "misc"),
}
NAMED_SO_BY_OTHERS = {"higgins/store/migrations/env.py"}


def test_every_file_opens_with_one_sentence_on_what_it_is_for():
    wrong = []
    for path in sources.python():
        opening = (ast.get_docstring(sources.tree(path)) or "").partition("\n")[0]
        if not re.fullmatch(r"[A-Z`].{8,}[.:]", opening):
            wrong.append(f"{sources.name(path)}: {opening!r}")
    assert not wrong


def test_no_module_and_no_class_is_named_with_a_word_that_says_nothing():
    wrong = []
    for path in sources.python():
        if EMPTY_WORDS & set(sources.words(path.stem)):
            wrong.append(sources.name(path))
        for node in ast.walk(sources.tree(path)):
            if isinstance(node, ast.ClassDef) and sources.words(node.name)[-1] in EMPTY_WORDS:
                wrong.append(f"{sources.name(path)}: class {node.name}")
    assert not wrong


def test_nothing_is_left_to_do_without_an_issue():
    marker = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b(?! ?\(#\d+\))")
    wrong = [
        f"{sources.name(path)}:{number}"
        for path in sources.text()
        if path.suffix not in (".txt", ".png")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if marker.search(line)
    ]
    assert not wrong


def test_whatever_silences_a_linter_says_which_rule_and_why():
    silence = re.compile(r"# noqa(?P<rest>.*)")
    reason = re.compile(r": [A-Z]+\d+(, ?[A-Z]+\d+)* - \S.{5,}|: N802$")
    wrong = [
        f"{sources.name(path)}:{number}: {line.strip()}"
        for path in sources.python("higgins")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if (found := silence.search(line)) and not reason.match(found["rest"])
    ]
    assert not wrong


@pytest.mark.parametrize("room", ["unit", "contract", "flow", "system", "compat", "house"])
def test_tests_are_named_as_sentences(room):
    wrong = []
    for path in sources.python(f"tests/{room}"):
        for node in ast.walk(sources.tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                if len(sources.words(node.name)) < 4:
                    wrong.append(f"{sources.name(path)}: {node.name}")
    assert not wrong
