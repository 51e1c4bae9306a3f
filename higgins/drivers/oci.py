"""What OCI runtimes say when a container does not start, in words that a user can act on."""

import re

from higgins import errors

_SAYINGS: tuple[tuple[re.Pattern[str], type[errors.Failure], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), remedy, sentence)
    for pattern, remedy, sentence in (
        (
            r'exec: "(?P<what>[^"]*)": (executable file not found|stat .*no such file or directory|no such file or directory)',
            errors.Invalid,
            "The command {what!r} was not found in the image. Check the command, or use an image that has it.",
        ),
        (
            r'exec: "(?P<what>[^"]*)": (permission denied|is a directory)',
            errors.Invalid,
            "The command {what!r} cannot be run: permission denied. It must be a file that may be executed.",
        ),
        (
            r"exec format error",
            errors.Invalid,
            "The command cannot be run on this processor. Use an image made for this host's architecture.",
        ),
        (
            r'chdir to cwd \("(?P<what>[^"]*)"\)|Cannot mkdir: (?P<other>\S+)',
            errors.Invalid,
            "The working directory {what!r} cannot be entered. Give one that is a directory in the image.",
        ),
        (
            r"working directory '(?P<what>[^']*)' is invalid",
            errors.Invalid,
            "The working directory {what!r} is not an absolute path. Begin it with a slash.",
        ),
        (
            r'error mounting "[^"]*" to rootfs at "(?P<what>[^"]*)".*not a directory',
            errors.Invalid,
            "What is to be at {what!r} cannot be mounted there: the image has a file where a directory has to be, or a directory where a file has to be.",
        ),
        (
            r"unable to find (?P<what>(user|group) \S+?):",
            errors.Invalid,
            "The image names the {what}, who does not exist in it. Use another image.",
        ),
        (
            r"sethostname: invalid argument",
            errors.Invalid,
            "The hostname cannot be set. Give one of at most 64 characters.",
        ),
        (
            r"contain null",
            errors.Invalid,
            "The environment has a value with a null byte in it. Remove that byte.",
        ),
        (
            r"OOM-killed|container init was killed|read init-p: connection reset by peer",
            errors.Invalid,
            "The memory limit is too low even to start the container. Give it more memory.",
        ),
        (
            r"unable to set memory limit to \d+ \(current usage: (?P<what>\d+)",
            errors.Invalid,
            "The container uses more memory than that now ({what} bytes). Allow it more, or stop it first.",
        ),
        (
            r"CPU cfs quota can not be less",
            errors.Invalid,
            "That is too little of a processor. Give the container at least 0.01 cores.",
        ),
        (
            r"unable to retrieve OCI runtime error .*(fork/exec|exec:) (?P<what>\S+): no such file",
            errors.Invalid,
            "The runtime {what!r} is not installed on this host. Ask for another runtime, or ask the operator to install it.",
        ),
        (
            r"no command specified",
            errors.Invalid,
            "The image has no command of its own. Give the container a command.",
        ),
        (
            r"unknown (or invalid )?runtime (specified|name:?) (?P<what>\S+)",
            errors.Invalid,
            "This host has no runtime {what!r}. Ask for another one, or for none to get the default.",
        ),
        (
            r"storage[- ]opt",
            errors.Invalid,
            "This host cannot limit the size of a container's disk. Ask for no disk size, or for a host whose Docker storage can.",
        ),
    )
)


def understand(text: str) -> errors.Failure | None:
    """The failure that a runtime's complaint stands for, None if it is not a known one."""
    for pattern, remedy, sentence in _SAYINGS:
        if found := pattern.search(text):
            names = found.groupdict()
            return remedy(sentence.format(what=names.get("what") or names.get("other")))
    return None


def brief(text: str) -> str:
    """The part of a runtime's complaint that says something: known ones in our words, others without what every one begins with."""
    known = understand(text)
    return known.message if known else _PREAMBLE.sub("", " ".join(text.split())).removesuffix(": unknown")


_PREAMBLE = re.compile(
    r"^((failed to create (shim )?task|failed to create shim|OCI runtime create failed|runc create failed|unable to start container process"
    r"|error during container init|container_linux\.go:\d+|process_linux\.go:\d+|starting container process caused): )+"
)
