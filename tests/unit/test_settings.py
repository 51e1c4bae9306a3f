"""What the settings promise: what is configured is in force, or nothing starts and the line says why."""

from dataclasses import FrozenInstanceError, asdict
from pathlib import Path

import pytest

from higgins import errors, settings


@pytest.fixture
def configured(tmp_path):
    def read(text: str) -> settings.Settings:
        path = tmp_path / "higgins.conf"
        path.write_text(text)
        return settings.read([path], environment=False)

    return read


def refusal(configured, text: str) -> str:
    with pytest.raises(errors.Invalid) as caught:
        configured(text)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_an_empty_file_gives_the_defaults(configured):
    assert configured("") == settings.Settings()


def test_a_file_sets_values_of_every_type(configured):
    read = configured(
        "[DEFAULT]\nstate_dir = /srv/h\n[api]\nport = 80\npublic_url = https://x\n[hosts]\nlease = 60.5\n"
        "[containers]\nimage_pull_policy = always\n[oslo_policy]\npolicy_file = /etc/p.yaml\n"
    )
    assert read.state_dir == Path("/srv/h")
    assert read.api.port == 80
    assert read.api.public_url == "https://x"
    assert read.hosts.lease == 60.5
    assert read.containers.image_pull_policy == "always"
    assert read.oslo_policy.policy_file == Path("/etc/p.yaml")


def test_a_project_may_have_so_much_where_nothing_is_configured_and_without_end_where_that_is(configured):
    usual = {"networks": 20, "security_groups": 20, "volumes": 100, "published_ports": 200}
    assert asdict(configured("").quota).items() >= usual.items()
    endless = configured("[quota]\n" + "".join(f"{name} = -1\n" for name in usual)).quota
    assert asdict(endless).items() >= dict.fromkeys(usual, -1).items()


def test_an_empty_value_means_none_where_there_may_be_none(configured):
    assert configured("[agent]\nname =\n").agent.name is None


def test_a_later_file_wins(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("[api]\nport = 1\nhost_ip = 10.0.0.1\n")
    second.write_text("[api]\nport = 2\n")
    read = settings.read([first, second], environment=False)
    assert (read.api.port, read.api.host_ip) == (2, "10.0.0.1")


def test_the_environment_wins_over_files(tmp_path, monkeypatch):
    path = tmp_path / "higgins.conf"
    path.write_text("[api]\nport = 1\n")
    monkeypatch.setenv("OS_API__PORT", "2")
    monkeypatch.setenv("OS_DEFAULT__STATE_DIR", "/srv/h")
    read = settings.read([path])
    assert (read.api.port, read.state_dir) == (2, Path("/srv/h"))


def test_a_wrong_value_in_the_environment_is_refused_by_its_name(monkeypatch):
    monkeypatch.setenv("OS_API__PORT", "many")
    with pytest.raises(errors.Invalid, match=r"OS_API__PORT: .*must be a whole number"):
        settings.read()


def test_an_unknown_option_is_refused_with_the_nearest_name(configured):
    message = refusal(configured, "[deadlines]\ncraete = 5\n")
    assert message.endswith("higgins.conf: [deadlines] has no option craete; did you mean create?")


def test_an_option_in_the_wrong_group_is_refused_with_the_right_one(configured):
    assert refusal(configured, "[DEFAULT]\nstarts_at_once = 5\n").endswith("did you mean [agent] starts_at_once?")


def test_an_unknown_group_is_refused_with_the_nearest_name(configured):
    assert refusal(configured, "[dedlines]\n[dedlines]\ncreate = 5\n").endswith(
        "there is no group [dedlines]; did you mean deadlines?"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[api]\nport = 80x\n", "[api] port = 80x: must be a whole number"),
        ("[api]\nport = 70000\n", "[api] port = 70000: must be at most 65535"),
        ("[api]\nport =\n", "[api] port = : must be a whole number"),
        ("[deadlines]\ncreate = 0\n", "[deadlines] create = 0: must be at least 1"),
        ("[deadlines]\ncreate = nan\n", "must be a number"),
        ("[deadlines]\ncreate = inf\n", "must be a number"),
        ("[containers]\nimage_pull_policy = maybe\n", "must be one of always, ifnotpresent, never"),
        ("[DEFAULT]\nstate_dir =\n", "must be a path"),
        ("[hosts]\nlease = 5\n", "[hosts] lease must be at least twice [hosts] heartbeat"),
        ("[quota]\nnetworks = -2\n", "[quota] networks = -2: must be at least -1"),
        ("[quota]\npublished_ports = many\n", "[quota] published_ports = many: must be a whole number"),
        ("[containers]\nmaximum_memory = 2\n", "minimum_memory is above maximum_memory"),
        ("[containers]\ndefault_cpu = 99\n", "default_cpu is above maximum_cpu"),
        ("not a line\n", "cannot be understood"),
        ("[api\n", "cannot be understood"),
        ("[api]\nhost_ip = $nobody\n", "[api] host_ip"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(configured, text, reason):
    assert reason in refusal(configured, text)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(errors.Invalid, match=r"nowhere\.conf: cannot be read: No such file"):
        settings.read([tmp_path / "nowhere.conf"])


def test_a_directory_or_a_picture_is_no_configuration(tmp_path):
    picture = tmp_path / "picture"
    picture.write_bytes(b"\x89PNG\xff\xfe")
    for path in (tmp_path, picture):
        with pytest.raises(errors.Invalid, match="cannot be read"):
            settings.read([path])


def test_settings_cannot_be_changed_once_read():
    with pytest.raises(FrozenInstanceError):
        settings.Settings().api.port = 1  # type: ignore[misc]


def test_the_database_is_a_file_in_the_state_directory_unless_told_otherwise(configured):
    assert configured("[DEFAULT]\nstate_dir = /srv/h\n").database_url == "sqlite:////srv/h/higgins.sqlite"
    assert configured("[database]\nconnection = postgresql://x\n").database_url == "postgresql://x"


def test_every_option_is_explained():
    for group in settings.definitions():
        for option in group.options:
            assert option.explanation.endswith("."), f"[{group.name}] {option.name}"
