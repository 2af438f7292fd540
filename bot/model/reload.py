"""What came of taking the files of the rules folder anew."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ReloadReport:
    """For whoever asked."""

    is_taken: bool
    """Whether what is in the folder is what runs now; False where the rules and destinations from before run on."""
    lines: tuple[str, ...]
    """The first says what came of it. Lines that begin with spaces show a part of a file as it stands there."""


class Reloads(Protocol):
    """Takes the rules folder anew."""

    async def reload(self) -> ReloadReport:
        """Look now, wait until nobody writes, take it or say why not."""
        ...
