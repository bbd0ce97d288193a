"""The commands of the key ring, as rows; see commands.py."""

from .command import JSON, NOUN, Command, Option

KEYRING_COMMANDS: tuple[Command, ...] = (
    Command("keyring", "the keys that provider secrets are sealed with", usage=NOUN),
    Command(
        "keyring list",
        "show the keys by their ids, and what rests on each",
        "keyring:show_all",
        options=(JSON,),
    ),
    Command(
        "keyring add",
        "add a key; everything is sealed with it anew, while the gateway serves",
        "keyring:add",
        options=(JSON,),
        more="Where the ring is that of OMNIROUTE_STORAGE_ENCRYPTION_KEY, the variable is changed "
        "instead: see docs/keyring.md.",
    ),
    Command(
        "keyring retire",
        "seal what rests on a key with the newest, and remove the key",
        "keyring:retire",
        "[options] id",
        options=(Option("id", "its id, as `omniroute keyring list` shows it"), JSON),
        examples=("omniroute keyring add && omniroute keyring retire 0f3c5a7e9b1d2468",),
        more="Keys of the gateway, records and draws go on as they are. The newest key is not "
        "retired.",
    ),
)
