"""Where the recordings are, and how their lines are read."""

import gzip
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def lines() -> Callable[[str], Iterator[str]]:
    """Lines of one recording; the test is skipped where the recordings are absent."""
    folder = Path(os.environ.get("OIBOT_TEST_DATA", ROOT.parent / "shared" / "data"))

    def read(name: str) -> Iterator[str]:
        path = folder / name
        if not path.is_file():
            pytest.skip(f"no recording at {path}; set OIBOT_TEST_DATA")
        with gzip.open(path, "rt", encoding="utf-8") as file:
            yield from file

    return read


@pytest.fixture
def records(lines: Callable[[str], Iterator[str]]) -> Callable[[str], Iterator[dict[str, object]]]:
    """The same, each line a JSON object."""
    return lambda name: (json.loads(line) for line in lines(name))


class EverySymbol:
    """Tracks whatever is asked for, in the order in which it is first seen."""

    generation = 1

    def __init__(self) -> None:
        self.symbols: list[str] = []

    def row(self, symbol: str) -> int | None:
        if symbol not in self.symbols:
            self.symbols.append(symbol)
        return self.symbols.index(symbol)

    def instruments(self) -> list[tuple[int, object]]:
        return []


@pytest.fixture
def rows() -> EverySymbol:
    return EverySymbol()
