"""Settings that are read again while the bot runs."""

from bot.settings import Settings


def with_secrets_of(settings: Settings, now: Settings) -> Settings:
    """The same settings with the secrets of now: everything else would need another process. A token stays one, and so does
    a webhook, for where there is none there would be another destination.
    """
    telegram, discord = settings.telegram, settings.discord
    if telegram.token is not None and now.telegram.token is not None:
        telegram = telegram.model_copy(update={"token": now.telegram.token})
    if discord.webhook_url is not None and now.discord.webhook_url is not None:
        discord = discord.model_copy(update={"webhook_url": now.discord.webhook_url})
    return settings.model_copy(update={"secrets": now.secrets, "telegram": telegram, "discord": discord})
