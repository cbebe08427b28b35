"""The steps of the lesson, and which of them an account shows done: what the checklist lists."""

from dataclasses import dataclass

from helpers.certificate import Certificate
from helpers.closing import Inventory


@dataclass(frozen=True)
class Step:
    """One step of the lesson, and whether the account shows it done."""

    what: str
    done: bool
    where: str
    """The notebook, and its section, that does it."""

    @property
    def to_do(self) -> str:
        """What to do about it: empty where it is done."""
        return "" if self.done else f"See {self.where}"


def steps(found: Inventory, thing_name: str) -> list[Step]:
    """List the steps of the lesson, each done or not.

    All the steps that concern a certificate are judged by one: the one that is furthest.

    Args:
        found: What exists.
        thing_name: The button's Thing. Other devices, such as the listener, do not count, nor what
            only they have.
    """
    its_own = [each for each in found.certificates if not _of_another(each, found, thing_name)]
    best = max(its_own, key=_progress, default=Certificate("", "", "", (), ()))
    others = {name for each in found.certificates if each not in its_own for name in each.policies}
    policies = {each.name for each in found.policies} - (others - set(best.policies))
    saved_ids = {files.known_id for files in found.keys} - {""}
    return [
        Step(
            "The Thing is registered",
            thing_name in [each.name for each in found.things],
            "01-thing",
        ),
        Step("The policy exists", bool(policies), "02-policy"),
        Step("The certificate is issued", best in its_own, "03-certificate"),
        Step(
            "Its private key is saved",
            best.certificate_id in saved_ids,
            "03-certificate: a lost key cannot be had again, so issue a new one",
        ),
        Step("The certificate is active", best.status == "ACTIVE", "03-certificate, Activate it"),
        Step("The policy is attached", bool(best.policies), "03-certificate, Attach the policy"),
        Step("The Thing is attached", bool(best.things), "03-certificate, the missing step"),
    ]


def _of_another(each: Certificate, found: Inventory, thing_name: str) -> bool:
    saved = [files for files in found.keys if files.known_id == each.certificate_id]
    names = {*each.things, *(files.folder.name for files in saved)}
    return bool(names) and thing_name not in names


def _progress(each: Certificate) -> int:
    return (each.status == "ACTIVE") + bool(each.policies) + bool(each.things)
