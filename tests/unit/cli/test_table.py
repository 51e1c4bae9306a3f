"""What tables promise: they fit, they align in every script, and nothing in them moves a cursor."""

from hypothesis import given
from hypothesis import strategies as st

from higgins.cli import plain, table
from higgins.cli.table import Coloured

TEXT = st.text(st.characters(codec="utf-8"), max_size=40)


def test_columns_align_and_nothing_stands_behind_the_last():
    assert table.lines(("id", "name"), [("1", "web"), ("100", "")]) == ["ID   NAME", "1    web", "100"]


def test_the_widest_column_gives_way_first():
    lines = table.lines(("id", "image", "command"), [("12345678", "busybox", "sleep " * 20)], room=40)
    assert lines[1] == "12345678  busybox  sleep sleep sleep sl…"
    assert len(lines[1]) == 40


def test_columns_of_the_same_width_give_way_together():
    assert table.lines(("a", "b"), [("x" * 20, "y" * 20)], room=26)[1] == "x" * 11 + "…  " + "y" * 11 + "…"


def test_columns_that_are_to_give_way_first_do_so_though_others_are_wider():
    row = ("busybox:latest", "Exited (137) 10 minutes ago")
    assert (
        table.lines(("image", "status"), [row], room=37, first=("image",))[1] == "busybox…  Exited (137) 10 minutes ago"
    )
    assert table.lines(("image", "status"), [row], room=30, first=("image",))[1] == "busybox…  Exited (137) 10 min…"


def test_where_there_is_no_room_for_all_columns_those_that_can_be_spared_go_in_turn():
    row, titles = ("1.879MiB", "23.54GiB", "1.016kB"), ("memory", "limit", "net")
    for room, shown in ((27, "MEMORY    LIMIT     NET"), (26, "MEMORY    NET"), (16, "NET"), (7, "NET")):
        assert table.lines(titles, [row], room=room, spare=("limit", "memory"))[0] == shown


def test_columns_are_spared_before_others_are_cut_that_do_not_give_way_first():
    titles, row = ("image", "age", "ports"), ("registry.example.org/web", "5 minutes ago", "0.0.0.0:8080->80/tcp")
    for room, shown in ((45, ["registr…", "5 minutes ago", row[2]]), (44, ["registry.example.org/…", row[2]])):
        (_, line) = table.lines(titles, [row], room=room, first=("image",), spare=("age",))
        assert line.split("  ") == shown


def test_without_a_terminal_nothing_is_shortened():
    assert table.lines(("a",), [("x" * 500,)])[1] == "x" * 500


def test_wide_characters_take_two_columns_and_accents_none():
    lines = table.lines(("name", "next"), [("日本", "|"), ("e\u0301t\u00e9", "|"), ("abcd", "|")])
    assert lines == ["NAME  NEXT", "日本  |", "e\u0301té   |", "abcd  |"]


def test_a_wide_character_is_not_cut_in_half():
    assert plain.fitted("日本語", 4) == "日…"
    assert plain.fitted("日本語", 6) == "日本語"


def test_what_a_terminal_would_obey_is_shown_as_its_escape():
    assert plain.line("a\x1b[2Jb\nc\x9b\u202ed\u2028") == r"a\x1b[2Jb\nc\x9b\u202ed\u2028"


def test_colours_do_not_count_as_columns():
    coloured = table.lines(("s", "t"), [(Coloured("up", "green"), "x")], colours=True)
    assert coloured[1] == "\x1b[32mup\x1b[0m  x"
    assert table.lines(("s", "t"), [(Coloured("up", "green"), "x")])[1] == "up  x"


@given(st.lists(st.tuples(TEXT, TEXT, TEXT), max_size=5), st.integers(28, 120))
def test_every_table_fits_and_is_harmless(rows, room):
    lines = table.lines(("one", "two", "three"), rows, room=room)
    assert len(lines) == len(rows) + 1
    assert all(plain.width(line) <= room for line in lines)
    assert not any(plain.unsafe(char) for line in lines for char in line)


@given(TEXT)
def test_a_harmless_line_stays_as_it_is(text):
    assert plain.line(plain.line(text)) == plain.line(text)
