"""The commands of the dashboard's password, as rows; see commands.py."""

from .command import JSON, NOUN, Command

PASSWORD_COMMANDS: tuple[Command, ...] = (
    Command("password", "the dashboard's password", usage=NOUN),
    Command(
        "password show",
        "say whether there is one, never which",
        "password:show_one",
        options=(JSON,),
    ),
    Command(
        "password set",
        "set it, and sign out whoever had signed in with another",
        "password:put",
        examples=("omniroute password set", "omniroute password set < password.txt"),
        more="It is asked for, or read from the first line of standard input: 12 characters at "
        "least. Whoever knows it may do everything. Keys sign in with or without it.",
    ),
    Command("password remove", "have none any more: keys alone sign in", "password:remove"),
)
