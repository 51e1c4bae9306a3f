"""What is configured of how much a project may have is in force, as somebody at a shell meets it, on a real control plane that has no hosts."""

from pathlib import Path

from tests.system.servers import Control
from tests.system.tenant import Tenant

MAKE = {
    "networks": ("network", "create"),
    "security_groups": ("security-group", "create", "--allow", "tcp/80"),
    "volumes": ("volume", "create"),
}


def test_what_is_configured_is_what_a_project_may_have(tmp_path: Path) -> None:
    quota = dict.fromkeys((*MAKE, "published_ports"), 1)
    control = Control(tmp_path, "unix:///nowhere.sock", {"quota": quota, "networks": {"provider": "local"}})
    control.start()
    try:
        tenant = Tenant(tmp_path, control.add("lea", "lake", "member").environment)
        for name, words in MAKE.items():
            tenant.types(*words, "first")
            refused = tenant.fails(*words, "second")
            assert f"{name}: 1 more were asked for, 1 of 1 are in use" in refused
            assert "have the operator raise the limit" in refused and "quota show" not in refused
        assert "published_ports: 2 more" in tenant.fails("create", "-p", "80", "-p", "81", "busybox", status=125)
    finally:
        control.end()
