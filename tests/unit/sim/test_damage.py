"""What leaves a misbehaving venue instead of a frame."""

import json

from bot.sim.damage import DAY_MS, FLOOD, HUGE_BYTES, Damage, skewed
from bot.sim.faults import Faults

T0 = 1_789_478_297_000
MARK = "!markPrice@arr@1s"
ROWS = [{"e": "markPriceUpdate", "E": T0, "s": s, "p": "1.5", "i": "1.5", "r": "0.0001"} for s in ("AUSDT", "BUSDT")]
PAYLOAD = json.dumps(ROWS, separators=(",", ":"))


def made(kind, *, now_ms=T0, n=1, **options):
    """What leaves of `n` payloads, a second apart, while one fault is on; each payload is its number."""
    faults = Faults()
    faults.start(kind, T0, 3600, **options)
    damage = Damage(faults)
    return [damage.of(MARK, f"[{k}]", now_ms + 1000 * k) for k in range(n)]


def of_rows(kind, *, now_ms=T0, **options):
    faults = Faults()
    faults.start(kind, T0, 3600, **options)
    (found,) = Damage(faults).of(MARK, PAYLOAD, now_ms)
    return json.loads(found)


def test_without_a_fault_a_frame_leaves_as_it_is():
    assert Damage(Faults()).of(MARK, PAYLOAD, T0) == [PAYLOAD]


def test_silence_duplicates_floods_and_huge_frames():
    assert made("silence") == [[]]
    assert made("silence", stream="!miniTicker@arr") == [["[0]"]]
    assert made("duplicate") == [["[0]", "[0]"]]
    assert made("flood") == [["[0]"] * FLOOD]
    assert len(made("huge")[0][0]) >= HUGE_BYTES


def test_frames_change_places_in_pairs_and_none_is_lost():
    assert made("reorder", n=4) == [[], ["[1]", "[0]"], [], ["[3]", "[2]"]]


def test_late_frames_come_after_their_time_in_order():
    found = made("late", n=6, amount=2)
    assert found == [[], [], ["[0]"], ["[1]"], ["[2]"], ["[3]"]]


def test_what_was_held_back_comes_when_the_fault_is_over():
    faults = Faults()
    faults.start("late", T0, 2, amount=5)
    damage = Damage(faults)
    assert damage.of(MARK, "[0]", T0) == []
    assert damage.of(MARK, "[1]", T0 + 3000) == ["[1]", "[0]"]


def test_garbage_is_cut_broken_and_binary_in_turn():
    found = [one for (one,) in made("garbage", n=3)]
    assert sum(isinstance(one, bytes) for one in found) == 1
    for one in found:
        try:
            json.loads(one)
        except ValueError:
            continue
        raise AssertionError(f"{one!r} is JSON")


def test_odd_rows_stand_beside_the_good_ones():
    found = of_rows("odd")
    good = [row for row in found if isinstance(row, dict) and row.get("p") == "1.5" and row.get("E") == T0]
    assert {"AUSDT", "BUSDT"} <= {row["s"] for row in good}
    assert len(found) > 2 * len(ROWS) - 1


def test_a_muted_symbol_is_left_out_and_a_zeroed_one_is_zero():
    assert [row["s"] for row in of_rows("mute_symbol", stream="AUSDT")] == ["BUSDT"]
    assert [row["p"] for row in of_rows("zero", stream="BUSDT")] == ["1.5", "0.00000000"]


def test_times_are_moved_for_all_or_for_every_fifth_second():
    assert {row["E"] for row in of_rows("skew", amount=-7)} == {T0 - 7000}
    second_ms = T0 - T0 % 5000
    assert {row["E"] for row in of_rows("ahead", now_ms=second_ms + 5000)} == {T0 + DAY_MS}
    assert {row["E"] for row in of_rows("ahead", now_ms=second_ms + 6000)} == {T0}
    assert skewed('{"serverTime":1789478297000,"n":5}', 1) == '{"serverTime":1789478297001,"n":5}'
