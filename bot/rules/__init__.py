"""YAML and chat text -> conditions -> evaluations. Synchronous.

Promises: one condition means one thing wherever it came from; all problems of all files are told at once; a condition
over missing data is unknown, never true and never false. Knows the market only through its view, and knows nothing of
alerts, destinations or files being watched.
"""
