"""Work beside the loop, in a thread for which nobody waits at the end: a disk may hang."""

import asyncio
import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

YIELD_EVERY_S: Final = 0.0005
T = TypeVar("T")


@contextlib.contextmanager
def yielding() -> Iterator[None]:
    """Let the loop have its turn within half a millisecond while this thread computes; usually it is five."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(YIELD_EVERY_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


async def in_background(name: str, work: Callable[[], T], *, stop: Callable[[], object] = lambda: None) -> T:
    """Run it and return what it returns, or raise what it raises. `stop` is called when whoever waits is cancelled."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def finish(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failed = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001, it is raised where it is waited for
            failed = error
        try:
            loop.call_soon_threadsafe(finish, result, failed)
        except RuntimeError:  # the loop ended meanwhile
            return

    threading.Thread(target=run, name=name, daemon=True).start()
    try:
        return await done
    except asyncio.CancelledError:
        stop()
        raise
