"""Scans of tables that are larger than memory: Parquet, CSV, and batches from anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from logreg.batches import BatchScan, Scan, one_shot


def scan_parquet(
    paths: Any,
    *,
    target: str | None = None,
    features: Sequence[str] | None = None,
    categories: Sequence[str] | None = None,
    weight: str | None = None,
    offset: str | None = None,
    filter: Any = None,
) -> Scan:
    """Return a scan of Parquet files, for ``fit``, ``score`` and predictions: rows are read in each pass, never held.

    A first look reads the columns of outcomes, weights and categories; a pass reads those and the features, some
    millions of numbers at a time, while kernels work on those before; samples are drawn from random row groups.

    Parameters
    ----------
    paths : path, list of paths or pyarrow.dataset.Dataset
        A file, a folder, or a pattern such as ``"flights/*.parquet"``. Files may differ in the order of their columns
        and in types of numbers.
    target : str, default=None
        The column of outcomes, two classes; predictions need none.
    features : list of str, default=None
        The columns of X; None means all that are nothing else.
    categories : list of str, default=None
        The columns each of whose levels, sorted, has a coefficient; None leaves it to the estimator's ``categories``.
    weight, offset : str, default=None
        The columns of sample weights and of known parts of the scores.
    filter : pyarrow.dataset expression, default=None
        Which rows to read, for example ``pyarrow.dataset.field("year") >= 2020``.

    Raises
    ------
    ValueError
        In one sentence that names the file, the row group and the column, here or when rows are read.

    Examples
    --------
    >>> import tempfile
    >>> from logreg import LogisticRegression, scan_parquet
    >>> from logreg.datasets import load_orings
    >>> X, y = load_orings()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     X.assign(damage=y).to_parquet(f"{folder}/launches.parquet")
    ...     clf = LogisticRegression(penalty=None).fit(scan_parquet(f"{folder}/*.parquet", target="damage"))
    >>> clf.coef_.round(4), clf.intercept_.round(4)
    (array([[-0.2322]]), array([15.0429]))
    """
    from logreg.files import DatasetScan, dataset_of

    return DatasetScan(dataset_of(paths, "parquet"), filter, target, features, categories, weight, offset)


def scan_csv(
    paths: Any,
    *,
    target: str | None = None,
    features: Sequence[str] | None = None,
    categories: Sequence[str] | None = None,
    weight: str | None = None,
    offset: str | None = None,
    filter: Any = None,
) -> Scan:
    """Return a scan of CSV files with a line of names, likewise; all of a file is parsed in each pass.

    Parameters
    ----------
    paths, target, features, categories, weight, offset, filter
        As of :func:`scan_parquet`.

    Examples
    --------
    >>> import tempfile
    >>> from logreg import LogisticRegression, scan_csv
    >>> from logreg.datasets import load_orings
    >>> X, y = load_orings()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     X.assign(damage=y).to_csv(f"{folder}/launches.csv", index=False)
    ...     clf = LogisticRegression(penalty=None).fit(scan_csv(f"{folder}/launches.csv", target="damage"))
    >>> clf.coef_.round(4), clf.intercept_.round(4)
    (array([[-0.2322]]), array([15.0429]))
    """
    from logreg.files import DatasetScan, dataset_of

    return DatasetScan(dataset_of(paths, "csv"), filter, target, features, categories, weight, offset)


def scan_batches(
    batches: Iterable[Any] | Callable[[], Iterable[Any]],
    *,
    target: str | None = None,
    features: Sequence[str] | None = None,
    categories: Sequence[str] | None = None,
    weight: str | None = None,
    offset: str | None = None,
) -> Scan:
    """Return a scan of batches from anywhere: DataFrames, Arrow tables, or tuples ``(X, y)`` and ``(X, y, weight)``.

    Parameters
    ----------
    batches : iterable or callable
        What can be iterated over again and again, such as a list, or a function that returns a new iterator over the
        same batches at each call.
    target, features, categories, weight, offset
        As of :func:`scan_parquet`, by name; of tuples of arrays there are none.

    Examples
    --------
    >>> from logreg import LogisticRegression, scan_batches
    >>> from logreg.datasets import load_orings
    >>> X, y = load_orings()
    >>> def halves():
    ...     yield X[:12], y[:12]
    ...     yield X[12:], y[12:]
    >>> LogisticRegression(penalty=None).fit(scan_batches(halves)).coef_.round(4)
    array([[-0.2322]])
    """
    if isinstance(batches, Iterator):
        raise one_shot(batches)
    if not callable(batches) and not isinstance(batches, Iterable):
        raise ValueError(f"batches is a {type(batches).__name__}; pass a list, or a function that returns an iterator.")
    factory = batches if callable(batches) else (lambda: batches)
    return BatchScan(factory, target, features, categories, weight, offset)
