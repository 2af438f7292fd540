"""Debian's Chromium, driven by playwright, and the screens of the dashboard."""

import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

CHROMIUM = shutil.which("chromium")


@dataclass(frozen=True)
class Look:
    """What somebody looks with."""

    name: str
    width: int
    height: int
    is_dark: bool


LOOKS = (
    Look("desktop-dark", 1280, 900, is_dark=True),
    Look("desktop-light", 1280, 900, is_dark=False),
    Look("phone-dark", 390, 844, is_dark=True),
    Look("phone-light", 390, 844, is_dark=False),
)
SCREENS = {
    "now": "/",
    "symbol": "/symbol/BTCUSDT?span=4h",
    "alerts": "/alerts",
    "rules": "/rules",
    "system": "/system",
}


@contextlib.asynccontextmanager
async def browser():
    """A headless browser; the test is skipped where there is none."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed; on Debian, apt-get install chromium")
    api = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
    async with api.async_playwright() as playwright:
        # Tests run as root in containers, where Chromium's own sandbox is not to be had.
        found = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield found
        finally:
            await found.close()


@contextlib.asynccontextmanager
async def looking(found, look: Look, *, allowed: tuple[str, ...] = ()) -> AsyncIterator:
    """A page; it fails the test at its end where the page had errors, such as something that its policy forbids.

    `allowed`: parts of errors that are expected.
    """
    context = await found.new_context(
        viewport={"width": look.width, "height": look.height},
        color_scheme="dark" if look.is_dark else "light",
        locale="en-GB",
        timezone_id="UTC",
    )
    page = await context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        yield page
        assert [text for text in errors if not any(part in text for part in allowed)] == []
    finally:
        await context.close()


async def settle(page) -> None:
    """Until what is drawn after loading is there."""
    await page.wait_for_load_state("load")
    if await page.locator("#live").count():
        await page.wait_for_selector("#live[data-drawn]", state="attached")
    if await page.locator("#chart").count():
        await page.wait_for_selector("#chart .u-wrap, #chart p.none", timeout=30_000)
