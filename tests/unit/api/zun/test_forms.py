"""Good parameters become values; bad ones are refused with the field's name and what is allowed; versions open their gates."""

import math

import pytest

from higgins import errors
from higgins.api.zun import forms, reach, values
from higgins.api.zun.form import Form
from higgins.api.zun.microversion import MAX, Version
from higgins.api.zun.reach import Attachment

READ = values.reader(values.Bounds())


def read(form: Form, body: dict, version: Version = MAX, query: dict | None = None):
    return form.read(query or {}, body, version, READ)


def create(version: Version = MAX, **asked):
    return read(forms.CREATE, {"image": "nginx", **asked}, version)


@pytest.mark.parametrize(
    ("field", "given", "value"),
    [
        ("run", True, True),
        ("run", "YES", True),
        ("run", "0", False),
        ("run", None, None),
        ("name", "web.txt", "web.txt"),
        ("cpu", 1, 1.0),
        ("cpu", "0.5", 0.5),
        ("cpu", ".5", 0.5),
        ("cpu", "16", 16.0),
        ("cpu", None, None),
        ("memory", 512, 512),
        ("memory", "512", 512),
        ("memory", None, None),
        ("disk", "20", 20),
        ("disk", None, None),
        ("nets", None, None),
        ("nets", [], []),
        ("nets", [{"network": "blue"}], [Attachment(network="blue")]),
        ("nets", [{"port": "p"}, {"network": "blue"}], [Attachment(port="p"), Attachment(network="blue")]),
        (
            "nets",
            [{"network": "blue", "v4-fixed-ip": "10.0.0.7"}],
            [Attachment(network="blue", v4=values.IPv4("10.0.0.7"))],
        ),
        ("nets", [{"network": "blue", "port": None, "v6-fixed-ip": None}], [Attachment(network="blue")]),
        ("mounts", None, None),
        ("mounts", [], []),
        ("security_groups", [], []),
        ("exposed_ports", {}, {}),
        ("hints", {}, {}),
        ("command", [], []),
        ("command", ["nginx", "-g", 1], ["nginx", "-g", "1"]),
        ("entrypoint", ["sh"], ["sh"]),
        ("environment", {"A": "1"}, {"A": "1"}),
        ("labels", {"n": 1, "t": True, "f": 0.5, "s": "x"}, {"n": "1", "t": "True", "f": "0.5", "s": "x"}),
        ("interactive", "true", True),
        ("tty", False, False),
        ("auto_remove", True, True),
        ("image_driver", "docker", "docker"),
        ("image_driver", "None", "None"),
        ("image_pull_policy", "IfNotPresent", "IfNotPresent"),
        ("hostname", "web-1", "web-1"),
        ("cpu_policy", "shared", "shared"),
        ("availability_zone", "nova", "nova"),
        ("host", "node1", "node1"),
    ],
)
def test_good_values_of_a_create_are_taken(field, given, value):
    assert getattr(create(**{field: given}), field) == value


@pytest.mark.parametrize(
    ("field", "given", "allowed"),
    [
        ("image", 5, "`str`"),
        ("image", "x", "length >= 2"),
        ("image", None, "`str`"),
        ("run", "y", "yes"),
        ("run", 1, "true or false"),
        ("name", "x", "length >= 2"),
        ("name", "-web", "regex"),
        ("name", "web\n", "regex"),
        ("name", "x" * 256, "length <= 255"),
        ("name", ["web"], "`str | null`"),
        ("cpu", 0.05, "from 0.1 to 16.0"),
        ("cpu", "17", "from 0.1 to 16.0"),
        ("cpu", "1e1", "number of cores"),
        ("cpu", ".", "number of cores"),
        ("cpu", True, "number of cores"),
        ("cpu", 10**400, "number of cores"),
        ("cpu", math.nan, "number of cores"),
        ("memory", "512m", "whole number of MiB"),
        ("memory", 3, "from 4 to 8192"),
        ("memory", "9" * 5000, "from 4 to 8192"),
        ("memory", 64.5, "whole number of MiB"),
        ("memory", True, "whole number of MiB"),
        ("memory", "٥١٢", "whole number of MiB"),
        ("disk", 0, "from 1 to 160"),
        ("disk", "161", "from 1 to 160"),
        ("command", "nginx", "list of strings"),
        ("command", [None], "string"),
        ("command", {"a": 1}, "`str | array | null`"),
        ("environment", {"A": 1}, "`str`"),
        ("environment", {"A=B": "1"}, "regex"),
        ("environment", {"": "1"}, "length >= 1"),
        ("labels", {"a": {"b": 1}}, "must be a string"),
        ("labels", {"a": None}, "must be a string"),
        ("labels", [], "object"),
        ("hints", {"a": []}, "must be a string"),
        ("restart_policy", {}, "Name"),
        ("restart_policy", {"Name": "sometimes"}, "sometimes"),
        ("restart_policy", {"Name": "no", "Extra": 1}, "unknown field `Extra`"),
        ("restart_policy", {"Name": "on-failure", "MaximumRetryCount": -1}, "from 0 to"),
        ("restart_policy", {"Name": "on-failure", "MaximumRetryCount": "x"}, "whole number"),
        ("interactive", "yes", "true or false"),
        ("tty", 1, "true or false"),
        ("auto_remove", "true", "`bool | null`"),
        ("image_driver", "tar", "tar"),
        ("image_pull_policy", "sometimes", "sometimes"),
        ("hostname", "a b", "regex"),
        ("hostname", "x" * 64, "length <= 63"),
        ("healthcheck", {"interval": "30s"}, "`int | null`"),
        ("healthcheck", {"interval": -1}, ">= 0"),
        ("healthcheck", {"every": 1}, "unknown field"),
        ("nets", {}, "array"),
        ("cpu_policy", "mine", "mine"),
        ("availability_zone", "", "length >= 1"),
    ],
)
def test_bad_values_of_a_create_are_refused_by_the_name_of_the_field(field, given, allowed):
    with pytest.raises(errors.Invalid) as refusal:
        create(**{field: given})
    assert refusal.value.message.startswith(f"Invalid input for field '{field}'")
    assert allowed in refusal.value.message
    assert refusal.value.name == "schema-validation-error"


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("mounts", [{"source": "v", "destination": "/d"}]),
        ("image_driver", "glance"),
        ("cpu_policy", "dedicated"),
    ],
)
def test_what_is_not_offered_yet_is_refused_by_name(field, given):
    with pytest.raises(errors.Invalid, match=rf"'{field}'\. This deployment does not offer .* yet"):
        create(**{field: given})


@pytest.mark.parametrize(
    ("given", "place", "allowed"),
    [
        ([{}], "nets[0]", "exactly one of network and port"),
        ([{"network": "a"}, {"network": "b", "port": "c"}], "nets[1]", "exactly one of network and port"),
        ([{"v4-fixed-ip": "10.0.0.7"}], "nets[0]", "exactly one of network and port"),
        ([{"network": ""}], "nets[0].network", "length >= 1"),
        ([{"network": "x" * 256}], "nets[0].network", "length <= 255"),
        ([{"network": "a"}, {"network": 5}], "nets[1].network", "`str | null`"),
        ([{"port": []}], "nets[0].port", "`str | null`"),
        ([{"network": "a", "v4-fixed-ip": "10.0.0"}], "nets[0].v4-fixed-ip", "an address of IPv4"),
        ([{"network": "a", "v4-fixed-ip": "fd00::7"}], "nets[0].v4-fixed-ip", "an address of IPv4"),
        ([{"network": "a", "v4-fixed-ip": 7}], "nets[0].v4-fixed-ip", "an address of IPv4"),
        ([{"network": "a", "v6-fixed-ip": "10.0.0.7"}], "nets[0].v6-fixed-ip", "an address of IPv6"),
        ([{"network": "a", "v6-fixed-ip": "fd00::7"}], "nets[0].v6-fixed-ip", "no IPv6"),
        (["blue"], "nets[0]", "object"),
        ([{"network": "a"}] * 17, "nets", "length <= 16"),
    ],
)
def test_a_network_that_cannot_be_is_refused_by_its_place(given, place, allowed):
    with pytest.raises(errors.Invalid) as refusal:
        create(nets=given)
    assert refusal.value.message.startswith(f"Invalid input for field '{place}'")
    assert allowed in refusal.value.message


def test_a_word_about_a_network_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(errors.Invalid, match=r"nets\[0\]\.colour.*known here are network, port, v4-fixed-ip"):
        create(nets=[{"network": "a", "colour": "red"}])


@pytest.mark.parametrize(
    ("form", "given", "field"),
    [
        (reach.ATTACH_NETWORK, {"network": "a", "port": "b"}, "port"),
        (reach.ATTACH_NETWORK, {"network": ""}, "network"),
        (reach.ATTACH_NETWORK, {"network": "a", "fixed_ip": "10.0"}, "fixed_ip"),
        (reach.ATTACH_NETWORK, {"network": "a", "fixed_ip": "fd00::7"}, "fixed_ip"),
        (reach.ATTACH_NETWORK, {"colour": "red"}, "colour"),
        (reach.DETACH_NETWORK, {}, "network"),
        (reach.DETACH_NETWORK, {"network": "a", "port": "b"}, "network"),
        (reach.DETACH_NETWORK, {"network": "a", "colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_attached_or_detached_is_refused_by_name(form, given, field):
    with pytest.raises(errors.Invalid, match=f"'{field}'"):
        read(form, given)


def test_exposed_ports_and_groups_exclude_each_other_from_1_20_on():
    both = {"exposed_ports": {"80/tcp": {}}, "security_groups": ["web"]}
    with pytest.raises(errors.Invalid, match=r"'exposed_ports'.* cannot stand beside security_groups"):
        create(Version(1, 24), **both)
    assert create(exposed_ports={"80/tcp": {}}, security_groups=[]).exposed_ports == {"80/tcp": {}}
    assert create(exposed_ports={}, security_groups=["web"]).security_groups == ["web"]


def test_a_network_may_be_named_in_the_query_and_none_need_be():
    assert read(reach.ATTACH_NETWORK, {}) == reach.AttachNetwork()
    said = read(reach.ATTACH_NETWORK, {}, query={"network": "blue", "fixed_ip": "10.0.0.7"})
    assert (said.network, said.fixed_ip) == ("blue", "10.0.0.7")


def test_an_unknown_key_is_refused_by_name():
    with pytest.raises(errors.Invalid, match=r"Additional properties are not allowed \('colour' was unexpected\)"):
        create(colour="red")


def test_a_missing_image_is_named():
    with pytest.raises(errors.Invalid, match="'image' is a required property"):
        read(forms.CREATE, {})


def test_the_query_of_a_create_takes_run_and_nothing_else():
    assert read(forms.CREATE, {"image": "nginx"}, query={"run": "true"}).run
    with pytest.raises(errors.Invalid, match="'name' was unexpected"):
        read(forms.CREATE, {"image": "nginx"}, query={"name": "web"})


@pytest.mark.parametrize("form", [forms.STOP, forms.KILL, forms.EXECUTE, forms.LOGS, forms.LIST, forms.DELETE])
def test_strict_forms_refuse_what_they_do_not_know(form):
    with pytest.raises(errors.Invalid, match="'colour' was unexpected"):
        read(form, {}, query={"colour": "red"})


@pytest.mark.parametrize("form", [forms.NOTHING, forms.SHOW])
def test_tolerant_forms_ignore_what_they_do_not_know(form):
    read(form, {}, query={"colour": "red"})


GATES = [
    # field, a value that is used, a value that is not, the last version without it
    ("auto_remove", True, None, Version(1, 2)),
    ("auto_remove", False, None, Version(1, 2)),
    ("runtime", "runc", None, Version(1, 4)),
    ("hostname", "web", None, Version(1, 8)),
    ("privileged", False, None, Version(1, 20)),
    ("exposed_ports", {}, None, Version(1, 23)),
    ("host", "node1", None, Version(1, 38)),
    ("entrypoint", ["sh"], None, Version(1, 39)),
]


def command_for(version: Version):
    return {"command": "true"} if version < (1, 20) else {"command": ["true"]}


@pytest.mark.parametrize(("field", "used", "unused", "before"), GATES)
def test_a_gate_opens_with_its_version(field, used, unused, before):
    with pytest.raises(errors.Invalid, match=field) as refusal:
        create(before, **command_for(before), **{field: used})
    assert str(Version(1, before.minor + 1)) in refusal.value.message
    create(before, **command_for(before), **{field: unused})
    since = Version(1, before.minor + 1)
    create(since, **command_for(since), **{field: used})


@pytest.mark.parametrize(
    ("field", "used", "empty", "before"),
    [
        ("mounts", [{"size": 1, "destination": "/d"}], [], Version(1, 10)),
        ("healthcheck", {"cmd": "true"}, {}, Version(1, 21)),
        ("registry", "mine", None, Version(1, 30)),
    ],
)
def test_the_gate_of_what_is_not_offered_speaks_first(field, used, empty, before):
    with pytest.raises(errors.Invalid) as refusal:
        create(before, **{field: used})
    assert refusal.value.name == "invalid-param-in-version"
    assert f"because current request version is {before}" in refusal.value.message
    create(before, **{field: empty})


def test_a_command_is_a_string_below_1_20_and_a_list_from_then_on():
    assert create(Version(1, 19), command='"a b" c').command == '"a b" c'
    assert create(Version(1, 20), command=["a b", "c"]).command == ["a b", "c"]
    with pytest.raises(errors.Invalid, match=r"'command'.*must be a string"):
        create(Version(1, 19), command=["a"])
    with pytest.raises(errors.Invalid, match=r"'command'.*must be a list"):
        create(Version(1, 20), command="a")


@pytest.mark.parametrize(
    ("version", "interactive", "tty", "becomes"),
    [
        (Version(1, 19), True, None, None),
        (Version(1, 19), True, False, False),
        (Version(1, 20), True, None, True),
        (Version(1, 20), True, False, True),
        (Version(1, 35), False, True, False),
        (Version(1, 35), None, True, True),
        (Version(1, 36), True, None, None),
        (Version(1, 36), True, False, False),
    ],
)
def test_the_terminal_follows_interactive_from_1_20_to_1_35(version, interactive, tty, becomes):
    assert create(version, interactive=interactive, tty=tty).tty == becomes


@pytest.mark.parametrize(
    ("version", "query", "refused"),
    [
        (Version(1, 6), {"force": "True"}, "force"),
        (Version(1, 7), {"force": "True"}, None),
        (Version(1, 1), {"force": "False", "stop": "False", "all_projects": "False"}, None),
        (Version(1, 11), {"stop": "yes"}, "stop"),
        (Version(1, 11), {"stop": "yes", "force": "yes"}, "stop"),
        (Version(1, 12), {"stop": "yes", "force": "yes"}, None),
    ],
)
def test_the_words_of_a_delete_have_their_versions(version, query, refused):
    if refused is None:
        read(forms.DELETE, {}, version, query)
    else:
        with pytest.raises(errors.Invalid, match=f"Invalid param {refused} "):
            read(forms.DELETE, {}, version, query)


@pytest.mark.parametrize("spelling", ["SIGHUP", "HUP", "sighup", "hup", "1"])
def test_a_signal_has_five_spellings(spelling):
    assert read(forms.KILL, {}, query={"signal": spelling}).signal == "SIGHUP"


@pytest.mark.parametrize(("given", "signal"), [("None", "SIGKILL"), (None, None)])
def test_no_signal_means_kill(given, signal):
    assert read(forms.KILL, {"signal": given}).signal == signal


@pytest.mark.parametrize("given", ["", "99", "SigHup", "SIGNOTHING", 9])
def test_an_unknown_signal_is_refused(given):
    with pytest.raises(errors.Invalid, match="'signal'"):
        read(forms.KILL, {"signal": given})


@pytest.mark.parametrize(
    ("given", "tail"), [("all", -1), ("10", 10), (5, 5), (0, 0), ("-3", -1), ("", -1), (None, None), ("9" * 5000, -1)]
)
def test_a_tail_is_a_number_or_everything(given, tail):
    assert read(forms.LOGS, {"tail": given}).tail == tail


@pytest.mark.parametrize(
    ("given", "since"),
    [
        ("1700000000", 1700000000),
        (1700000000, 1700000000),
        ("2023-11-14 22:13:20,5", 1700000000.5),
        ("2023-11-14 22:13:20,050", 1700000000.05),
    ],
)
def test_logs_since_takes_seconds_and_dates(given, since):
    assert read(forms.LOGS, {"since": given}).since == since


@pytest.mark.parametrize("given", ["None", "", "yesterday", "2023-13-14 22:13:20,5", "2023-11-14T22:13:20", -1, 2**80])
def test_logs_since_refuses_what_is_no_time(given):
    with pytest.raises(errors.Invalid, match="'since'"):
        read(forms.LOGS, {"since": given})


@pytest.mark.parametrize("given", ["0", "-1", "1.5", "x", "", True])
def test_a_limit_is_a_positive_integer(given):
    with pytest.raises(errors.Invalid, match="Limit must be positive integer"):
        read(forms.LIST, {}, query={"limit": given})


@pytest.mark.parametrize("given", [-1, "-1", "x", "", 2**31, 1.5])
def test_a_timeout_is_a_whole_number(given):
    with pytest.raises(errors.Invalid, match="'timeout'"):
        read(forms.STOP, {"timeout": given})


@pytest.mark.parametrize(
    ("field", "given", "value"),
    [("cpu", "1.5", 1.5), ("memory", "128", 128), ("auto_heal", "true", 1), ("name", "a1", "a1")],
)
@pytest.mark.parametrize("form", [forms.UPDATE, forms.RESIZE])
def test_an_update_changes_a_name_limits_and_healing(form, field, given, value):
    assert getattr(read(form, {field: given}), field) == value
    assert getattr(read(form, {field: None}), field) is None


@pytest.mark.parametrize("field", ["image", "disk", "command"])
def test_an_update_changes_nothing_else(field):
    with pytest.raises(errors.Invalid, match=f"'{field}' was unexpected"):
        read(forms.UPDATE, {field: "x1"})


def test_a_rebuild_takes_an_image_and_leaves_the_rest_alone():
    assert read(forms.REBUILD, {}).image is None
    assert read(forms.REBUILD, {"colour": "red"}, query={"image": "nginx", "image_driver": "docker"}).image == "nginx"
    with pytest.raises(errors.Invalid, match="'image'"):
        read(forms.REBUILD, {"image": "x"})
    with pytest.raises(errors.Invalid, match=r"'image_driver'.*Glance"):
        read(forms.REBUILD, {"image_driver": "glance"})


@pytest.mark.parametrize(
    ("given", "wait"),
    [("Running", "Running"), ("running,STOPPED", "Running,Stopped"), (["Deleted", "Error"], "Deleted,Error")],
)
def test_what_is_waited_for_is_a_list_of_statuses(given, wait):
    assert read(forms.SHOW, {}, query={"wait": given}).wait == wait


@pytest.mark.parametrize("given", ["", "Ready", "Running,", "Running Stopped"])
def test_what_no_container_ever_is_cannot_be_waited_for(given):
    with pytest.raises(errors.Invalid, match=r"'wait'.*Running"):
        read(forms.SHOW, {}, query={"wait": given})


@pytest.mark.parametrize("given", ["-1", "3601", "x", "1.5"])
def test_nobody_waits_longer_than_an_hour(given):
    assert read(forms.SHOW, {}, query={"timeout": "3600"}).timeout == 3600
    with pytest.raises(errors.Invalid, match="'timeout'"):
        read(forms.SHOW, {}, query={"timeout": given})


def test_what_a_version_does_not_know_is_treated_like_all_that_the_api_does_not_know():
    asked = read(forms.SHOW, {}, Version(1, 40), {"wait": "Ready", "timeout": "x"})
    assert (asked.wait, asked.timeout) == (None, None)
    with pytest.raises(errors.Invalid, match=r"'follow' was unexpected.*from version 1\.41"):
        read(forms.LOGS, {}, Version(1, 40), {"follow": "true"})
    assert read(forms.LOGS, {"follow": None}, Version(1, 40)).follow is None


def test_an_execute_needs_a_command_and_runs_to_its_end():
    with pytest.raises(errors.Invalid, match="'command' is a required property"):
        read(forms.EXECUTE, {})
    with pytest.raises(errors.Invalid, match="'command'"):
        read(forms.EXECUTE, {"command": ""})
    assert not read(forms.EXECUTE, {"command": "ls"}, query={"run": "False"}).run
    assert read(forms.EXECUTE, {}, query={"command": '"ls"', "run": "True", "interactive": "true"}).interactive


def test_a_command_line_that_would_take_long_to_split_is_refused():
    line = "x" * 40_000
    with pytest.raises(errors.Invalid, match="'command'"):
        read(forms.EXECUTE, {"command": line})
    with pytest.raises(errors.Invalid, match="'command'"):
        create(Version(1, 19), command=line)


def test_bounds_are_the_deployments_own():
    narrow = values.reader(values.Bounds(maximum_cpus=2, maximum_memory=64))
    with pytest.raises(errors.Invalid, match=r"from 0\.1 to 2"):
        forms.CREATE.read({}, {"image": "nginx", "cpu": "3"}, MAX, narrow)
    with pytest.raises(errors.Invalid, match="from 4 to 64"):
        forms.CREATE.read({}, {"image": "nginx", "memory": 65}, MAX, narrow)
