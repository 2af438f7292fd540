"""Places where there is no venue, or none that can be trusted; each has a bot of its own."""

import asyncio
import shutil
import ssl
import subprocess

from tests.support.feed_faults import Outcome
from tests.support.harness import Harness


async def no_name(harness: Harness) -> Outcome:
    """The names of the venue do not resolve."""
    out = Outcome("DNS", "the venue's names do not resolve")
    nowhere = ("https://no-such-venue.invalid", "wss://no-such-venue.invalid")
    return await _alone(harness, out, nowhere, "could not be resolved")


async def no_trust(harness: Harness) -> Outcome:
    """The certificate is nobody's."""
    out = Outcome("TLS", "a certificate that nobody signed")
    if shutil.which("openssl") is None:
        out.note = "openssl is not installed"
        return out
    key, cert = harness.folder / "key.pem", harness.folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", cert], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    n_spoken = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal n_spoken
        n_spoken += bool(await reader.read(1))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # handshakes that fail are what is wanted
    async with server:
        out = await _alone(
            harness, out, (f"https://127.0.0.1:{port}", f"wss://127.0.0.1:{port}"), "no trusted connection"
        )
    if n_spoken:
        out.problems.append("it spoke to whom it does not trust")
    return out


async def _alone(harness: Harness, out: Outcome, venue: tuple[str, str], words: str) -> Outcome:
    clock = harness.clock()
    harness.rules("version: 1\nrules:\n  - {id: up, when: 'price > 0'}\n")
    env = harness.env(venue, OIBOT_RULES_DIR=str(harness.folder / "rules"))
    bot = await harness.start("run", env=env)
    began_ms = clock.monotonic_ms()
    while words not in bot.output:
        assert clock.monotonic_ms() - began_ms < 200_000, bot.output[-3000:]
        await asyncio.sleep(0.05)
    await clock.sleep(30)
    out.n_calls = bot.output.count('"event": "stream.connecting"')
    bot.terminate()
    assert await bot.exit_code() == 0, bot.output
    out.note = f"said: {words}"
    if "Traceback" in bot.output:
        out.problems.append("a traceback")
    if out.n_calls > 35:
        out.problems.append(f"{out.n_calls} attempts")
    return out


ALONE = {"DNS": no_name, "TLS": no_trust}
