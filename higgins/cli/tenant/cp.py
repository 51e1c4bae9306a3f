"""`higgins cp`: files into and out of containers, by docker's rules about names."""

import posixpath
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import click
from click.shell_completion import CompletionItem

from higgins import errors
from higgins.cli.tenant import archive, completion, examples, names, progress, session, sizes
from higgins.cli.tenant.files import Files, Found
from higgins.client.cloud import path

_PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Inside:
    """A path in a container."""

    container: str
    path: str

    def __str__(self) -> str:
        return f"{self.container}:{self.path}"


def _complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files here, and containers."""
    files = CompletionItem(incomplete, type="file")
    return [files, *(() if "/" in incomplete else completion.containers(context, parameter, incomplete))]


@click.command(
    epilog=examples.of(
        "higgins cp page.html web:/srv/", "higgins cp web:/var/log logs", "higgins cp web:/srv - | tar -t"
    )
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing on the way.")
@click.argument("source", shell_complete=_complete)
@click.argument("destination", shell_complete=_complete)
def cp(source: str, destination: str, *, quiet: bool) -> None:
    """Copy files: one of both is CONTAINER:PATH, the other a path here, or - for a tar archive on a pipe.

    What is copied into a directory that exists gets its own name there; SOURCE/. copies what is in a directory.
    """
    match parsed(source), parsed(destination):
        case Inside() as inside, str(local):
            _out(inside, local, quiet=quiet)
        case str(local), Inside() as inside:
            _into(local, inside, quiet=quiet)
        case Inside(), _:
            raise click.UsageError("From one container into another: higgins cp A:PATH - | higgins cp - B:DIRECTORY")
        case _:
            raise click.UsageError("One of both must be in a container: CONTAINER:PATH.")


def parsed(text: str) -> Inside | str:
    """`web:/etc` is in a container; what begins with a slash or a dot is here, whatever follows."""
    container, colon, inside = text.partition(":")
    if colon and container and not text.startswith((".", "/")) and "/" not in container:
        # A path without a slash in front begins at the root, as docker has it.
        return Inside(container, inside if inside.startswith("/") else f"/{inside}")
    return text


def target(local: str, found: Found, *, contents: bool) -> Path:
    """What the first entry of an archive becomes here. Raises Invalid where docker does."""
    here = Path(local)
    if here.is_dir():
        within = here if found.directory and contents else here / found.name
        # Through a link of one's own, and no other: what comes out may bring links along.
        return within.resolve() if found.directory and within.is_dir() else within
    if here.exists():
        if found.directory:
            raise errors.Invalid(f"{local} is a file: a directory cannot be copied onto it")
        if local.endswith("/"):
            raise errors.Invalid(f"{local} is a file, not a directory")
        return here
    if local.endswith("/") and not found.directory:
        raise errors.Invalid(f"there is no directory {local}")
    if not here.absolute().parent.is_dir():
        raise errors.Invalid(f"there is no directory {here.absolute().parent}")
    return here


def landing(destination: str, found: Found | None, *, directory: bool, name: str, contents: bool) -> tuple[str, str]:
    """The directory of a container that an archive is unpacked in, and what its first entry is called. Raises Invalid where docker does.

    What is sent is a `directory` or a file of that `name`.
    """
    if found is None:
        if destination.endswith("/") and not directory:
            raise errors.Invalid(f"there is no directory {destination} in the container")
        above, last = posixpath.split(posixpath.normpath(destination))
        return above or "/", last
    if found.directory:
        return found.path, "." if directory and contents else name
    if directory:
        raise errors.Invalid(f"{destination} is a file in the container: a directory cannot be copied onto it")
    if destination.endswith("/"):
        raise errors.Invalid(f"{destination} is a file in the container, not a directory")
    above, last = posixpath.split(found.path)
    return above or "/", last


def _files(container: str) -> Files:
    cloud = session.cloud()
    return Files(cloud, names.act(cloud, container, lambda name: cloud.get(path("containers", name)))["uuid"])


def _out(source: Inside, destination: str, *, quiet: bool) -> None:
    stream, found = _files(source.container).read(source.path)
    with progress.Line(str(source)) as line:
        readable = archive.Readable(iter(stream), _teller(line, 0 if found.directory else found.size, quiet=quiet))
        if destination == "-":
            while piece := readable.read(_PIECE):
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        unpacking = archive.Unpacking(target=target(destination, found, contents=_contents(source.path)))
        unpacking.all_of(readable)
        stream.close()
    if unpacking.left_out:
        archive.tell(unpacking.left_out)
        sys.exit(1)


def _into(source: str, destination: Inside, *, quiet: bool) -> None:
    files = _files(destination.container)
    there = files.look(destination.path)
    if source == "-":
        if there is None or not there.directory:
            raise errors.Invalid(f"{destination} is no directory: an archive needs one")
        files.write(there.path, _piped)
        return
    local = Path(source)
    if not local.exists() and not local.is_symlink():
        raise errors.NotFound(f"there is no {source} here")
    if source.endswith("/") and not local.is_dir():
        raise errors.Invalid(f"{source} is no directory")
    directory, name = landing(
        destination.path,
        there,
        directory=local.is_dir(),
        name=local.absolute().name or "root",
        contents=_contents(source),
    )
    if there is None and files.look(directory) is None:
        raise errors.NotFound(f"there is no directory {directory} in {destination.container}")
    with progress.Line(source) as line:
        tell = _teller(line, archive.size(local), quiet=quiet)
        files.write(directory, lambda sink: archive.packed(local, name, archive.Counted(sink, tell)))


def _contents(source: str) -> bool:
    """What is in a directory is meant, not the directory."""
    return source.endswith("/.") or source == "."


def _piped(sink: IO[bytes]) -> None:
    while piece := sys.stdin.buffer.read(_PIECE):
        sink.write(piece)


def _teller(line: progress.Line, whole: int, *, quiet: bool) -> Callable[[int], None]:
    done = 0

    def tell(count: int) -> None:
        nonlocal done
        done += count
        if not quiet:
            # An archive is a little more than what is in it.
            words = f"{sizes.decimal(min(done, whole))} of {sizes.decimal(whole)}" if whole else sizes.decimal(done)
            line.tell(words, done / whole if whole else None)

    return tell
