"""The feed of the venue, made from settings and from what the engine wants."""

import random
from typing import Final

from bot.app.chatrooms import Chatrooms
from bot.app.live import Live
from bot.engine.cards import Cards
from bot.engine.engine import Engine
from bot.engine.polling import WithPins
from bot.feeds.binance.feed import BinanceFeed
from bot.market.holes import Holes
from bot.market.mailbox import Mailbox
from bot.market.market import DAY_MS
from bot.settings import Settings

VENUE: Final = "binance"


def binance_feed(
    settings: Settings,
    engine: Engine,
    cards: Cards,
    live: Live,
    mailbox: Mailbox,
    rooms: Chatrooms,
) -> BinanceFeed:
    """What keeps the engine fed. What chats have pinned counts as watched."""
    return BinanceFeed(
        rest_url=settings.binance.rest_url,
        stream_url=settings.binance.stream_url,
        weight_share=settings.binance.weight_share,
        clock=rooms.clock,
        rows=engine.market.universe.venue(VENUE),
        plan=WithPins(engine, rooms.lists.watched, row_of=engine.market.universe.row),
        sink=mailbox,
        store=rooms.values,
        rng=random.Random(),  # noqa: S311, jitter
        venue_now=live.venue_now,
        lookback_ms=lambda need: DAY_MS if cards.pinned(need) else engine.price_lookback_ms,
        missing_ms=Holes(engine.market).missing_ms,
    )
