"""Checkpoints: the coefficients after every pass in a file, from which a fit that was killed goes on."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from logreg import parameters
from logreg.setup import Setup
from logreg.stop import Limits, Pass, Status
from logreg.sums import Array

FINISHED = (Status.CONVERGED, Status.ROUNDING, Status.SEPARATED)  # another pass would bring nothing


class Checkpoint:
    """The file of a fit: its coefficients, the passes so far, and what tells this problem from others.

    Parameters
    ----------
    path : path or None
        None keeps nothing.
    estimator : LogisticRegression
        With its columns and classes.
    setup : Setup
    """

    def __init__(self, path: Any, estimator: Any, setup: Setup) -> None:
        self.path = None if path is None else Path(path)
        self.problem = {} if path is None else problem_of(estimator, setup)
        self.n_passes = 0
        self.warned = False

    def start(self, otherwise: Array | None) -> Array | None:
        """Return the coefficients (d + 1, 1) in the file, in the units of the rows, or others where there is none.

        Raises
        ------
        ValueError
            If it is the file of another problem, or none that a fit has left.
        """
        if self.path is None or not self.path.exists():
            return otherwise
        try:
            with open(self.path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
                W: Array = file["W"]
                problem, self.n_passes = json.loads(str(file["problem"])), int(file["n_passes"])
        except (ValueError, KeyError, EOFError, BadZipFile):
            raise ValueError(
                f"checkpoint={str(self.path)!r} is not a checkpoint of a fit; remove it, or choose another path."
            ) from None
        other = [name for name, value in self.problem.items() if problem.get(name) != value]
        if other:
            raise ValueError(
                f"checkpoint={str(self.path)!r} is of another fit, with other {' and '.join(other)}; remove it, or "
                "choose another path."
            )
        return W

    def watching(self, limits: Limits) -> Limits:
        """Return limits under which every pass also writes the file."""
        if self.path is None:
            return limits
        path, tell = self.path, limits.on_pass

        def on_pass(W: Array, found: Pass) -> bool:
            self.n_passes += 1
            self._keep(path, W)
            return tell is not None and tell(W, found)

        return replace(limits, on_pass=on_pass)

    def end(self, status: Status) -> None:
        """Remove the file of a fit that has nothing left to do; one that was stopped can go on."""
        if self.path is not None and status in FINISHED:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)

    def _keep(self, path: Path, W: Array) -> None:
        try:
            write_atomically(
                path, lambda file: np.savez(file, W=W, problem=json.dumps(self.problem), n_passes=self.n_passes)
            )
        except OSError as error:  # the fit is worth more than its checkpoint
            if not self.warned:
                self.warned = True
                warnings.warn(
                    f"The checkpoint {str(path)!r} could not be written ({error.strerror}); the fit goes on "
                    "without it.",
                    UserWarning,
                    stacklevel=2,
                )


def problem_of(estimator: Any, setup: Setup) -> dict[str, Any]:
    """Return what tells a problem from others, for JSON: the names are those that a sentence can say."""
    rows, (inverse_C, l1_ratio) = setup.source, parameters.penalty_of(estimator)
    factors = [setup.factor, *(() if setup.bounds is None else setup.bounds)]
    strength = [estimator.penalty == "firth", float(setup.strengths(inverse_C)), l1_ratio, bool(estimator.standardize)]
    return {
        "rows": [rows.n_rows, float(rows.total_weight), float(rows.positive_fraction)],
        "columns": [rows.n_columns, digest(estimator.feature_names_out_.astype(str).tolist())],
        "classes": [repr(label) for label in estimator.classes_.tolist()],
        "intercept": bool(estimator.fit_intercept),
        "penalty": [*strength, digest([part.tolist() for part in factors])],
    }


def digest(values: list[Any]) -> str:
    """Return a short text that differs between values."""
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def write_atomically(path: Path, write: Callable[[Any], None]) -> None:
    """Write a file that is never seen half written: under another name first, which then takes its place."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        with open(unfinished, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
