"""The same behaviour in memory and in SQLite."""

import dataclasses

from bot.model.risk import RiskSettings
from bot.model.stop_watch import StopWatch

MINE = RiskSettings(10_000.0, 0.01, 5.0)


def watch(name="w-7q4mk2px", **changes) -> StopWatch:
    values = StopWatch(
        name, "telegram:1", "telegram:1", "binance:币安人生USDT", "long", 100.0, 95.0, 95.0, 5.0, 100.0, 0.1, 0, 1_000
    )
    return dataclasses.replace(values, **changes)


async def test_settings_are_put_replaced_and_dropped(ports):
    await ports.risk.put("telegram:1", MINE)
    await ports.risk.put("telegram:2", MINE)
    await ports.risk.put("telegram:1", dataclasses.replace(MINE, equity=0.1 + 0.2))
    assert await ports.risk.all_settings() == {
        "telegram:1": RiskSettings(0.1 + 0.2, 0.01, 5.0),
        "telegram:2": MINE,
    }
    assert await ports.risk.drop("telegram:1")
    assert not await ports.risk.drop("telegram:1")
    assert list(await ports.risk.all_settings()) == ["telegram:2"]


async def test_stops_come_back_whole_the_oldest_first_and_an_id_is_taken_once(ports):
    young, old = watch("w-a", created_ms=2_000, side="short", touched_ms=5), watch("w-b")
    assert await ports.risk.add(young)
    assert await ports.risk.add(old)
    assert not await ports.risk.add(dataclasses.replace(old, stop=1.0))
    assert await ports.risk.watches() == [old, young]


async def test_a_move_is_stored_together_with_what_is_told_of_it(ports, make):
    await ports.risk.add(watch())
    moved = watch(stop=97.0, told=97.0, best=102.0, n_told=1)
    await ports.risk.move([moved], [make.row()])
    assert await ports.risk.watches() == [moved]
    [row] = await ports.outbox.waiting(make.row().destination, now_ms=10_000, limit=9)
    assert row == make.row()


async def test_what_was_deleted_does_not_come_back_by_a_move(ports):
    await ports.risk.add(watch())
    assert await ports.risk.delete("w-7q4mk2px")
    assert not await ports.risk.delete("w-7q4mk2px")
    await ports.risk.move([watch(stop=96.0)], [])
    assert await ports.risk.watches() == []
