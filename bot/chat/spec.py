"""What a row of the command table is."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """Why arguments were refused, in words for people."""

    text: str


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
