"""`destinations.yaml`: what it can say, and what is told of what it cannot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.model.destinations import (
    AppriseTarget,
    ConsoleTarget,
    Described,
    DiscordTarget,
    Secret,
    TelegramTarget,
    WebhookTarget,
)
from bot.rules.destinations import Means, destination_file, load_destinations, load_destinations_text
from bot.rules.problems import render_all

ALL = """
version: 1
destinations:
  group:
    kind: telegram
    chat: -1001234567890
    topic: 12
    default: true
  phone: {kind: telegram, chat: 71, token: "secret:Other_Bot", min_severity: warning}
  ops: {kind: discord, webhook: env:OPS_URL, thread: "12345678901234567890", tags: oi}
  plain: {kind: discord}
  pager: {kind: webhook, url: "https://example.org/a?b=c", secret: secret:pager, severities: [critical, info]}
  inside: {kind: webhook, url: secret:inside_url, secret: env:KEY, private: true}
  ntfy: {kind: apprise, url: secret:ntfy}
  screen: {kind: console, default: false}
"""


def read(body, means=None):
    return load_destinations_text("d.yaml", body, means=means)


def codes(body, means=None):
    return [(p.line, p.column, p.code) for p in read(body, means).problems]


def test_everything_that_it_can_say():
    found = read(ALL)
    assert found.problems == ()
    assert found.described == (
        Described("group", TelegramTarget(-1001234567890, 12), is_default=True),
        Described("phone", TelegramTarget(71, token=Secret("secret", "other_bot")), severities=("warning", "critical")),
        Described("ops", DiscordTarget(Secret("env", "OPS_URL"), 12345678901234567890), tags=("oi",)),
        Described("plain", DiscordTarget()),
        Described(
            "pager",
            WebhookTarget("https://example.org/a?b=c", Secret("secret", "pager")),
            severities=("critical", "info"),
        ),
        Described("inside", WebhookTarget(Secret("secret", "inside_url"), Secret("env", "KEY"), private=True)),
        Described("ntfy", AppriseTarget(Secret("secret", "ntfy"))),
        Described("screen", ConsoleTarget()),
    )


def one(keys, default="default: true"):
    return f"destinations:\n  a: {{{keys}, {default}}}\n"


@pytest.mark.parametrize(
    ("keys", "code", "says"),
    [
        ("kind: sms", "E106", "no kind; choose one of telegram, discord, webhook, apprise, console"),
        ("chat: 1", "E104", 'has no "kind"'),
        ("kind: telegram", "E104", 'has no "chat"'),
        ("kind: telegram, chat: '@me'", "E106", "number of a chat"),
        ("kind: telegram, chat: 0", "E106", "number of a chat"),
        ("kind: telegram, chat: 1.5", "E106", "number of a chat"),
        ("kind: telegram, chat: [1]", "E107", "takes one value"),
        ("kind: telegram, chat: 1, topic: 0", "E114", "between 1 and"),
        ("kind: telegram, chat: 1, webhook: secret:x", "E102", 'unknown key "webhook"'),
        ("kind: telegram, chat: 1, tpoic: 3", "E102", 'unknown key "tpoic"'),
        ("kind: telegram, chat: 1, quiet_hours: 22-7", "E102", 'no "quiet_hours" in this version'),
        ("kind: telegram, chat: 1, max_per_hour: 5", "E102", 'no "max_per_hour" in this version'),
        ("kind: discord, thread: general", "E106", "number of a thread"),
        ("kind: discord, webhook: secret:a-b", "E118", "is named here and not written"),
        ("kind: webhook, url: 'https://x.org'", "E104", 'has no "secret"'),
        ("kind: webhook, url: 'http://x.org', secret: secret:k", "E106", "expected https"),
        ("kind: webhook, url: 'ftp://x.org', secret: secret:k", "E106", "such as https://host/path"),
        ("kind: webhook, url: 'https://10.1.2.3/', secret: secret:k", "E106", "in a private network"),
        ("kind: webhook, url: 'https://[::ffff:10.1.2.3]/', secret: secret:k", "E106", "in a private network"),
        ("kind: webhook, url: 'https://x.org', secret: secret:k, private: yes", "E106", "true or false"),
        ("kind: console, severities: [loud]", "E106", "no severity"),
        ("kind: console, severities: [info], min_severity: info", "E116", "twice"),
        ("kind: console, tags: ['a b']", "E111", "a tag is made of"),
        ("kind: console, kind: console", "E103", "given twice"),
    ],
)
def test_one_mistake_is_one_problem(keys, code, says):
    found = read(one(keys))
    [problem] = found.problems
    assert problem.code == code
    assert says in problem.message
    assert found.described == ()
    assert found.names == {"a"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "E104"),
        ("[]", "E107"),
        ("destinations: [a]", "E107"),
        ("destinatons: {}", "E102"),
        ("version: 2\ndestinations: {a: {kind: console, default: true}}", "E113"),
        ("destinations: {a: {kind: console}}", "E117"),
        ("destinations: {a: {kind: console, default: true}, b: {kind: console, default: true}}", "E117"),
        ("destinations: {a: {kind: console, default: true}, main: {kind: console}}", "E117"),
        ("destinations: {'Ops Room': {kind: console, default: true}}", "E111"),
        ("destinations: {a: hello}", "E107"),
        ("destinations:\n" + "".join(f"  d{n}: {{kind: console}}\n" for n in range(51)), "E108"),
        ("destinations: {a: &x {kind: console}", "E101"),
        (b"destinations: \xff", "E109"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole(text, code):
    assert code in [p.code for p in read(text).problems]


def test_main_may_be_the_name_of_the_default_one():
    assert read("destinations: {main: {kind: console, default: true}}").problems == ()


def test_all_problems_are_told_at_their_places_and_the_sound_ones_kept():
    text = "destinations:\n  a: {kind: console, defualt: true}\n  b: {kind: telegram}\n  c: {kind: console}\n"
    found = read(text)
    assert codes(text) == [(1, 1, "E117"), (2, 22, "E102"), (3, 6, "E104")]
    assert [d.name for d in found.described] == ["c"]
    assert 'did you mean "default"?' in render_all(found.problems)


CANARY = "canary0123456789"


@pytest.mark.parametrize(
    "keys",
    [
        f"kind: telegram, chat: 1, token: '12345:{CANARY}', typo: 1",
        f"kind: discord, webhook: 'https://discord.com/api/webhooks/1/{CANARY}', typo: 1",
        f"kind: discord, wehbook: 'https://discord.com/api/webhooks/1/{CANARY}'",
        f"kind: webhook, url: 'https://x.org', secret: {CANARY}, typo: 1",
        f"kind: webhook, url: 'https://user:{CANARY}@x.org', secret: secret:k, typo: 1",
        f"kind: apprise, url: 'ntfy://{CANARY}', typo: 1",
    ],
)
@pytest.mark.parametrize("style", ["text", "json", "github"])
def test_a_secret_in_the_file_is_told_and_not_shown(keys, style):
    found = read(one(keys))
    assert found.described == ()
    assert found.errors
    assert CANARY not in render_all(found.problems, style=style)


def test_missing_means_are_told_where_they_are_named():
    asked = []

    def fault(secret, use):
        asked.append((str(secret) if secret else None, use))
        return f"no {use}"

    found = read(ALL, Means(fault))
    assert asked == [
        (None, "bot token"),
        ("secret:other_bot", "bot token"),
        ("env:OPS_URL", "Discord webhook"),
        (None, "Discord webhook"),
        ("secret:pager", "signing secret"),
        ("secret:inside_url", "webhook address"),
        ("env:KEY", "signing secret"),
        ("secret:ntfy", "Apprise address"),
    ]
    assert {p.code for p in found.problems} == {"E119"}
    assert len(found.problems) == len(asked)
    assert [d.name for d in found.described] == ["screen"]
    lines = ALL.split("\n")
    at = found.problems[1]
    assert lines[at.line - 1][at.column - 1 :].startswith('"secret:Other_Bot"')


def test_the_file_is_found_in_the_folder_and_a_second_one_is_told(tmp_path):
    assert destination_file(tmp_path) is None
    (tmp_path / "destinations.yml").write_text("destinations: {a: {kind: console, default: true}}")
    assert destination_file(tmp_path) == tmp_path / "destinations.yml"
    (tmp_path / "destinations.yaml").write_text("destinations: {b: {kind: console, default: true}}")
    found = load_destinations(destination_file(tmp_path))
    assert [d.name for d in found.described] == ["b"]
    [problem] = found.problems
    assert (problem.code, problem.file) == ("E115", str(tmp_path / "destinations.yml"))


def test_a_file_that_cannot_be_read_is_an_error_and_not_an_absent_one(tmp_path):
    (tmp_path / "destinations.yaml").symlink_to(tmp_path / "gone")
    found = load_destinations(destination_file(tmp_path))
    assert [p.code for p in found.errors] == ["E115"]


WORDS = [
    "destinations", "kind", "telegram", "webhook", "chat", "url", "secret", "secret:x", "default", "true", "tags", "[a, b]",
    "{", "}", "[", "]", ": ", ", ", "\n", "  ", "- ", "&a", "*a", "'", '"', "-1", "https://x.org", "min_severity", "critical",
]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=40).map("".join) | st.text(max_size=80))
def test_no_text_raises_and_what_is_not_told_to_be_wrong_is_whole(text):
    found = read(text)
    assert all(problem.line >= 1 and problem.column >= 1 for problem in found.problems)
    assert {d.name for d in found.described} <= found.names
    if not found.errors:
        assert sum(d.is_default for d in found.described) == 1


@given(st.integers(0, len(ALL)), st.integers(0, 12), st.sampled_from(["", *WORDS]))
def test_a_cut_or_a_slip_anywhere_in_a_sound_file_raises_nothing(at, length, word):
    found = read(ALL[:at] + word + ALL[at + length :])
    if not found.errors:
        assert sum(d.is_default for d in found.described) == 1


def test_a_file_made_to_have_many_problems_tells_the_first_ones():
    many = "".join(f"  d{n}: {{kind: console{''.join(f', k{m}: 1' for m in range(90))}}}\n" for n in range(50))
    assert len(read("destinations:\n" + many).problems) == 500
