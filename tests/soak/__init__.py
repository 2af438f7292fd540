"""What takes hours: a thousand kills, and days of the whole market on fast time. `make soak`."""
