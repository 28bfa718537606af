"""What the checks of an installation are made of, here and in tests/wasmer."""

import shutil
import subprocess
import sys

SKIPPED = 77


def run(*command, **options):
    """Standard output of a command that has to succeed."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True, **options)
    if done.returncode != 0:
        sys.exit(f"exit status {done.returncode} from {' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def expect(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: found {found!r}, expected {expected!r}")


def fresh(directory):
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory
