"""The errors of oibot. The tree is flat on purpose:

BotError
├── ConfigError    settings or files of the operator; caught by `cli`, shown, exit code 1, of `oibot run` 78
├── PayloadError   a venue or chat server sent what we cannot read; caught around one message in a shell, counted
├── FeedError      a feed cannot go on as it is; caught by its shell, which decides to wait or to give up
└── StorageError   the database refused; caught by the committer and by `cli`

Expected outcomes are values, not exceptions. A message says what was expected, what was found, where, and what to do.
"""


class BotError(Exception):
    """Root of what oibot raises on purpose."""


class ConfigError(BotError):
    """The operator's settings or files are wrong."""

    def __init__(self, message: str, *, may_pass: bool = False) -> None:
        """`may_pass`: the same may work later though nobody changes a setting, such as when another process ends."""
        super().__init__(message)
        self.may_pass = may_pass


class PayloadError(BotError):
    """Bytes from outside that do not have the documented form."""


class FeedError(BotError):
    """A feed cannot continue as it is."""


class StorageError(BotError):
    """The database refused an operation."""

    def __init__(self, message: str, *, may_pass: bool = True) -> None:
        """`may_pass`: the same may work later (full, locked, slow disk); False where it never will as it is."""
        super().__init__(message)
        self.may_pass = may_pass
