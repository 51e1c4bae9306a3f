"""What people type and read: sizes, times, variables, policies, keys, statuses, YAML, and logs that come as one long string."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from higgins import errors
from higgins.cli.plain import unsafe
from higgins.cli.tenant import create, events, logs, moments, output, sizes, status, terminal, yamls


@pytest.mark.parametrize(
    ("text", "mebibytes"),
    [("512m", 512), ("1g", 1024), ("1.5G", 1536), ("64MiB", 64), ("2048k", 2), ("536870912", 512), ("1 gb", 1024)],
)
def test_sizes_are_read_as_docker_reads_them(text, mebibytes):
    assert sizes.mebibytes(text) == mebibytes


@pytest.mark.parametrize("text", ["", "m", "-1m", "1x", "512", "١m"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(errors.Invalid):
        sizes.mebibytes(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("1m30s", 90), ("90", 90), ("1.5h", 5400), ("250ms", 0.25), ("2d", 172800)]
)
def test_spans_are_read(text, seconds):
    assert moments.span(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "5 m", "-1s", "1w", "soon"])
def test_what_is_no_span_is_refused(text):
    with pytest.raises(errors.Invalid):
        moments.span(text)


def test_a_moment_is_an_age_or_a_number_or_a_date():
    assert moments.moment("10m", 1000.0) == 400.0
    assert moments.moment("1700000000", 0.0) == 1700000000.0
    assert moments.moment("2026-11-21T13:00:00+00:00", 0.0) == 1795266000.0
    assert moments.moment("2026-11-21T13:00:00.123456789Z", 0.0) == 1795266000.123456
    assert moments.moment("2026-11-21+13:00", 0.0) == moments.moment("2026-11-20T11:00Z", 0.0)
    assert moments.moment("1700000000.000000001", 0.0) == 1700000000.0
    assert moments.moment("-1m.5s", 1000.0) == 1060.5
    with pytest.raises(errors.Invalid):
        moments.moment("yesterday", 0.0)


@pytest.mark.parametrize("text", ["2026-11-21 13:00:00", "2026-11-21T13:00:00.000000", "2026-11-21T13:00:00Z"])
def test_moments_of_the_api_are_utc(text):
    assert moments.read(text) == 1795266000.0


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "less than a second"),
        (0.4, "less than a second"),
        (1, "1 second"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7200, "2 hours"),
        (86400 * 3, "3 days"),
        (86400 * 30, "4 weeks"),
        (86400 * 1000, "2 years"),
    ],
)
def test_ages_are_said_as_people_say_them(seconds, said):
    assert moments.lasted(seconds) == said


def test_variables_come_from_files_then_from_options_and_from_here(tmp_path, monkeypatch):
    monkeypatch.setenv("HERE", "yes")
    monkeypatch.delenv("GONE", raising=False)
    file = tmp_path / "env"
    file.write_text("# a comment\nA=1\n\nB=two = 2\nHERE\n")
    assert create.variables([str(file)], ["A=3", "GONE", "EMPTY="]) == {
        "A": "3",
        "B": "two = 2",
        "HERE": "yes",
        "EMPTY": "",
    }
    with pytest.raises(errors.Invalid):
        create.variables([], ["=x"])
    with pytest.raises(errors.Invalid):
        create.variables([str(tmp_path / "none")], [])


def test_restart_policies_are_written_as_docker_writes_them():
    assert create.restart_policy("on-failure:3") == {"Name": "on-failure", "MaximumRetryCount": "3"}
    assert create.restart_policy("always") == {"Name": "always"}
    for wrong in ("sometimes", "on-failure:x", "always:"):
        with pytest.raises(errors.Invalid):
            create.restart_policy(wrong)


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("The command 'x' was not found in the image.", 127),
        ('exec: "x": executable file not found in $PATH', 127),
        ("The command '/etc' cannot be run: permission denied.", 126),
        ("Image x could not be found.", 125),
        ("", 125),
    ],
)
def test_a_start_that_failed_has_the_exit_status_of_a_shell(reason, code):
    assert create.exit_status(reason) == code


def test_events_begin_now_or_after_a_number_or_at_a_moment():
    assert events.start(None, 1000.0) == (None, None)
    assert events.start("#12", 1000.0) == (12, None)
    assert events.start("5m", 1000.0) == (0, 700.0)
    with pytest.raises(errors.Invalid, match="looks like #123"):
        events.start("#last", 1000.0)


def test_the_keys_that_leave_are_found_wherever_they_are_cut():
    for pieces in ([b"ab\x10\x11cd"], [b"ab\x10", b"\x11cd"], [b"a", b"b", b"\x10", b"\x11"]):
        escape, through = terminal.Escape(terminal.keys("ctrl-p,ctrl-q")), b""
        for piece in pieces:
            passed, left = escape.passed(piece)
            through += passed
            if left:
                break
        assert (through, left) == (b"ab", True)


def test_half_of_the_keys_goes_through_when_something_else_follows():
    escape = terminal.Escape(b"\x10\x11")
    assert escape.passed(b"\x10") == (b"", False)
    assert escape.passed(b"x\x10\x10\x11") == (b"\x10x\x10", True)


@given(st.binary(max_size=50).filter(lambda typed: b"\x10" not in typed))
def test_without_the_keys_everything_goes_through(typed):
    assert terminal.Escape(b"\x10\x11").passed(typed) == (typed, False)
    assert terminal.Escape(b"").passed(b"\x10\x11" + typed) == (b"\x10\x11" + typed, False)


def test_keys_are_letters_and_control_characters():
    assert terminal.keys("a,ctrl-],ctrl-p") == b"a\x1d\x10"
    assert terminal.keys("") == b""
    for wrong in ("ctrl-", "ctrl-1", "ab", "é"):
        with pytest.raises(errors.Invalid):
            terminal.keys(wrong)


NOW = 1795266000.0


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ({"status": "Running", "started_at": "2026-11-21 12:50:00"}, "Up 10 minutes"),
        (
            {"status": "Running", "started_at": "2026-11-21 12:50:00", "health": {"status": "healthy"}},
            "Up 10 minutes (healthy)",
        ),
        ({"status": "Running", "status_detail": "Up 3 hours"}, "Up 3 hours"),
        (
            {"status": "Stopped", "finished_at": "2026-11-21 12:59:00", "exit_code": 137},
            "Exited (137) 60 seconds ago",
        ),
        ({"status": "Stopped", "status_detail": "Exited(1) 5 mins ago "}, "Exited(1) 5 mins ago"),
        ({"status": "Error", "status_reason": "No host."}, "Error: No host."),
        ({"status": "Creating", "progress": {"layers": 3, "layers_done": 1, "size": 0, "done": 0}}, "Creating: 1 of 3 layers"),
        (
            {"status": "Creating", "progress": {"layers": 3, "layers_done": 1, "size": 2e6, "done": 1e6}},
            "Creating: 1MB of 2MB",
        ),
        ({"status": "Deleting"}, "Deleting"),
    ],
)  # fmt: skip
def test_a_status_is_told_in_a_few_words(shown, said):
    assert status.words(shown, NOW) == said


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(DOCUMENTS)
def test_what_is_written_as_yaml_is_read_as_the_same(document):
    read = yaml.safe_load(yamls.written(document))
    assert read == document or json.dumps(read) == json.dumps(document)


@given(st.text())
def test_what_is_written_as_json_is_read_as_the_same_and_moves_no_cursor(text):
    written = output.document({text: text}, indent=None)
    assert json.loads(written) == {text: text}
    assert not any(unsafe(char) for char in written)


@given(st.text(), st.integers(1, 7))
def test_a_log_is_the_same_wherever_its_string_is_cut(printed, size):
    for escaped in (True, False):
        sent = json.dumps(printed, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
        pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
        assert b"".join(logs.text(pieces)) == printed.encode("utf-8", "replace")


@pytest.mark.parametrize("sent", [b"", b'"', b'"abc', b"[1]", b'"abc\\'])
def test_a_log_that_breaks_off_is_a_failure(sent):
    with pytest.raises(errors.Unavailable):
        list(logs.text([sent] if sent else []))
