"""An environment with the stand-in for verl (tests/fake_verl), and a recipe that trains with it."""

import os
import shutil
import sys
from pathlib import Path

PACKAGES = Path(__file__).parent / "fake_verl"


def environment(folder: Path, *, lacks: tuple[str, ...] = (), version: str = "0.9.1") -> str:
    """The interpreter of an environment in which verl seems to be installed."""
    site = folder / "site-packages"
    shutil.copytree(PACKAGES, site, ignore=shutil.ignore_patterns("__pycache__", *lacks))
    if "verl" not in lacks:
        (site / f"verl-{version}.dist-info").mkdir()
        metadata = f"Metadata-Version: 2.1\nName: verl\nVersion: {version}\n"
        (site / f"verl-{version}.dist-info" / "METADATA").write_text(metadata)
    python = folder / "bin" / "python"
    python.parent.mkdir()
    path = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
    python.write_text(f"#!/bin/sh\nPYTHONPATH='{path}' exec '{sys.executable}' \"$@\"\n")
    python.chmod(0o755)
    return str(python)


def checkpoint(folder: Path) -> Path:
    """A checkpoint whose weights nobody loads."""
    from tiny_models import build_tokenizer

    build_tokenizer().save_pretrained(folder)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder
