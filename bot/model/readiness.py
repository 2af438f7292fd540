"""Whether the bot does its work, and if not, why: one judgement for every place that asks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that is not as it should be."""

    code: str
    """For machines, one of `CODES`."""
    text: str
    """For people; holds no secret."""


CODES = ("starting", "price", "evaluation", "open_interest", "storage", "delivery", "chat")


@dataclass(frozen=True, slots=True)
class Readiness:
    """Ready when there is no reason against it."""

    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()
    """What an operator should know although the bot does its work."""

    @property
    def is_ready(self) -> bool:
        return not self.reasons

    @property
    def is_starting(self) -> bool:
        """Not ready for no other reason than that it has just begun."""
        return bool(self.reasons) and all(r.code == "starting" for r in self.reasons)

    @property
    def text(self) -> str:
        """All reasons in one line; empty when it is ready."""
        return "; ".join(r.text for r in self.reasons)
