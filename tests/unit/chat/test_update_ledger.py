import pytest

from bot.chat.update_ledger import FORGET_AFTER_MS, UpdateLedger

NOW_MS = 1_767_225_600_000


def test_the_safe_offset_waits_for_the_slowest_update():
    ledger = UpdateLedger()
    for update_id in (5, 6, 7):
        ledger.start(update_id, now_ms=NOW_MS)
    ledger.finish(7)
    ledger.finish(5)
    assert (ledger.next_offset, ledger.safe_offset) == (8, 6)
    ledger.finish(6)
    assert ledger.safe_offset == 8


def test_after_a_restart_what_was_done_is_old_and_what_was_not_is_new():
    before = UpdateLedger()
    before.start(5, now_ms=NOW_MS)
    before.start(6, now_ms=NOW_MS)
    before.finish(5)
    after = UpdateLedger()
    after.load(before.dump(), now_ms=NOW_MS + 1_000)
    assert [after.is_new(update_id) for update_id in (4, 5, 6, 7)] == [False, False, True, True]


def test_an_offset_older_than_what_telegram_keeps_is_worth_nothing():
    before = UpdateLedger()
    before.start(900, now_ms=NOW_MS)
    before.finish(900)
    after = UpdateLedger()
    after.load(before.dump(), now_ms=NOW_MS + FORGET_AFTER_MS)
    assert after.next_offset == 0
    before.forget_if_idle(now_ms=NOW_MS + FORGET_AFTER_MS - 1)
    assert before.next_offset == 901
    before.forget_if_idle(now_ms=NOW_MS + FORGET_AFTER_MS)
    assert before.is_new(3)


@pytest.mark.parametrize("text", [None, "", "5", "a b", "-5 1", "1 2 3", "9" * 30 + " 1", "² 1"])
def test_a_damaged_memory_is_as_good_as_none(text):
    ledger = UpdateLedger()
    ledger.load(text, now_ms=NOW_MS)
    assert ledger.next_offset == 0
