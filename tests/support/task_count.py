"""How many tasks the real process has: counted from within, as nothing else can."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.harness import ROOT

_EYE = """
import asyncio, pathlib, sys, threading, time

def watch(loop):
    path = pathlib.Path("tasks")
    while not loop.is_closed():
        try:
            n = sum(not task.done() for task in asyncio.all_tasks(loop))
        except RuntimeError:
            continue
        path.with_suffix(".new").write_text(str(n))
        path.with_suffix(".new").replace(path)
        time.sleep(0.1)

if "run" in sys.orig_argv:
    made = asyncio.new_event_loop

    def new_event_loop():
        loop = made()
        threading.Thread(target=watch, args=(loop,), daemon=True).start()
        return loop

    asyncio.new_event_loop = asyncio.events.new_event_loop = new_event_loop
"""


def counted(env: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The environment of a process that counts its tasks into a file of the folder that it runs in."""
    site = folder / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(_EYE, encoding="utf-8")
    return {**env, "PYTHONPATH": f"{site}:{ROOT}"}


def n_tasks(folder: Path) -> int:
    return int((folder / "tasks").read_text(encoding="ascii"))
