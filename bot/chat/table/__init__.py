"""The command table, a module for each section of `/help`. To add a command: a row here and a handler in a family."""
