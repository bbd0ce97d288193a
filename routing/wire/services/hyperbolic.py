"""Hyperbolic: pictures and speech, both as base64 in JSON.

Source: Hyperbolic's documentation, "Image generation" and "Audio generation".
"""

from ...conversation import Usage
from .inworld import decoded
from .openai import read_json, spoken
from .picturing import made, size_of
from .steps import Asked, Made, Sent, Steps, body_of
from .voicing import TYPES, dropped, speed_of, text_of


def drawn_by(asked: Asked) -> Steps:
    """Give pictures."""
    width, height = size_of(asked)
    body: dict[str, object] = {
        "model_name": asked.model,
        "prompt": asked.fields.get("prompt"),
        "width": width,
        "height": height,
        "backend": "auto",
    }
    if asked.fields.get("n") is not None:
        body["num_images"] = asked.fields["n"]
    got = yield Sent("/image/generation", body_of(body))
    rows = read_json(got.body).get("images")
    rows = rows if isinstance(rows, list) else []
    return made(asked, [one.get("image") for one in rows if isinstance(one, dict)])


def spoken_by(asked: Asked) -> Steps:
    """Give the sound, whole."""
    body: dict[str, object] = {"text": text_of(asked)}
    speed = speed_of(asked)
    if speed is not None:
        body["speed"] = speed
    got = yield Sent("/audio/generation", body_of(body))
    sound = decoded(read_json(got.body).get("audio"))
    usage: Usage = spoken(asked)
    return Made(sound, TYPES["mp3"], usage, dropped=dropped(asked, "speed"))
