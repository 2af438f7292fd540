"""People to bot: commands in, answers out.

Text becomes a `Command` (`commands`), a command becomes a neutral `Reply` (`actions`), a front lays the reply out
(`telegram_html`, `terminal_text`). Telegram and the terminal are thin fronts over the same code. `access` decides who
is answered, and denies by default.

Promises: any text is answered or ignored, never an exception; nothing from outside reaches a chat unescaped; an unknown
value is shown as a dash. Never: decides about alerts, talks to a venue, reads settings or knows SQL.
"""
