"""What every `ButtonStore` promises."""

from bot.model.buttons import Keyboard


def keyboard(n=0, **changes):
    values = {"id": f"k{n}", "chat": "telegram:-1", "user": "", "place": "", "commands": ("/oi BTC",), "issued_ms": n}
    return Keyboard(**(values | changes))


async def test_a_keyboard_comes_back_whole(ports):
    full = keyboard(
        1,
        user="telegram:7",
        place="whales",
        commands=("/why #7q4mk2px", "/silence 币安人生USDT here 1h", ""),
        origin="/oi 币安人生USDT",
    )
    await ports.buttons.put(full)
    assert await ports.buttons.get("k1") == full
    assert await ports.buttons.get("k2") is None


async def test_of_one_that_is_issued_again_only_the_time_changes(ports):
    await ports.buttons.put(keyboard(1))
    await ports.buttons.put(keyboard(1, chat="telegram:-2", issued_ms=9))
    assert await ports.buttons.get("k1") == keyboard(1, issued_ms=9)


async def test_the_old_ones_go_and_no_more_than_so_many_stay(ports):
    for n in range(1, 2_001):
        await ports.buttons.put(keyboard(n))
    assert await ports.buttons.prune(before_ms=501, keep=5_000) == 500
    assert await ports.buttons.get("k500") is None
    assert await ports.buttons.get("k501") is not None
    assert await ports.buttons.prune(before_ms=0, keep=100) == 1_400
    assert await ports.buttons.get("k1900") is None
    assert await ports.buttons.get("k1901") is not None
    assert await ports.buttons.prune(before_ms=0, keep=100) == 0
