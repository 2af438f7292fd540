"""`python -m tests.support.screens http://127.0.0.1:8310`: pictures of each screen of a demo that runs, for the docs.

For people to judge, so nothing compares them. Colours are reduced to a palette, which halves the files.
"""

import asyncio
import io
import sys
from pathlib import Path

from PIL import Image

from tests.support.browser import LOOKS, SCREENS, browser, looking, settle

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
COLOURS = 200


async def shoot(base: str, names: list[str]) -> None:
    """All screens in all looks, or those named, such as `now-phone-dark`."""
    FOLDER.mkdir(exist_ok=True)
    async with browser() as found:
        for look in LOOKS:
            for screen, path in SCREENS.items():
                name = f"{screen}-{look.name}"
                if names and name not in names and screen not in names:
                    continue
                async with looking(found, look) as page:
                    await page.goto(base + path)
                    await settle(page)
                    if screen == "symbol" and await page.locator("button.link").count():
                        await page.locator("button.link").first.evaluate("button => button.click()")
                        await page.wait_for_selector("#tree .tree")
                    raw = await page.screenshot(animations="disabled", full_page=screen == "symbol")
                picture = Image.open(io.BytesIO(raw)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
                picture.save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    asyncio.run(shoot(sys.argv[1], sys.argv[2:]))
