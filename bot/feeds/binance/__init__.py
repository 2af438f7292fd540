"""Binance USDⓈ-M futures: what its bytes mean, as pure functions, and the one file that wires them to the shells.

Promises: converts every number to our units at the parser, keeps the venue's words, tolerates unknown fields and
values. Never waits, reads a clock or opens a socket, except through the shells in `bot.feeds`.
"""
