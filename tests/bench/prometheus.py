"""Row 9: Prometheus with the same rules on the same series, a scrape and an evaluation each second.

Both sides watch 950 instruments with three series (price, open interest, funding), all new each second: Prometheus over
its text format by HTTP, the engine over the frames of row 5 by WebSocket with the open interest beside it. Neither is
held up by the other side, which is a process of its own. Prometheus gets an hour of history at two-second steps, which
is half of the samples that the engine has. CPU time is that of the whole Prometheus process, and of the whole thread
that runs our event loop, decoder and engine.
"""

import asyncio
import http.server
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from websockets.asyncio.client import connect

from bot.engine.inputs import Samples
from tests.bench import far_side
from tests.bench.engine_rows import consume, decoder
from tests.bench.frames import OI_EVERY_S, OI_VALID_MS, Second, Walk, instruments
from tests.bench.harness import Context, Group, Result
from tests.bench.workload import Stage, Window, rules_of, verify

TEN = (
    Window("pct", "price", 300),
    Window("pct", "oi", 900),
    Window("delta", "oi", 3_600),
    Window("avg", "price", 900),
    Window("avg", "funding", 300),
    Window("min", "price", 3_600),
    Window("max", "price", 900),
    Window("std", "price", 900),
    Window("zscore", "price", 3_600),
    Window("zscore", "funding", 1_800),
)
PER_EXPRESSION = 100
SERIES = ("price", "oi", "funding")
WINDOW_S, QUICK_WINDOW_S = 60, 12
SETTLE_S = 15
BACKFILL_S, QUICK_BACKFILL_S = 3_660, 300
BACKFILL_STEP_S = 2
VERSION = "2.42"


def promql(window: Window) -> str:
    """The same expression in Prometheus's language."""
    name, span = window.series, f"{window.seconds}s"
    match window.function:
        case "pct":
            return f"{name} / ({name} offset {span}) - 1"
        case "delta":
            return f"{name} - ({name} offset {span})"
        case "zscore":
            return f"({name} - avg_over_time({name}[{span}])) / stddev_over_time({name}[{span}])"
    over = {"avg": "avg", "min": "min", "max": "max", "std": "stddev"}[window.function]
    return f"{over}_over_time({name}[{span}])"


def never(k: int) -> str:
    return f"{10**14 + k}"


def few_rules() -> str:
    """Ten alerts, each over an expression of its own."""
    return _group(f"      - {{alert: a{k}, expr: '({promql(w)}) > {never(k)}'}}" for k, w in enumerate(TEN))


def many_rules() -> str:
    """Ten recorded expressions and a hundred alerts over each."""
    recorded = [f"      - {{record: e{k}, expr: '{promql(w)}'}}" for k, w in enumerate(TEN)]
    alerts = [
        f"      - {{alert: a{k}_{i}, expr: 'e{k} > {never(i)}'}}"
        for k in range(len(TEN))
        for i in range(PER_EXPRESSION)
    ]
    return _group([*recorded, *alerts])


def _group(rules: Iterator[str] | Sequence[str]) -> str:
    return "groups:\n  - name: bench\n    interval: 1s\n    rules:\n" + "\n".join(rules) + "\n"


def exposition(connection: Connection) -> None:
    """A process that serves the market's newest second to whoever scrapes it."""
    walk = Walk()
    names = [i.symbol for i in instruments()]

    class Page(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            second = walk.advance(OI_EVERY_S)
            lines = []
            for series in SERIES:
                lines.append(f"# TYPE {series} gauge")
                values = getattr(second, series).tolist()
                lines += [f'{series}{{s="{n}"}} {v!r}' for n, v in zip(names, values, strict=True)]
            body = ("\n".join(lines) + "\n").encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    connection.send(server.server_port)
    server.serve_forever()


def backfill(folder: Path, seconds: int) -> None:
    """Blocks of history up to now."""
    walk = Walk()
    names = [i.symbol for i in instruments()]
    now_s = int(time.time())
    stamps = range(now_s - seconds, now_s, BACKFILL_STEP_S)
    past = [walk.advance(OI_EVERY_S) for _ in stamps]
    source = folder / "history.om"
    with source.open("w", encoding="ascii") as file:
        for series in SERIES:
            file.write(f"# TYPE {series} gauge\n")
            table = np.array([getattr(second, series) for second in past])
            for name, column in zip(names, table.T.tolist(), strict=True):
                head = f'{series}{{instance="market",job="market",s="{name}"}} '
                file.writelines(f"{head}{v!r} {t}\n" for v, t in zip(column, stamps, strict=True))
        file.write("# EOF\n")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "-q", str(source), str(folder / "data")]
    subprocess.run(command, check=True, capture_output=True)
    source.unlink()


@dataclass(frozen=True, slots=True)
class Watched:
    """What Prometheus did in the window."""

    cpu_share: float
    """Of one core."""
    n_iterations: int
    n_missed: int
    rss_mb: float


@contextmanager
def prometheus(folder: Path, rules: str, target_port: int) -> Iterator[tuple[subprocess.Popen, str]]:
    (folder / "rules.yml").write_text(rules, encoding="ascii")
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s, scrape_timeout: 1s}\n"
        "rule_files: [rules.yml]\n"
        "scrape_configs:\n"
        f"  - {{job_name: market, static_configs: [{{targets: ['127.0.0.1:{target_port}'], "
        "labels: {instance: market}}]}\n",
        encoding="ascii",
    )
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def own_metric(base: str, name: str) -> float:
    lines = get(f"{base}/metrics").splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name + "{"))


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def watch(context: Context, folder: Path, rules: str, target_port: int, window_s: float) -> Watched:
    with prometheus(folder, rules, target_port) as (process, base):
        wait_ready(base, process)
        nap(context, SETTLE_S)
        counted = "prometheus_rule_group_iterations_total", "prometheus_rule_group_iterations_missed_total"
        cpu0, start, before = cpu_s(process.pid), time.monotonic(), [own_metric(base, name) for name in counted]
        nap(context, window_s)
        spent = (cpu_s(process.pid) - cpu0) / (time.monotonic() - start)
        after = [own_metric(base, name) for name in counted]
        check_series(context, base)
        done, missed = (int(a - b) for a, b in zip(after, before, strict=True))
        # An iteration that was missed is counted in the total as well.
        return Watched(spent, done, missed, rss_mb(process.pid))


def wait_ready(base: str, process: subprocess.Popen) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise RuntimeError("Prometheus ended at once")
        try:
            get(f"{base}/-/ready")
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("Prometheus does not get ready")


def nap(context: Context, seconds: float) -> None:
    start = time.monotonic()
    while (gone := time.monotonic() - start) < seconds:
        context.step(gone / seconds)
        time.sleep(0.5)


def check_series(context: Context, base: str) -> None:
    """What Prometheus evaluates must be there for every instrument."""
    for window in TEN:
        query = urllib.parse.quote(f"count({promql(window)})")
        found = json.loads(get(f"{base}/api/v1/query?query={query}"))["data"]["result"]
        n = int(found[0]["value"][1]) if found else 0
        if n != len(instruments()) and not context.is_quick:
            context.wrong.append(f"row 9: Prometheus has {window.text} for {n} instruments")


def ours(context: Context, n_per_expression: int, window_s: int) -> tuple[float, int]:
    """(CPU share of one core, ticks missed) of the engine on the same rules."""
    stage = Stage()
    conditions = [f"{w.text} > {_limit(w, i)}" for w in TEN for i in range(n_per_expression)]
    engine = stage.add("ours", rules_of(conditions))
    stage.fill(context.step)
    engine.tick(stage.next().at_ms)
    seconds = [stage.peek_apart()[1] for _ in range(window_s)]
    with far_side.started(far_side.push_frames, 1.0) as connection:
        connection.send([second.frames(stage.symbols) for second in seconds])
        share, missed = asyncio.run(_receive(context, connection, stage, seconds))
    verify(context, "row 9", stage, engine, [w for w in TEN if w.series != "oi"])
    return share, missed


def _limit(window: Window, i: int) -> str:
    return f"{9 * 10**12 + i}%" if window.function == "pct" else never(i)


def everybody(second: Second) -> Samples:
    """Open interest of all instruments, as Prometheus scrapes it."""
    n = len(second.oi)
    rows = np.arange(n, dtype=np.int32)
    stamps = np.full(n, second.at_ms, dtype=np.int64)
    return Samples("oi", rows, stamps, second.oi, valid_ms=OI_VALID_MS, interval_ms=OI_EVERY_S * 1_000)


async def _receive(
    context: Context, connection: Connection, stage: Stage, seconds: Sequence[Second]
) -> tuple[float, int]:
    (engine,) = stage.engines.values()
    decode = decoder(stage)
    missed = 0
    port = await asyncio.to_thread(connection.recv)
    async with connect(f"ws://127.0.0.1:{port}", compression=None, max_size=None, ping_interval=None) as socket:
        start, cpu0 = time.monotonic(), time.thread_time()
        for k, now in enumerate(seconds):
            first, second = await socket.recv(decode=False), await socket.recv(decode=False)
            begun = time.monotonic()
            engine.consume(everybody(now))
            consume(engine, decode([first, second]))
            engine.tick(now.at_ms)
            missed += int(time.monotonic() - begun)
            context.step((k + 1) / len(seconds))
        # The first push comes at once, the others a second apart.
        share = (time.thread_time() - cpu0) / (time.monotonic() - start) * (len(seconds) - 1) / len(seconds)
        await asyncio.to_thread(connection.recv)
    return share, missed


def missing() -> str:
    """Why row 9 cannot be measured here; empty where it can."""
    if not Path("/proc/self/stat").is_file():
        return "needs Linux's /proc"
    if shutil.which("prometheus") is None or shutil.which("promtool") is None:
        return "Prometheus is not installed (Debian: apt-get install prometheus)"
    told = subprocess.run(["prometheus", "--version"], capture_output=True, text=True, check=False)
    version = (told.stdout + told.stderr).partition("version ")[2].split(" ")[0]
    return "" if version.startswith(VERSION) else f"Prometheus is {version}, not {VERSION}"


def run(context: Context) -> Sequence[Result]:
    names = (f"against Prometheus {VERSION}, 10 rules: CPU", "1,000 rules at one a second: ticks missed")
    if why := missing():
        note = f"not measured: {why}"
        return [
            Result("9", names[0], None, 200.0, "x", at_least=True, note=note),
            Result("9", names[1], None, 0.0, "", note=note),
        ]
    window_s = QUICK_WINDOW_S if context.is_quick else WINDOW_S
    found = {}
    with tempfile.TemporaryDirectory() as name, far_side.started(exposition) as connection:
        port = connection.recv()
        for title, rules in (("10", few_rules()), ("1,000", many_rules())):
            folder = Path(name) / title.replace(",", "")
            folder.mkdir()
            context.say(f"history for Prometheus, {title} rules")
            backfill(folder, QUICK_BACKFILL_S if context.is_quick else BACKFILL_S)
            context.say(f"Prometheus with {title} rules")
            found[title] = watch(context, folder, rules, port, window_s)
            shutil.rmtree(folder)
    context.say("the engine with 10 rules")
    few, _ = ours(context, 1, window_s)
    context.say("the engine with 1,000 rules")
    many, missed = ours(context, PER_EXPRESSION, window_s)
    ten, thousand = found["10"], found["1,000"]
    note = f"{ten.cpu_share:.1%} of a core, {ten.rss_mb:.0f} MB, against {few:.2%}; {window_s} s each"
    note_many = (
        f"Prometheus missed {thousand.n_missed} of {thousand.n_iterations} at {thousand.cpu_share:.1%} of a core, "
        f"{thousand.rss_mb:.0f} MB; the engine used {many:.2%}"
    )
    return [
        Result("9", names[0], ten.cpu_share / few, 200.0, "x", at_least=True, note=note),
        Result("9", names[1], missed, 0.0, "", note=note_many),
    ]


GROUPS = (Group(("9",), run),)
