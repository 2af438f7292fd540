"""The metrics by subject. Labels are names of our own or of the operator's configuration, never texts or addresses."""

import platform
import shutil
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

import bot
from bot.app.vitals import Parts
from bot.feeds.gate import FAILURE_KINDS
from bot.feeds.poller import FEED as OPEN_INTEREST
from bot.model.alert import State
from bot.model.histogram import WAIT_S, Histogram
from bot.model.outbox import Backlog
from bot.model.readiness import CODES
from bot.rules.schema import CHAT_PREFIX

Labelled = Iterable[tuple[tuple[str, ...], float]]

AGE_QUANTILES: Final = (0.5, 0.9, 1.0)


def gauge(name: str, text: str, value: float | None = None, labels: Sequence[str] = (), of: Labelled = ()) -> Metric:
    """One value, or one for each tuple of label values. None is left out."""
    family = GaugeMetricFamily(name, text, labels=labels)
    for found, number in of if labels else [] if value is None else [((), value)]:
        family.add_metric(found, number)
    return family


def counter(name: str, text: str, value: float = 0, labels: Sequence[str] = (), of: Labelled = ()) -> Metric:
    """The same for a counter; `_total` is appended to its name."""
    family = CounterMetricFamily(name, text, labels=labels)
    for found, number in of if labels else [((), value)]:
        family.add_metric(found, number)
    return family


def histogram(name: str, text: str, found: Histogram) -> Metric:
    return histograms(name, text, (), [((), found)])


def histograms(
    name: str, text: str, labels: Sequence[str], of: Iterable[tuple[tuple[str, ...], Histogram]]
) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=labels)
    for values, found in of:
        bounds = [*map(str, found.bounds), "+Inf"]
        family.add_metric(values, list(zip(bounds, map(float, found.cumulative()), strict=True)), found.total)
    return family


def of_bot(parts: Parts) -> Iterator[Metric]:
    version = (bot.__version__, platform.python_version())
    yield gauge("oibot_build_info", "Which version runs", labels=("version", "python"), of=[(version, 1)])
    found = parts.readiness()
    codes = {reason.code for reason in found.reasons}
    yield gauge("oibot_ready", "1 when the bot does its work", float(found.is_ready))
    each = [((code,), float(code in codes)) for code in CODES]
    yield gauge("oibot_not_ready", "1 for each reason why it does not", labels=("reason",), of=each)
    yield gauge("oibot_uptime_seconds", "Since the start of this run", parts.age_s(parts.started_ms))
    crashes = [((name,), float(n)) for name, n in sorted(parts.supervisor.n_crashes.items())]
    yield counter("oibot_component_crashes", "Crashes by component", labels=("component",), of=crashes)


def of_feeds(parts: Parts) -> Iterator[Metric]:
    feed, poller = parts.feed, parts.feed.poller
    heard_ms = dict(feed.stream.heard_ms())
    for stream in feed.klines.streams:
        for name, at_ms in stream.heard_ms().items():
            heard_ms[name] = max(at_ms, heard_ms.get(name, at_ms))
    if poller.last_sample_ms is not None:
        heard_ms[OPEN_INTEREST] = poller.last_sample_ms
    ages = [((name,), parts.age_s(at_ms) or 0.0) for name, at_ms in sorted(heard_ms.items())]
    yield gauge("oibot_feed_age_seconds", "Since the feed last brought data", labels=("feed",), of=ages)
    live = [((name,), float(status.live)) for name, status in sorted(parts.live.feeds.items())]
    yield gauge("oibot_feed_live", "1 while the feed counts as alive", labels=("feed",), of=live)
    counted = {"market": [feed.stream.counters], "klines": [s.counters for s in feed.klines.streams]}
    lost = [((name,), float(sum(c.connections_lost for c in found))) for name, found in counted.items()]
    failed = [((name,), float(sum(c.attempts_failed for c in found))) for name, found in counted.items()]
    renewed = [((name,), float(sum(c.renewals for c in found))) for name, found in counted.items()]
    yield counter(
        "oibot_feed_reconnects", "Connections that were lost and had to be made anew", labels=("feed",), of=lost
    )
    yield counter("oibot_feed_attempts_failed", "Connections that came to nothing", labels=("feed",), of=failed)
    yield counter(
        "oibot_feed_renewals", "Connections that were replaced while they lived", labels=("feed",), of=renewed
    )
    yield gauge("oibot_mailbox_length", "Updates between feeds and engine", float(len(parts.mailbox)))
    yield counter("oibot_mailbox_conflated", "Price messages merged under load", parts.mailbox.n_conflated)
    yield counter("oibot_mailbox_dropped", "Updates dropped under load", parts.mailbox.n_dropped)
    yield from _of_open_interest(parts)


def _of_open_interest(parts: Parts) -> Iterator[Metric]:
    poller = parts.feed.poller
    health = poller.health()
    yield gauge("oibot_oi_cycle_seconds", "Last round in which open interest of everyone was polled", health.cycle_s)
    yield gauge(
        "oibot_oi_lateness_ratio", "Age over polling interval, of the instrument at four fifths", health.lateness
    )
    yield gauge("oibot_oi_instruments", "Instruments whose open interest is polled", float(health.n_polled))
    market = parts.engine.market
    ages = Metric("oibot_oi_age_seconds", "Age of known open interest over instruments", "summary")
    if market.n_rows:
        view = parts.engine.view()
        known = view.age("oi")[0][np.isfinite(view.value("oi")[0]) & market.is_trading] / 1000.0
        if len(known):
            found = np.quantile(known, AGE_QUANTILES)
            for quantile, age in zip(AGE_QUANTILES, found, strict=True):
                ages.add_sample("oibot_oi_age_seconds", {"quantile": str(quantile)}, float(age))
    yield ages
    c = poller.counters
    polls = {"sample": c.samples, "failure": c.failures, "older": c.older, "dropped": c.dropped}
    each = [((name,), float(n)) for name, n in polls.items()]
    yield counter("oibot_oi_polls", "What came of the polls", labels=("result",), of=each)


def of_rest(parts: Parts) -> Iterator[Metric]:
    client = parts.feed.client
    yield gauge("oibot_rest_weight_ratio", "Used part of the venue's weight in this minute", client.used_share)
    used, cap = client.weight_used, client.weight_cap
    yield gauge("oibot_rest_weight_used", "Weight used on this address in this minute", float(used))
    yield gauge("oibot_rest_weight_left", "Weight that the bot may still use in this minute", max(0.0, cap - used))
    c = client.counters
    yield counter("oibot_rest_weight_spent", "Weight of our own calls", c.weight_spent)
    yield counter("oibot_rest_calls", "Calls that were sent", c.requests)
    by_status = {418: 0, 429: 0} | c.by_status
    each = [((str(status),), float(n)) for status, n in sorted(by_status.items())]
    yield counter("oibot_rest_answers", "Answers by HTTP status", labels=("status",), of=each)
    n_failed = dict.fromkeys(FAILURE_KINDS, 0) | c.failures
    failures = [((kind,), float(n)) for kind, n in sorted(n_failed.items())]
    yield counter("oibot_rest_failures", "Calls that failed, by kind", labels=("kind",), of=failures)
    yield gauge("oibot_rest_paused", "1 while nothing may be sent", float(client.paused_until_ms is not None))


def of_rules(parts: Parts) -> Iterator[Metric]:
    engine, live = parts.engine, parts.live
    of_files = [rule for rule in engine.rules if not rule.id.startswith(CHAT_PREFIX)]
    yield gauge("oibot_rules_loaded", "Rules that watch", float(len(of_files)))
    yield gauge("oibot_rules_invalid", "Errors in the rule files", float(len(parts.rules().errors)))
    yield gauge("oibot_instruments", "Instruments that are watched", float(len(engine.market.universe)))
    states = (State.PENDING, State.FIRING)
    books = [(rule.id, book) for rule in of_files if (book := engine.book(rule.id)) is not None]
    each = [((name, s.value), float(len(book.rows_in(s)))) for name, book in books for s in states]
    each += [(("chat", s.value), float(engine.subscriptions.book.count(s))) for s in states]
    yield gauge("oibot_rule_state", "Alerts of a rule by state", labels=("rule", "state"), of=each)
    yield gauge("oibot_chat_alerts", "Alerts that people made in chat", float(len(engine.subscriptions)))
    yield counter("oibot_ticks", "Evaluations of the whole market", live.n_ticks)
    yield counter("oibot_rules_evaluated", "Rules times evaluations", live.n_evaluated)
    yield gauge("oibot_tick_age_seconds", "Since the last evaluation", parts.age_s(live.ticked_ms))
    yield histogram("oibot_tick_seconds", "How long one evaluation took", live.tick_s)
    yield counter("oibot_updates_failed", "Updates that the engine could not take", live.n_failed)
    yield counter("oibot_held_out", "Pushes and samples dated ahead of the venue's time", live.n_held_out)
    # From 0 on, so that the first one is an increase.
    n_fired = {(rule.id, rule.severity): 0 for rule in of_files} | live.n_fired
    fired = [(names, float(n)) for names, n in sorted(n_fired.items())]
    yield counter("oibot_alerts", "Alerts that fired", labels=("rule", "severity"), of=fired)


def of_delivery(parts: Parts, backlog: Sequence[Backlog] | None) -> Iterator[Metric]:
    """`backlog` is None where it could not be read."""
    lanes = parts.lanes.status()
    results = [
        ((lane.name, result), float(n))
        for lane in lanes
        for result, n in (("delivered", lane.delivered), ("retried", lane.retried), ("buried", lane.buried))
    ]
    yield counter("oibot_send", "Messages by what came of an attempt", labels=("sink", "result"), of=results)

    def each(values: Iterable[float]) -> list[tuple[tuple[str, ...], float]]:
        return [((lane.name,), float(value)) for lane, value in zip(lanes, values, strict=True)]

    unknown = each(lane.ambiguous for lane in lanes)
    yield counter("oibot_send_unknown", "Attempts that may have arrived", labels=("sink",), of=unknown)
    refused = each(lane.plain for lane in lanes)
    yield counter("oibot_send_plain", "Messages whose markup was refused", labels=("sink",), of=refused)
    yield counter("oibot_alerts_told", "Firings that arrived", labels=("sink",), of=each(lane.told for lane in lanes))
    alive = each(lane.dead_reason is None for lane in lanes)
    yield gauge("oibot_sink_alive", "0 once a destination takes nothing any more", labels=("sink",), of=alive)
    failing = each(lane.failing_s for lane in lanes)
    yield gauge("oibot_sink_failing_seconds", "For how long every attempt has failed", labels=("sink",), of=failing)
    latency = Histogram(WAIT_S)
    for lane in lanes:
        latency.merge(lane.latency_s)
    stages = [(("fire",), parts.live.fire_s), (("send",), latency)]
    text = "From prices to a stored firing; from a firing to its delivery"
    yield histograms("oibot_alert_latency_seconds", text, ("stage",), stages)
    of_lanes = [((lane.name,), lane.latency_s) for lane in lanes]
    yield histograms("oibot_send_latency_seconds", "From a firing to its delivery", ("sink",), of_lanes)
    if backlog is None:
        return
    waiting = {one.destination: one for one in backlog}
    sizes = each(waiting[lane.name].n_rows if lane.name in waiting else 0 for lane in lanes)
    yield gauge("oibot_outbox_size", "What waits to be told", labels=("sink",), of=sizes)
    now_ms = parts.live.venue_now()
    ages = each(max(0, now_ms - waiting[lane.name].oldest_ms) / 1000 if lane.name in waiting else 0.0 for lane in lanes)
    yield gauge("oibot_outbox_oldest_age_seconds", "Age of the oldest that waits", labels=("sink",), of=ages)


def of_storage(parts: Parts) -> Iterator[Metric]:
    committer, path = parts.committer, parts.database.path
    yield histogram("oibot_commit_seconds", "How long one commit took", committer.commit_s)
    yield gauge("oibot_commits_waiting", "Changes that are not stored yet", float(committer.n_waiting))
    yield counter("oibot_commits_lost", "Changes that no database will ever hold", committer.n_lost)
    yield counter("oibot_db_failures", "Calls that the database refused", parts.database.trouble.n_failed)
    yield gauge("oibot_db_working", "0 while nothing can be stored", float(not parts.watch.reason()))
    try:
        beside = path.with_name(path.name + "-wal")
        size = path.stat().st_size + (beside.stat().st_size if beside.exists() else 0)
        free = shutil.disk_usage(path.parent).free
    except OSError:
        return
    yield gauge("oibot_db_size_bytes", "Database with its log", float(size))
    yield gauge("oibot_disk_free_bytes", "Free space where the data folder is", float(free))
    written_ms = parts.snapshots.written_ms
    age = None if written_ms is None else max(0, parts.live.venue_now() - written_ms) / 1000
    yield gauge("oibot_snapshot_age_seconds", "Since the windows were last put on the disk", age)
    yield from of_history(parts)


def of_history(parts: Parts) -> Iterator[Metric]:
    """Only while history is kept."""
    history = parts.history
    if not history.is_on:
        return
    yield counter("oibot_history_rounds", "Rounds of one-minute bars that are on the disk", history.counts.n_minutes)
    yield counter(
        "oibot_history_rounds_lost", "Rounds of one-minute bars that could not be written", history.counts.n_dropped
    )
    yield gauge("oibot_history_size_bytes", "Parts and logs of the history", history.n_bytes)


def of_market(parts: Parts, pinned: Sequence[str]) -> Iterator[Metric]:
    """Gauges of single instruments: a few that were named, never all."""
    market = parts.engine.market
    rows = [(row, i) for row, i in market.universe.items() if i.symbol in pinned]
    series = {
        "price": ("oibot_price", "Mark price"),
        "oi": ("oibot_open_interest", "Open interest in coins"),
        "oi_usd": ("oibot_open_interest_usd", "Open interest in dollars"),
        "funding": ("oibot_funding_ratio", "Funding rate of one interval"),
    }
    if not rows:
        return
    view = parts.engine.view()
    for name, (metric, text) in series.items():
        values = view.value(name)[0]
        each = [((i.venue, i.symbol), float(values[row])) for row, i in rows if np.isfinite(values[row])]
        yield gauge(metric, text, labels=("venue", "symbol"), of=each)
