"""How long a sound may be, by its bytes alone.

A WAV file says how many bytes a second has. Of every other format the least that is in use is
taken: Opus goes down to 6 kbit/s, so a second has at least 750 bytes, and a file of a size lasts
at most that long. It is a bound for money that is set aside, and no figure that anybody is shown.

Source: RFC 6716, section 2.1.1 (Opus, bit rates); the RIFF/WAVE format, chunk "fmt ".
"""

BYTES_PER_SECOND_MIN = 750
_RATE_AT = 28


def seconds_max(sound: memoryview) -> int:
    """Give the most seconds that a file can last, at least 1."""
    rate = BYTES_PER_SECOND_MIN
    head = bytes(sound[: _RATE_AT + 4])
    if head[:4] == b"RIFF" and head[8:16] == b"WAVEfmt ":
        rate = max(int.from_bytes(head[_RATE_AT:], "little"), BYTES_PER_SECOND_MIN)
    return -(-len(sound) // rate) or 1
