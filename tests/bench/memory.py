"""What row 15 runs in a process of its own: an engine with the shipped rules and a day of 950 instruments, nothing else."""

import json
import sys
from pathlib import Path

from bot.engine.engine import Engine
from bot.engine.inputs import Listed
from bot.model.updates import InstrumentList
from bot.rules.loader import load_text
from tests.bench.frames import T0, Walk, instruments

SHIPPED = Path(__file__).parents[2] / "rules" / "default.yaml"
N_TICKS = 10


def status_mb(pid: int | str = "self") -> dict[str, float]:
    """Resident memory now and at most, from the kernel; empty where it does not tell."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return {}
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {name: int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM") if name in fields}


def filled(fill_s: int, fine_s: int) -> Engine:
    """The engine after a day: minutes, then seconds, then ticks."""
    walk = Walk(start_ms=T0 - fill_s * 1_000)
    engine = Engine(load_text("default.yaml", SHIPPED.read_text(encoding="utf-8")).rules)
    engine.consume(Listed(InstrumentList("binance", instruments()), walk.at_ms))
    while walk.at_ms < T0 + N_TICKS * 1_000:
        step_s = 60 if T0 - walk.at_ms > fine_s * 1_000 else 1
        second = walk.advance(step_s)
        for item in (walk.polls(second, step_s), *second.marks()):
            engine.consume(item)
        if second.at_ms > T0:
            engine.tick(second.at_ms)
    return engine


def main() -> None:
    before = status_mb()
    engine = filled(int(sys.argv[1]), int(sys.argv[2]))
    print(json.dumps({"engine_mb": engine.market.nbytes / 2**20, "before": before, "after": status_mb()}))


if __name__ == "__main__":
    main()
