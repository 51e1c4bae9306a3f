"""What `higgins cp` promises: docker's rules about names, and nothing outside is ever touched."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from higgins import errors
from higgins.cli.tenant import archive
from higgins.cli.tenant.cp import Inside, landing, parsed, target
from higgins.cli.tenant.files import Found

FILE = Found(path="/etc/hosts", name="hosts", directory=False, size=3)
DIRECTORY = Found(path="/etc", name="etc", directory=True, size=0)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("web:/etc", Inside("web", "/etc")),
        ("web:etc", Inside("web", "/etc")),
        ("web:", Inside("web", "/")),
        ("./web:/etc", "./web:/etc"),
        ("/a:b", "/a:b"),
        ("a/b:c", "a/b:c"),
        ("-", "-"),
        (":x", ":x"),
    ],
)
def test_a_path_is_in_a_container_or_here(text, meant):
    assert parsed(text) == meant


def test_what_comes_out_gets_its_own_name_in_a_directory_that_exists(tmp_path):
    assert target(str(tmp_path), FILE, contents=False) == tmp_path / "hosts"
    assert target(str(tmp_path), DIRECTORY, contents=False) == tmp_path / "etc"
    assert target(str(tmp_path), DIRECTORY, contents=True) == tmp_path


def test_what_comes_out_gets_the_name_of_what_does_not_exist(tmp_path):
    assert target(f"{tmp_path}/new", FILE, contents=False) == tmp_path / "new"
    assert target(f"{tmp_path}/new/", DIRECTORY, contents=False) == tmp_path / "new"


@pytest.mark.parametrize(
    ("name", "found"),
    [("file", DIRECTORY), ("file/", FILE), ("new/", FILE), ("no/where", FILE), ("no/where", DIRECTORY)],
)
def test_what_cannot_come_out_so_is_refused(tmp_path, name, found):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.Invalid):
        target(f"{tmp_path}/{name}", found, contents=False)


@pytest.mark.parametrize(
    ("destination", "found", "given", "expected"),
    [
        ("/etc", DIRECTORY, {"directory": False, "contents": False}, ("/etc", "mine")),
        ("/etc", DIRECTORY, {"directory": True, "contents": False}, ("/etc", "mine")),
        ("/etc", DIRECTORY, {"directory": True, "contents": True}, ("/etc", ".")),
        ("/etc/hosts", FILE, {"directory": False, "contents": False}, ("/etc", "hosts")),
        ("/new", None, {"directory": False, "contents": False}, ("/", "new")),
        ("/srv/new/", None, {"directory": True, "contents": True}, ("/srv", "new")),
    ],
)
def test_what_goes_in_lands_where_docker_puts_it(destination, found, given, expected):
    assert landing(destination, found, name="mine", **given) == expected


@pytest.mark.parametrize(
    ("destination", "found", "directory"), [("/a/", None, False), ("/a", FILE, True), ("/a/", FILE, False)]
)
def test_what_cannot_go_in_so_is_refused(destination, found, directory):
    with pytest.raises(errors.Invalid):
        landing(destination, found, directory=directory, name="mine", contents=False)


class Packer:
    """Makes archives entry by entry, also such as no honest program makes."""

    def __init__(self) -> None:
        self._content = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._content, mode="w")  # noqa: SIM115

    def add(self, name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", link: str = "", mode: int = 0o644):
        entry = tarfile.TarInfo(name)
        entry.type, entry.size, entry.linkname, entry.mode = kind, len(content), link, mode
        self._tar.addfile(entry, io.BytesIO(content))
        return self

    def unpacked(self, target: Path) -> list[str]:
        """What was left out."""
        self._tar.close()
        unpacking = archive.Unpacking(target=target)
        content = self._content.getvalue()
        unpacking.all_of(archive.Readable(content[at : at + 700] for at in range(0, len(content), 700)))
        return unpacking.left_out


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "secret").write_text("untouched")
    yield tmp_path / "home" / "got"
    assert (tmp_path / "secret").read_text() == "untouched"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "secret"]


def test_a_tree_arrives_with_its_modes_and_links(home):
    left = (
        Packer()
        .add("etc", tarfile.DIRTYPE, mode=0o755)
        .add("etc/run", content=b"x" * 5000, mode=0o4755)
        .add("etc/again", tarfile.LNKTYPE, link="etc/run")
        .add("etc/sub/link", tarfile.SYMTYPE, link="../run")
        .unpacked(home)
    )
    assert left == []
    assert (home / "run").read_bytes() == b"x" * 5000
    assert (home / "run").stat().st_mode & 0o7777 == 0o755
    assert (home / "again").stat().st_ino == (home / "run").stat().st_ino
    assert os.readlink(home / "sub" / "link") == "../run"


def test_a_single_file_takes_the_name_that_was_asked_for(home):
    Packer().add("hosts", content=b"abc").unpacked(home)
    assert home.read_bytes() == b"abc"


@pytest.mark.parametrize(
    "name", ["../secret", "/secret", "etc/../../secret", "etc/../../../secret", "etc/a/../../../secret"]
)
def test_a_name_that_leads_out_is_left_out(home, name):
    assert len(Packer().add("etc", tarfile.DIRTYPE).add(name, content=b"evil").unpacked(home)) == 1


@pytest.mark.parametrize("link", ["../secret", "/etc/passwd", "../../x", "a/../../../secret"])
def test_a_link_that_points_out_is_left_out_and_nothing_is_written_through_it(home, link):
    left = (
        Packer()
        .add("etc", tarfile.DIRTYPE)
        .add("etc/out", tarfile.SYMTYPE, link=link)
        .add("etc/out", content=b"evil")
        .unpacked(home)
    )
    assert len(left) == 1
    assert (home / "out").read_bytes() == b"evil"
    assert not (home / "out").is_symlink()


def test_nothing_goes_through_a_directory_that_is_a_link(home):
    home.mkdir()
    (home / "out").symlink_to(home.parent.parent)
    left = Packer().add("etc", tarfile.DIRTYPE).add("etc/out/secret", content=b"evil").unpacked(home)
    assert len(left) == 1


def test_links_that_only_together_lead_out_are_harmless(home):
    left = (
        Packer()
        .add("etc", tarfile.DIRTYPE)
        .add("etc/a/b", tarfile.DIRTYPE)
        .add("etc/up", tarfile.SYMTYPE, link="a/b")
        .add("etc/up/c", tarfile.SYMTYPE, link="../../..")
        .add("etc/up/c/secret", content=b"evil")
        .unpacked(home)
    )
    assert len(left) == 2


def test_a_second_name_of_what_is_outside_is_left_out(home):
    packer = Packer().add("etc", tarfile.DIRTYPE)
    packer.add("etc/in", tarfile.LNKTYPE, link="../secret").add("etc/abs", tarfile.LNKTYPE, link="/etc/passwd")
    assert len(packer.unpacked(home)) == 2


def test_nothing_goes_through_a_link_that_took_the_place_of_the_whole(home):
    (home.parent / "sibling").mkdir()
    left = Packer().add("etc", tarfile.SYMTYPE, link="sibling").add("etc/x", content=b"evil").unpacked(home)
    assert len(left) == 1
    assert list((home.parent / "sibling").iterdir()) == []


def test_what_comes_out_goes_through_a_link_of_ones_own(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "etc").symlink_to("real")
    assert target(str(tmp_path), DIRECTORY, contents=False) == tmp_path / "real"
    assert target(f"{tmp_path}/etc", DIRECTORY, contents=True) == tmp_path / "real"


def test_a_link_that_leads_out_by_way_of_another_is_left_out(home):
    packer = Packer().add("etc", tarfile.DIRTYPE).add("etc/a", tarfile.DIRTYPE)
    packer.add("etc/a/up", tarfile.SYMTYPE, link="..").add("etc/a/out", tarfile.SYMTYPE, link="up/../secret")
    assert len(packer.unpacked(home)) == 1
    assert not (home / "a" / "out").is_symlink()


def test_a_directory_that_was_there_is_not_opened_to_others(home):
    home.mkdir(mode=0o700)
    Packer().add("etc", tarfile.DIRTYPE, mode=0o777).unpacked(home)
    assert home.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("mtime", ["inf", "nan", "-1e30"])
def test_a_time_that_there_is_not_is_a_failure(home, mtime):
    entry = tarfile.TarInfo("hosts")
    entry.pax_headers = {"mtime": mtime}
    with pytest.raises(errors.Invalid):
        archive.Unpacking(target=home).all_of(archive.Readable(iter([entry.tobuf(tarfile.PAX_FORMAT) + bytes(1024)])))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_pipes_are_left_out(home, kind):
    assert len(Packer().add("dev", tarfile.DIRTYPE).add("dev/x", kind).unpacked(home)) == 1


def test_what_lay_there_is_replaced_and_its_other_names_are_not(home):
    home.mkdir()
    (home / "a").write_text("old")
    os.link(home / "a", home / "b")
    Packer().add("etc", tarfile.DIRTYPE).add("etc/a", content=b"new").unpacked(home)
    assert ((home / "a").read_text(), (home / "b").read_text()) == ("new", "old")


def test_an_archive_that_breaks_off_is_a_failure(home):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        archive_entry = tarfile.TarInfo("x")
        archive_entry.size = 10000
        tar.addfile(archive_entry, io.BytesIO(bytes(10000)))
    with pytest.raises(errors.Invalid):
        archive.Unpacking(target=home).all_of(archive.Readable(iter([content.getvalue()[:3000]])))


@given(st.lists(st.binary(min_size=1, max_size=20), max_size=10), st.integers(1, 9))
def test_pieces_are_read_as_a_file_is(pieces, size):
    readable, got = archive.Readable(iter(pieces)), b""
    while piece := readable.read(size):
        assert len(piece) == size or got + piece == b"".join(pieces)
        got += piece
    assert got == b"".join(pieces)


def test_what_is_packed_belongs_to_root_and_is_counted(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "f").write_bytes(b"x" * 1000)
    sink = io.BytesIO()
    counted: list[int] = []
    archive.packed(tmp_path / "a", "b", archive.Counted(sink, counted.append))
    assert sum(counted) == len(sink.getvalue()) > archive.size(tmp_path / "a") == 1000
    sink.seek(0)
    with tarfile.open(fileobj=sink) as tar:
        entries = {entry.name: entry for entry in tar}
    assert set(entries) == {"b", "b/f"}
    assert {(entry.uid, entry.gid, entry.uname) for entry in entries.values()} == {(0, 0, "")}
