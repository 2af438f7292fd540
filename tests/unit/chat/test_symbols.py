import pytest

from bot.chat.names import TICKER_BY_NAME
from bot.chat.symbols import NotFound, SymbolBook
from bot.model.instrument import Instrument


@pytest.fixture
def book(make_contract) -> SymbolBook:
    bases = [
        "BTC",
        "ETH",
        "SOL",
        "1000PEPE",
        "1000SHIB",
        "BTCDOM",
        "DOGE",
        "ETC",
        "1MBABYDOGE",
        "PERP",
        "币安人生",
        "我踏马来了",
    ]
    instruments = [make_contract(base) for base in bases]
    instruments += [make_contract("BTC", "USDC"), make_contract("ETH", "USDC"), make_contract("ONLYC", "USDC")]
    instruments += [make_contract("OLD", status="SETTLING"), make_contract("OLD", "USDC")]
    instruments += [Instrument("binance", "BTCUSDT_260327", "delivery", "BTC", "USDT", "TRADING")]
    return SymbolBook(instruments)


@pytest.mark.parametrize(
    ("text", "symbol"),
    [
        ("BTCUSDT", "BTCUSDT"),
        ("btc", "BTCUSDT"),
        ("BTC/USDT", "BTCUSDT"),
        ("$sol", "SOLUSDT"),
        ("btc-perp", "BTCUSDT"),
        ("BTCUSDT.P", "BTCUSDT"),
        ("BTC_USDC", "BTCUSDC"),
        ("onlyc", "ONLYCUSDC"),
        ("pepe", "1000PEPEUSDT"),
        ("PEPEUSDT", "1000PEPEUSDT"),
        ("1000pepe", "1000PEPEUSDT"),
        ("babydoge", "1MBABYDOGEUSDT"),
        ("BITCOIN", "BTCUSDT"),
        ("ether", "ETHUSDT"),
        ("shiba-inu", "1000SHIBUSDT"),
        ("perp", "PERPUSDT"),
        ("币安人生", "币安人生USDT"),
        ("我踏马来了usdt", "我踏马来了USDT"),
        ("BTCUSDT:binance", "BTCUSDT"),
        ("binance:BTCUSDT", "BTCUSDT"),
        ("BINANCE:BTCUSDT.P", "BTCUSDT"),
        ("BTC/USDT:USDT", "BTCUSDT"),
        ("btcusdt_260327", "BTCUSDT_260327"),
        ("ＢＴＣ", "BTCUSDT"),
    ],
)
def test_spellings_find_their_instrument(book, text, symbol):
    found = book.resolve(text)
    assert isinstance(found, Instrument)
    assert found.symbol == symbol


@pytest.mark.parametrize(
    ("text", "symbols"),
    [("BTCUDST", ["BTCUSDT", "BTCUSDC", "BTCDOMUSDT"]), ("etherum", ["ETHUSDT", "ETHUSDC", "ETCUSDT"])],
)
def test_a_typing_error_gets_the_three_nearest(book, text, symbols):
    found = book.resolve(text)
    assert isinstance(found, NotFound)
    assert [one.symbol for one in found.suggestions] == symbols


@pytest.mark.parametrize("text", ["", "$", "/", ":", "-_-", "xqzvw", "binance:", ".P", "🚀", "x" * 4_000, "\ud800"])
def test_nonsense_finds_nothing_and_does_not_raise(book, text):
    assert book.resolve(text) == NotFound(text, ())


def test_the_contract_that_trades_is_preferred(book):
    found = book.resolve("old")
    assert isinstance(found, Instrument)
    assert found.symbol == "OLDUSDC"


def test_a_contract_that_ended_is_found_by_its_full_symbol(book):
    found = book.resolve("OLDUSDT")
    assert isinstance(found, Instrument)
    assert found.status == "SETTLING"


def test_a_contract_that_ended_is_never_suggested(book):
    found = book.resolve("OLDDUSDT")
    assert isinstance(found, NotFound)
    assert "OLDUSDT" not in [one.symbol for one in found.suggestions]


def test_the_venue_chooses_among_several_and_must_be_named_to_ask_again(make_contract):
    book = SymbolBook([make_contract("BTC"), make_contract("BTC", venue="bybit")])
    found = book.resolve("btc:bybit")
    assert isinstance(found, Instrument)
    assert found.venue == "bybit"
    assert book.ask_for(found) == "bybit:BTCUSDT"
    assert book.resolve(book.ask_for(found)) == found


def test_the_name_table_is_clean():
    assert len(TICKER_BY_NAME) >= 60
    assert all(name.isalnum() and name.isupper() for name in TICKER_BY_NAME)


def test_a_venue_that_is_not_watched_gets_the_same_contract_offered(book):
    for text in ("BTC:okx", "okx:btcusdt"):
        found = book.resolve(text)
        assert isinstance(found, NotFound)
        assert [one.symbol for one in found.suggestions] == ["BTCUSDT"]
    assert book.resolve("nothing:okx").suggestions == ()
