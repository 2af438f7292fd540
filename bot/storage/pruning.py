"""Deleting much in small steps, so that alerts are never kept waiting for it.

Each step is a transaction of its own of at most `BATCH` rows; between two of them the other writers have their turn.
"""

from collections.abc import Callable
from typing import Any, Final

from bot.storage.database import Database, Transaction, Values

BATCH: Final = 500


async def delete_in_batches(
    database: Database,
    operation: str,
    *,
    find: str,
    delete: str,
    values: Values = (),
    first: Values = (0,),
    keeps: Callable[[tuple[Any, ...]], bool] = lambda _: False,
) -> int:
    """Delete what a query finds. Returns how many rows went.

    Args:
        database: where.
        operation: what it is called in errors.
        find: gives keys in their order, from behind a key on; its parameters are `values`, a key and how many at most.
            It is asked on the reading side, so that a long search keeps no writer waiting.
        delete: takes one row; its parameters are the key's columns.
        values: for `find`.
        first: a key before all others. Its length says how many columns of `find` make the key.
        keeps: True for what shall stay.
    """
    gone, last = 0, tuple(first)
    while found := await database.fetch(operation, find, (*values, *last, BATCH)):
        old = [row[: len(first)] for row in found if not keeps(row)]

        async def remove(tx: Transaction, old: list[tuple[Any, ...]] = old) -> int:
            return await tx.executemany(delete, old)

        gone += await database.write(operation, remove) if old else 0
        last = found[-1][: len(first)]
    return gone


async def shrink(database: Database, *, keep_pages: int = 256) -> int:
    """Give free pages back to the disk, all but `keep_pages`, and write the journal back. Returns how many pages went."""
    gone = 0
    while (free := (await database.fetch("look for free pages", "PRAGMA freelist_count"))[0][0]) > keep_pages:
        step = f"PRAGMA incremental_vacuum({min(BATCH, free - keep_pages)})"

        # Fetched, though there is nothing to fetch: each step of the statement frees one page.
        async def work(tx: Transaction, step: str = step) -> None:
            await tx.fetch(step)

        await database.write("free pages", work)
        left = (await database.fetch("look for free pages", "PRAGMA freelist_count"))[0][0]
        if left >= free:
            break
        gone += free - left
    await database.checkpoint()
    return gone
