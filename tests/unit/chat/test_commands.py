import pytest

from bot.chat.commands import COMMANDS, Command, UsageError, clean, find, menu, parse
from bot.chat.grammars import MAX_SYMBOLS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/oi BTC", Command("oi", ("BTC",))),
        ("/o btc", Command("oi", ("btc",))),
        ("/OI   btc ,eth;sol", Command("oi", ("btc", "eth", "sol"))),
        ("  /oi\tBTC\n", Command("oi", ("BTC",))),
        ("/oi@my_bot BTC", Command("oi", ("BTC",))),
        ("/Oi@My_Bot", Command("oi")),
        ("/oi btc btc", Command("oi", ("btc",))),
        ("/oi 币安人生USDT", Command("oi", ("币安人生USDT",))),
        ("/p eth", Command("price", ("eth",))),
        ("/why btc  oi_surge", Command("why", ("btc", "oi_surge"))),
        ("/w #7q4m", Command("why", ("#7q4m",))),
        ("/why", Command("why")),
        ("/status   Details ", Command("status", ("details",))),
        ("/help OI", Command("help", ("oi",))),
        ("/help /oi", Command("help", ("oi",))),
        ("/start claim_junk-123", Command("start")),
        ("/oi\u202e BTC\u200b", Command("oi", ("BTC",))),
        ("/oi show me btc", Command("oi", ("btc",))),
        ("/oi btc 4 h", Command("oi", ("btc", "4h"))),
        ("/oi btc last week", Command("oi", ("btc", "7d"))),
        ("/oi BTC/USDT perp", Command("oi", ("BTC/USDT",))),
        ("/oi BTC PERP", Command("oi", ("BTC", "PERP"))),
        ("/oi perp", Command("oi", ("perp",))),
        ("/oi me the", Command("oi", ("me", "the"))),
        ("/oi THE ME", Command("oi", ("THE", "ME"))),
        ("/oi for btc and eth please", Command("oi", ("btc", "eth"))),
        ("/price btc in usd?", Command("price", ("btc",))),
        ("/price btc usdt", Command("price", ("btc",))),
        ("/funding rate of btc", Command("funding", ("btc",))),
        ("/funding rates", Command("funding")),
        ("/chart of btc for 4 hours", Command("chart", ("btc", "4h"))),
        ("/chart show me btc last 7 days please", Command("chart", ("btc", "7d"))),
        ("/chart btc 1M", Command("chart", ("btc", "30d"))),
        ("/chart btc 1 year?", Command("chart", ("btc", "365d"))),
        ("/chart btc today with funding", Command("chart", ("btc", "24h", "funding"))),
        ("/chart btc １５ｍ", Command("chart", ("btc", "15m"))),
    ],
)
def test_what_is_typed_becomes_one_command(text, expected):
    assert parse(text, bot_name="my_bot") == expected


@pytest.mark.parametrize("text", ["/oi@other_bot BTC", "hello", "", "   ", "\x00\u200b", "btc /oi"])
def test_what_is_not_for_us_is_none(text):
    assert parse(text, bot_name="my_bot") is None


def test_a_command_to_any_name_is_foreign_while_our_name_is_unknown():
    assert parse("/oi@my_bot", bot_name=None) is None


def test_a_mistyped_command_names_the_nearest():
    assert parse("/stauts") == UsageError("I don't know /stauts. Did you mean /status?", ("/status",), is_unknown=True)


@pytest.mark.parametrize(
    ("typed", "told", "offered"),
    [
        ("/charts btc 4h", "I don't know /charts. Did you mean /chart?", "/chart btc 4h"),
        ("/history btc", "I don't know /history. Did you mean /chart?", "/chart btc"),
        ("/remove a-7q4m", "I don't know /remove. Did you mean /delete?", "/delete a-7q4m"),
        ("/list", "I don't know /list. Did you mean /alerts?", "/alerts"),
        ("/charts " + "x" * 60, "I don't know /charts. Did you mean /chart?", "/chart"),
    ],
)
def test_the_nearest_command_is_offered_with_what_stands_behind_it(typed, told, offered):
    assert parse(typed) == UsageError(told, (offered,), is_unknown=True)


def test_a_foreign_command_points_to_help():
    error = parse("/banana")
    assert isinstance(error, UsageError)
    assert error.try_instead == ("/help",)


@pytest.mark.parametrize("text", ["/", "/@my_bot", "/ oi"])
def test_a_bare_slash_is_refused_and_does_not_crash(text):
    assert isinstance(parse(text, bot_name="my_bot"), UsageError)


def test_too_many_symbols_are_refused_with_their_number():
    error = parse("/oi " + " ".join(f"c{i}" for i in range(MAX_SYMBOLS + 1)))
    assert error == UsageError(
        "That is 21 symbols; I take up to 20 at once. Write it like /oi BTC.", ("/oi BTC",), is_unknown=False
    )


def test_why_takes_a_symbol_and_a_rule_whose_name_may_be_of_several_words():
    assert parse("/why btc OI surge") == Command("why", ("btc", "OI", "surge"))
    assert parse("/why did btc fire?") == Command("why", ("btc",))
    assert parse("/why" + " btc" * 8) == UsageError(
        "That is 8 words; I take a symbol and a rule. Write it like /why BTC.", ("/why BTC",)
    )


@pytest.mark.parametrize("text", ["/why " + "x" * 41, "/oi " + "x" * 41, "/oi " + "x " * 2_000, "/" + "x" * 4_000])
def test_lengths_are_limited_and_echoes_cut(text):
    error = parse(text)
    assert isinstance(error, UsageError)
    assert len(error.text) < 150


@pytest.mark.parametrize(
    ("text", "expected"),
    [("oi btc", Command("oi", ("btc",))), ("P eth", Command("price", ("eth",))), ("status", Command("status"))],
)
def test_where_nobody_else_listens_the_slash_may_be_left_out(text, expected):
    assert parse(text, is_slash_optional=True) == expected


def test_other_words_get_one_hint():
    error = parse("good morning", is_slash_optional=True)
    assert isinstance(error, UsageError)
    assert "/help" in error.text


def test_clean_removes_what_disguises_text():
    assert clean("btc\u2028eth\u2029sol\x85doge\vxrp") == "btc eth sol doge xrp"
    assert clean("a\x1b[31m\u202eb\u2066\u200d\ufeffc\ud800\nd") == "a[31mbc d"


def test_every_name_and_alias_is_used_once_and_fits_telegram():
    words = [word for spec in COMMANDS for word in (spec.name, *spec.aliases)]
    assert len(words) == len(set(words))
    assert all(word.islower() and word.isalnum() and len(word) <= 32 for word in words)
    assert all(find(word) is not None for word in words)
    names = [name for name, _ in menu()]
    assert {"oi", "alert", "status", "help"} <= set(names)
    assert "start" not in names
    assert all(3 <= len(does) <= 256 for _, does in menu())


def test_every_usage_line_is_a_valid_command():
    assert all(isinstance(parse(spec.usage), Command) for spec in COMMANDS)


def test_a_command_without_words_says_what_it_takes():
    assert parse("/stop").text.endswith("I expected a symbol and long or short. Write it like /stop BTC long.")


def test_wide_signs_of_other_keyboards_are_the_same():
    assert parse("／oi BTC，ETH、SOL") == Command("oi", ("BTC", "ETH", "SOL"))
    assert parse("／ oi BTC") == Command("oi", ("BTC",))
    assert parse("/stop ＢＴＣ long ７００００ １５ｍ") == Command("stop", ("BTC", "long", "70000", "15m"))
    # A sentence keeps its signs.
    assert parse("/silence btc 2h 搬家：明天！") == Command("silence", ("btc", "2h", "搬家：明天！"))


def test_a_link_to_an_alert_of_a_chat_asks_for_it():
    assert parse("/start al_a-7q4mk2px") == Command("alerts", ("a-7q4mk2px",))


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("show me oi of btc", "/oi btc"),
        ("What is the open interest of BTC and ETH?", "/oi BTC ETH"),
        ("open interest btc", "/oi btc"),
        ("what is the price of $btc", "/price btc"),
        ("btc funding rate please", "/funding btc"),
        ("show me a chart of btc", "/chart btc"),
        ("BTC?", "/oi BTC"),
        ("btc oi", "/oi btc"),
        ("btc price now", "/price btc"),
    ],
)
def test_a_question_is_offered_as_a_command(typed, offered):
    asked = parse(typed, is_slash_optional=True)
    assert isinstance(asked, UsageError)
    assert asked.try_instead == (offered, "/help")


@pytest.mark.parametrize("typed", ["hello there my friend", "thanks!!!", "/", "what is the price", "¿?", "x" * 500])
def test_what_is_no_question_offers_help(typed):
    asked = parse(typed, is_slash_optional=True)
    assert asked.try_instead[-1] == "/help"
    assert len(asked.try_instead) == 1 or asked.try_instead[0] == "/oi thanks"


def test_what_cannot_be_ranked_is_offered_as_a_contract():
    assert parse("/top btc").try_instead == ("/top oi 15m", "/oi btc", "/top gainers 1h", "/top losers 1h")
    assert parse("/top oi 30m").try_instead == ("/top oi 15m", "/top gainers 1h", "/top losers 1h")


def test_a_bare_word_may_have_been_meant_as_a_contract():
    assert parse("btc", is_slash_optional=True).try_instead == ("/oi btc", "/help")
    assert parse("币安人生", is_slash_optional=True).try_instead == ("/oi 币安人生", "/help")
    for typed in ("hello there", "?", "https://example.org", "x" * 17):
        assert parse(typed, is_slash_optional=True).try_instead == ("/help",)
    assert parse("btc") is None


def test_words_between_symbols_are_none():
    assert parse("/price of btc and eth") == Command("price", ("btc", "eth"))
    assert parse("/oi of") == Command("oi", ("of",))
