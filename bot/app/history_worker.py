"""The process that makes parts of logs, puts them together and throws old ones away. Started by the bot once an hour.

It ends with the bot, runs behind everything else on the machine, and says what it did in one line of JSON. It imports pyarrow,
holds no secrets and writes nothing but the folder of the history.
"""

import sys
from pathlib import Path
from typing import Final

import msgspec

from bot import log
from bot.app.history import Order, Report
from bot.app.history_store import open_store
from bot.clock import machine_s
from bot.errors import BotError
from bot.history import bar_log
from bot.history.store import Store
from bot.worker import begin, peak_mb

DAY_MS: Final = 86_400_000
LATE_MS: Final = 3_600_000
"""A day is put together an hour after its end, when its last log has come."""
_log = log.get("history")


def main() -> None:
    """`argv[1]` is the bot's process id, `argv[2]` an `Order`."""
    out = begin(int(sys.argv[1]))
    try:
        report = work(msgspec.json.decode(sys.argv[2], type=Order))
    except BotError as error:
        report = Report(error=str(error)[:300])
    except Exception as error:  # noqa: BLE001, told to the bot
        report = Report(error=f"{type(error).__name__}: {error}"[:300])
    out.write(msgspec.json.encode(report))


def work(order: Order) -> Report:
    """Do what there is to do. Raises `BotError`."""
    begun_s = machine_s()
    with open_store(Path(order.folder)) as store:
        store.recover()
        taken = take_logs(store)
        tidied = store.compact(before_ms=(order.now_ms - LATE_MS) // DAY_MS * DAY_MS)
        pruned = store.prune(live_before_ms=order.now_ms - order.keep_days * DAY_MS)
        stock = store.status()
    return Report(
        n_logs=taken[0],
        n_rows=taken[1],
        n_cut_bytes=taken[2],
        n_put_together=tidied.n_before,
        n_removed=pruned.n_removed,
        n_bytes=stock.n_bytes,
        first_ms=min((h.spans[0][0] for h in stock.holdings if h.kind == "live"), default=0),
        n_bad=stock.n_bad,
        peak_mb=round(peak_mb(), 1),
        took_s=round(machine_s() - begun_s, 2),
    )


def take_logs(store: Store) -> tuple[int, int, int]:
    """Make parts of all logs that are complete. How many, rows, and bytes that were cut off at their ends."""
    n_logs = n_rows = n_cut = 0
    for path in bar_log.files(store.folder):
        with bar_log.ended(path) as is_ended:
            if not is_ended:
                continue
            found = bar_log.read(path)
            n_cut += found.n_cut
            if not found.rows:
                path.unlink()
                continue
            store.know(found.instruments)
            try:
                n_rows += store.add(found.rows, source="live", latest_counts=True).n_rows
            except ValueError as error:
                # Whole, and yet no bars: it must not stand in the way of all that come later.
                aside = path.rename(path.with_name(path.name + ".bad"))
                _log.warning("history.log_set_aside", reason=str(error), file=str(aside), then="its bars are left out")
                continue
            n_logs += 1
            path.unlink()
    return n_logs, n_rows, n_cut


if __name__ == "__main__":
    main()
