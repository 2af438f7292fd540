"""The venue's limits: weight per minute, request pools, 429 and then a ban."""

from bot.sim.limits import DATA_LIMIT, FUNDING_LIMIT, PATIENCE, Limits, LimitStats

MINUTE_MS = 60_000
NOW_MS = 1_795_431_000_000 // MINUTE_MS * MINUTE_MS


def make() -> tuple[Limits, LimitStats]:
    stats = LimitStats()
    return Limits("203.0.113.7", stats), stats


def test_weight_adds_up_and_falls_to_nothing_at_second_zero():
    limits, stats = make()
    assert [limits.request(NOW_MS + k, 40, None).used_weight for k in range(3)] == [40, 80, 120]
    assert limits.request(NOW_MS + MINUTE_MS - 1, 1, None).used_weight == 121
    assert limits.request(NOW_MS + MINUTE_MS, 1, None).used_weight == 1
    assert stats.max_used_weight == 121
    assert stats.weight_per_minute == {NOW_MS // MINUTE_MS: 121, NOW_MS // MINUTE_MS + 1: 1}


def test_the_full_budget_passes_and_one_more_is_refused_until_the_minute_ends():
    limits, stats = make()
    assert all(limits.request(NOW_MS, 40, None).status == 200 for _ in range(60))
    refused = limits.request(NOW_MS + 45_000, 1, None)
    assert (refused.status, refused.retry_after_s) == (429, 15)
    assert "current limit of IP(203.0.113.7) is 2400 requests per minute" in refused.message
    assert limits.request(NOW_MS + MINUTE_MS, 1, None).status == 200
    assert (stats.n_429, stats.n_418) == (1, 0)


def test_going_on_after_429_brings_a_ban_with_its_end_in_the_text():
    limits, stats = make()
    limits.request(NOW_MS, 2400, None)
    statuses = [limits.request(NOW_MS + k, 1, None).status for k in range(PATIENCE + 1)]
    assert statuses == [429] * PATIENCE + [418]
    until_ms = NOW_MS + PATIENCE + 120_000
    banned = limits.request(NOW_MS + MINUTE_MS, 1, None)
    assert banned.status == 418
    assert f"banned until {until_ms}." in banned.message
    assert banned.retry_after_s == 61
    assert limits.request(until_ms, 1, None).status == 200
    assert stats.n_in_ban == 1


def test_a_second_ban_is_longer():
    limits, _ = make()
    now_ms = NOW_MS
    lengths = []
    for _ in range(2):
        limits.request(now_ms, 2400, None)
        for _ in range(PATIENCE + 1):
            verdict = limits.request(now_ms, 1, None)
        lengths.append(verdict.retry_after_s)
        now_ms += 10 * MINUTE_MS
    assert lengths == [120, 240]


def test_the_data_pool_counts_any_five_minutes():
    limits, stats = make()
    step_ms = 300_000 // DATA_LIMIT
    assert all(limits.request(NOW_MS + k * step_ms, 0, "data").status == 200 for k in range(DATA_LIMIT))
    assert limits.request(NOW_MS + 299_999, 0, "data").status == 429
    assert limits.request(NOW_MS + 299_999, 1, None).status == 200
    assert limits.request(NOW_MS + 600_000, 0, "data").status == 200
    assert stats.max_data_5m == DATA_LIMIT + 1


def test_the_funding_pool_is_its_own():
    limits, stats = make()
    assert all(limits.request(NOW_MS, 0, "funding").status == 200 for _ in range(FUNDING_LIMIT))
    refused = limits.request(NOW_MS, 0, "funding")
    assert refused.status == 429
    assert refused.retry_after_s == 300
    assert limits.request(NOW_MS, 0, "data").status == 200
    assert stats.max_funding_5m == FUNDING_LIMIT + 1


def test_a_ban_on_request_lasts_as_long_as_asked():
    limits, _ = make()
    limits.ban(NOW_MS, 5_000)
    assert limits.request(NOW_MS + 4_999, 1, None).status == 418
    assert limits.request(NOW_MS + 5_000, 1, None).status == 200
