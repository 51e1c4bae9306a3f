"""The files of this project, for the rules that look at them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = ("higgins", "tests", "bench", "scripts", "docs", "requirements", ".ci")
GENERATED = ("_pb2.py", "_pb2.pyi", "_pb2_grpc.py")


def python(*folders: str) -> Iterator[Path]:
    """What people wrote in Python."""
    for folder in folders or OURS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not path.name.endswith(GENERATED):
                yield path


def text() -> Iterator[Path]:
    """Everything that people wrote."""
    for path in sorted(ROOT.iterdir()):
        if path.is_file() and path.name != "LICENSE":
            yield path
    for folder in OURS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts and "results" not in path.parts:
                yield path


def name(path: Path) -> str:
    """As it is called in a complaint."""
    return str(path.relative_to(ROOT))


@cache
def tree(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text())


def words(identifier: str) -> list[str]:
    """RuntimeManager and runtime_manager are both runtime and manager."""
    spaced = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in identifier)
    return [word for word in spaced.split("_") if word]
