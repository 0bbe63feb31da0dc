"""Fixtures for tests anywhere in the tree."""

import pytest


@pytest.fixture(scope="module")
def one_thread():
    """One torch thread for a module's tests: sums in one order, and no two threads that spin."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
