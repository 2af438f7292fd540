"""What a row of the command table is."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.model.members import Role


@dataclass(frozen=True, slots=True)
class Problem:
    """Why arguments were refused, in words for people."""

    text: str
    try_instead: tuple[str, ...] = ()
    """Commands that are like what was typed and can be read."""


Grammar = Callable[[str], tuple[str, ...] | Problem]
"""Argument text, clean and stripped, to words."""


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """One row of the table."""

    name: str
    aliases: tuple[str, ...]
    grammar: Grammar
    usage: str
    does: str
    """After the usage in `/help`, and in the menu."""
    section: str
    is_listed: bool
    details: tuple[str, ...] = ()
    """Lines of `/help NAME`."""
    is_minor: bool = False
    """`/help` only names it; `/help NAME` and the menu show it."""
    without: str = ""
    """Said where nothing carries the command out; empty for what every front has."""
    is_private: bool = False
    """Answered in private chats alone, so menus of groups leave it out."""
    needs: Role = Role.OWNER
    """The least role that may use it. Deny by default: a row that names none is the owner's."""
    needs_in_group: Role | None = None
    """Where it takes another one in groups."""
    looks: Callable[[tuple[str, ...]], bool] | None = None
    """Of commands that look or change by their words: whether these only look, which everyone may who is answered."""


def bare(words: tuple[str, ...]) -> bool:
    """Of commands that only look when nothing stands behind them."""
    return not words
