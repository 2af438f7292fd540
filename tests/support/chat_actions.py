"""The families that most tests of the chat need."""

from bot.chat.actions import Actions
from bot.chat.looking import Looking
from bot.chat.why import Why
from bot.clock import Clock
from bot.model.ports import MarketReader, StatusReader, WhyReader


def looking(*more: object, market: MarketReader, status: StatusReader, why: WhyReader, clock: Clock) -> Actions:
    """Looking and why, and the families `more`."""
    families = (Looking(market=market, status=status, clock=clock), Why(market, why), *more)
    return Actions(*(family.handlers for family in families))
