"""Hostile input for hours, led by the code that it reaches. Not part of the tests; `make fuzz` runs it."""
