"""Taking back a change that its host found impossible: what stood before is asked for again, with the reason beside it."""

from dataclasses import replace

from higgins.model.capsule import Capsule, CapsuleSpec, ContainerStatus, Desired
from higgins.store import capsules, hosts, networks, security_groups
from higgins.store.database import Connection


def reversible(capsule: Capsule) -> bool:
    """Whether what is pending can be taken back without a trace: nothing of what was there has been touched for it."""
    spec = capsule.spec
    if spec.former is None or spec.desired is Desired.DELETED:
        return False
    known = [capsule.status.containers.get(container.id) for container in spec.containers]
    return spec.former.rebuilds == spec.rebuilds or all(one and _untouched(spec, one) for one in known)


def rewires(spec: CapsuleSpec) -> bool:
    """Whether what is pending, and can be taken back, is about its ports."""
    former = spec.former
    return former is not None and (former.networks, former.security_groups) != (spec.networks, spec.security_groups)


def take_back(db: Connection, capsule: Capsule, reason: str, *, deadline: float, now: float) -> Capsule:
    """The spec as it was before; its claim on its host too, even where others have taken the room meanwhile: what runs has it."""
    spec, assignment = capsule.spec, capsule.assignment
    former = spec.former
    if former is None:
        return capsule
    (one,) = spec.containers
    there = security_groups.among(db, former.security_groups)
    groups = tuple(group_id for group_id in former.security_groups if group_id in there)
    known = networks.named(db, (wish.network for wish in former.networks))
    wired = tuple(
        wish
        for wish in former.networks
        if wish.network in known
        and (wish.address is None or networks.holder(db, wish.network, wish.address) in (None, capsule.id))
    )
    wanted = replace(
        spec,
        containers=(replace(one, image=former.image, limits=former.limits),),
        desired=former.desired,
        restarts=former.restarts,
        waived=spec.rebuilds,
        networks=wired,
        security_groups=groups,
        # Whatever has been allotted for the others has to be given back.
        attachments=spec.attachments + ((wired, groups) != (spec.networks, spec.security_groups)),
        former=None,
        refused=reason,
    )
    claim = wanted.claim()
    if assignment.host_id is not None and claim != assignment.claim:
        hosts.release(db, assignment.host_id, assignment.claim - claim)
    back = capsules.write_spec(db, capsule, wanted, deadline=deadline, now=now)
    security_groups.use(db, capsule.id, groups)
    if claim == assignment.claim:
        return back
    return capsules.write_assignment(db, back, replace(back.assignment, claim=claim))


def _untouched(spec: CapsuleSpec, known: ContainerStatus) -> bool:
    return known.observed is not None and spec.outdates(known.observed) and known.prepared < spec.rebuilds
