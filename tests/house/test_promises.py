"""What the pages say that a test promises, a test promises."""

import ast
import re

from tests.compat.differences import DIFFERENCES
from tests.compat.rows import ROWS
from tests.compat.table import NEWEST
from tests.house import sources


def test_every_test_that_a_page_names_exists():
    known = {
        node.name
        for path in sources.python("tests", "higgins")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    pages = [*sources.ROOT.glob("*.md"), *sources.ROOT.glob("docs/**/*.md")]
    named = {(sources.name(page), name) for page in pages for name in re.findall(r"`(test_\w+)`", page.read_text())}
    assert named, "no page names a test"
    assert not [f"{page}: {name}" for page, name in sorted(named) if name not in known]


def test_every_row_of_what_differs_from_zun_names_the_test_that_promises_it():
    page = (sources.ROOT / "docs" / "zun-differences.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| Zun ")]
    assert rows and not [row for row in rows if not re.search(r"`test_\w+`[^|]*\|$", row)]


def test_every_microversion_names_the_rows_and_tests_that_hold_it():
    page = (sources.ROOT / "docs" / "microversions.md").read_text()
    lines = re.findall(r"^\| (1\.\d+) \| (.+) \| (.*)\|$", page, re.MULTILINE)
    assert [version for version, _, _ in lines] == [f"1.{minor}" for minor in range(1, NEWEST + 1)]
    assert not [version for version, _, held in lines if "`" not in held]
    rows = {str(row) for row in ROWS}
    named = [name for _, _, held in lines for name in re.findall("`([^`]+)`", held) if not name.startswith("test_")]
    assert named and not [name for name in named if name not in rows]


def test_where_upstream_is_expected_to_differ_the_page_of_differences_says_so():
    page = (sources.ROOT / "docs" / "zun-differences.md").read_text()
    assert DIFFERENCES and not [one.sentence for one in DIFFERENCES if one.sentence not in page]


def test_the_compatibility_suite_knows_nothing_of_what_it_asks():
    wrong = []
    for path in sources.python("tests/compat"):
        for node in ast.walk(sources.tree(path)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            wrong += [f"{sources.name(path)}: {name}" for name in names if name.split(".")[0] == "higgins"]
    assert not wrong
