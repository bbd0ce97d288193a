"""What is mutated, and which tests have to notice.

Only tests that run the module in their own process can notice: a gateway of its own would
import the module as it is on disk.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Target:
    """One module and the tests that speak for it, the quickest first."""

    module: str
    tests: tuple[str, ...]

    @property
    def path(self) -> str:
        """Where the module is, from the repository's root."""
        return self.module.removeprefix("omniroute.").replace(".", "/") + ".py"


LEASE = "tests/store/test_lease.py"
TERMS = "tests/store/test_budget_terms.py"
RECORDING = "tests/store/test_recording.py"
GUARDS = (
    "tests/routing/test_guarded_bodies.py",
    "tests/routing/test_guarded_turns.py",
    "tests/routing/test_content_guards.py",
)
"""What speaks for the content guards."""

KEPT_KEYS = (
    "tests/store/test_keys_read.py",
    "tests/store/test_key_changes.py",
    "tests/store/test_keys.py",
)
"""What speaks for keys as they are kept."""
KEY_TERMS = "tests/store/test_key_terms.py"

AREAS: Mapping[str, tuple[Target, ...]] = {
    "authorisation": (
        Target("omniroute.routing.access", ("tests/rights/test_scopes.py",)),
        Target("omniroute.routing.catalog.names", ("tests/catalog/test_names.py",)),
        Target("omniroute.server.auth", ("tests/rights/test_callers.py",)),
        Target("omniroute.server.guard", ("tests/rights/test_guard.py",)),
        Target("omniroute.server.gate", ("tests/rights/test_gate.py",)),
        Target("omniroute.server.rights", ("tests/rights/test_table.py",)),
        Target("omniroute.routing.health.key_rates", ("tests/routing/test_key_rates.py",)),
        Target("omniroute.server.store.keys", KEPT_KEYS),
        Target("omniroute.server.store.key_bounds", ("tests/store/test_key_bounds.py",)),
        Target("omniroute.server.store.key_secrets", (KEY_TERMS,)),
        Target("omniroute.server.store.key_terms", (KEY_TERMS, *KEPT_KEYS)),
        Target(
            "omniroute.server.store.sign_ins",
            ("tests/store/test_sign_in_bounds.py", "tests/store/test_sign_ins.py"),
        ),
        Target(
            "omniroute.server.store.sign_in_locks",
            ("tests/store/test_sign_in_waits.py", "tests/store/test_sign_in_locks.py"),
        ),
        Target("omniroute.server.store.passwords", ("tests/store/test_password_changes.py",)),
    ),
    "budget": (
        Target(
            "omniroute.routing.accounting.clamp",
            ("tests/routing/test_clamp.py", "tests/wire/test_bounds.py"),
        ),
        Target(
            "omniroute.routing.accounting.cost",
            ("tests/routing/test_cost.py",),
        ),
        Target(
            "omniroute.routing.accounting.payment",
            ("tests/routing/test_payment_steps.py", "tests/routing/test_payment.py"),
        ),
        Target("omniroute.server.store.budget", (TERMS,)),
        Target("omniroute.server.store.windows", (TERMS, "tests/store/test_budget_rows.py")),
        Target("omniroute.server.store.budget_rows", ("tests/store/test_budget_rows.py",)),
        Target("omniroute.server.store.lease", (LEASE,)),
        Target("omniroute.server.store.lease_rows", ("tests/store/test_lease_rows.py", LEASE)),
        Target("omniroute.server.store.leases", ("tests/store/test_leases_step_by_step.py",)),
        Target("omniroute.server.store.budgets", ("tests/store/test_budgets_step_by_step.py",)),
        Target("omniroute.server.store.budget_words", ("tests/store/test_budget_words.py",)),
        Target("omniroute.server.store.paying", ("tests/store/test_paying.py",)),
        Target("omniroute.server.store.recording", (RECORDING,)),
        Target("omniroute.server.store.settling", (RECORDING,)),
        Target("omniroute.server.store.settlements", ("tests/store/test_settlements.py",)),
        Target("omniroute.server.store.held", (RECORDING,)),
        Target("omniroute.server.store.abandoned", (RECORDING,)),
    ),
    "egress": (Target("omniroute.routing.upstream.egress", ("tests/upstream/test_egress.py",)),),
    "redaction": (
        Target("omniroute.tools.redaction", ("tests/tools/test_redaction.py",)),
        Target("omniroute.routing.guarding.pii", GUARDS),
        Target("omniroute.routing.guarding.turns", GUARDS),
        Target("omniroute.routing.guarding.text", GUARDS),
        Target("omniroute.routing.guarding.body", GUARDS),
        Target(
            "omniroute.routing.guarding.answers", ("tests/routing/test_guarded_answers.py", *GUARDS)
        ),
    ),
}
