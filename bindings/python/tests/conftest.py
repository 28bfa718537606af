"""What the tests share. The backend is WASMRT_BACKEND's, as everywhere."""

import gc
import subprocess
import sys
import textwrap

import pytest
import wasmrt


@pytest.fixture
def engine():
    return wasmrt.Engine()


@pytest.fixture
def store(engine):
    return wasmrt.Store(engine)


@pytest.fixture
def make(store):
    """Makes an instance of a module in the text format; returns its exports."""

    def make(text, imports=()):
        return wasmrt.Instance(store, wasmrt.Module(store, text), imports).exports

    return make


@pytest.fixture
def fueled():
    return wasmrt.Store(wasmrt.Engine(wasmrt.Config(fuel=True)))


@pytest.fixture
def run():
    """Runs a program in a Python of its own. Returns the process, which has ended."""

    def run(program, *, code=0, timeout=120):
        command = [sys.executable, "-X", "faulthandler", "-c", textwrap.dedent(program)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        if code is not None:
            assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


def collect():
    """Collects garbage of Python's and of the library's."""
    for _ in range(3):
        gc.collect()


@pytest.fixture
def moves():
    """Whether memories of the backend move when they grow."""
    return not wasmrt.Engine().backend.supports("memory_reservation")
