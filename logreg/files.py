"""Tables in files, through pyarrow: Parquet by row groups, other files one by one."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv, dataset, parquet

from logreg.batches import Frame, Scan, at, refuse_missing

BATCH_VALUES = 3_000_000  # numbers of a batch, a few of which are in memory
LEAST_ROWS = 1_024  # of a batch of a wide table
CSV_BYTES = 2**24  # of a file that are parsed at a time

FORMATS = {
    "parquet": dataset.ParquetFileFormat(
        default_fragment_scan_options=dataset.ParquetFragmentScanOptions(pre_buffer=False)
    ),
    "csv": dataset.CsvFileFormat(
        default_fragment_scan_options=dataset.CsvFragmentScanOptions(read_options=csv.ReadOptions(block_size=CSV_BYTES))
    ),
}


class DatasetScan(Scan):
    """A scan of a ``pyarrow.dataset``: projected to the columns that are needed, and filtered as it is read."""

    def __init__(self, source: Any, filter: Any, *columns: Any) -> None:
        super().__init__(*columns)
        self.dataset, self.filter = source, filter
        self.states: dict[str, tuple[Any, Any]] = {}  # size and time of change of each file when it was first read

    @property
    def names(self) -> list[str]:
        """The names of all columns."""
        return list(self.schema.names)

    @cached_property
    def schema(self) -> pa.Schema:
        """The columns of all files, each of the type that holds what its types in all files do."""
        fragments = list(self.dataset.get_fragments())
        schemas = {}
        for fragment in fragments:
            with readable(path_of(fragment)):
                schemas[path_of(fragment)] = fragment.physical_schema
        if not fragments:
            raise ValueError("There are no files to scan; pass paths of some, or a folder that holds them.")
        used = None if self._features is None else [*self._features, self.target, self.weight, self.offset]
        fields: dict[str, list[pa.Field]] = {}
        for schema in schemas.values():
            for field in schema:
                fields.setdefault(field.name, []).append(field)
        for path, schema in schemas.items():
            with at(path):
                refuse_missing([name for name in fields if used is None or name in used], schema.names)
        in_files = pa.schema([self._unified(name, same) for name, same in fields.items()])
        in_paths = [field for field in self.dataset.schema if field.name not in in_files.names]
        return pa.schema([*in_files, *in_paths])

    def _unified(self, name: str, same: list[pa.Field]) -> pa.Field:
        try:
            field = pa.unify_schemas([pa.schema([one]) for one in same], promote_options="permissive").field(0)
        except pa.ArrowException:
            kinds = " and ".join(sorted({str(one.type) for one in same}))
            raise ValueError(f"Column {name!r} has types in some files that differ too much: {kinds}.") from None
        is_csv = getattr(getattr(self.dataset, "format", None), "default_extname", None) == "csv"
        is_guess = is_csv and (pa.types.is_integer(field.type) or pa.types.is_null(field.type))
        # Types of CSV are guessed from the first lines, and integers may go on with fractions.
        return field.with_type(pa.float64()) if is_guess and name != self.target else field

    @cached_property
    def pieces(self) -> list[tuple[Any, str]]:
        """What can be read by itself, and how it is called: some row groups of a Parquet file, or another file."""
        found = []
        for fragment in self.dataset.get_fragments():
            path = path_of(fragment)
            if not hasattr(fragment, "row_groups"):
                found.append((fragment, path))
                continue
            with readable(path):
                fragment.ensure_complete_metadata()
            groups = self._together(fragment.row_groups)
            found += [(fragment.subset(row_group_ids=some), called(path, some)) for some in groups]
        return found

    def _together(self, row_groups: list[Any]) -> Iterator[list[int]]:
        """Yield the numbers of neighbouring row groups that make about a batch."""
        together: list[int] = []
        n_rows, most = 0, rows_of_batch(len(self.features or self.names))
        for group in row_groups:
            if together and n_rows + group.num_rows > most:
                yield together
                together, n_rows = [], 0
            if group.num_rows:
                together.append(group.id)
                n_rows += group.num_rows
        if together:
            yield together

    def read(self, columns: list[str], pieces: Sequence[int] | None) -> Iterator[Frame]:
        """Return an iterator over batches of some columns, of the pieces of these numbers (None: all)."""
        refuse_missing(columns, self.names)
        size = {"batch_size": rows_of_batch(len(columns)), "batch_readahead": 0, "fragment_readahead": 0}
        for number in range(len(self.pieces)) if pieces is None else pieces:
            fragment, place = self.pieces[number]
            self._refuse_change(fragment)
            n_rows = 0
            with readable(place):
                batches = fragment.to_batches(schema=self.schema, columns=columns, filter=self.filter, **size)
                for batch in batches:
                    if batch.num_rows:
                        yield Frame(batch, f"{place}, after {n_rows} rows" if n_rows else place, number)
                        n_rows += batch.num_rows

    def _refuse_change(self, fragment: Any) -> None:
        if getattr(fragment, "filesystem", None) is None:
            return
        info = fragment.filesystem.get_file_info(fragment.path)
        state = info.size, info.mtime_ns
        if self.states.setdefault(fragment.path, state) != state:
            raise ValueError(
                f"{fragment.path} has changed since it was first read; scan again when it no longer changes."
            )


def dataset_of(paths: Any, kind: str) -> Any:
    """Return a dataset of files of a kind: one as it is, a path, a folder, a pattern, or a list of paths."""
    if isinstance(paths, dataset.Dataset):
        return paths
    listed = [paths] if isinstance(paths, str | PathLike) else paths
    if not isinstance(listed, Iterable):
        raise ValueError(f"paths is a {type(paths).__name__}; pass a path, a list of paths, or a pyarrow dataset.")
    files: list[str] = []
    for path in (fspath(path) for path in listed):
        found = sorted(glob.glob(path, recursive=True)) if glob.has_magic(path) else [path]
        if not found or not (Path(found[0]).exists() or "://" in path):
            raise FileNotFoundError(f"There is no file {path!r}.")
        files += found
    only_folder = len(files) == 1 and Path(files[0]).is_dir()
    with readable(", ".join(files[:3])):
        source = files[0] if len(files) == 1 else files
        return dataset.dataset(source, format=FORMATS[kind], partitioning="hive" if only_folder else None)


def rows_of_batch(n_columns: int) -> int:
    """Return how many rows of a table are read at a time."""
    return max(LEAST_ROWS, BATCH_VALUES // max(n_columns, 1))


def path_of(fragment: Any) -> str:
    """Return the path of a file, or a name for rows that are in none."""
    return getattr(fragment, "path", "") or "The table"


def called(path: str, groups: list[int]) -> str:
    """Return what some row groups of a file are called in sentences."""
    return f"{path}, row group {groups[0]}" if len(groups) == 1 else f"{path}, row groups {groups[0]} to {groups[-1]}"


@contextmanager
def readable(place: str) -> Iterator[None]:
    """Say in one sentence that a file cannot be read."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ValueError(f"{place} cannot be read: {reason}; write it again, or leave it out.") from None


def write_predictions(estimator: Any, scan: Scan, path: Any) -> None:
    """Write the columns ``probability``, of the second class, and ``predicted``, a row for each of a scan's."""
    target, writer = Path(path), None
    unfinished = target.with_name(f"{target.name}.unfinished")
    try:
        for both in estimator.predict_proba(scan):
            predicted = estimator.classes_[(both[:, 1] > both[:, 0]).astype(int)]
            table = pa.table({"probability": both[:, 1], "predicted": predicted})
            writer = writer or parquet.ParquetWriter(unfinished, table.schema)
            writer.write_table(table)
        if writer is None:
            raise ValueError("The scan has no rows to predict.")
        writer.close()
        unfinished.replace(target)
    finally:
        if writer is not None:
            writer.close()
        unfinished.unlink(missing_ok=True)
