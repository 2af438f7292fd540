"""Recorded and published data through the same engine.

Promises: a journal replayed gives the same alerts byte for byte; nothing from the future reaches an evaluation. Never
talks to a venue or a chat.
"""
