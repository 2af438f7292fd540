"""`python -m bot` is `oibot`."""

from bot.cli import main

if __name__ == "__main__":
    main()
