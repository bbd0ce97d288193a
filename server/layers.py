"""The configuration in force: what is stored, with what was found on this machine below it.

Stored accounts and combos are the user's own word and come first. Then accounts from the
environment's provider keys, then local servers that were found, and last the simulator. The
starter combos follow the accounts that there are, and give way to a stored combo of the same
name.
"""

from dataclasses import replace

from omniroute.routing.catalog.combos import starter_combos
from omniroute.routing.catalog.prices import facts_of, priced
from omniroute.routing.model import Account, Config


class Layers:
    """What is not stored. `over` is the overlay that the configuration's store asks for.

    Args:
        environment: accounts from provider keys in the environment.
        builtin: the simulator's account.
    """

    def __init__(self, environment: tuple[Account, ...], builtin: tuple[Account, ...]) -> None:
        self._environment = environment
        self._builtin = builtin
        self._found: tuple[Account, ...] = ()

    def over(self, stored: Config) -> Config:
        """Give the whole configuration over what is stored."""
        accounts = (*stored.accounts, *self._environment, *self._found, *self._builtin)
        layered = replace(stored, accounts=accounts)
        taken = {combo.name for combo in stored.combos}
        facts = priced(facts_of, stored.prices)
        starters = starter_combos(layered, facts=facts)
        starters = tuple(one for one in starters if one.name not in taken)
        return replace(layered, combos=(*stored.combos, *starters))

    def found(self, accounts: tuple[Account, ...]) -> bool:
        """Take the local servers of a new probe in place of the last one's; say whether new."""
        if accounts == self._found:
            return False
        self._found = accounts
        return True
