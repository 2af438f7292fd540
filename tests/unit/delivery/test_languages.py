"""Each destination is told in its own language; markup is the same in all."""

import gettext

import pytest

from bot.chat import telegram_html
from bot.chat.reply import Reply, bold, line
from bot.delivery import digest, layout, markup
from bot.delivery.notices import Notice
from bot.model import news
from bot.model.outbox import Layout
from bot.texts import Catalogue, say, speaking


class Odd(gettext.NullTranslations):
    """A language of signs that markup has to escape."""

    def gettext(self, message):
        return f"<b>&{message}"

    def ngettext(self, one, many, n):
        return f"<b>&{one if n == 1 else many}"


ODD = Catalogue("odd", Odd())


@pytest.fixture
async def room(rooms):
    """Two destinations, of which one speaks Chinese, and what people read there."""
    language_of = {"chinese": "zh"}.get
    room = rooms(("english", "chinese"), language_of=lambda name: language_of(name, ""))
    room.read = {name: [] for name in room.destinations}
    for name, sink in room.destinations.items():

        def reading(order, name=name, send=sink.send):
            room.read[name].append(markup.plain_text(order.composed()))
            return send(order)

        sink.send = reading
    async with room.running():
        yield room


async def test_alerts_and_their_ends_are_told_in_the_language_of_the_place(room, make):
    await room.commit(*(make.row(destination=name) for name in room.read))
    await room.commit(*(make.row("end", destination=name, after_s=120) for name in room.read))
    fire, end = room.read["english"]
    assert "OI +6.06% in 15m" in fire
    assert "ended after 2m" in end
    fire, end = room.read["chinese"]
    assert "持仓量 +6.06%（15m）" in fire
    assert "价格上升 + 持仓量上升" in fire
    assert "2m 后结束" in end
    assert "BTCUSDT · OI surge" in fire, "names are no texts"


@pytest.mark.parametrize(("language", "head"), [("", "12 coins: OI surge"), ("zh", "12 个币: OI surge")])
def test_digests_too(make, language, head):
    rows = [make.row(symbol=f"C{n}USDT") for n in range(12)]
    with speaking(language):
        assert head in markup.to_plain(digest.compose(Layout.DIGEST, rows, n_instruments=500))


@pytest.mark.parametrize(
    ("first", "title"), [("english", "Telegram refused the token"), ("chinese", "Telegram 拒绝了令牌")]
)
async def test_news_of_the_bot_are_put_into_words_where_they_are_told(room, first, title):
    room.lanes.notices.prefer([first])
    with speaking("zh" if first == "english" else "en"):
        room.lanes.notices.report(news.TokenRefused())
        room.lanes.notices.tell(lambda: Notice(say("Nothing can be stored"), say("Nothing is lost.")))
    await room.clock.advance(1)
    words = "Nothing can be stored: Nothing is lost." if first == "english" else "无法存储任何内容: 没有丢失任何内容。"
    told = room.destinations[first].notes
    assert told[0].startswith(title)
    assert told[1] == words


def test_translations_are_escaped_like_all_text(make):
    with speaking(ODD):
        alert = layout.fire_card(make.view())
        reply = Reply((line(bold(say("Market")), say("{n} alerts", n=3)),))
        for html in (markup.telegram_html(alert), telegram_html.to_html(reply)):
            assert "&lt;b&gt;&amp;" in html
            assert "<b>&<" not in html
            assert "<b>&M" not in html
            assert "<b>&amp;" not in html
