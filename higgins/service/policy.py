"""Policy: may this caller do this to that? The rules of `logic.access`, overridden by an operator's oslo.policy file."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

from oslo_config import cfg
from oslo_policy import _checks, policy

from higgins import errors
from higgins.logic import access
from higgins.model.identity import Caller
from higgins.model.ids import ProjectId, UserId

# The parser would look for further kinds of checks among the installed packages, importing an HTTP client for one that asks another
# server. A decision must not wait for anybody, and such an answer could not be remembered.
_checks.extension_checks = {}

_REMEMBERED = 65536
_CALLER = ("user_id", "project_id", "is_admin")
_TARGET = ("project_id", "user_id")


class Policy:
    """Decides, and remembers what it decided. Read once: a changed file takes effect at the next start."""

    def __init__(self, file: Path | None = None) -> None:
        """`file` holds an operator's rules. Raises Invalid, naming the file and the rule, for what cannot be understood."""
        rules = {**access.RULES, **(_read(file) if file else {})}
        conf = cfg.ConfigOpts()
        self._enforcer = policy.Enforcer(conf, use_conf=False)
        self._enforcer.set_rules(policy.Rules.from_dict(rules))
        self._field_rules = {
            name.removeprefix(access.FIELD_RULE): name for name in rules if name.startswith(access.FIELD_RULE)
        }
        self._rules = frozenset(rules)
        # The key has every attribute that a rule can read; `_understood` refuses rules that would read others.
        self._decide = lru_cache(_REMEMBERED)(self._ask)
        self._hides = lru_cache(_REMEMBERED)(self._withheld)

    def check(self, caller: Caller, rule: str, *, project_id: ProjectId, user_id: UserId) -> None:
        """Raises Forbidden unless the caller may do `rule` to what belongs to that project and was made by that user."""
        if not self._decide(rule, caller.roles, caller.user_id, caller.project_id, project_id, user_id):
            raise errors.Forbidden(f"Policy doesn't allow {rule} to be performed.")

    def allows(self, caller: Caller, rule: str, *, project_id: ProjectId, user_id: UserId) -> bool:
        """The same as an answer."""
        return self._decide(rule, caller.roles, caller.user_id, caller.project_id, project_id, user_id)

    def hidden(self, caller: Caller, *, project_id: ProjectId, user_id: UserId) -> frozenset[str]:
        """The fields of such a container that this caller may not see."""
        return self._hides(caller.roles, caller.user_id, caller.project_id, project_id, user_id)

    def _withheld(
        self,
        roles: frozenset[str],
        caller_user: UserId,
        caller_project: ProjectId,
        target_project: ProjectId,
        target_user: UserId,
    ) -> frozenset[str]:
        return frozenset(
            field
            for field, rule in self._field_rules.items()
            if not self._decide(rule, roles, caller_user, caller_project, target_project, target_user)
        )

    def _ask(
        self,
        rule: str,
        roles: frozenset[str],
        caller_user: UserId,
        caller_project: ProjectId,
        target_project: ProjectId,
        target_user: UserId,
    ) -> bool:
        if rule not in self._rules:
            if rule.startswith(access.FIELD_RULE):
                return True
            raise errors.Broken(f"there is no policy rule {rule}")
        asks = {"user_id": caller_user, "project_id": caller_project, "roles": sorted(roles), "is_admin": False}
        target = {"project_id": target_project, "user_id": target_user}
        asks["is_admin"] = bool(self._enforcer.enforce("context_is_admin", target, asks))
        return bool(self._enforcer.enforce(rule, target, asks))


def _read(file: Path) -> Mapping[str, str]:
    try:
        rules = policy.parse_file_contents(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise errors.Invalid(f"the policy file {file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        words = " ".join(str(error).split())
        raise errors.Invalid(f"the policy file {file} is not YAML: {words}") from error
    if not isinstance(rules, dict):
        raise errors.Invalid(f"the policy file {file} must be a mapping of rule names to rules")
    for name, rule in rules.items():
        _known(file, name, rules)
        _understood(file, name, rule, {**access.RULES, **rules})
    if circle := _circle({**access.RULES, **rules}):
        raise errors.Invalid(
            f"the policy file {file}: these rules refer to each other in a circle: {', '.join(circle)}"
        )
    return rules


def _known(file: Path, name: object, rules: Mapping[str, object]) -> None:
    """A name that nothing asks for is a typing error, and would leave the rule that was meant at its default."""
    match name:
        case str() if name in access.RULES:
            return
        case str() if name.startswith(access.FIELD_RULE) and name.removeprefix(access.FIELD_RULE) in access.FIELDS:
            return
        case str() if ":" not in name and any(name in _references(rule) for rule in rules.values()):
            return
    raise errors.Invalid(f"the policy file {file}: there is no rule {name!r}, and no rule of the file refers to it")


def _understood(file: Path, name: str, rule: object, rules: Mapping[str, object]) -> None:
    where = f"the policy file {file}, rule {name!r}"
    if not isinstance(rule, str):
        raise errors.Invalid(f'{where}: the rule must be a string, such as "role:member and project_id:%(project_id)s"')
    for word in _words(rule):
        if trouble := _trouble(word, rules):
            raise errors.Invalid(f"{where}: {trouble}")
    # The library takes what it cannot parse for "nobody".
    if str(policy.RuleDefault(name, rule).check) == "!" and rule.strip("() \t\n") != "!":
        raise errors.Invalid(f"{where}: {rule!r} cannot be understood; look at its parentheses and at and, or, not")


def _trouble(word: str, rules: Mapping[str, object]) -> str | None:
    """What is wrong with one word of a rule."""
    kind, colon, match = word.partition(":")
    if not colon:
        return f"{word!r} is not a check; checks look like role:NAME, rule:NAME, project_id:%(project_id)s, user_id:%(user_id)s, @ and !"
    try:
        filled = match % dict.fromkeys(_TARGET, "")
    except (KeyError, ValueError, TypeError):
        return f"{word!r}: of a container it can name {' and '.join(f'%({key})s' for key in _TARGET)} only"
    if kind == "rule":
        return None if filled in rules else f"it refers to the rule {match!r}, which does not exist"
    if kind in (*_CALLER, "role") or _literal(kind):
        return None
    return f"{word!r}: of a caller it can ask role, {', '.join(_CALLER)} only"


def _literal(word: str) -> bool:
    try:
        ast.literal_eval(word)
    except (ValueError, SyntaxError):
        return False
    return True


def _words(rule: object) -> Iterator[str]:
    """The checks in a rule, without what joins them."""
    for token in re.split(r"\s+", rule) if isinstance(rule, str) else ():
        word = token.lstrip("(").rstrip(")")
        if word and word not in ("!", "@") and word.lower() not in ("and", "or", "not"):
            yield word


def _references(rule: object) -> frozenset[str]:
    return frozenset(word.removeprefix("rule:") for word in _words(rule) if word.startswith("rule:"))


def _circle(rules: Mapping[str, object]) -> tuple[str, ...]:
    """The rules that can never be decided because they lead to themselves."""
    left = {name: _references(rule) for name, rule in rules.items()}
    while free := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in free:
            del left[name]
    return tuple(sorted(left))
