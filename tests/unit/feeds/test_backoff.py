from random import Random

from bot.feeds.backoff import Backoff


def test_delays_are_anywhere_between_zero_and_a_ceiling_that_doubles():
    draws = [[] for _ in range(9)]
    for seed in range(400):
        backoff = Backoff(random=Random(seed))
        for n in range(9):
            draws[n].append(backoff.next_s())
    for n, delays in enumerate(draws):
        ceiling = min(0.5 * 2**n, 30.0)
        assert 0 <= min(delays) < 0.05 * ceiling
        assert 0.95 * ceiling < max(delays) <= ceiling


def test_only_a_reset_brings_the_ceiling_back():
    backoff = Backoff(random=Random(1), first_s=0.5, cap_s=30.0)
    for _ in range(20):
        backoff.next_s()
    assert max(backoff.next_s() for _ in range(50)) > 20
    backoff.reset()
    assert backoff.next_s() <= 0.5
