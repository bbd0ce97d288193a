"""Small configurations, as the catalogue's tests need them."""

from dataclasses import replace

from omniroute.routing.model import Account, Combo, ComboModel, Config, Strategy

SIM = Account("simulator", "sim", "openai_chat", "", models=("fast", "smart"), simulated=True)


def account(provider: str, *models: str, account_id: str = "", name: str = "") -> Account:
    """An account of a provider; its id is the provider's name unless given."""
    made = Account(account_id or provider, provider, "openai_chat", "https://api.invalid/v1")
    return replace(made, models=models, name=name)


def combo(
    name: str, *targets: str | ComboModel, active: bool = True, strategy: Strategy = "priority"
) -> Combo:
    """A combo of these models, in this order."""
    models = tuple(ComboModel(one) if isinstance(one, str) else one for one in targets)
    return Combo(f"id-{name}", name, models, strategy, active)


def config(
    *accounts: Account, combos: tuple[Combo, ...] = (), aliases: tuple[tuple[str, str], ...] = ()
) -> Config:
    """A configuration of these accounts."""
    return Config(1, accounts, combos, aliases)
