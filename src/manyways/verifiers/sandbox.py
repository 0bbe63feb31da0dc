"""placeholder, replaced below."""

OVERHEAD = 10.0


def require(*, allow_unsafe_code: bool) -> None:
    """Refuse."""
