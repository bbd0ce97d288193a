"""The commands of outbound proxies, as rows; see commands.py."""

from .command import JSON, NOUN, Command, Option

_PROVIDER = Option("--provider", "of this provider's accounts instead of all", "NAME", default="")

PROXY_COMMANDS: tuple[Command, ...] = (
    Command("proxy", "the proxies that calls to providers go through", usage=NOUN),
    Command(
        "proxy show",
        "show the proxies, or which one an account goes through",
        "proxy:show_all",
        "[options] [account]",
        options=(
            Option("account", "an account's id or name, or its provider", arity="optional"),
            JSON,
        ),
    ),
    Command(
        "proxy set",
        "have all accounts, or a provider's, go through a proxy",
        "proxy:put",
        "[options] [url]",
        options=(
            Option(
                "url",
                "http://, https:// or socks5://host:port; direct is none, whatever all others have",
                arity="optional",
            ),
            Option("--from", "take the URL from this variable", "VARIABLE"),
            _PROVIDER,
            JSON,
        ),
        examples=(
            "omniroute proxy set http://proxy.example:3128",
            "omniroute proxy set --from TEAM_PROXY --provider anthropic",
            "omniroute proxy set direct --provider groq",
        ),
        more="The URL of a proxy that wants a password is taken from a variable. An account's own "
        "proxy (`omniroute providers add --proxy`) comes first, then its provider's, then that of "
        "all; accounts that are local go directly unless their provider has a proxy.",
    ),
    Command(
        "proxy remove",
        "go through that proxy no more",
        "proxy:remove",
        options=(_PROVIDER,),
    ),
)
