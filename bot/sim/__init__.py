"""The outside world, ours: a venue that speaks Binance's futures protocol and misbehaves on request, and the seeded
market behind it.

It promises the documented shapes, limits and errors, and that history and live data tell one story. It never talks to
a real venue, and nothing of the live path depends on it.
"""
