"""Fixtures around the real process; see `tests.support.harness`."""

from collections.abc import AsyncIterator

import pytest

from tests.support.harness import Harness, eventually


@pytest.fixture
def until():
    return eventually


@pytest.fixture
async def harness(tmp_path) -> AsyncIterator[Harness]:
    made = Harness(tmp_path)
    try:
        yield made
    finally:
        await made.close()
