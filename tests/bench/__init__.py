"""Speed and size against the goals, as ratios to things timed in the same run. Not part of the test run.

`python -m tests.bench` prints the table; `python -m tests.bench 5 --quick` one row, fast and rough. Each module holds one
group of rows with the peers it compares to, and gives `GROUP`.
"""
