"""Counterparts of alerts in chat, by hand: nothing is computed, everything is remembered."""

from bot.model.chat_rule_ports import RuleLife


class HandChatRules:
    """The `ChatRuleDesk` port."""

    def __init__(self) -> None:
        self.rules, self.removed, self.lives = {}, {}, {}

    def of_chat(self, chat):
        return [rule for rule in self.rules.values() if rule.chat == chat]

    def count(self):
        return len(self.rules)

    async def add(self, rule):
        return self.rules.setdefault(rule.id, rule) is rule

    async def remove(self, rule_id):
        self.removed[rule_id] = self.rules.pop(rule_id)

    async def restore(self, chat, rule_id, *, user=None):
        rule = self.removed.get(rule_id)
        if rule is None or rule.chat != chat or user not in {None, rule.user}:
            return None
        self.rules[rule_id] = self.removed.pop(rule_id)
        return rule

    def life(self, rule_id):
        return self.lives.get(rule_id, RuleLife())


class HandRehearsals:
    """The `Rehearsals` port: what it would have done is in `found`, by level."""

    def __init__(self) -> None:
        self.found = {}
        """By the level of an alert, or the text of a rule."""
        self.asked = []
        """The instruments of the last time."""

    async def rehearse(self, ones, instruments):
        self.asked = list(instruments)
        return [self.found.get(getattr(one, "level", None) or getattr(one, "when", None)) for one in ones]
