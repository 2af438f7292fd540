"""`oibot backtest` from published files to figures, against the same rules computed with pandas."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bot.cli.main import app_of

pytestmark = pytest.mark.integration

PRICE = """\
version: 1
rules:
  - {id: jump, scope: {symbols: ["*"]}, when: 'pct(price, 15m) >= 1.5%', clear: 'pct(price, 15m) < 0.5%', cooldown: 1h}
  - id: fall
    scope: {symbols: ["*"]}
    when: abs(pct(price, 5m)) >= 1% and ratio(volume, 5m) >= 4
    clear: abs(pct(price, 5m)) < 0.5%
    for: 2m
    cooldown: 30m
"""
INTEREST = """\
version: 1
rules:
  - {id: up, scope: {symbols: [BTCUSDT]}, when: 'pct(oi, 15m) >= 0.5%', clear: 'pct(oi, 15m) < 0.2%', cooldown: 30m}
"""


def life(times_ms, when, clear, *, for_ms, cooldown_ms):
    """When an alert fires: plain steps over a truth that may be unknown (NaN)."""
    fired, state, held, until = [], "quiet", 0, -1
    last = None
    for at, is_true, is_over in zip(times_ms, when, clear, strict=True):
        known = not np.isnan(is_true)
        if state == "firing":
            if is_over == 1 and is_true == 0:
                state, until = "quiet", at + cooldown_ms
        elif known and is_true == 1:
            held = 0 if state == "quiet" else held + (at - last)
            state = "pending"
            if held >= for_ms and at >= until:
                fired.append(at)
                state = "firing"
        elif known:
            state = "quiet"
        last = at
    return fired


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OIBOT_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("OIBOT_RULES_DIR", str(tmp_path / "rules"))
    (tmp_path / "rules").mkdir()

    def call(*words, rules=None):
        if rules is not None:
            (tmp_path / "rules" / "mine.yaml").write_text(rules)
        return CliRunner().invoke(app_of(), [str(word) for word in words], catch_exceptions=False)

    return call


def test_fires_of_minutes_are_those_of_pandas(run, recordings, tmp_path):
    names = ("LINKUSDT", "FILUSDT")
    files = [next((recordings / "klines").glob(f"{name}-1m-*.csv.gz")) for name in names]
    for name, file in zip(names, files, strict=True):
        assert run("history", "import", file, rules=PRICE).exit_code == 0
        done = run("backtest", "--symbols", name, "--json", "found.json", "--csv", "found.csv")
        assert done.exit_code == 0, done.output
        found = json.loads((tmp_path / "found.json").read_text())
        bars = pd.read_csv(file)
        close_ms = (bars["open_time"] + 60_000).to_numpy()
        price, volume = bars["close"], bars["quote_volume"]
        up = price / price.shift(15) - 1
        quick = (price / price.shift(5) - 1).abs()
        busy = volume.rolling(5).sum() / (volume.rolling(1_440, min_periods=1_152).sum() * 5 / 1_440)
        both = ((quick >= 0.01) & (busy >= 4)).astype(float).where(~((quick.isna() & (busy >= 4)) | busy.isna()))
        both = both.where(quick.isna() | (quick >= 0.01), 0.0)
        expected = {
            "jump": life(
                close_ms,
                (up >= 0.015).astype(float).where(up.notna()),
                (up < 0.005).astype(float),
                for_ms=0,
                cooldown_ms=3_600_000,
            ),
            "fall": life(close_ms, both, (quick < 0.005).astype(float), for_ms=120_000, cooldown_ms=1_800_000),
        }
        for rule, times in expected.items():
            mine = [row for row in found["firings"] if row["rule"] == rule]
            assert [row["at_ms"] for row in mine] == times
            assert len(times) > 3, f"{rule} fires on {name}"
        row = next(row for row in found["firings"] if row["rule"] == "jump")
        at = int(np.searchsorted(close_ms, row["at_ms"]))
        assert row["value"] == pytest.approx(up[at])
        assert row["after"]["1h"]["move"] == pytest.approx(price[at + 60] / price[at] - 1)
        assert (tmp_path / "found.csv").read_text().count("\n") == len(found["firings"]) + 1


def test_fires_on_open_interest_that_comes_five_minutely_late_and_with_holes(run, recordings, tmp_path):
    file = next((recordings / "oi").glob("beomsun*parsed*.csv.gz"))
    rows = pd.read_csv(file)
    read_ms = pd.to_datetime(rows["log_time_local"]).astype("datetime64[ns]").astype("int64") // 1_000_000
    at_ms = read_ms // 300_000 * 300_000 - 300_000
    (tmp_path / "BTCUSDT-oi.csv").write_text(
        "symbol,time,oi\n" + "".join(f"BTCUSDT,{t},{v}\n" for t, v in zip(at_ms, rows["sum_open_interest_btc"]))
    )
    kline = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore\n"
    (tmp_path / "BTCUSDT-5m-2024-11.csv").write_text(
        kline
        + "".join(f"{t - 300_000},{p},{p},{p},{p},0,{t - 1},0,0,0,0,0\n" for t, p in zip(at_ms, rows["implied_price"]))
    )
    files = (tmp_path / "BTCUSDT-oi.csv", tmp_path / "BTCUSDT-5m-2024-11.csv")
    assert run("history", "import", *files, rules=INTEREST).exit_code == 0
    done = run("backtest", "--json", "found.json")
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["settings"]["step_ms"] == 300_000
    # A sample speaks for seven and a half minutes: one that is missing is missing, and nothing stands in for it.
    grid = np.arange(at_ms.iloc[0], at_ms.iloc[-1] + 1, 300_000)
    oi = pd.Series(rows["sum_open_interest_btc"].to_numpy(), index=at_ms).groupby(level=0).last().reindex(grid)
    then = oi.shift(3).fillna(oi.shift(4))
    change = oi / then - 1
    expected = life(
        grid,
        (change >= 0.005).astype(float).where(change.notna()),
        (change < 0.002).astype(float),
        for_ms=0,
        cooldown_ms=1_800_000,
    )
    assert [row["at_ms"] for row in found["firings"]] == expected
    assert len(expected) > 3


def test_a_sweep_a_target_and_a_picture(run, recordings, tmp_path):
    file = next((recordings / "klines").glob("LINKUSDT-1m-*.csv.gz"))
    run("history", "import", file, rules=PRICE)
    done = run("backtest", "--rule", "jump", "--days", 7, "--sweep", "pct(price,15m)=1%..3% by 1%", "--json", "s.json")
    assert done.exit_code == 0, done.output
    swept = json.loads((tmp_path / "s.json").read_text())["sweep"]
    assert [row["number"] for row in swept] == [0.01, 0.02, 0.03]
    assert swept[0]["firings"] > swept[2]["firings"]
    done = run("backtest", "--rule", "jump", "--days", 7, "--target", "1 per day", "--picture", "drawn.png")
    assert done.exit_code == 0, done.output
    assert "(wanted: 1 per day)" in done.output
    assert (tmp_path / "drawn.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_wrong_is_said_with_what_to_do(run):
    with pytest.raises(Exception, match="the history is empty; fill it with `oibot history import`"):
        run("backtest", rules=PRICE)
    with pytest.raises(Exception, match="--from: expected a time such as 2026-02-01"):
        run("backtest", "--from", "yesterday")
    with pytest.raises(Exception, match="expected the id of a rule, found 'jumpp'; did you mean jump"):
        run("backtest", "--rule", "jumpp")
