"""Quotas, with what counts towards them already."""

import json
from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_LIMITS = ("containers", "memory", "disk", "cpu")


def upgrade() -> None:
    quotas = op.create_table(
        "quotas",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in _LIMITS),
        *(sa.Column(f"used_{name}", sa.BigInteger(), nullable=False) for name in _LIMITS),
        sa.PrimaryKeyConstraint("project_id", name=op.f("pk_quotas")),
    )
    op.create_table(
        "quota_classes",
        sa.Column("name", sa.String(length=255), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in _LIMITS),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_quota_classes")),
    )
    if rows := _used():
        op.bulk_insert(quotas, rows)


def downgrade() -> None:
    op.drop_table("quota_classes")
    op.drop_table("quotas")


def _used() -> list[dict[str, Any]]:
    """Until now every capsule is a container alone. What is pending counts as what it is now, or as what it falls back to if that is more."""
    capsules = sa.table("capsules", *(sa.column(name) for name in ("project_id", "spec", "status")))
    sums: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys((f"used_{name}" for name in _LIMITS), 0))
    for project, spec, status in op.get_bind().execute(sa.select(capsules)):
        wanted, found = json.loads(spec), json.loads(status)
        acted_on = found.get("generation", 0) == wanted.get("generation", 1)
        former = {} if acted_on else (wanted.get("former") or {}).get("limits", {})
        (one,) = wanted["containers"]
        asked = one.get("limits", {})
        used = sums[project]
        used["used_containers"] += 1
        for name in ("memory", "disk"):
            used[f"used_{name}"] += max(asked.get(name, 0), former.get(name, 0))
        used["used_cpu"] += round(max(asked.get("cpu", 0.0), former.get("cpu", 0.0)) * 1_000_000)
    return [{"project_id": project, **used} for project, used in sums.items()]
