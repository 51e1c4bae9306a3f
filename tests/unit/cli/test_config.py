"""What the configuration's printed forms promise."""

from pathlib import Path

from click.testing import CliRunner

from higgins import settings
from higgins.cli import config
from higgins.cli.main import higgins

ROOT = Path(__file__).parents[3]


def test_the_sample_is_a_file_that_changes_nothing(tmp_path):
    path = tmp_path / "higgins.conf"
    path.write_text(config.sample())
    assert settings.read([path], environment=False) == settings.Settings()


def test_the_sample_is_right_when_every_line_is_switched_on(tmp_path):
    path = tmp_path / "higgins.conf"
    lines = config.sample().splitlines()
    path.write_text(
        "\n".join(line[1:] if line.startswith("#") and not line.startswith("# ") else line for line in lines)
    )
    assert "\nport = 9517\n" in path.read_text()
    assert settings.read([path], environment=False) == settings.Settings()


def test_what_is_shown_is_in_force_and_hides_passwords(tmp_path):
    path = tmp_path / "higgins.conf"
    path.write_text("[api]\nport = 1234\n[database]\nconnection = postgresql://me:sesame@db/higgins\n")
    result = CliRunner().invoke(higgins, ["--config-file", str(path), "config", "show"])
    assert result.exit_code == 0
    assert "port = 1234" in result.output
    assert "sesame" not in result.output


def test_a_wrong_file_ends_the_command_with_one_line_and_status_2(tmp_path):
    path = tmp_path / "higgins.conf"
    path.write_text("[api]\nprot = 1\n")
    result = CliRunner().invoke(higgins, ["--config-file", str(path), "config", "show"])
    assert result.exit_code == 2
    assert result.stderr == f"higgins: {path}: [api] has no option prot; did you mean port?\n"


def test_the_reference_page_is_up_to_date():
    page = ROOT / "docs" / "operations" / "configuration.md"
    assert page.read_text() == config.reference(), (
        "write it anew: higgins config reference > docs/operations/configuration.md"
    )
