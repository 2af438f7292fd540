"""The families that most tests of the chat need."""

from bot.chat.actions import Actions
from bot.chat.looking import Looking
from bot.chat.rank_actions import Rankings
from bot.chat.watch_actions import WatchActions
from bot.chat.watchlists import Watchlists
from bot.chat.why import Why
from bot.chat.why_not import WhyNot
from bot.clock import Clock
from bot.model.ports import MarketReader, StatusReader, WhyReader
from bot.model.rankings import RankReader


def looking(
    *more: object,
    market: MarketReader,
    status: StatusReader,
    why: WhyReader,
    clock: Clock,
    lists: Watchlists | None = None,
    ranks: RankReader | None = None,
) -> Actions:
    """Looking and why, what is given beside them, and the families `more`."""
    look = Looking(market=market, status=status, clock=clock, lists=lists)
    families = [look, Why(market, why), WhyNot(market, why), *more]
    families += [Rankings(looking=look, market=market, ranks=ranks)] if ranks is not None else []
    families += [WatchActions(looking=look, market=market, lists=lists)] if lists is not None else []
    return Actions(*(family.handlers for family in families), lists=lists)
