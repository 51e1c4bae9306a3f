"""What the `higgins` command promises before it does anything."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from higgins.cli.main import COMMANDS, higgins


def test_help_names_every_command_and_imports_nothing_heavy():
    code = (
        "import sys; from higgins.cli.main import main\n"
        "try: main()\n"
        "finally: print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
    for name in COMMANDS:
        assert f"\n  {name} " in ran.stdout
    for heavy in ("aiohttp", "grpc", "sqlalchemy", "oslo_config", "asyncio", "rich", "yaml"):
        assert f"'{heavy}'" not in ran.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_is_named_is_there(name):
    result = CliRunner().invoke(higgins, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: higgins {name}")


def test_an_unknown_command_is_refused_with_status_2():
    result = CliRunner().invoke(higgins, ["fly"])
    assert result.exit_code == 2
    assert "No such command 'fly'" in result.stderr
