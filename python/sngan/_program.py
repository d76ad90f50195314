"""The program: where it is, and calls of it."""

import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sysconfig

# A run that diverged is a result, not a failure (docs/run-directory.md, "Exit codes").
DIVERGED = 3
# What the program's errors begin with, and what follows those of wrong arguments.
ERROR = "error: "
USAGE = ("Usage: ", "For more information, try ")


class Error(RuntimeError):
    """The program is not there, or a command of it failed; `returncode` and `stderr` are the command's."""

    def __init__(self, message, returncode=None, stderr=""):
        super().__init__(message)
        self.returncode = returncode
        self.stderr = stderr


def binary() -> pathlib.Path:
    """Where the program is: the environment variable SNGAN_BINARY, else the scripts folder that a wheel installs into, else PATH."""
    given = os.environ.get("SNGAN_BINARY")
    if given:
        if not os.access(given, os.X_OK) or os.path.isdir(given):
            raise Error(f"SNGAN_BINARY is {given}, which is no program")
        return pathlib.Path(given).resolve()
    schemes = (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
    scripts = [sysconfig.get_path("scripts", scheme) for scheme in schemes]
    for folder in scripts:
        path = pathlib.Path(folder, "sngan")
        if os.access(path, os.X_OK):
            return path
    found = shutil.which("sngan")
    if found is None:
        raise Error(f"the program sngan is neither in {' nor '.join(scripts)} nor on PATH; the environment variable SNGAN_BINARY may name it")
    return pathlib.Path(found)


def run(*arguments, cwd=None) -> subprocess.CompletedProcess:
    """Runs a command of the program, such as `run("score", "runs/mine")`, and waits for its end.

    Returns what `subprocess.run` does, with `stdout` and `stderr` as text; `returncode` is 0, or 3 where a run diverged. Every other ending raises
    `Error` with the program's error, or with the last line of standard error where it wrote none.
    """
    command = [str(binary()), *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode not in (0, DIVERGED):
        reason = _reason(done.stderr) or f"it ended with {done.returncode} and without a word"
        raise Error(f"sngan {' '.join(command[1:])}: {reason}", done.returncode, done.stderr)
    return done


def _reason(stderr):
    """What a command that failed says of it: its last `error: ` with the lines that go on from there, but no summary of the usage."""
    lines = stderr.strip().splitlines()
    begins = [i for i, line in enumerate(lines) if line.startswith(ERROR)]
    if not begins:
        return lines[-1] if lines else ""
    said = itertools.takewhile(lambda line: not line.startswith(USAGE), lines[begins[-1] :])
    return "\n".join(line for line in said if line.strip()).removeprefix(ERROR)


def fid(a, b, **options) -> float:
    """FID of two sets of images: folders, files of images or of statistics, or a data set's images such as `cifar10:test`.

    Options are those of `sngan fid`, with underscores: `backbone="scorer-fashion"`, `half_pixel=True`. What goes with the number (images, network,
    resize) is in `json.loads(run("fid", a, b, "--json").stdout)`.
    """
    return float(json.loads(run("fid", a, b, "--json", *_flags(options)).stdout)["fid"])


def _flags(options):
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            yield flag
        elif value is not False and value is not None:
            # In one word: a range of -1..1 is no flag.
            yield f"{flag}={value}"
