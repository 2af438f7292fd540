"""`make bench`: decode, push and evaluate, in J."""

import gc
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from bot.engine.engine import Engine
from bot.engine.inputs import Listed
from bot.feeds.binance.protocol import Protocol
from bot.market.market import Market as Series
from bot.market.view import View
from bot.model.updates import InstrumentList, MarkPrices
from bot.rules.loader import load_text
from tests.bench.frames import T0, Market, instruments

N_ROUNDS = 15
N_WARM = 930
GOALS = {"decode": 1.0, "push": 0.2, "whole tick": 2.2}

EXPRESSIONS = [f"- {{id: r{i}, when: 'pct(price, {60 + 9 * i}s) >= {2 + i % 7}%'}}" for i in range(90)] + [
    f"- {{id: s{i}, when: 'pct(price, {60 + 60 * i}s) <= -{2 + i}% and funding > 1%'}}" for i in range(10)
]


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    rules = load_text("bench", "version: 1\nrules:\n" + "\n".join(EXPRESSIONS)).rules
    engine = Engine(rules)
    engine.consume(Listed(InstrumentList("binance", instruments()), T0))
    universe = engine.market.universe
    protocol = Protocol(universe.venue("binance"))
    market = Market(universe)

    def decode(frames: tuple[bytes, ...]) -> list[MarkPrices]:
        return [u for f in frames for u in protocol.receive(f, 0.0).updates if isinstance(u, MarkPrices)]

    for second in range(N_WARM):
        for batch in decode(market.frames(second)):
            engine.consume(batch)
        engine.market.advance(T0 + second * 1_000)
    scratch = Series()
    scratch.apply_instruments(InstrumentList("binance", instruments()), T0)
    rows: dict[str, list[float]] = {"J": [], "decode": [], "push": [], "evaluate 100 rules": [], "whole tick": []}
    gc.collect()
    for k in range(N_ROUNDS):
        now = T0 + (N_WARM + k) * 1_000
        frames = market.frames(N_WARM + k)
        rows["J"].append(timed(lambda f=frames: [orjson.loads(x) for x in f]))
        rows["decode"].append(timed(lambda f=frames: decode(f)))
        batches = decode(frames)

        def push(batches: list[MarkPrices] = batches, now: int = now) -> None:
            for batch in batches:
                scratch.apply_marks(batch)
            scratch.advance(now)

        rows["push"].append(timed(push))

        def tick(frames: tuple[bytes, ...] = frames, now: int = now) -> None:
            for batch in decode(frames):
                engine.consume(batch)
            engine.tick(now)

        rows["whole tick"].append(timed(tick))
        view = View(engine.market, [engine.market.moment(now)])
        rows["evaluate 100 rules"].append(timed(lambda v=view: engine.plan.evaluate(v).truths()))
    report(rows)


def report(rows: dict[str, list[float]]) -> None:
    table = Table(title="950 instruments, medians of interleaved rounds", title_justify="left")
    for column in ("work", "ms", "J", "goal"):
        table.add_column(column, justify="left" if column == "work" else "right")
    results = []
    for name, times in rows.items():
        ratio = statistics.median(t / j for t, j in zip(times, rows["J"], strict=True))
        goal = GOALS.get(name)
        met = goal is None or ratio <= goal
        colour = "" if goal is None else ("[green]" if met else "[yellow]")
        table.add_row(
            name, f"{statistics.median(times) * 1e3:.3f}", f"{colour}{ratio:.2f}", "" if goal is None else f"≤ {goal}"
        )
        results.append({"row": name, "name": name, "value": ratio, "goal": goal, "unit": "J", "met": met})
    Console().print(table)
    path = Path(__file__).parent / "results" / "latest.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
