"""Stable Diffusion WebUI on a machine of one's own: pictures, and short films by AnimateDiff.

Source: the wiki of AUTOMATIC1111/stable-diffusion-webui, "API" (`/sdapi/v1/txt2img`), and the
README of sd-webui-animatediff, "API" (`alwayson_scripts`).
"""

import orjson

from ...conversation import Usage
from ...errors import UpstreamFailure
from .openai import read_json
from .picturing import count_of, made, size_of
from .steps import Asked, Made, Sent, Steps, body_of

PASSED = ("negative_prompt", "steps", "seed", "cfg_scale", "sampler_name")
"""Fields of its own that a client may send."""
FILM_FRAMES = 16
FILM_FRAMES_PER_SECOND = 8
FILM_SIZE = 512


def drawn_by(asked: Asked) -> Steps:
    """Give pictures."""
    width, height = size_of(asked)
    body = {**_body(asked, width, height), "batch_size": count_of(asked)}
    got = yield Sent("/txt2img", body_of(body))
    return made(asked, _images(got.body))


def filmed_by(asked: Asked) -> Steps:
    """Give one film, as a GIF."""
    motion = {
        "enable": True,
        "video_length": FILM_FRAMES,
        "fps": FILM_FRAMES_PER_SECOND,
        "format": ["GIF"],
    }
    scripts = {"AnimateDiff": {"args": [motion]}}
    body = {**_body(asked, FILM_SIZE, FILM_SIZE), "alwayson_scripts": scripts}
    got = yield Sent("/txt2img", body_of(body))
    films = [one for one in _images(got.body) if isinstance(one, str) and one]
    if not films:
        raise UpstreamFailure("the answer holds no film", kind="malformed")
    data = [{"b64_json": films[0], "format": "gif"}]
    return Made(orjson.dumps({"created": 0, "data": data}), usage=Usage(units=1))


def _body(asked: Asked, width: int, height: int) -> dict[str, object]:
    own = {name: asked.fields[name] for name in PASSED if asked.fields.get(name) is not None}
    return {
        "prompt": asked.fields.get("prompt"),
        "width": width,
        "height": height,
        "override_settings": {"sd_model_checkpoint": asked.model},
        **own,
    }


def _images(body: bytes) -> list[object]:
    found = read_json(body).get("images")
    return found if isinstance(found, list) else []
