"""Deepgram: speech and transcription. Everything but the text, or the sound, stands in the query.

Source: Deepgram API reference, "Text to Speech" and "Transcribe pre-recorded audio".
"""

from collections.abc import Mapping
from urllib.parse import urlencode

from ...errors import UpstreamFailure
from . import writing
from .openai import read_json, spoken
from .steps import Asked, Passed, Sent, Steps, body_of
from .voicing import dropped, format_of, text_of

FORMATS: Mapping[str, Mapping[str, str]] = {
    "mp3": {"encoding": "mp3"},
    "opus": {"encoding": "opus", "container": "ogg"},
    "flac": {"encoding": "flac"},
    "aac": {"encoding": "aac"},
    "wav": {"encoding": "linear16", "container": "wav"},
    "pcm": {"encoding": "linear16", "container": "none", "sample_rate": "24000"},
}


def spoken_by(asked: Asked) -> Steps:
    """Give the sound as it comes. The voice is the model."""
    query = urlencode({"model": asked.model, **FORMATS[format_of(asked, FORMATS)]})
    sent = Sent(f"/speak?{query}", body_of({"text": text_of(asked)}))
    return Passed(sent, spoken(asked), dropped(asked))
    yield


def written_by(asked: Asked) -> Steps:
    """Give what is said in a sound."""
    query = {"model": asked.model, "smart_format": "true"}
    language = asked.fields.get("language")
    query |= {"language": language} if isinstance(language, str) else {"detect_language": "true"}
    file = writing.file_of(asked)
    sent = Sent(f"/listen?{urlencode(query)}", bytes(file.data), file.content_type)
    got = yield sent
    told = read_json(got.body)
    try:
        channel = told["results"]["channels"][0]  # type: ignore[index]
        best = channel["alternatives"][0]
        text, words = best["transcript"], best.get("words") or ()
        seconds = float(told["metadata"]["duration"])  # type: ignore[index]
        spoken_in = channel.get("detected_language") or language
        found = [writing.Word(str(one["word"]), one["start"], one["end"]) for one in words]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise UpstreamFailure("the answer holds no transcript", kind="malformed") from error
    heard = writing.Heard(str(text), seconds, tuple(found), str(spoken_in or ""))
    return writing.made(asked, heard, writing.dropped(asked, "language"))
