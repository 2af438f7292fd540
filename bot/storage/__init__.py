"""What must survive a restart: alert state, its history, the outbox, and small values.

The only room that knows SQL. It promises that a commit is stored whole or not at all, on disk before `commit` returns,
and that damage is told and never mistaken for a first start. Every port has a twin in memory with the same contract.
It never decides what is told, and it never reads a clock; how long a disk may take is measured on the one it is given.
"""
