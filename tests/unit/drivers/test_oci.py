"""What runtimes complain about reaches a user as a sentence to act on."""

import pytest

from higgins import errors
from higgins.drivers import oci

NOISE = "failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: "
OLDER = "OCI runtime create failed: container_linux.go:380: starting container process caused: "


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (NOISE + 'exec: "nope": executable file not found in $PATH: unknown', "The command 'nope' was not found"),
        (OLDER + 'exec: "nope": executable file not found in $PATH: unknown', "The command 'nope' was not found"),
        (NOISE + 'exec: "/nope": stat /nope: no such file or directory: unknown', "The command '/nope' was not found"),
        (NOISE + 'exec: "/etc/passwd": permission denied: unknown', "The command '/etc/passwd' cannot be run"),
        (NOISE + "exec /bin/app: exec format error", "this host's architecture"),
        (
            NOISE + 'chdir to cwd ("/root/x") set in config.json failed: permission denied',
            "'/root/x' cannot be entered",
        ),
        ("Cannot mkdir: /etc/passwd is not a directory", "The working directory '/etc/passwd'"),
        ("the working directory 'etc' is invalid, it needs to be an absolute path", "'etc' is not an absolute path"),
        (
            NOISE
            + 'error during container init: error mounting "/var/lib/secret/data" to rootfs at "/etc/hosts": mount '
            "/var/lib/secret/data:/etc/hosts (via /proc/self/fd/6), flags: 0x5000: not a directory: unknown: Are you trying",
            "What is to be at '/etc/hosts' cannot be mounted there",
        ),
        ("unable to find user nobody: no matching entries in passwd file", "user nobody"),
        (NOISE + "error during container init: sethostname: invalid argument: unknown", "at most 64 characters"),
        (NOISE + "container init was OOM-killed (memory limit too low?)", "memory limit is too low"),
        ("No command specified", "no command of its own"),
        ("Unknown runtime specified runsc", "no runtime 'runsc'"),
        ("unknown or invalid runtime name: runsc", "no runtime 'runsc'"),
        ("--storage-opt is supported only for overlay over xfs with 'pquota' mount option", "cannot limit the size"),
    ],
)
def test_known_complaints_are_invalid_and_told_in_one_line(said: str, told: str) -> None:
    failure = oci.understand(said)
    assert type(failure) is errors.Invalid
    assert told in failure.message
    assert "\n" not in failure.message
    assert "OCI" not in failure.message
    assert "secret" not in failure.message
    assert oci.brief(said) == failure.message


def test_an_unknown_complaint_keeps_only_what_it_says() -> None:
    assert oci.understand(NOISE + "something new: unknown") is None
    assert oci.brief(NOISE + "something\n new: unknown") == "something new"
