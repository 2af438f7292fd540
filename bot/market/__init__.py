"""Updates -> time series and windows. Synchronous, NumPy, one writer.

Promises: a window means exactly what the rule language says, whatever the order in which samples came; what is not
known is NaN, never a guess. Never reads a clock, never awaits, never forgets which sample a value came from.
`slow` holds the same meaning as plain loops; property tests compare the two.
"""
