"""The sentences of content/phrases/web.toml and photo.toml, which the composition root may hand over."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib import resources

from bot.errors import ConfigError, RefusedInput

# Everything that can be said from here; a missing one is found at start, not by the person who should have read it.
KEYS: frozenset[str] = frozenset(
    {
        "bye.restart",
        "bye.signed_out",
        "bye.slow",
        "bye.too_many",
        "join.bad_invite",
        "join.name_empty",
        "join.name_taken",
        "photo.broken",
        "photo.busy",
        "photo.empty",
        "photo.gone",
        "photo.heic",
        "photo.not_image",
        "photo.too_large",
        "photo.too_many_pixels",
        "request.bad",
        "request.csrf",
        "request.failed",
        "request.not_found",
        "request.origin",
        "request.session",
        "request.slow_down",
        "request.too_big",
        "say.empty",
        "say.no_room",
        "say.not_taken",
        "say.photo_gone",
        "say.read_only",
        "say.too_long",
        "say.too_many_photos",
        "show.recalled",
        "show.somebody",
        "show.unsaid",
        "signin.bad_code",
        "signin.short_password",
        "signin.wait",
        "signin.wrong",
        "take_back.not_yours",
        "take_back.too_late",
        "tap.gone",
        "tap.other",
    }
)

_BLANK = re.compile(r"\{\{\s*(\w+)\s*\}\}")


class Texts:
    """Sentences by key, with `{{ name }}` filled in."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """Raises ConfigError that names every missing key."""
        missing = sorted(KEYS - texts.keys())
        if missing:
            raise ConfigError(f"content/phrases (web.toml, photo.toml) lacks {', '.join(missing)}")
        self._texts = dict(texts)

    def __call__(self, key: str, **values: object) -> str:
        """The sentence. A value is put in as it is: it goes into JSON, and the page shows it as text."""
        return _BLANK.sub(lambda blank: str(values.get(blank[1], "")), self._texts[key])

    def of(self, refusal: RefusedInput) -> str:
        """What to tell a person about this refusal."""
        key = refusal.phrase if refusal.phrase in self._texts else "request.bad"
        return self(key, **refusal.values)


def load_texts() -> dict[str, str]:
    """The sentences of content/phrases: `photo.heic` for `heic` in photo.toml, `signin.wait` for `[signin] wait` in web.toml."""
    folder = resources.files("content").joinpath("phrases")
    flat = {f"photo.{key}": str(said) for key, said in tomllib.loads(folder.joinpath("photo.toml").read_text("utf-8")).items()}
    for table, sentences in tomllib.loads(folder.joinpath("web.toml").read_text("utf-8")).items():
        flat.update({f"{table}.{key}": str(said) for key, said in sentences.items()})
    return flat
