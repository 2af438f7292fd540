"""What lets people look at the market and put symbols aside, put together."""

from collections.abc import Callable, Mapping, Sequence

from bot.chat.actions import Handler
from bot.chat.chart_actions import ChartActions
from bot.chat.looking import Looking
from bot.chat.rank_actions import Rankings
from bot.chat.watch_actions import WatchActions
from bot.chat.watchlists import Watchlists
from bot.chat.why_not import WhyNot
from bot.clock import Clock
from bot.engine.cards import Cards
from bot.model.ports import StatusReader, WhyReader


def families(
    *,
    cards: Cards,
    status: StatusReader,
    clock: Clock,
    lists: Watchlists,
    why: WhyReader,
    charts: ChartActions | None,
    told: Callable[[str, str], tuple[str, str]],
) -> Sequence[Mapping[str, Handler]]:
    """Handlers of all commands that look. `charts`: None where none are drawn; `told`: what a chat is told of a rule."""
    looking = Looking(market=cards, status=status, clock=clock, lists=lists, charts=charts)
    return (
        looking.handlers,
        {} if charts is None else charts.handlers,
        Rankings(looking=looking, market=cards, ranks=cards).handlers,
        WatchActions(looking=looking, market=cards, lists=lists).handlers,
        WhyNot(cards, why, told).handlers,
    )
