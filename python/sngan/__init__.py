"""The program `sngan` and its records, from Python.

    sngan.runs("runs/table1-quick")     a row for each run: its spec, its status, its newest scores
    sngan.scores("results")             a row for each score
    sngan.log("runs/mine")              a row for each logged quantity
    sngan.fid("real", "made")           FID of two sets of images
    sngan.run("train", "table1", ...)   any command of the program
"""

from ._program import Error, binary, fid, run
from ._records import log, runs, scores

__all__ = ["Error", "binary", "fid", "log", "run", "runs", "scores"]
