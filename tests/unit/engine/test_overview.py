"""Movers and firing alerts, as of the last tick."""

from bot.engine.overview import burning, movers
from bot.model.alert import short_id
from bot.rules.parse import parse_condition
from bot.rules.schema import Rule


def rule(when, *, per="symbol", name="r"):
    return Rule(id=name, when=parse_condition(when, per=per).expr, name=name.upper(), per=per)


def moved(feed, rules=()):
    """A rises most in open interest, B falls most in price, C is small, D does not trade on."""
    f = feed(rules, "A", "B", "C")
    for second in range(0, 301, 5):
        share = second / 300
        f.prices({"AUSDT": 100 * (1 + 0.01 * share), "BUSDT": 100 * (1 - 0.08 * share), "CUSDT": 100 * (1 + share)})
        for symbol, size, growth in (("AUSDT", 1e6, 0.1), ("BUSDT", 1e6, -0.02), ("CUSDT", 10, 5.0)):
            f.oi(symbol, size * (1 + growth * share))
        f.tick(seconds=5)
    return f


def test_the_strongest_come_first_and_small_ones_do_not_count(feed):
    f = moved(feed)
    by_oi, by_price = movers(f.engine, 300_000, 10)
    assert [m.symbol for m in by_oi] == ["AUSDT", "BUSDT"]
    assert [m.symbol for m in by_price] == ["BUSDT", "AUSDT"]
    assert abs(by_oi[0].oi_change - 0.1) < 0.01
    assert abs(by_price[0].price_change + 0.08) < 0.01
    assert [len(found) for found in movers(f.engine, 300_000, 1)] == [1, 1]


def test_before_anything_is_known_there_is_nothing(feed):
    f = feed((), "A")
    assert movers(f.engine, 300_000, 10) == ((), ())
    assert burning(f.engine, 10) == ()


def test_what_fires_tells_its_rule_value_and_id(feed):
    f = moved(
        feed, [rule("pct(price, 1m) <= -1%", name="falls"), rule("count(price > 1) >= 2", per="market", name="m")]
    )
    found = {b.rule_id: b for b in burning(f.engine, 10)}
    fired = {t.rule_id: t for t in f.transitions if t.state == "firing"}
    falls = found["falls"]
    assert (falls.symbol, falls.title, falls.unit) == ("BUSDT", "FALLS", "ratio")
    assert falls.short_id == short_id(fired["falls"].key)
    assert (falls.since_ms, falls.value) == (fired["falls"].at_ms, fired["falls"].value)
    assert (found["m"].symbol, found["m"].unit) == ("*", "count")
    assert len(burning(f.engine, 1)) == 1


def test_what_fires_has_its_unit_also_right_after_a_restart(feed):
    rules = [rule("pct(price, 1m) <= -1%", name="falls")]
    f = moved(feed, rules)
    again = feed(rules, "A", "B", "C", records=f.engine.records(), start=f.now)
    again.tick()
    (found,) = burning(again.engine, 10)
    assert (found.symbol, found.unit, found.value) == ("BUSDT", "ratio", f.transitions[0].value)
