"""YAML and chat text -> compiled conditions -> evaluations. Synchronous.

Promises: a rule that cannot be read is told with file, line, column and a suggestion, and never stops the others; a
condition is true, false or unknown, and unknown is never guessed away. Never reads a clock, never awaits, never runs
anything a rule file says except the listed functions.
"""
