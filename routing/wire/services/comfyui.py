"""ComfyUI on a machine of one's own: pictures, films and music by a workflow.

A plain workflow, whose checkpoint is the model, is put into the queue; its history is looked at
until it has an output, and each file of that is fetched. A workflow of a client's own is not taken:
its nodes could do more than a key allows.

Source: ComfyUI's documentation, "Server routes" (`/prompt`, `/history/{id}`, `/view`), and its
script example `basic_api_example.py` for the plain workflow.
"""

import base64
from collections.abc import Callable, Generator, Iterator, Mapping
from hashlib import blake2b
from urllib.parse import quote, urlencode

import orjson

from ...conversation import Usage
from ...errors import UpstreamFailure
from .openai import read_json
from .picturing import count_of, made, size_of
from .steps import Asked, Got, Made, Pause, Sent, Steps, body_of

POLL_S = 1.0
FILES_MAX = 16
FILM_FRAMES = 16
FILM_SIZE = 512
MUSIC_SECONDS = 30.0

Fetched = list[tuple[str, bytes]]
Plain = Callable[[Asked, str], dict[str, object]]


def drawn_by(asked: Asked) -> Steps:
    """Give pictures."""
    files = yield from _made_by(asked, _picture)
    return made(asked, [base64.b64encode(data).decode() for _, data in files])


def filmed_by(asked: Asked) -> Steps:
    """Give one film."""
    files = yield from _made_by(asked, _film)
    return _as_data(files)


def played_by(asked: Asked) -> Steps:
    """Give one piece of music."""
    files = yield from _made_by(asked, _music)
    return _as_data(files)


def _as_data(files: Fetched) -> Made:
    name, data = files[0]
    row = {"b64_json": base64.b64encode(data).decode(), "format": name.rpartition(".")[2]}
    return Made(orjson.dumps({"created": 0, "data": [row]}), usage=Usage(units=1))


def _made_by(asked: Asked, plain: Plain) -> Generator[Sent | Pause, Got, Fetched]:
    workflow = plain(asked, str(asked.fields.get("prompt")))
    got = yield Sent("/prompt", body_of({"prompt": workflow}))
    number = str(read_json(got.body).get("prompt_id") or "")
    if not number:
        raise UpstreamFailure("the queue gave no number", kind="malformed")
    while True:
        got = yield Sent(f"/history/{quote(number, safe='')}", method="GET")
        entry = read_json(got.body).get(number)
        if isinstance(entry, dict):
            break
        yield Pause(POLL_S)
    status = entry.get("status")
    if isinstance(status, dict) and status.get("status_str") == "error":
        raise UpstreamFailure("the workflow failed; ComfyUI's log says why", kind="server_error")
    files: Fetched = []
    for row in _outputs(entry):
        query = {name: str(row.get(name, "")) for name in ("filename", "subfolder", "type")}
        got = yield Sent(f"/view?{urlencode(query)}", method="GET")
        files.append((query["filename"], got.body))
    if not files:
        raise UpstreamFailure("the workflow gave no file", kind="malformed")
    return files


def _outputs(entry: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """Give the files that the workflow saved."""
    outputs = entry.get("outputs")
    found = 0
    for node in outputs.values() if isinstance(outputs, dict) else ():
        for rows in node.values() if isinstance(node, dict) else ():
            for row in rows if isinstance(rows, list) else ():
                if isinstance(row, dict) and row.get("filename") and found < FILES_MAX:
                    found += 1
                    yield row


def _node(kind: str, **inputs: object) -> dict[str, object]:
    return {"class_type": kind, "inputs": inputs}


def _seed(asked: Asked) -> int:
    """Give the client's seed, or one that the words make: the same words draw the same."""
    given = asked.fields.get("seed")
    if isinstance(given, int):
        return given
    words = str(asked.fields.get("prompt")).encode()
    return int.from_bytes(blake2b(words, digest_size=6).digest())


def _sampled(asked: Asked, words: str, latent: list[object]) -> dict[str, object]:
    """Give the nodes that every plain workflow has: the words, and steps from noise to picture."""
    sampler = {
        "seed": _seed(asked),
        "steps": asked.fields.get("steps") or 20,
        "cfg": 7.0,
        "sampler_name": "euler",
        "scheduler": "normal",
        "denoise": 1.0,
        "model": ["4", 0],
        "positive": ["6", 0],
        "negative": ["7", 0],
        "latent_image": latent,
    }
    return {
        "3": _node("KSampler", **sampler),
        "4": _node("CheckpointLoaderSimple", ckpt_name=asked.model),
        "6": _node("CLIPTextEncode", text=words, clip=["4", 1]),
        "7": _node("CLIPTextEncode", text=asked.fields.get("negative_prompt") or "", clip=["4", 1]),
    }


def _picture(asked: Asked, words: str) -> dict[str, object]:
    width, height = size_of(asked)
    return {
        **_sampled(asked, words, ["5", 0]),
        "5": _node("EmptyLatentImage", width=width, height=height, batch_size=count_of(asked)),
        "8": _node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": _node("SaveImage", filename_prefix="omniroute", images=["8", 0]),
    }


def _film(asked: Asked, words: str) -> dict[str, object]:
    side = FILM_SIZE
    return {
        **_sampled(asked, words, ["5", 0]),
        "5": _node("EmptyLatentImage", width=side, height=side, batch_size=FILM_FRAMES),
        "8": _node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": _node(
            "SaveAnimatedWEBP",
            filename_prefix="omniroute",
            images=["8", 0],
            fps=8.0,
            lossless=False,
            quality=85,
            method="default",
        ),
    }


def _music(asked: Asked, words: str) -> dict[str, object]:
    given = asked.fields.get("duration")
    seconds = float(given) if isinstance(given, int | float) else MUSIC_SECONDS
    return {
        **_sampled(asked, words, ["5", 0]),
        "5": _node("EmptyLatentAudio", seconds=seconds, batch_size=1),
        "8": _node("VAEDecodeAudio", samples=["3", 0], vae=["4", 2]),
        "9": _node("SaveAudio", filename_prefix="omniroute", audio=["8", 0]),
    }
