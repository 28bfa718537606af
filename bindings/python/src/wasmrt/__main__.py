"""The command wasmrt: `python -m wasmrt`."""

from __future__ import annotations

import os
import pathlib
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Becomes the command, with the arguments of this process."""
    command = pathlib.Path(__file__).with_name("bin") / "wasmrt"
    sys.stdout.flush()
    os.execv(command, ["wasmrt", *sys.argv[1:]])


if __name__ == "__main__":
    main()
