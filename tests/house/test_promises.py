"""What the pages say that a test promises, a test promises."""

import ast
import re

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
