"""A small market fed by hand, as the tests of the engine have it."""

import pytest

from tests.unit.engine.conftest import Feed


@pytest.fixture
def live_market(perpetual):
    def make(rules, *bases):
        return Feed(rules, [perpetual(base) for base in bases])

    return make
