"""Writes `oibot.json`, the Grafana dashboard: `python deploy/grafana/build.py`.

Panels are a line each, so that a change can be reviewed; a test compares the file with what this makes, and the names in
its queries with those that the bot really exports.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("oibot.json")
WIDTH = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
HERE = 'instance=~"$instance"'
RULE = f'{HERE}, rule=~"$rule"'


@dataclass(frozen=True)
class Panel:
    """One panel: its queries with their legends, and what is red."""

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    warn: float | None = None
    bad: float | None = None
    low_is_bad: bool = False
    help: str = ""


def quantile(q: float, metric: str, by: str = "", where: str = HERE) -> str:
    """A quantile of a histogram over five minutes."""
    return f"histogram_quantile({q}, sum by (le{by}) (rate({metric}_bucket{{{where}}}[5m])))"


def one(title: str, query: str, **more: Any) -> Panel:
    return Panel(title, ((query, ""),), kind="stat", width=6, **more)


SENT = f'sum(increase(oibot_send_total{{{HERE}, result="delivered"}}[1h]))'
TRIED = f"sum(increase(oibot_send_total{{{HERE}}}[1h]))"

ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "Is it working",
        (
            one("Price age", f'max(oibot_feed_age_seconds{{{HERE}, feed="mark price"}})', unit="s", warn=5, bad=10),
            one(
                "Slowest open interest",
                f'max(oibot_oi_age_seconds{{{HERE}, quantile="1.0"}})',
                unit="s",
                warn=300,
                bad=600,
            ),
            one(
                "Sent, last hour",
                f"{SENT} / ({TRIED} > 0) or vector(1)",
                unit="percentunit",
                warn=0.99,
                bad=0.9,
                low_is_bad=True,
                help="Share of attempts that arrived; 100 % when there were none.",
            ),
            one("Event-loop lag, p99", quantile(0.99, "oibot_event_loop_lag_seconds"), unit="s", warn=0.1, bad=0.25),
            Panel(
                "Not ready because of",
                ((f"max by (reason) (oibot_not_ready{{{HERE}}})", "{{reason}}"),),
                width=12,
                help="The reasons of /readyz.",
            ),
            Panel("Age of feeds", ((f"max by (feed) (oibot_feed_age_seconds{{{HERE}}})", "{{feed}}"),), "s", width=12),
        ),
    ),
    (
        "Alerts",
        (
            Panel(
                "Alerts by rule, per hour",
                ((f"sum by (rule) (increase(oibot_alerts_total{{{RULE}}}[1h]))", "{{rule}}"),),
            ),
            Panel("Firing now", ((f'sum by (rule) (oibot_rule_state{{{RULE}, state="firing"}})', "{{rule}}"),)),
            Panel(
                "Latency",
                (
                    (quantile(0.5, "oibot_alert_latency_seconds", ", stage"), "{{stage}} p50"),
                    (quantile(0.95, "oibot_alert_latency_seconds", ", stage"), "{{stage}} p95"),
                ),
                "s",
                help="fire: from prices to a stored firing. send: from there to its delivery.",
            ),
            Panel("Outbox", ((f"sum by (sink) (oibot_outbox_size{{{HERE}}})", "{{sink}}"),), warn=20),
            Panel(
                "Oldest in the outbox",
                ((f"max by (sink) (oibot_outbox_oldest_age_seconds{{{HERE}}})", "{{sink}}"),),
                "s",
            ),
            Panel(
                "Attempts by result",
                ((f"sum by (sink, result) (rate(oibot_send_total{{{HERE}}}[5m])) * 60", "{{sink}} {{result}}"),),
                "cpm",
            ),
        ),
    ),
    (
        "Exchange",
        (
            Panel(
                "Request weight in use", ((f"max(oibot_rest_weight_ratio{{{HERE}}})", "used"),), "percentunit", bad=0.9
            ),
            Panel(
                "Open-interest round",
                (
                    (f"max(oibot_oi_cycle_seconds{{{HERE}}})", "round"),
                    (f'max(oibot_oi_age_seconds{{{HERE}, quantile="0.5"}})', "median age"),
                ),
                "s",
            ),
            Panel(
                "Reconnects, per hour",
                ((f"sum by (feed) (increase(oibot_feed_reconnects_total{{{HERE}}}[1h]))", "{{feed}}"),),
            ),
            Panel(
                "Answers",
                ((f"sum by (status) (rate(oibot_rest_answers_total{{{HERE}}}[5m])) * 60", "{{status}}"),),
                "cpm",
            ),
            Panel(
                "Failures",
                ((f"sum by (kind) (rate(oibot_rest_failures_total{{{HERE}}}[5m])) * 60", "{{kind}}"),),
                "cpm",
            ),
            Panel(
                "Polls", ((f"sum by (result) (rate(oibot_oi_polls_total{{{HERE}}}[5m])) * 60", "{{result}}"),), "cpm"
            ),
        ),
    ),
    (
        "Process",
        (
            Panel(
                "Memory",
                (
                    (
                        f"process_resident_memory_bytes{{{HERE}}} and on (instance, job) oibot_build_info{{{HERE}}}",
                        "RSS",
                    ),
                ),
                "bytes",
            ),
            Panel(
                "CPU",
                (
                    (
                        f"rate(process_cpu_seconds_total{{{HERE}}}[5m]) and on (instance, job) oibot_build_info{{{HERE}}}",
                        "cores",
                    ),
                ),
                "percentunit",
            ),
            Panel("Database", ((f"max(oibot_db_size_bytes{{{HERE}}})", "file and log"),), "bytes"),
            Panel(
                "Evaluation",
                ((quantile(0.5, "oibot_tick_seconds"), "p50"), (quantile(0.99, "oibot_tick_seconds"), "p99")),
                "s",
            ),
            Panel(
                "Commit",
                ((quantile(0.5, "oibot_commit_seconds"), "p50"), (quantile(0.99, "oibot_commit_seconds"), "p99")),
                "s",
            ),
            Panel("Crashes", ((f"sum by (component) (oibot_component_crashes_total{{{HERE}}})", "{{component}}"),)),
        ),
    ),
    (
        "Market",
        (
            Panel("Price", ((f"oibot_price{{{HERE}}}", "{{symbol}}"),)),
            Panel("Open interest", ((f"oibot_open_interest_usd{{{HERE}}}", "{{symbol}}"),), "currencyUSD"),
            Panel("Funding", ((f"oibot_funding_ratio{{{HERE}}}", "{{symbol}}"),), "percentunit"),
        ),
    ),
)


def thresholds(panel: Panel) -> dict[str, Any]:
    """Green first; `low_is_bad` turns the order round."""
    marks = [("yellow", panel.warn), ("red", panel.bad)]
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.low_is_bad:
        steps = [
            {"color": "red", "value": None},
            {"color": "yellow", "value": panel.bad},
            {"color": "green", "value": panel.warn},
        ]
    else:
        steps += [{"color": color, "value": value} for color, value in marks if value is not None]
    return {"mode": "absolute", "steps": steps}


def as_json(panel: Panel, number: int, x: int, y: int, height: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": height},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, "thresholds": thresholds(panel)}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + i), "expr": expr, "legendFormat": legend or "__auto", "datasource": SOURCE}
            for i, (expr, legend) in enumerate(panel.queries)
        ],
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    }
    if panel.title in {"Price", "Funding"}:
        del made["fieldConfig"]["defaults"]["min"]
    if panel.kind == "stat":
        made["options"] = {"colorMode": "background", "reduceOptions": {"calcs": ["lastNotNull"]}}
    if panel.help:
        made["description"] = panel.help
    return made


def variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
        "sort": 1,
    }


def dashboard() -> dict[str, Any]:
    panels: list[dict[str, Any]] = []
    y = 0
    for title, row in ROWS:
        panels.append(
            {"id": len(panels) + 1, "type": "row", "title": title, "collapsed": False, "panels": []}
            | {"gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}}
        )
        y, x, height = y + 1, 0, 0
        for panel in row:
            if x + panel.width > WIDTH:
                x, y = 0, y + height
            height = 4 if panel.kind == "stat" else 7
            panels.append(as_json(panel, len(panels) + 1, x, y, height))
            x += panel.width
        y += height
    return {
        "uid": "oibot",
        "title": "oibot",
        "tags": ["oibot"],
        "timezone": "utc",
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "graphTooltip": 1,
        "editable": True,
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus", "current": {}},
                variable("instance", "label_values(oibot_build_info, instance)"),
                variable("rule", "label_values(oibot_rule_state, rule)"),
            ]
        },
        "annotations": {"list": []},
        "panels": panels,
    }


def text() -> str:
    """The file's content."""
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
