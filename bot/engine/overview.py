"""What moves and what fires, as of the last tick. Reads; changes nothing."""

import heapq

import numpy as np

from bot.engine.engine import Engine
from bot.engine.figures import number
from bot.engine.ranking import of_some_size, strongest
from bot.engine.tick_values import unit_of
from bot.model.alert import State, short_id
from bot.model.instrument import MARKET
from bot.model.overview import Burning, Mover
from bot.model.updates import F64
from bot.rules.meter import Meter


def movers(engine: Engine, window_ms: int, n: int) -> tuple[tuple[Mover, ...], tuple[Mover, ...]]:
    """The `n` strongest changes of open interest, and of price, of trading contracts of some size."""
    market = engine.market
    if not market.n_rows:
        return (), ()
    view = engine.view()
    oi_usd, price = view.value("oi_usd")[0], view.value("price")[0]
    changes = {series: view.change(series, window_ms)[0][0] for series in ("oi", "price")}
    counts = of_some_size(market, view)

    def first(change: F64) -> tuple[Mover, ...]:
        found = []
        for row in strongest(np.abs(change), counts)[:n].tolist():
            instrument = market.universe.at(row)
            if instrument is not None:
                found.append(
                    Mover(
                        venue=instrument.venue,
                        symbol=instrument.symbol,
                        price=number(price[row]),
                        price_change=number(changes["price"][row]),
                        oi_usd=number(oi_usd[row]),
                        oi_change=number(changes["oi"][row]),
                    )
                )
        return tuple(found)

    return first(changes["oi"]), first(changes["price"])


def burning(engine: Engine, n: int) -> tuple[Burning, ...]:
    """The `n` newest alerts of rules that fire."""
    found = []
    for rule in engine.rules:
        book = engine.book(rule.id)
        rows = book.rows_in(State.FIRING) if book is not None else []
        if book is None or not rows:
            continue
        options = Meter(rule, lambda _: None).options
        for row in rows:
            record, option = book.look(row), book.option(row)
            if option is None and len(options) == 1:
                option = 0  # after a restart, before it was measured
            shown = options[option] if option is not None and 0 <= option < len(options) else None
            found.append(
                Burning(
                    rule_id=rule.id,
                    title=rule.title,
                    symbol=MARKET if book.per_market else record.instrument.partition(":")[2],
                    short_id=short_id(record.key),
                    since_ms=record.fired_ms,
                    value=record.value,
                    unit="number" if shown is None else "ratio" if shown.is_ratio else unit_of(shown.expr),
                )
            )
    return tuple(heapq.nlargest(n, found, key=lambda one: (one.since_ms, one.short_id)))
