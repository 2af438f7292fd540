"""Recorded and published data through the same engine, and its windows on the disk.

Promises: a journal replayed gives the same alerts byte for byte; nothing from the future reaches an evaluation; a
snapshot is read as one whole state or refused. Never talks to a venue or a chat.
"""
