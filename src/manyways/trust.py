"""Whether code, programs and addresses from outside this package may be used. By default, no.

A recipe or a run folder may come from anyone. It can name things that act: code
(``my.module:function``), a program (``rl.verl.python``, an accelerate file, a text for vLLM or
TRL), programs of a model outside a sandbox, a cluster elsewhere, or an address that a key is sent
to. The code that uses one of these calls ``require`` right before the use, so a verb that forgets
to ask refuses. docs/trust.md says who is trusted, and with what.
"""

import ipaddress
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from manyways.errors import RecipeError, Untrusted

VARIABLE = "MANYWAYS_TRUST"
"""Variable: ``1`` trusts everything that is named, else it lists the trusted names with commas."""
ALL = "1"
FIX = "If you trust it: --trust, or MANYWAYS_TRUST=1 (docs/trust.md)"
SENDS_OR_LOADS = {
    "kernel_config",
    "log_completions_hub_repo",
    "push_to_hub",
    "trackio_bucket_id",
    "trackio_space_id",
    "trackio_static_space_id",
    "use_kernels",
    "vllm_server_host",
}
"""Settings of TRL and transformers that send data or load code although their value is one word."""
REMOTE_CODE = "trust_remote_code"
REPORTS_OFF = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "VLLM_NO_USAGE_STATS": "1",
}
"""Variables that stop TRL, Ray and vLLM from reporting each use to their makers."""

_granted: set[str] = set()


def grant(*names: str) -> None:
    """Trust ``names`` for the rest of this process: the user typed them."""
    _granted.update(names)


def grant_all() -> None:
    """Trust everything that is named for the rest of this process."""
    _granted.add(ALL)


def grant_recipe(path: Path) -> None:
    """Trust a recipe that the user named on the command line, unless it lies in a run folder.

    A run folder may come from somebody else, who wrote its recipe.
    """
    if path.is_file() and not any(is_run_folder(parent) for parent in path.resolve().parents):
        grant_all()


def is_run_folder(folder: Path) -> bool:
    """Whether a run has written to ``folder``."""
    return (folder / "recipe.toml").is_file() and any(
        (folder / name).exists() for name in ("manifest.json", "stamps", ".lock", "1-attempts")
    )


def environment() -> dict[str, str]:
    """Environment variables for a child process, so that it trusts the same names."""
    names = {*_granted, *_named_outside()}
    if ALL in names:
        return {VARIABLE: ALL}
    return {VARIABLE: ",".join(sorted(names))} if names else {}


def report_to_nobody() -> None:
    """Turn off the libraries' reports to their makers, unless the user has set the variable.

    Call this before the libraries are imported: they read the variables once.
    """
    for name, value in REPORTS_OFF.items():
        os.environ.setdefault(name, value)


def take(given: Mapping[str, str]) -> None:
    """Trust what another process trusts. ``given``: its ``environment()``. Report to nobody."""
    report_to_nobody()
    grant(*filter(None, given.get(VARIABLE, "").split(",")))


def trusts(*names: object) -> bool:
    """Whether one of ``names`` is trusted, or everything is."""
    return not {*_granted, *_named_outside()}.isdisjoint({ALL, *names})


def require(what: str, *names: object) -> None:
    """Raise Untrusted unless one of ``names`` is trusted. ``what``: the start of its sentence."""
    if not trusts(*names):
        raise Untrusted(f"{what}. manyways uses nothing like that without your consent. {FIX}.")


def require_key_address(url: str, variable: str) -> None:
    """Raise Untrusted unless a key may be sent to ``url``: this machine, or a trusted address."""
    if leaves_machine(url):
        require(f"the key in {variable} would be sent to {url}", url)


def require_plain(table: Mapping[str, object], section: str) -> None:
    """Raise Untrusted for a value that could name code, a file or an address.

    ``table`` goes to another library. Numbers and single words are safe: a name of code, a file or
    an address has a dot, a slash or a colon in it.

    Raises RecipeError for ``trust_remote_code``, which is never on.
    """
    refuse_remote_code(table, section)
    for key, value in acting(table):
        where = f"{section}.{key}"
        require(f"{where} = '{value}' may name code or send data", where, value)


def refuse_remote_code(table: Mapping[str, object], section: str) -> None:
    """Raise RecipeError for ``trust_remote_code``: code of a checkpoint is never run.

    Nested tables and lists are searched too, and texts, which a library may read as a table.
    """
    for key, value in leaves(table):
        named = REMOTE_CODE in key.replace("-", "_") and value
        if named or (isinstance(value, str) and REMOTE_CODE in value.replace("-", "_")):
            raise RecipeError(
                f"{section}.{key}: code that a checkpoint brings along is never run, trusted or "
                "not. Take a model that transformers has itself."
            )


def acting(table: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """(path ``a.b``, value) of each value in ``table`` that could name code, a file or an address.

    Nested tables and lists are searched too.
    """
    for path, value in leaves(table):
        named = isinstance(value, str) and any(sign in value for sign in "./\\:")
        switch = value and not SENDS_OR_LOADS.isdisjoint(path.split("."))
        if (named or switch) and not is_here(str(value)):
            yield path, value


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """(path ``a.b``, value) of every value that is neither a table nor a list.

    A key that could itself name code, a file or an address is yielded as a value, too.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            below = f"{path}.{key}" if path else str(key)
            if path and any(sign in str(key) for sign in "./\\:"):
                yield below, key
            yield from leaves(inner, below)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from leaves(inner, path)
    else:
        yield path, value


def leaves_machine(url: str) -> bool:
    """Whether data sent to ``url`` (or ``host:port``) goes to another machine."""
    return not is_here(urlsplit(url if "//" in url else f"//{url}").hostname or "")


def is_here(host: str) -> bool:
    """Whether ``host`` means this machine: ``localhost`` or a loopback address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _named_outside() -> set[str]:
    return set(filter(None, os.environ.get(VARIABLE, "").replace(" ", "").split(",")))
