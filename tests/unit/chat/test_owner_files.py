import pytest

from bot.chat.asker import AT_TERMINAL, in_telegram
from bot.chat.commands import Command
from bot.chat.owner_files import MAX_BYTES, NO_BACKUP, OwnerFiles
from bot.chat.reply import Attachment
from bot.chat.telegram_html import to_plain

OWNER = in_telegram(71, 71, is_owner=True)
COPY = Attachment("oibot-000001-20260101T000000Z.db", b"SQLite format 3")


def files(*, newest=COPY, lines=("one", "two"), backup=True, logs=True):
    async def made():
        return newest

    return OwnerFiles(newest=made, recent=lambda: lines, folder="/data/backups", allow_backup=backup, allow_logs=logs)


async def ask(name: str, of: OwnerFiles, asker=OWNER):
    return await of.handlers[name](Command(name), asker)


async def test_the_owner_gets_the_newest_backup_and_the_log():
    assert (await ask("backup", files())).file == COPY
    assert (await ask("logs", files())).file == Attachment("oibot.log", b"one\ntwo\n")
    assert (await ask("backup", files())).did == f"was sent the backup {COPY.name}"
    assert (await ask("logs", files())).did == "was sent the log"


@pytest.mark.parametrize("name", ["backup", "logs"])
@pytest.mark.parametrize(
    ("asker", "allowed", "said"),
    [
        (in_telegram(71, 71, is_owner=True), False, "switched off"),
        (in_telegram(-100, 71, is_owner=True), True, "private chat"),
        (in_telegram(-100, 99, is_owner=False), True, "Only the owner"),
        (in_telegram(99, 99, is_owner=False), True, "Only the owner"),
    ],
)
async def test_nobody_else_and_nowhere_else(name, asker, allowed, said):
    reply = await ask(name, files(backup=allowed, logs=allowed), asker)
    assert reply.is_refusal
    assert reply.file is None
    assert said in to_plain(reply)


async def test_each_is_allowed_by_itself():
    assert (await ask("backup", files(logs=False))).file is not None
    assert (await ask("logs", files(logs=False))).file is None


async def test_what_is_too_large_for_telegram_is_told_with_its_size():
    reply = await ask("backup", files(newest=MAX_BYTES + 1_000_000))
    assert reply.is_refusal
    assert "has 51 MB; Telegram takes 50 MB" in to_plain(reply)


async def test_where_there_is_nothing_that_is_said():
    assert to_plain(await ask("backup", files(newest=None))) == NO_BACKUP
    assert "Nothing was logged" in to_plain(await ask("logs", files(lines=())))


async def test_at_the_terminal_they_are_told_whatever_the_settings_say():
    of = files(backup=False, logs=False)
    assert "/data/backups" in to_plain(await ask("backup", of, AT_TERMINAL))
    assert to_plain(await ask("logs", of, AT_TERMINAL)) == "one\ntwo"
