"""Names in rules become destinations, each once."""

from bot.app.bot import destination_names, routes_of, telegram_chats
from bot.app.routing import Routes
from bot.model.alert import Notice, TellKind
from bot.model.view import AlertView
from bot.settings import DiscordSection, Settings, TelegramSection


def notice(*names):
    view = AlertView(
        "r", "R", "AUSDT", "binance", "A", "warning", "x", "fire", 1, 1, "", "", None, value_is_ratio=False
    )
    return Notice("key", TellKind.FIRE, 0, "r", "binance:AUSDT", "warning", names, 1, view)


def test_main_means_every_destination():
    routes = Routes.of(["telegram", "discord"])

    assert [r.destination for r in routes.rows([notice("main")])] == ["telegram", "discord"]
    assert routes.names == {"main", "telegram", "discord"}


def test_each_destination_is_told_once_and_the_same_fact_has_the_same_row():
    routes = Routes.of(["telegram", "discord"])

    rows = routes.rows([notice("discord", "main")])

    assert [r.destination for r in rows] == ["discord", "telegram"]
    assert [r.id for r in rows] == [r.id for r in routes.rows([notice("discord", "main")])]


def test_an_unknown_name_is_not_lost():
    """A name that vanished from the settings after the rule was loaded: tell the default rather than nobody."""
    assert [r.destination for r in Routes.of(["console"]).rows([notice("gone")])] == ["console"]


def settings(**sections):
    return Settings.model_construct(
        telegram=sections.get("telegram", TelegramSection()), discord=sections.get("discord", DiscordSection())
    )


def test_without_any_token_the_console_is_the_destination():
    assert destination_names(settings()) == ("console",)


def test_a_token_without_a_chat_to_write_to_is_no_destination():
    assert destination_names(settings(telegram=TelegramSection(token="1:a"))) == ("console",)
    assert destination_names(settings(telegram=TelegramSection(token="1:a", owner_id=7))) == ("telegram",)


def test_what_was_asked_for_in_a_chat_is_told_there_alone():
    telegram = TelegramSection(token="1:a", owner_id=7, chat_id=-1001, chats=(-1002, -1001))
    routes = routes_of(settings(telegram=telegram))

    assert telegram_chats(settings(telegram=telegram)) == {"telegram": -1001, "telegram:7": 7, "telegram:-1002": -1002}
    for chat, destination in {"-1001": "telegram", "7": "telegram:7", "-1002": "telegram:-1002"}.items():
        assert [r.destination for r in routes.rows([notice(f"telegram:{chat}")])] == [destination]
    assert [r.destination for r in routes.rows([notice("main")])] == ["telegram"], "further chats are not part of main"
    assert routes.names == {"main", "telegram"}


def test_what_was_asked_for_in_the_terminal_is_told_there_or_to_all():
    assert [r.destination for r in routes_of(settings()).rows([notice("terminal")])] == ["console"]
    elsewhere = routes_of(settings(telegram=TelegramSection(token="1:a", owner_id=7)))
    assert [r.destination for r in elsewhere.rows([notice("terminal")])] == ["telegram"]


def test_a_chat_that_is_not_listed_any_more_is_no_reason_to_tell_nobody():
    assert [r.destination for r in routes_of(settings()).rows([notice("telegram:-5")])] == ["console"]
