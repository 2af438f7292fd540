"""The published limits, second by second, and what becomes of who does not listen."""

from itertools import count

import pytest

from bot.sim.chat_limits import MAX_PENALTY_S, DiscordAddress, DiscordBuckets, TelegramFlood


def test_a_chat_takes_one_message_a_second():
    flood = TelegramFlood()
    assert flood.spend(1, 0) is None
    assert flood.spend(1, 500) == 1
    assert flood.spend(2, 500) is None, "another chat is another matter"
    assert flood.spend(1, 500 + 1_000) is None, "who waited as told is let through"


def test_a_token_takes_thirty_a_second_over_all_chats():
    flood = TelegramFlood()
    assert [flood.spend(chat, 0) for chat in range(1, 31)] == [None] * 30
    assert flood.spend(31, 10) == 1
    assert flood.spend(31, 1_010) is None


def test_a_group_takes_twenty_a_minute():
    flood = TelegramFlood()
    assert [flood.spend(-5, n * 1_000) for n in range(20)] == [None] * 20
    wait_s = flood.spend(-5, 20_000)
    assert wait_s == 37
    assert flood.spend(5, 20_000) is None, "private chats have no such limit"
    assert flood.spend(-5, 20_000 + wait_s * 1_000) is None


def test_who_asks_inside_a_pause_waits_longer_each_time():
    flood = TelegramFlood()
    flood.spend(1, 0)
    waits = [flood.spend(1, 100 + n) for n in range(14)]
    assert waits[:5] == [1, 2, 4, 8, 16]
    assert waits[-1] == MAX_PENALTY_S
    assert flood.spend(1, 200 + MAX_PENALTY_S * 1_000) is None


def test_a_pause_that_was_kept_is_forgotten_after_a_minute_and_not_before():
    flood = TelegramFlood()
    flood.spend(1, 0)
    assert [flood.spend(1, t) for t in (100, 200, 300)] == [1, 2, 4]
    assert flood.spend(1, 5_000) is None
    assert flood.spend(1, 5_100) == 8, "too soon after the last"
    assert flood.spend(1, 100_000) is None
    assert flood.spend(1, 100_100) == 1


def test_the_bucket_of_a_webhook_is_told_and_the_minute_is_not():
    buckets = DiscordBuckets()
    assert [buckets.spend(n) for n in range(5)] == [None] * 5
    headers = buckets.headers(4, 1_000_000)
    assert (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"]) == ("5", "0")
    assert headers["X-RateLimit-Reset-After"] == "1.996"
    assert headers["X-RateLimit-Reset"] == "1001.996"
    assert buckets.spend(5).retry_after_s == pytest.approx(1.895)
    times = count(2_500, 500)
    assert [buckets.spend(t) for t, _ in zip(times, range(25), strict=False)] == [None] * 25
    refused = buckets.spend(20_000)
    assert refused.retry_after_s > 30
    assert int(buckets.headers(20_000, 0)["X-RateLimit-Remaining"]) > 0


def test_an_address_takes_fifty_a_second_and_is_banned_for_ten_thousand_refusals():
    address = DiscordAddress()
    assert [address.spend(n) for n in range(50)] == [None] * 50
    assert address.spend(51).scope == "global"
    for _ in range(10_000):
        address.refused(2_000)
    assert address.spend(3_000).is_banned
    assert address.spend(603_000) is None
