"""Names in rules become destinations, each once; others subscribe to what matches; chats are told alone."""

from pathlib import Path

import pytest

from bot.app.destinations import plan_of, plan_of_file
from bot.app.routing import Routes
from bot.errors import ConfigError
from bot.model.alert import Notice, TellKind
from bot.model.view import AlertView
from bot.rules.destinations import load_destinations_text
from bot.settings import Settings
from bot.settings_sections import DiscordSection, TelegramSection


def notice(*names, severity="warning", tags=(), rule_id="r"):
    view = AlertView(
        rule_id,
        "R",
        "AUSDT",
        "binance",
        "A",
        severity,
        "x",
        "fire",
        1,
        1,
        "",
        "",
        None,
        value_is_ratio=False,
        tags=tags,
    )
    return Notice("key", TellKind.FIRE, 0, rule_id, "binance:AUSDT", severity, names, 1, view)


def asked_in(chat):
    """What an alert that was made in a chat tells."""
    return notice(chat, rule_id="a-7q4mk2px")


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


def settings(folder="/nowhere", **sections):
    return Settings.model_construct(
        rules_dir=Path(folder),
        telegram=sections.get("telegram", TelegramSection()),
        discord=sections.get("discord", DiscordSection()),
    )


def names(plan):
    return [described.name for described in plan.described]


def told(plan, one):
    return [row.destination for row in plan.routes.rows([one])]


# -- without a file ----------------------------------------------------------------------------------------------------


def test_without_any_token_the_console_is_the_destination():
    assert names(plan_of(settings())) == ["console"]


def test_a_token_without_a_chat_to_write_to_is_no_destination():
    assert names(plan_of(settings(telegram=TelegramSection(token="1:a")))) == ["console"]
    assert names(plan_of(settings(telegram=TelegramSection(token="1:a", owner_id=7)))) == ["telegram"]


def test_all_that_the_settings_describe_is_main():
    plan = plan_of(
        settings(
            telegram=TelegramSection(token="1:a", owner_id=7),
            discord=DiscordSection(webhook_url="https://discord.com/api/webhooks/1/x"),
        )
    )
    assert told(plan, notice("main")) == ["telegram", "discord"]
    assert plan.names == {"main", "telegram", "discord"}


def test_what_was_asked_for_in_a_chat_is_told_there_alone():
    plan = plan_of(settings(telegram=TelegramSection(token="1:a", owner_id=7, chat_id=-1001, chats=(-1002, -1001))))

    assert plan.chats == {"telegram:7": 7, "telegram:-1002": -1002}
    for chat, destination in {"-1001": "telegram", "7": "telegram:7", "-1002": "telegram:-1002"}.items():
        assert told(plan, asked_in(f"telegram:{chat}")) == [destination]
    assert told(plan, notice("main")) == ["telegram"], "further chats are not part of main"
    assert plan.names == {"main", "telegram"}


def test_what_was_asked_for_in_the_terminal_is_told_there_or_to_all():
    assert told(plan_of(settings()), asked_in("terminal")) == ["console"]
    elsewhere = plan_of(settings(telegram=TelegramSection(token="1:a", owner_id=7)))
    assert told(elsewhere, asked_in("terminal")) == ["telegram"]


def test_a_chat_that_is_not_listed_any_more_is_no_reason_to_tell_nobody():
    assert told(plan_of(settings()), asked_in("telegram:-5")) == ["console"]


# -- with a file -------------------------------------------------------------------------------------------------------

FILE = """
destinations:
  group: {kind: telegram, chat: -1001, default: true}
  topic: {kind: telegram, chat: -1001, topic: 4, tags: [oi, funding]}
  other: {kind: telegram, chat: -1002, token: secret:other}
  phone: {kind: console, min_severity: critical}
  audit: {kind: console, severities: [info, warning, critical]}
  loud: {kind: console, severities: [critical], tags: [oi]}
"""
TELEGRAM = TelegramSection(token="1:a", owner_id=7, chat_id=-1001, chats=(-1002,))


def described(text=FILE, telegram=TELEGRAM):
    found = load_destinations_text("d.yaml", text)
    assert found.problems == ()
    return plan_of_file(settings(telegram=telegram), found)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (notice("main"), ["group", "audit"]),
        (notice("main", severity="info"), ["group", "audit"]),
        (notice("main", severity="critical"), ["group", "phone", "audit"]),
        (notice("phone"), ["phone", "audit"]),
        (notice("phone", severity="critical"), ["phone", "audit"]),
        (notice("main", tags=("funding", "x")), ["group", "topic", "audit"]),
        (notice("main", tags=("x",)), ["group", "audit"]),
        (notice("main", tags=("oi",), severity="critical"), ["group", "topic", "phone", "audit", "loud"]),
        (notice("topic", "other"), ["topic", "other", "audit"]),
        (notice("group", "main"), ["group", "audit"]),
        (notice("gone"), ["group", "audit"]),
    ],
    ids=lambda value: "" if isinstance(value, list) else f"{value.notify}-{value.severity}-{value.view.tags}",
)
def test_who_is_told(one, expected):
    assert told(described(), one) == expected


def test_no_one_subscribes_to_what_was_asked_for_in_a_chat():
    plan = described()
    asked = notice("telegram:7", rule_id="a-7q4mk2px", severity="critical", tags=("oi",))
    assert told(plan, asked) == ["telegram:7"]


def test_a_chat_that_a_destination_goes_to_needs_no_other_way_to_it():
    """A topic or another bot is not the chat itself."""
    plan = described()
    assert told(plan, asked_in("telegram:-1001")) == ["group"]
    assert told(plan, asked_in("telegram:-1002")) == ["telegram:-1002"]
    assert told(plan, asked_in("terminal")) == ["phone"]
    assert plan.chats == {"telegram:7": 7, "telegram:-1002": -1002}


def test_who_writes_in_a_chat_revives_all_that_goes_there():
    plan = described()
    assert plan.of_chat(-1001) == ("group", "topic")
    assert plan.of_chat(7) == ("telegram:7",)
    assert plan.of_chat(99) == ()


def test_the_settings_chats_are_no_destinations_of_their_own_any_more():
    plan = described("destinations: {screen: {kind: console, default: true}}")
    assert told(plan, notice("main")) == ["screen"]
    assert plan.names == {"main", "screen"}
    assert told(plan, asked_in("telegram:-1001")) == ["telegram:-1001"]


def test_the_file_of_the_rules_folder_is_read_unless_it_is_not_wanted(tmp_path):
    (tmp_path / "destinations.yml").write_text("destinations: {screen: {kind: console, default: true}}")
    assert names(plan_of(settings(tmp_path))) == ["screen"]
    assert names(plan_of(settings(tmp_path), reads_file=False)) == ["console"]


def test_errors_in_the_file_stop_the_start_and_are_all_told(tmp_path):
    (tmp_path / "destinations.yaml").write_text("destinations:\n  a: {kind: telegram, chat: 1}\n  b: {kind: discord}\n")
    plan = plan_of(settings(tmp_path))
    with pytest.raises(ConfigError) as caught:
        plan.require_sound()
    assert [f"[{code}]" in str(caught.value) for code in ("E117", "E119")] == [True, True]
    assert str(caught.value).count("E119") == 2
    assert plan.names == {"main", "a", "b"}, "rules that name them are not wrong"


def test_a_recording_needs_no_secrets(tmp_path):
    (tmp_path / "destinations.yaml").write_text("destinations: {a: {kind: telegram, chat: 1, default: true}}")
    assert names(plan_of(settings(tmp_path), asks_secrets=False).require_sound()) == ["a"]
