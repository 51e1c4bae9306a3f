"""The answer to a dry run: what would become of a container or a capsule that is not made."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated

from msgspec import Struct

from higgins.api.zun.values import said
from higgins.logic.forecast import Forecast
from higgins.logic.placement import Rule

NAME = "dry_run"
"""The parameter that asks for one."""


class Claim(Struct, kw_only=True):
    """What has to be free on its host."""

    cpu: Annotated[float, said("Cores.")]
    memory: Annotated[int, said("MiB.")]
    disk: Annotated[int, said("GiB.")]


class BrokenRule(Struct, kw_only=True):
    """Hosts that would not take it for one and the same reason."""

    rule: Annotated[
        Rule, said("What a host has to be, or to have enough of; the first that they break, in this order.")
    ]
    hosts: Annotated[int, said("How many do.")]
    reason: Annotated[str, said("What is wrong with them, in words that follow the number.")]


class ProposedChange(Struct, kw_only=True, rename={"before": "from", "after": "to"}):
    """One thing to be asked for otherwise, after which it would fit."""

    field: Annotated[Rule, said("Which: host, availability_zone, runtime, cpu, memory or disk.")]
    before: Annotated[str | float, said("What it is now; of an amount, what all containers ask for together.")]
    after: Annotated[float | None, said("The most that would fit; null: it has to be left out.")]


class DryRun(Struct, kw_only=True):
    """What would become of it. Nothing has been made, and nothing is kept free."""

    fits: Annotated[bool, said("Whether a host would take it now.")]
    claim: Claim
    runtime: Annotated[str | None, said("Its OCI runtime; null: that of its host.")]
    availability_zone: Annotated[str | None, said("The zone that it would be in; null: any.")]
    hosts: Annotated[
        int | None, said("How many hosts were looked at. Where it fits, only for those who may list hosts.")
    ]
    fitting: Annotated[
        int | None, said("How many of them would take it. Where it fits, only for those who may list hosts.")
    ]
    refused: Annotated[
        list[BrokenRule], said("Why others would not. Where it fits, only for those who may list hosts.")
    ]
    temporary: Annotated[
        bool, said("Whether it may fit in a moment: a host that would take it, as far as can be told, is only away.")
    ]
    reason: Annotated[str | None, said("What its status_reason would be; null where it fits.")]
    change: Annotated[
        ProposedChange | None,
        said("The smallest that would let it fit; null where it fits, and where no single one does."),
    ]


def view(foretold: Forecast, *, counts: bool) -> DryRun:
    """With the numbers of hosts where it does not fit, as its status_reason would say them; with `counts` also where it fits.

    There they would tell, request by request, how much is free on each of the hosts, which are others' too.
    """
    refusal, claim, change = foretold.refusal, foretold.claim, foretold.change
    telling = counts or refusal is not None
    return DryRun(
        fits=refusal is None,
        claim=Claim(cpu=claim.cpu, memory=claim.memory, disk=claim.disk),
        runtime=foretold.runtime,
        availability_zone=foretold.availability_zone,
        hosts=foretold.hosts if telling else None,
        fitting=foretold.fitting if telling else None,
        refused=_broken(foretold.refused) if telling else [],
        temporary=refusal is not None and refusal.temporary,
        reason=None if refusal is None else refusal.sentence(),
        change=None if change is None else ProposedChange(**asdict(change)),
    )


def _broken(refused: Mapping[Rule, int]) -> list[BrokenRule]:
    return [BrokenRule(rule=rule, hosts=refused[rule], reason=rule.broken) for rule in Rule if rule in refused]
