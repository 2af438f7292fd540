"""Lost data is told once, its return once, whatever number of feeds it concerns."""

import pytest

from bot.app.feed_news import FeedNews
from bot.clock import ManualClock
from bot.delivery.notices import Words, said
from bot.feeds import poller
from bot.feeds.binance import klines, protocol, ratios
from bot.model.updates import FEEDS, FeedStatus
from bot.texts import speaking


class News:
    """The news of a scripted life, second by second."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.feeds = FeedNews(lambda _: None, self.clock)
        self.words: list[Words] = []

    def status(self, feed: str, *, live: bool, reason: str = "silent for 10 s") -> None:
        self.feeds.take(FeedStatus(feed, live, reason, self.clock.monotonic_ms()))

    async def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            await self.clock.advance(1)
            self.words += self.feeds.due(self.clock.monotonic_ms())

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(n.title, n.text) for n in map(said, self.words)]

    @property
    def titles(self) -> list[str]:
        return [title.rpartition(" ")[2] for title, _ in self.told]


@pytest.fixture
def news() -> News:
    return News()


async def test_an_outage_of_many_feeds_is_one_message_and_one_when_it_is_over(news):
    news.status("mark price", live=False)
    await news.wait(1)
    news.status("ticker", live=False)
    await news.wait(5)
    news.status("open interest", live=False, reason="half of it is overdue")
    await news.wait(60)
    assert news.titles == ["lost"]
    assert "mark price, ticker" in news.told[0][1]
    assert "silent for 10 s" in news.told[0][1]

    for feed in ("mark price", "ticker"):
        news.status(feed, live=True, reason="data is coming in")
    await news.wait(20)
    assert news.titles == ["lost"], "the rest is waited for"
    news.status("open interest", live=True, reason="polling")
    await news.wait(5)
    assert news.titles == ["lost", "back"]
    assert "1m 6s" in news.told[1][1] or "1m" in news.told[1][1]


async def test_what_stays_away_does_not_keep_the_return_of_prices_back(news):
    for feed in ("mark price", "open interest"):
        news.status(feed, live=False)
    await news.wait(10)
    news.status("mark price", live=True)
    await news.wait(70)
    assert news.titles == ["lost", "back"]
    assert "Still lost: open interest" in news.told[1][1]
    news.status("open interest", live=True)
    await news.wait(5)
    assert news.titles == ["lost", "back", "back"]


async def test_prices_are_news_even_while_open_interest_is_away(news):
    news.status("open interest", live=False, reason="banned until noon")
    await news.wait(30)
    news.status("mark price", live=False)
    await news.wait(30)
    assert [text.split(".")[0] for _, text in news.told] == ["No data: open interest", "No data: mark price"]


async def test_a_reconnect_is_no_news(news):
    for _ in range(5):
        news.status("mark price", live=False)
        await news.wait(2)
        news.status("mark price", live=True)
        await news.wait(20)
    assert news.told == []


async def test_a_feed_that_comes_and_goes_is_told_only_when_it_stays_away(news):
    news.status("mark price", live=False)
    await news.wait(10)
    news.status("mark price", live=True)
    await news.wait(5)
    assert news.titles == ["lost", "back"]
    for _ in range(5):
        news.status("mark price", live=False)
        await news.wait(10)
        news.status("mark price", live=True)
        await news.wait(30)
    assert news.titles == ["lost", "back"]
    news.status("mark price", live=False)
    await news.wait(30)
    assert news.titles == ["lost", "back", "lost"]


async def test_a_gap_in_liquidations_is_told_when_it_lasts(news):
    news.status("liquidations", live=False, reason="the connection was cut")
    await news.wait(50)
    assert news.told == []
    await news.wait(20)
    assert news.titles == ["lost"]


async def test_a_new_reason_of_a_known_loss_is_not_told_again(news):
    news.status("mark price", live=False)
    await news.wait(10)
    news.status("mark price", live=False, reason="the name could not be resolved")
    await news.wait(30)
    assert news.titles == ["lost"]


async def test_it_is_put_into_words_where_it_is_told():
    news = News()
    news.status("mark price", live=False)
    await news.wait(5)
    news.status("mark price", live=True)
    await news.wait(1)
    with speaking("zh"):
        (lost, text), (back, again) = news.told
    assert (lost, back) == ("行情数据中断", "行情数据已恢复")
    assert text.startswith("没有数据：标记价格。")
    assert again.startswith("中断 5 s 后恢复：标记价格。")


def test_all_feeds_have_a_name_that_can_be_said():
    names = {stream.feed for stream in protocol.STREAMS} | {poller.FEED, klines.FEED, ratios.FEED}
    assert names == set(FEEDS)
