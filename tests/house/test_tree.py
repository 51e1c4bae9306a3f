"""What is in the tree besides code: nothing of one machine, locks that are whole, scripts that run."""

import os
import re
import subprocess
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house import sources

# In pieces, so that this file does not find itself.
OF_ONE_MACHINE = ("/wo" + "rk/", "/opt/whe" + "els", "/opt/py" + "pi", "/ho" + "me/")
REGISTRIES = ("py" + "pi.org", "python" + "hosted.org", "registry.np" + "mjs", "deb." + "debian.org")
SCRIPTS = ("quickstart", "test", ".ci/run")


def test_nothing_names_a_machine_or_a_package_registry():
    wrong = []
    for path in sources.text():
        try:
            content = path.read_text()
        except UnicodeDecodeError:
            continue
        wrong += [f"{sources.name(path)}: {word}" for word in OF_ONE_MACHINE + REGISTRIES if word in content]
    assert not wrong


def _lock(which: str) -> dict[str, tuple[str, int]]:
    """Name to version and number of hashes; whatever else stands there is a failure."""
    found: dict[str, tuple[str, int]] = {}
    text = (sources.ROOT / "requirements" / f"{which}.txt").read_text().replace("\\\n", " ")
    for line in text.splitlines():
        match = re.fullmatch(
            r"(?P<name>[\w.-]+)==(?P<version>\S+)( ;[^-]+?)?(?P<hashes>( +--hash=sha256:[0-9a-f]{64})+) *", line
        )
        assert match, f"requirements/{which}.txt: {line}"
        found[canonicalize_name(match["name"])] = (match["version"], match["hashes"].count("--hash"))
    return found


def _project() -> dict:
    return tomllib.loads((sources.ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("which", ["run", "dev"])
def test_every_locked_package_has_hashes_and_no_address(which):
    assert all(hashes for _, hashes in _lock(which).values())


def test_both_locks_agree():
    developing = _lock("dev")
    assert {name: version for name, (version, _) in _lock("run").items()}.items() <= {
        name: version for name, (version, _) in developing.items()
    }.items()


@pytest.mark.parametrize("which", ["run", "dev"])
def test_the_locks_hold_what_the_project_asks_for(which):
    project = _project()
    asked = [*project["project"]["dependencies"], *(project["dependency-groups"]["dev"] if which == "dev" else [])]
    lock = _lock(which)
    for line in asked:
        requirement = Requirement(line)
        version = lock.get(canonicalize_name(requirement.name), ("not locked", 0))[0]
        assert version != "not locked" and version in requirement.specifier, f"{line}: {version}"


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_can_be_run(script):
    path = sources.ROOT / script
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_links_between_pages_lead_somewhere():
    wrong = []
    for page in [*sources.ROOT.glob("*.md"), *sources.ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                wrong.append(f"{sources.name(page)}: {target}")
    assert not wrong
