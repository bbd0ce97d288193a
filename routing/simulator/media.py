"""Simulated pictures, sounds and films: small files that are what they say, and say what they are.

The same words always give the same bytes. A picture is one colour, a sound is one tone, and each
file carries a comment that it is simulated.

Sources: PNG specification, third edition, section 5; RIFF/WAVE; ISO 11172-3 (MPEG audio, a frame
without data is silence) with an ID3v2.3 comment; GIF89a.
"""

import math
import struct
import zlib
from hashlib import blake2b

NOTE = "simulated by OmniRoute"
PIXELS = 16
RATE = 8_000
SECONDS_MAX = 2.0
SECONDS_PER_CHARACTER = 0.02
_FRAME = b"\xff\xfb\x90\x00" + bytes(413)
FRAME_S = 1152 / 44_100
FILM_FRAMES = 4


def picture(words: str, number: int = 0) -> bytes:
    """Give a PNG of one colour."""
    colour = _draw(words, number)[:3]
    rows = b"".join(b"\0" + colour * PIXELS for _ in range(PIXELS))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", PIXELS, PIXELS, 8, 2, 0, 0, 0)),
        (b"tEXt", b"Comment\0" + NOTE.encode()),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def tone(words: str) -> bytes:
    """Give a WAV of one tone, the longer the more words there are."""
    samples = samples_of(words)
    comment = NOTE.encode().ljust(len(NOTE) + 2 - len(NOTE) % 2, b"\0")
    parts = (
        (b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, RATE * 2, 2, 16)),
        (b"LIST", b"INFOICMT" + struct.pack("<I", len(comment)) + comment),
        (b"data", samples),
    )
    body = b"WAVE" + b"".join(name + struct.pack("<I", len(data)) + data for name, data in parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def samples_of(words: str) -> bytes:
    """Give 16-bit samples of one tone."""
    pitch = 220 + _draw(words, 0)[0]
    count = int(_seconds(words) * RATE)
    made = (int(8_000 * math.sin(2 * math.pi * pitch * at / RATE)) for at in range(count))
    return struct.pack(f"<{count}h", *made)


def silence(words: str) -> bytes:
    """Give an MP3 without a sound, as long as the tone would be."""
    text = b"\0eng\0" + NOTE.encode()
    frame = b"COMM" + struct.pack(">IH", len(text), 0) + text
    head = b"ID3\x03\x00\x00" + bytes((0, 0, len(frame) >> 7, len(frame) & 0x7F))
    return head + frame + _FRAME * math.ceil(_seconds(words) / FRAME_S)


def film(words: str) -> bytes:
    """Give a GIF of some frames, each of one colour."""
    note = NOTE.encode()
    drawn = _draw(words, 0)
    table = drawn[: 3 * FILM_FRAMES]
    frames = b"".join(
        b"\x21\xf9\x04\x00\x19\x00\x00\x00"
        + struct.pack("<BHHHHB", 0x2C, 0, 0, 1, 1, 0)
        # One pixel in LZW with codes of three bits: clear, the colour, end.
        + bytes((2, 2, 4 | colour << 3 | (5 & 3) << 6, 5 >> 2, 0))
        for colour in range(FILM_FRAMES)
    )
    comment = b"\x21\xfe" + bytes((len(note),)) + note + b"\0"
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x91, 0, 0) + table + comment + frames + b";"


def _draw(words: str, number: int) -> bytes:
    return blake2b(words.encode(), digest_size=32, salt=number.to_bytes(8, "big")).digest()


def _seconds(words: str) -> float:
    return min(max(len(words), 1) * SECONDS_PER_CHARACTER, SECONDS_MAX)


def _chunk(name: bytes, data: bytes) -> bytes:
    checked = name + data
    return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))
