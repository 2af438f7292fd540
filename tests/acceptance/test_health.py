"""Whoever watches over the bot learns how it is: by ping, by HTTP, by metrics, by its exit codes and by its log."""

import asyncio
import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from tests.support.harness import ROOT
from tests.support.listener import listening

pytestmark = pytest.mark.acceptance

KEY = "0f7c2a91-canary-4c1e-9d55-canary00ping"
RULES = """
version: 1
rules:
  - id: jump
    scope: {symbols: [BTCUSDT]}
    when: pct(price, 1m) >= 8%
    cooldown: 1m
"""


async def ask(url: str, body: dict | None = None) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.request("GET" if body is None else "POST", url, json=body) as answer,
    ):
        return answer.status, await answer.text()


def port_of(bot) -> str | None:
    found = re.search(r'"port": (\d+), "event": "web.listening"', bot.output)
    return found and found[1]


@pytest.mark.promise("P17")
async def test_the_dead_man_ping_stops_when_a_part_is_too_old_and_comes_back(harness, until):
    harness.speed = 20.0
    venue = await harness.venue(instruments=20, script=False)
    hold = harness.folder / "hold"
    async with listening() as switch, listening() as chat:
        chat.body = {"id": "1"}
        env = harness.env(
            venue,
            OIBOT_RULES_DIR=str(harness.rules(RULES)),
            OIBOT_PING__URL=f"{switch.url}/ping/{KEY}",
            OIBOT_PING__STYLE="healthchecks",
            OIBOT_PING__EVERY_S="20",
            OIBOT_DISCORD__WEBHOOK_URL=f"{chat.url}/api/webhooks/123456789012345678/{'w' * 68}",
            OIBOT_TEST_HOLD=str(hold),
            OIBOT_LOG__LEVEL="DEBUG",
        )
        bot = await harness.start("run", env=env, module="tests.support.unevaluating")

        def n_pings() -> int:
            return switch.paths().count(f"/ping/{KEY}")

        def failures() -> str:
            return "\n".join(text for _, path, text in switch.asked if path == f"/ping/{KEY}/fail")

        async def pings() -> None:
            before = n_pings()
            await until(lambda: n_pings() >= before + 2, within_s=60, why=lambda: f"{switch.asked}\n{bot.output}")

        async def stop(reason: str) -> None:
            told = len(failures())
            await until(lambda: reason in failures()[told:], within_s=90, why=lambda: f"{switch.asked}\n{bot.output}")
            before = n_pings()
            await asyncio.sleep(80 / harness.speed)
            assert n_pings() == before, f"a ping came all the same\n{switch.asked}\n{bot.output}"

        async def fault(kind: str, stream: str | None = None) -> None:
            status, text = await ask(f"{venue[0]}/sim/fault", {"kind": kind, "seconds": 86_400, "stream": stream})
            assert status == 200, text

        await until(lambda: f"/ping/{KEY}/start" in switch.paths(), within_s=60, why=lambda: bot.output)
        await pings()

        # Prices: neither from the stream nor over REST.
        await fault("silence")
        await fault("500", "/fapi/v1/premiumIndex")
        await stop("prices are")
        await ask(f"{venue[0]}/sim/heal", {})
        await pings()

        # Evaluation.
        hold.touch()
        await stop("rules are not evaluated")
        hold.unlink()
        await pings()

        # Polling.
        await fault("500", "/fapi/v1/openInterest")
        await stop("open interest is late")
        await ask(f"{venue[0]}/sim/heal", {})
        await pings()

        # Delivery: something is to be told, and the only destination takes nothing.
        chat.status = 500
        before = len(chat.asked)
        await ask(f"{venue[0]}/sim/move", {"symbol": "BTCUSDT", "price_change": 0.2, "seconds": 120})
        await until(lambda: len(chat.asked) > before, within_s=60, why=lambda: bot.output)
        await stop("has taken nothing")
        chat.status = 200
        await pings()

        # A switch that does not answer disturbs nothing.
        switch.status = 503
        await until(lambda: "ping.failed" in bot.output, within_s=60, why=lambda: bot.output)
        bot.terminate()
        assert await bot.exit_code() == 0, bot.output
    assert "Traceback" not in bot.output, bot.output
    assert "canary" not in bot.output


METRIC = re.compile(r"\b(?:oibot|process)_[a-z0-9_]+")
SELECTOR = re.compile(r"\b((?:oibot|process)_[a-z0-9_]+)\{([^}]*)\}")
SAMPLE = re.compile(r"(?:_bucket|_sum|_count)$")


def queries() -> list[str]:
    """Everything that the dashboard and the alerts ask Prometheus for."""
    dashboard = json.loads((ROOT / "deploy/grafana/oibot.json").read_text(encoding="utf-8"))
    found = [t["expr"] for panel in dashboard["panels"] for t in panel.get("targets", ())]
    found += [v["query"]["query"] for v in dashboard["templating"]["list"] if v["type"] == "query"]
    alerts = YAML(typ="safe").load((ROOT / "deploy/prometheus/alerts.yml").read_text(encoding="utf-8"))
    return found + [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]


def documented() -> set[str]:
    page = (ROOT / "docs/monitoring.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `(oibot_[a-z0-9_]+)", page, re.MULTILINE))


def check_queries(exported: dict[str, set[str]]) -> None:
    """`exported`: label names by name of a sample."""
    used = queries()
    assert len(used) > 40
    for query in used:
        names = METRIC.findall(query)
        assert names or query.startswith("up{"), query
        for name in names:
            assert name in exported, f"{name} is not exported, but asked for in {query}"
        for name, inside in SELECTOR.findall(query):
            labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", inside)) - {"instance", "job"}
            assert labels <= exported[name], f"{query}: {name} has the labels {sorted(exported[name])}"
        grouped = {n.strip() for inside in re.findall(r"\bby \(([^)]*)\)", query) for n in inside.split(",")}
        everything = set().union(*(exported[n] for n in names)) | {"instance", "job"}
        assert grouped <= everything, query


async def test_metrics_health_and_a_quiet_log(harness, until):
    harness.speed = 20.0
    venue = await harness.venue(instruments=20, script=False)
    # Nobody listens at the switch, which must not matter.
    env = harness.env(
        venue, OIBOT_WEB__ENABLED="true", OIBOT_WEB__PORT="0", OIBOT_PING__URL=f"http://127.0.0.1:9/{KEY}"
    )
    before = await harness.start("health", env=env)
    assert await before.exit_code() == 1
    assert "not running" in before.output
    bot = await harness.start("run", env=env)
    await until(lambda: port_of(bot), within_s=60, why=lambda: bot.output)
    base = f"http://127.0.0.1:{port_of(bot)}"
    assert await ask(f"{base}/healthz") == (200, "ok\n")

    status, text = await ask(f"{base}/readyz")
    if status == 503:  # so soon after the start it nearly always is
        assert json.loads(text)["reasons"][0]["code"] == "starting"
    for _ in range(300):
        status, text = await ask(f"{base}/readyz")
        if status == 200:
            break
        await asyncio.sleep(0.2)
    assert json.loads(text) == {"ready": True, "reasons": [], "notes": []}, bot.output
    await until(lambda: "health.ready" in bot.output, within_s=30, why=lambda: bot.output)
    healthy = await harness.start("health", env=env)
    await healthy.exit_code()
    assert healthy.output.startswith(("ok: newest price", "not ready:")), healthy.output

    # A snapshot is on the disk within two minutes, and the past has been filled by then.
    ready_lines, began_ms = len(bot.lines), harness.clock().wall_ms()
    exported: dict[str, set[str]] = {}
    for _ in range(300):
        status, text = await ask(f"{base}/metrics")
        assert status == 200
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                exported.setdefault(sample.name, set()).update(sample.labels)
        if "oibot_snapshot_age_seconds" in exported:
            break
        await asyncio.sleep(0.2)
    check_queries(exported)
    if shutil.which("promtool") is not None:
        checked = await asyncio.to_thread(
            subprocess.run, ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )
        assert (checked.returncode, checked.stderr) == (0, ""), checked.stderr
    ours = {SAMPLE.sub("", name) for name in exported if name.startswith("oibot_")}
    assert documented() == ours

    # Six calm minutes and no command.
    while harness.clock().wall_ms() - began_ms < 360_000:
        await asyncio.sleep(0.2)
    said = [json.loads(line) for line in bot.lines[ready_lines:] if line.startswith("{")]
    # What the market of the day does, and what a slow machine does to a fast clock, is no matter of calm.
    talk = [
        e["event"]
        for e in said
        if e["level"] == "info" and not e["event"].startswith(("alert.", "message.", "health."))
    ]
    assert len(talk) <= 100 / 10, talk
    bot.terminate()
    assert await bot.exit_code() == 0, bot.output
    assert "canary" not in bot.output + text


def test_the_dashboard_is_what_its_script_makes():
    path = ROOT / "deploy/grafana/build.py"
    spec = importlib.util.spec_from_file_location("build_dashboard", path)
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    made = Path(build.FILE).read_text(encoding="utf-8")
    assert made == build.text(), "run python deploy/grafana/build.py"
