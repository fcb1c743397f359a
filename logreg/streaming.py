"""``partial_fit``: the estimator on batches of a stream, each seen once."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d

from logreg import parameters, predictors, validate
from logreg.factor import Factor
from logreg.inference.information import Information
from logreg.objective import Objective
from logreg.penalty import Ridge
from logreg.products import is_sparse
from logreg.reading import is_elsewhere
from logreg.report import attributes_of
from logreg.rows import MemoryRows
from logreg.scale import Scale
from logreg.solve import NonFiniteSumsError, Solution
from logreg.stop import Limits
from logreg.stream import Memory, absorb
from logreg.sums import Array
from logreg.threads import n_threads, one_blas_thread


@dataclass(frozen=True)
class Stream:
    """What is remembered of a stream: d x d numbers, no rows.

    Attributes
    ----------
    memory : Memory
        The loss of all batches, of rows read as ``X - origin``.
    W : ndarray of shape (d + 1, 1)
        The coefficients after the last batch, for such rows.
    origin : ndarray of shape (d,) or None
    unit : float
        The mean weight in the first batch if it is less than 1, else 1: what weights are divided by.
    n_batches, n_rows : int
        Seen so far, and those of their rows that have positive weight.
    positive : float
        The weight of the second class in the memory.
    has_offset : bool
        Whether some batch had an offset.
    outcomes : frozenset
        Those of 0 and 1 that rows had so far.
    """

    memory: Memory
    W: Array
    origin: Array | None
    unit: float
    n_batches: int = 0
    n_rows: int = 0
    positive: float = 0.0
    has_offset: bool = False
    outcomes: frozenset[int] = frozenset()

    def ridge(self, estimator: Any, total_weight: float) -> tuple[Ridge, np.ndarray]:
        """Return the penalty of an estimator beside the mean loss of a total weight, and which columns it excludes."""
        inverse_C, _ = parameters.penalty_of(estimator)
        factor = parameters.penalty_factors(estimator.penalty_factor, estimator._terms(), len(self.W) - 1)
        return Ridge.of_factors(np.array([inverse_C / (self.unit * total_weight)]), factor), np.isinf(factor)

    def after(self, batch: MemoryRows, estimator: Any) -> tuple[Stream, Solution]:
        """Return the stream after a batch, and where the batch led."""
        kept = self.memory.times(estimator.forgetting_factor)
        ridge, left_out = self.ridge(estimator, kept.quadratic.weight + batch.total_weight)
        limits = Limits(estimator.tol, estimator.max_iter)
        counted = batch.y if batch.weight is None else batch.y[batch.weight > 0]
        outcomes = self.outcomes | set(np.unique(counted).tolist())
        options = {"intercept": estimator.fit_intercept, "one_class": len(outcomes) == 1}
        with one_blas_thread, batch:  # products of a batch are too small to be shared
            memory, solution = absorb(kept, batch, ridge, self.W, limits, **options)
        solution.coefficients[:-1][left_out] = 0.0
        stream = Stream(
            memory,
            solution.coefficients,
            self.origin,
            self.unit,
            self.n_batches + 1,
            self.n_rows + len(counted),
            estimator.forgetting_factor * self.positive + batch.positive_fraction * batch.total_weight,
            self.has_offset or batch.offset is not None,
            outcomes,
        )
        return stream, solution

    def information(self, estimator: Any, rows: MemoryRows) -> Information | None:
        """Return what inference needs, in the units that rows have; None where columns repeat others unpenalised."""
        sums, total = self.memory.quadratic.sums(self.W), self.memory.quadratic.weight
        ridge, left_out = self.ridge(estimator, total)
        scale = Scale.from_sums(sums, ridge.strength, estimator.fit_intercept)
        objective = Objective(scale, ridge)
        H, pull = objective.curvature(sums, 0), objective.penalty_curvature[0]
        there = np.flatnonzero((np.diagonal(H) > 0.0) & ~np.append(left_out, False))
        factor = Factor((H + np.diag(pull))[np.ix_(there, there)])
        if factor.deficient:
            return None
        of_all = np.zeros((len(H), len(there)))
        of_all[there] = factor.inverse_root()
        root = rows.in_user_units(scale.coefficients(of_all)) / (total * self.unit) ** 0.5
        unknown = np.ones(len(H), dtype=bool)
        unknown[there] = unknown[-1] = False
        root[unknown] = np.nan
        return Information(
            estimates=rows.in_user_units(self.W)[:, 0],
            root=root,
            aliases={},
            n_rows=self.n_rows,
            total_weight=total * self.unit,
            log_likelihood=-float(sums.loss[0]) * self.unit,
            null_log_likelihood=self._null_log_likelihood(estimator.fit_intercept) * self.unit,
            discrimination=np.nan,
            penalty="ridge" if np.any(pull[there] > 0.0) else "none",
        )

    def _null_log_likelihood(self, intercept: bool) -> float:
        total, positive = self.memory.quadratic.weight, self.positive
        if self.has_offset:
            return np.nan
        if not intercept:
            return -total * float(np.log(2.0))
        return float(xlogy(positive, positive / total) + xlogy(total - positive, 1.0 - positive / total))


class Streaming:
    """What :class:`LogisticRegression` does with a stream."""

    _stream: Stream | None = None

    @available_if(parameters.has_one_penalty)  # type: ignore[untyped-decorator]
    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        offset: ArrayLike | None = None,
    ) -> Self:
        """Take in one more batch of a stream; no batch is seen again.

        The coefficients go to the minimum of the batch's loss, of a sum of quadratics that stands for the batches
        before it, and of the penalty, which counts once in total. One batch alone is what ``fit`` makes of it. After
        many the result is approximate: on shuffled streams of 100 batches of 1,000 rows coefficients are some
        hundredths of a standard error away from those of ``fit``, up to a third where batches have few rows of a level
        or of a class; farther when the first of them say other things than the rest about a column of a long tail.

        Parameters
        ----------
        X : array-like, DataFrame or sparse matrix of shape (m, d)
            A batch. The first one says what the columns are, and the levels of category columns.
        y : array-like of shape (m,)
            Batches after the first, or with ``classes``, may have one class.
        classes : array-like of two labels, default=None
            What y can hold; None means what the first batch holds.
        sample_weight, offset : array-like of shape (m,), default=None
            As in :meth:`fit`.

        Returns
        -------
        self
            With all attributes of a fit, of which ``n_iter_``, ``n_passes_``, ``decrement_``, ``converged_`` and
            ``history_`` tell of this batch, and ``n_batches_``, ``n_seen_``. ``converged_`` is False while the batches
            so far determine no optimum; the coefficients are then held back as by one more row that says nothing.

        Raises
        ------
        ValueError
            In one sentence, for data or parameters that cannot be used: the penalty must be a ridge or none, and the
            columns at most 3,000. The estimator stays as it was before.

        Notes
        -----
        About ``25 m d**2 + 12 d**3`` flops; memory for some d x d numbers. ``fit`` begins afresh, and so does the first
        ``partial_fit`` after it. :attr:`forgetting_factor` says what is kept of the past at each batch. Recursive
        variational Gaussian approximation: Lambert, Bonnabel and Bach, Statistics and Computing 32, 2022.

        Examples
        --------
        >>> from logreg import LogisticRegression
        >>> from logreg.datasets import load_flights
        >>> X, y = load_flights()
        >>> hours, clf = X[["sched_dep_time"]] // 100, LogisticRegression()
        >>> for start in range(0, len(y), 1_000):
        ...     batch = slice(start, start + 1_000)
        ...     clf = clf.partial_fit(hours[batch], y[batch])
        >>> clf.n_batches_, clf.coef_.round(2), LogisticRegression().fit(hours, y).coef_.round(2)
        (30, array([[0.1]]), array([[0.1]]))
        """
        fitted: Any = copy.copy(self)  # takes this estimator's place at the end
        batch, stream = read_batch(fitted, X, y, classes, sample_weight, offset)
        try:
            fitted._stream, solution = stream.after(batch, fitted)
        except NonFiniteSumsError:
            raise predictors.explain_not_finite(batch.X, fitted._terms()) from None
        fitted.__dict__ |= attributes_of(batch.in_user_units(solution.coefficients), solution)
        fitted.separation_ = None
        with one_blas_thread:
            fitted._information = fitted._stream.information(fitted, batch) if fitted.inference else None
        self.__dict__ = fitted.__dict__
        return self

    @property
    def n_batches_(self) -> int:
        """Batches that ``partial_fit`` has seen."""
        return self._known_stream().n_batches

    @property
    def n_seen_(self) -> int:
        """Rows of positive weight in them."""
        return self._known_stream().n_rows

    def _known_stream(self) -> Stream:
        if self._stream is None:
            raise AttributeError("No batch has been seen; call partial_fit.")
        return self._stream


def read_batch(fitted: Any, X: Any, y: Any, classes: Any, sample_weight: Any, offset: Any) -> tuple[MemoryRows, Stream]:
    """Check a batch against those before it, and return its rows and the stream so far.

    The first one begins the stream: its columns and classes are recorded on the estimator.
    """
    parameters.check_parameters(fitted)
    parameters.check_for_stream(fitted)
    if is_elsewhere(X):
        raise ValueError(
            "partial_fit takes one batch in memory, not a scan or a Dask collection, which fit reads as often as it "
            "needs; call fit."
        )
    validate.check_labels(fitted, y)
    stream: Stream | None = fitted._stream
    if stream is None:
        numbers = predictors.learn_columns(fitted, X, parameters.penalty_of(fitted)[0] == 0.0)
        parameters.check_width_of_stream(numbers.shape[1])
    else:
        numbers = predictors.check_columns(fitted, X)
    labels = column_or_1d(y, warn=True)
    if stream is None or classes is not None:
        known = known_classes(classes, labels)
        if stream is not None and not np.array_equal(known, fitted.classes_):
            raise ValueError(f"classes={classes!r} are not those of the first batch, {fitted.classes_.tolist()!r}.")
        fitted.classes_ = known
    n = numbers.shape[0]
    outcome = validate.known_labels(labels, fitted.classes_, n).astype(np.int8)
    weight = weights_of(fitted, labels, outcome, sample_weight)
    # Weights may count rows, so that large ones stay; each row that counts is worth one on average at least.
    of_first = 1.0 if weight is None else min(1.0, float(weight[weight > 0.0].mean()))
    unit = of_first if stream is None else stream.unit
    if unit != 1.0:
        weight = (np.ones(n) if weight is None else weight) / unit
    if is_sparse(numbers):
        numbers = numbers.tocsr()  # whose rows can be taken some at a time
    origin = stream.origin if stream is not None else "auto" if fitted.fit_intercept else None
    data = numbers, outcome, weight, validate.row_numbers("offset", offset, n)
    batch = MemoryRows(*data, n_threads=n_threads(fitted.n_jobs), origin=origin)
    if stream is None:
        nothing = Memory.nothing(batch.n_columns)
        stream = Stream(nothing, np.zeros((batch.n_columns + 1, 1)), batch.origin, unit)
    return batch, stream


def known_classes(classes: Any, labels: np.ndarray) -> np.ndarray:
    """Return the two classes of a stream, sorted: those given, or those in the first batch."""
    found = np.unique(labels if classes is None else np.asarray(classes))
    if classes is None and len(found) == 1:
        raise ValueError(f"The first batch holds only one class, {found.tolist()[0]!r}; pass both as classes.")
    if classes is not None and len(found) != 2:
        raise ValueError(
            f"Only binary classification is supported, but classes={classes!r} holds {len(found)} labels; pass two, or "
            "wrap the estimator in sklearn.multiclass.OneVsRestClassifier."
        )
    return validate.two_classes(found)[0]


def weights_of(fitted: Any, labels: np.ndarray, outcome: np.ndarray, sample_weight: Any) -> Array | None:
    """Return the weights of a batch, those of classes included, None for 1."""
    weight = validate.row_numbers("sample_weight", sample_weight, len(labels))
    if weight is not None and (weight < 0.0).any():
        row = int(np.argmax(weight < 0.0))
        raise ValueError(f"sample_weight gives row {row} the weight {weight[row]:g}; weights must be 0 or more.")
    if fitted.class_weight is not None:
        by_class = compute_class_weight(fitted.class_weight, classes=fitted.classes_, y=labels)
        weight = by_class[outcome] * (1.0 if weight is None else weight)
    if weight is not None and not weight.any():
        raise ValueError(
            "All weights of this batch are zero, so no row counts; pass positive weights, or leave it out."
        )
    return weight
