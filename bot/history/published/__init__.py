"""Files of market data as they are published or logged: bytes -> bars and what was wrong.

Promises: pure, and nothing a file holds raises: rows that cannot be read are counted and named (`file:line: expected …, found …`)
and cost only themselves; a file that cannot be read says why. Nothing is interpolated, no unit is guessed.
"""
