"""What every `SilenceStore` promises."""

from bot.model.alert import State
from bot.model.silence import Ack, QuietHours, Silence, silence_id


def silence(n=0, **changes):
    values = {
        "id": silence_id("telegram:7", str(n), n),
        "starts_ms": 1_000 + n,
        "ends_ms": 9_000,
        "created_ms": 1_000 + n,
    }
    return Silence(**({"author": "telegram:7"} | values | changes))


async def test_silences_come_back_whole_and_the_oldest_first(ports):
    plain = silence(5)
    full = silence(
        1,
        comment="币安",
        rule="oi_*",
        symbol="[*]",
        tag="a,b",
        severities=("info", "warning"),
        destination="telegram:-1",
    )
    over = silence(2, expired_ms=5_000)
    for one in (plain, full, over):
        assert await ports.silences.add(one)
    assert not await ports.silences.add(silence(5, comment="again"))
    assert await ports.silences.all() == [full, over, plain]


async def test_one_is_ended_early_once_and_only_before_its_end(ports):
    one = silence()
    await ports.silences.add(one)
    assert not await ports.silences.expire("s-nothing", at_ms=4_000)
    assert not await ports.silences.expire(one.id, at_ms=9_000)
    assert await ports.silences.expire(one.id, at_ms=4_000)
    assert not await ports.silences.expire(one.id, at_ms=5_000)
    assert [s.until_ms for s in await ports.silences.all()] == [4_000]


async def test_the_last_acknowledgement_of_a_firing_at_a_place_counts(ports):
    first, second, elsewhere = (
        Ack("k", "", "Ann", 1, None),
        Ack("k", "", "Bob", 2, 50),
        Ack("k", "telegram", "Cid", 3, None),
    )
    for ack in (first, second, elsewhere):
        await ports.silences.acknowledge(ack)
    assert await ports.silences.acks() == [second, elsewhere]


async def test_a_destination_has_one_range_of_quiet_hours(ports):
    old, new = QuietHours("b", 60, 120, "UTC"), QuietHours("b", 1380, 420, "Europe/Berlin", "telegram:7")
    other = QuietHours("a", 0, 1439, "UTC")
    for quiet in (old, other, new):
        await ports.silences.put_quiet(quiet)
    assert await ports.silences.quiet_hours() == [other, new]
    assert await ports.silences.drop_quiet("a")
    assert not await ports.silences.drop_quiet("a")
    assert await ports.silences.quiet_hours() == [new]


async def test_pruning_forgets_what_is_over_but_no_acknowledgement_of_what_still_fires(ports, make):
    over, ended, active = silence(1, ends_ms=2_000), silence(2, expired_ms=3_000), silence(3, ends_ms=8_000)
    for one in (over, ended, active):
        await ports.silences.add(one)
    await ports.alerts.commit(make.commit(records=[make.record(key="fires", state=State.FIRING)]))
    for key, at_ms in (("fires", 1), ("gone", 1), ("new", 6_000)):
        await ports.silences.acknowledge(Ack(key, "", "Ann", at_ms, 7_000))
    assert await ports.silences.prune(before_ms=5_000) == 3
    assert await ports.silences.prune(before_ms=5_000) == 0
    assert await ports.silences.all() == [active]
    assert [ack.key for ack in await ports.silences.acks()] == ["fires", "new"]
