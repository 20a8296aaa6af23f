"""Certificates for tests: an authority, and one for a service named "gateway" and 127.0.0.1."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM texts."""

    authority: str
    certificate: str
    key: str


def make() -> Certificates:
    """A fresh authority and a certificate of it, by the openssl that every system has."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def openssl(*words: str) -> None:
            subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

        new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        openssl(*new, "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority")
        (folder / "names").write_text("subjectAltName=DNS:gateway,IP:127.0.0.1\n")
        openssl(*new[:-2], "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=gateway")
        signing = ["-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "cert.pem"]
        openssl("x509", "-req", *signing, "-days", "2", "-extfile", "names")
        return Certificates(*((folder / file).read_text() for file in ("ca.pem", "cert.pem", "key.pem")))
