"""Official sites that a post may link to: `content/links.toml`. A link anywhere else is a mistake of the content."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field

from content.files import BrokenFile, Strict, read_text
from content.toml import TomlMistakes, read_toml

FILE = "links.toml"
# plain labels only: a look-alike of another script has no place in it
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}")


class _Host(Strict):
    host: str = Field(pattern=rf"^{_HOST.pattern}$")
    name: str = Field(min_length=2, max_length=20)
    source: str = Field(min_length=1)
    checked_on: date


class _File(Strict):
    hosts: Annotated[tuple[_Host, ...], Field(strict=False)] = ()


@dataclass(frozen=True, slots=True)
class Links:
    """The names of official sites by their hosts, and what is wrong with the file."""

    names: Mapping[str, str]
    broken: tuple[BrokenFile, ...] = ()

    @staticmethod
    def load(path: Path) -> Links:
        """Read the file; without one nothing may be linked to."""
        if not path.exists():
            return Links(MappingProxyType({}))
        text = read_text(path)
        if isinstance(text, BrokenFile):
            return Links(MappingProxyType({}), (text,))
        try:
            file = read_toml(text, _File)
        except TomlMistakes as error:
            return Links(MappingProxyType({}), tuple(BrokenFile(path, one.line, one.problem) for one in error.mistakes))
        return Links(MappingProxyType({one.host: one.name for one in file.hosts}))

    def problem(self, link: str) -> str | None:
        """Why a post must not link there; None when it may: https, an official host, no port, no name and password before it."""
        try:
            parts = urlsplit(link)
            port = parts.port
        except ValueError:
            return f"link {link!r} is no address"
        if parts.scheme != "https" or re.search(r"\s|[^\x21-\x7e]", link):
            return "link must be an https:// address in plain letters"
        if parts.username is not None or parts.password is not None or port is not None:
            return "link must not hold a user name or a port"
        host = parts.netloc.lower()
        if host not in self.names:
            known = ", ".join(sorted(self.names)) or "none"
            return f"link: {host!r} is not one of the official hosts of content/{FILE}; known: {known}"
        return None

    def name_of(self, link: str) -> str:
        """Whose site it is."""
        return self.names.get(urlsplit(link).netloc.lower(), "")
