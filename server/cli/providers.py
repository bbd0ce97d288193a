"""`omniroute providers`: the accounts that answer requests."""

import sys
from argparse import Namespace
from pathlib import Path
from urllib.parse import quote

from omniroute.routing.catalog.providers import ALL_PROVIDERS

from ..accounts import DOCUMENT_CHARS_MAX
from ..management import AccountJson, AccountsJson, AccountWish, TestJson
from ..settings import Settings, Sources
from .client import Client, call, decoded, with_gateway
from .exits import FAILED, OK, UNAVAILABLE, USAGE, Stop
from .output import NOTHING, duration, listed, show, show_json, table

KEY_CHARS_MAX = 4096
MODELS_SHOWN_MAX = 3


def show_all(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """List the accounts."""
    with with_gateway(settings, sources) as gateway:
        found = _accounts(gateway)
    if arguments.json:
        show_json(found)
        return OK
    headings = ("ID", "PROVIDER", "NAME", "FROM", "KEY", "URL", "MODELS")
    show(table(headings, [_row(one) for one in found.providers]))
    if all(one.simulated for one in found.providers):
        show(
            "\nNo provider is set up: answers come from the simulator. Set a provider's key, such "
            "as OPENAI_API_KEY, or run `omniroute providers add`."
        )
    return OK


def show_known(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """List the catalogue's providers; asks no gateway."""
    if arguments.json:
        show_json(ALL_PROVIDERS)
        return OK
    headings = ("NAME", "TITLE", "SPEAKS", "KEY", "URL")
    show(
        table(
            headings,
            [
                (one.name, one.title, one.dialect, listed(one.key_variables), one.base_url)
                for one in ALL_PROVIDERS
            ],
        )
    )
    return OK


def add(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Add an account; its key is asked for."""
    wish = AccountWish(
        provider=arguments.provider,
        key=_key(arguments, settings),
        base_url=arguments.base_url,
        dialect=arguments.dialect,
        name=arguments.name,
        models=tuple(arguments.model),
        headers=dict(_header(one) for one in arguments.header),
        proxy=_proxy(arguments, settings),
        http2=arguments.http2,
    )
    with with_gateway(settings, sources) as gateway:
        made = decoded(call(gateway, "POST", "/api/providers", wish), AccountJson)
    if arguments.json:
        show_json(made)
    else:
        show(
            f"Added {made.account_id}: {made.provider} at {made.base_url}. "
            f"`omniroute providers test {made.account_id}` calls it."
        )
    return OK


def remove(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Remove an account."""
    with with_gateway(settings, sources) as gateway:
        call(gateway, "DELETE", f"/api/providers/{quote(arguments.account, safe='')}")
    show(f"Removed {arguments.account}.")
    return OK


def test(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Call accounts and say how it went; the status is 69 when one did not answer."""
    results: dict[str, TestJson] = {}
    with with_gateway(settings, sources) as gateway:
        wanted = arguments.account or [
            one.account_id for one in _accounts(gateway).providers if one.enabled
        ]
        for account in wanted:
            results[account] = _tested(gateway, account, timeout_s=settings.total_s)
    if arguments.json:
        show_json(results)
    else:
        headings = ("ACCOUNT", "ANSWER", "MODEL", "TIME", "WHY")
        show(table(headings, [_test_row(name, one) for name, one in results.items()]))
    return OK if all(one.ok for one in results.values()) else UNAVAILABLE


def _accounts(gateway: Client) -> AccountsJson:
    return decoded(call(gateway, "GET", "/api/providers"), AccountsJson)


def _tested(gateway: Client, account: str, *, timeout_s: float) -> TestJson:
    path = f"/api/providers/{quote(account, safe='')}/test"
    return decoded(call(gateway, "POST", path, timeout_s=timeout_s), TestJson)


def _key(arguments: Namespace, settings: Settings) -> str | None:
    """Give the key from where the user has it: never from the command line."""
    if arguments.key is not None:
        raise Stop(
            "a key on the command line stays in the shell's history and shows in the list of "
            "processes: leave it out to be asked for it, or name a variable with --key-from",
            USAGE,
        )
    if arguments.no_key:
        return None
    if arguments.key_from is not None:
        return variable(settings, arguments.key_from)
    if arguments.key_file is not None:
        return _file(arguments.key_file)
    if sys.stdin.isatty():
        from getpass import getpass

        try:
            key = getpass(f"Key for {arguments.provider} (not shown): ").strip()
        except EOFError:
            key = ""
    else:
        key = sys.stdin.readline(KEY_CHARS_MAX + 2).strip()
    if not key:
        raise Stop(
            "no key was given: type it, send it to standard input, name a variable with "
            "--key-from or a file with --key-file, or say --no-key for a server that needs none",
            USAGE,
        )
    return key


def _proxy(arguments: Namespace, settings: Settings) -> str | None:
    """Give the proxy's URL; one with a password is never taken from the command line."""
    given: str | None = arguments.proxy
    if given is not None and "@" in given:
        raise Stop(
            "a password on the command line stays in the shell's history and shows in the list "
            "of processes: put the proxy's URL into a variable and name it with --proxy-from",
            USAGE,
        )
    if arguments.proxy_from is None:
        return given
    return variable(settings, arguments.proxy_from)


def variable(settings: Settings, name: str) -> str:
    """Give the value of an environment variable that the user has named."""
    value = settings.environment.get(name, "").strip()
    if not value:
        raise Stop(f"the environment variable {name} is not set", FAILED)
    return value


def _file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")[: DOCUMENT_CHARS_MAX + 1]
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"the key's file cannot be read: {error}", FAILED) from None


def _header(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise Stop(f"--header is NAME=VALUE, and {name[:40]!r} is not", USAGE)
    return name.strip(), value.strip()


def _row(account: AccountJson) -> tuple[str, ...]:
    models = account.models[:MODELS_SHOWN_MAX]
    more = len(account.models) - len(models)
    source = account.key_from or account.source
    return (
        account.account_id,
        account.provider,
        account.name or NOTHING,
        source if account.enabled else f"{source} (off)",
        account.key_masked or NOTHING,
        "simulated" if account.simulated else _place(account),
        listed((*models, f"{more} more") if more else models, empty="the catalogue's"),
    )


def _place(account: AccountJson) -> str:
    return f"{account.base_url} via {account.proxy}" if account.proxy else account.base_url


def _test_row(account: str, result: TestJson) -> tuple[str, ...]:
    return (
        account,
        "yes" if result.ok else "NO",
        result.model or NOTHING,
        duration(result.latency_ms / 1000) if result.ok else NOTHING,
        result.error or NOTHING,
    )
