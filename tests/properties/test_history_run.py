"""A run over blocks of bars gives what the live engine gives bar by bar, however the bars are cut."""

import math
import random
import re

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bot.engine.history_run import run
from bot.model.alert import Notice
from bot.model.chat_alert import ChatAlert, alert_id
from tests.properties.bars import MINUTE_MS, Live, Market, cut
from tests.properties.streams import T0, conditions, rules_of

# The same examples each time: sums that add in another order may, once in a great many markets, fall on the two sides of a tie.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""A seed is not made smaller."""
LIVES = (
    "cooldown: 0s",
    "for: 2m, cooldown: 5m",
    "for: 90s",
    "for: 3s, cooldown: 1m",
    "repeat: 5m, cooldown: 1m",
    "cooldown: 90s, once: true",
    "for: 7m, repeat: 3m, cooldown: 17m",
)
SCOPES = (
    "",
    "",
    "",
    "scope: {top: 2, by: oi_usd}, ",
    "scope: {top: 3, by: volume_24h}, ",
    "scope: {min_oi_usd: 1_000_000}, ",
    "scope: {symbols: ['S0*', 'S1*', 'S2*', 'S3*', 'S4*'], exclude: [S3USDT]}, ",
)
TOUCHY = (
    ("pct(oi, 5m) >= 0.4%", "clear: 'pct(oi, 5m) < 0.1%', "),
    ("pct(price, 7m) >= 0.6%", "clear: 'pct(price, 7m) < 0.2%', escalate: 0.2%, "),
    ("abs(zscore(price, 15m)) > 1.5111", "clear: 'abs(zscore(price, 15m)) < 0.7', "),
    ("price >= max(price, 1h) and oi <= 0.99 * max(oi, 1h)", ""),
    ("pct(price, 5m) > 0.3% or delta(oi_usd, 5m) > 1_000.5", "value: 'pct(price, 2m)', "),
    ("funding_8h >= 0.02% or funding_8h <= -0.02%", "clear: 'abs(funding_8h) < 0.01%', "),
    ("ratio(volume, 5m) > 1.2345 and pct(price, 5m) > 0%", ""),
    ("slope(price, 30m) > 0.1234%", ""),
    ("corr(price, oi, 30m) > 0.1234", ""),
    ("percentile(price, 2h) > 90", ""),
    ("zscore(pct(price, 5m), 2h) > 1.1113", ""),
    ("percentile(pct(oi, 10m), 1h) > 80", ""),
    ("age(oi) > 3m", ""),
    ("count(pct(price, 5m) > 0.1%) >= 60%", "clear: 'count(pct(price, 5m) > 0.1%) < 2', "),
    ("count(pct(oi, 5m) >= 0.1%) >= 3", ""),
    ("median(pct(price, 5m)) > 0.05%", ""),
    ("total(oi_usd) > 1_234_567.8", ""),
)


def lines(dice, n, step_ms=MINUTE_MS):
    """Rules of all kinds with all kinds of lives; some mute others."""
    found = [(when, per, "") for when, per in conditions(dice, n, step_ms=step_ms) if "stale" not in when]
    found += [(w, "market" if w[:5] in {"count", "media", "total"} else "symbol", more) for w, more in TOUCHY]
    dice.shuffle(found)
    text = ""
    for k, (when, per, more) in enumerate(found[:n]):
        is_event = "crosses" in when
        life = "cooldown: 3s" if is_event else more + dice.choice(LIVES)
        mutes = f", inhibits: [r{dice.randrange(min(n, len(found)))}]" if dice.random() < 0.2 else ""
        mutes = "" if f"[r{k}]" in mutes else mutes
        text += f"- {{id: r{k}, per: {per}, {dice.choice(SCOPES)}when: '{when}', {life}{mutes}}}\n"
    return text


def asked_in_chat(dice, instruments, n):
    measures = ("price", "pct(oi, 5m)", "pct(price, 7m)", "funding", "sum(volume, 5m)", "zscore(price, 15m)")
    found = []
    for _ in range(n):
        measure, level = dice.choice(measures), dice.choice([0.0123, 0.0, 0.003, -0.002, 1.7, 1e5])
        op = dice.choice(["<", "<=", ">", ">="])
        clears = dice.random() < 0.3
        found.append(
            ChatAlert(
                id=alert_id("terminal", f"{measure}{op}{level}", len(found)),
                chat="terminal",
                user="terminal",
                instrument=dice.choice(instruments).key,
                measure=measure,
                op=op,
                level=level,
                is_ratio=False,
                created_ms=T0,
                clear_op=("<" if op[0] == ">" else ">") if clears else None,
                clear_level=level * 0.5 if clears else None,
                cooldown_ms=dice.choice([0, 60_000, 900_000]),
                for_ms=dice.choice([0, 0, 120_000, 30_000]),
                repeat_ms=dice.choice([None, 300_000]),
                escalate=dice.choice([None, 0.001]),
                once=dice.random() < 0.2,
            )
        )
    return found


EXACT = re.compile(r"(pct|delta|min|max|percentile|rank)\([a-z_]+, \w+\)$|(price|oi|funding|index)$")
"""Measures that are the same to the last bit; sums add in another order."""


def near(x, y, *, is_exact=False):
    if x is None or y is None or is_exact:
        return x == y
    return math.isclose(x, y, rel_tol=1e-6, abs_tol=1e-9)


def of(item):
    """What has to be the same to the last letter."""
    if not isinstance(item, Notice):
        return (item.at_ms, item.rule_id, item.venue, item.symbol, str(item.state), item.key, item.reason)
    v = item.view
    told = (v.title, v.symbol, v.condition, v.fired_ms, v.reason, v.gap_ms, v.window_ms, v.held_back, v.n_members)
    return (item.at_ms, item.rule_id, item.instrument, str(item.kind), item.n, item.key, v.n_true, v.short_id, *told)


def numbers(item):
    return (item.view.value, item.view.value_before, item.view.peak) if isinstance(item, Notice) else (item.value,)


def check(rules, grid, pieces, alerts=()):
    """Transitions in their order; notices in theirs (a block tells each behind its own transition)."""
    want, got = list(Live(rules, grid, alerts).run()), list(run(rules, pieces, alerts=alerts))
    text = {r.id: r for r in rules}
    for kind in (False, True):
        expected, found = ([x for x in side if isinstance(x, Notice) is kind] for side in (want, got))
        for e, f in zip(expected, found, strict=False):
            about = text.get(e.rule_id), (e.at_ms - int(grid.close_ms[0])) // grid.step_ms
            assert of(f) == of(e), (of(f), of(e), about)
            is_exact = isinstance(e, Notice) and bool(EXACT.match(e.view.value_text))
            pairs = zip(numbers(f), numbers(e), strict=True)
            assert all(near(x, y, is_exact=is_exact) for x, y in pairs), (numbers(f), numbers(e), about)
        assert len(found) == len(expected), (found or expected)[min(len(found), len(expected)) :][:1]
    return want


@settings(max_examples=20, deadline=None, phases=PHASES, derandomize=True)
@given(seed=st.integers(0, 2**32), length=st.integers(2, 260), n=st.integers(1, 7))
def test_blocks_of_bars_give_what_the_live_engine_gives(seed, length, n):
    """Holes, late listings, numbers that cannot be true and silent streams included."""
    everything(seed, length, n, MINUTE_MS)


@settings(max_examples=4, deadline=None, phases=PHASES, derandomize=True)
@given(seed=st.integers(0, 2**32), step_ms=st.sampled_from([300_000, 900_000, 3_600_000]))
def test_so_do_blocks_of_coarser_bars(seed, step_ms):
    everything(seed, 400, 4, step_ms)


def everything(seed, length, n, step_ms):
    dice = random.Random(seed)
    market = Market(seed, n=n, length=length, step_ms=step_ms)
    rules = rules_of(lines(dice, 14, step_ms))
    grid = market.grid()
    return check(rules, grid, cut(grid, dice), asked_in_chat(dice, market.instruments, 4))


LONG = """
- {id: top, when: 'price >= max(price, 24h) and oi <= 0.98 * max(oi, 24h)', clear: 'price < 0.995 * max(price, 24h)', cooldown: 1h}
- {id: odd, when: 'abs(zscore(price, 24h)) > 2.0123', clear: 'abs(zscore(price, 24h)) < 1.5', cooldown: 30m}
- {id: week, when: 'abs(zscore(price, 3d)) > 1.5123', cooldown: 1h}
- {id: place, when: 'percentile(price, 2d) >= 99', for: 10m}
- {id: moves, when: 'abs(zscore(pct(oi, 1h), 2d)) > 2.0123', cooldown: 1h}
- {id: rare, when: 'percentile(pct(price, 15m), 1d) > 98', for: 5m}
- {id: size, scope: {top: 2, by: volume_24h}, when: 'pct(oi_usd, 4h) > 1.5%'}
- {id: day, when: '1.0001234 * avg(price, 24h) < price and slope(oi, 24h) > 0.0123%', for: 15m}
- {id: busy, when: 'ratio(volume, 1h) > 1.1111', cooldown: 1h}
- {id: liq, when: 'sum(liq_long, 24h) > 222_222_222.5 or ratio(liq_short, 2h) > 1.1111', cooldown: 1h}
- {id: pair, when: 'corr(price, oi, 24h) > 0.0234', cooldown: 1h}
"""


@settings(max_examples=2, deadline=None, phases=PHASES, derandomize=True)
@given(seed=st.integers(0, 2**32), bars=st.sampled_from([(MINUTE_MS, 1_700), (5 * MINUTE_MS, 1_300)]))
def test_so_do_windows_of_days(seed, bars):
    step_ms, length = bars
    market = Market(seed, n=3, length=length, step_ms=step_ms, trouble=0.01)
    grid = market.grid()
    check(rules_of(LONG), grid, cut(grid, random.Random(seed)))
