from bot.feeds.binance.last_list import KEY, LastList
from bot.model.instrument import Instrument

LISTED = (
    Instrument("binance", "币安人生USDT", "perpetual", "币安人生", "USDT", "TRADING", funding_interval_h=4.0),
    Instrument("binance", "BTCUSDT_261225", "delivery", "BTC", "USDT", "SETTLING", delivery_ms=1_798_185_600_000),
)


class Store:
    def __init__(self, **values: str) -> None:
        self.values = values
        self.n_puts = 0

    async def get(self, key: str) -> str | None:
        return self.values.get(key)

    async def put(self, key: str, value: str) -> None:
        self.n_puts += 1
        self.values[key] = value


async def test_the_list_comes_back_as_it_was_and_is_written_only_when_it_changed() -> None:
    store = Store()
    kept = LastList(store)
    await kept.save(LISTED)
    await kept.save(LISTED)
    assert store.n_puts == 1
    assert await LastList(store).load() == LISTED


async def test_no_list_and_a_damaged_list_count_as_empty() -> None:
    assert await LastList(Store()).load() == ()
    assert await LastList(Store(**{KEY: '[{"venue":"binance"'})).load() == ()


async def test_a_store_that_fails_stops_nothing_and_is_tried_again() -> None:
    class Broken(Store):
        broken = True

        async def put(self, key: str, value: str) -> None:
            if self.broken:
                raise OSError("disk full")
            await super().put(key, value)

    store = Broken()
    kept = LastList(store)
    await kept.save(LISTED)
    store.broken = False
    await kept.save(LISTED)
    assert store.n_puts == 1
