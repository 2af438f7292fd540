"""Speed, as ratios to one `orjson.loads` of the same frame, timed in the same run. Not part of the test run."""
