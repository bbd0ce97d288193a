"""ElevenLabs: speech. The voice stands in the path; OpenAI's names of voices mean nothing there.

Source: ElevenLabs API reference, "Create speech", as far as it is known.
"""

from collections.abc import Mapping
from urllib.parse import quote

from .openai import spoken
from .steps import Asked, Passed, Sent, Steps, body_of
from .voicing import dropped, format_of, speed_of, text_of, voice_of

VOICE = "JBFqnCBsd6RMkjVDRZzb"
"""The voice of the reference's own example."""
FORMATS: Mapping[str, str] = {
    "mp3": "mp3_44100_128",
    "pcm": "pcm_24000",
    "wav": "wav_44100",
    "opus": "opus_48000_64",
}


def spoken_by(asked: Asked) -> Steps:
    """Give the sound as it comes."""
    body: dict[str, object] = {"text": text_of(asked), "model_id": asked.model}
    speed = speed_of(asked)
    if speed is not None:
        body["voice_settings"] = {"speed": speed}
    if asked.fields.get("language") is not None:
        body["language_code"] = asked.fields["language"]
    voice, form = quote(voice_of(asked, VOICE), safe=""), FORMATS[format_of(asked, FORMATS)]
    path = f"/text-to-speech/{voice}?output_format={form}"
    left_out = dropped(asked, "speed", "language")
    return Passed(Sent(path, body_of(body)), spoken(asked), left_out)
    yield
