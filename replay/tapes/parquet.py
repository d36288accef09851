"""Parquet as rows; the only file that knows pyarrow, which is an extra."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daemon.errors import RefusedError

BATCH_ROWS = 8_192


class ParquetRows:
    """The rows of a Parquet file, the column names first.

    Zoned time stamps come as epoch nanoseconds, naive ones and dates as text, so that they meet
    the same rules as those of a CSV. `line_num` counts the header as line 1, as a CSV would.
    """

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow as arrow
            from pyarrow import parquet
        except ImportError:
            raise RefusedError(
                f"{path}: reading Parquet needs pyarrow: pip install 'papertape[parquet]'"
            ) from None
        self.line_num = 0
        self._rows = self._read()
        try:
            self._file: Any = parquet.ParquetFile(path, memory_map=True, pre_buffer=False)
        except (arrow.ArrowException, OSError) as error:
            raise RefusedError(f"{path}: is a damaged Parquet file ({error})") from None
        self._path = path

    def __iter__(self) -> Iterator[list[Any]]:
        """Header, then rows; one batch of them is in memory at a time."""
        return self

    def __next__(self) -> list[Any]:
        """The next row."""
        return next(self._rows)

    def _read(self) -> Iterator[list[Any]]:
        import pyarrow as arrow

        self.line_num = 1
        yield [_plain_name(name) for name in self._file.schema_arrow.names]
        try:
            for batch in self._file.iter_batches(batch_size=BATCH_ROWS):
                columns = [_plain_column(column) for column in batch.columns]
                for cells in zip(*columns, strict=True):
                    self.line_num += 1
                    yield list(cells)
        except arrow.ArrowException as error:
            raise RefusedError(
                f"{self._path}:{self.line_num}: is a damaged Parquet file ({error})"
            ) from None


def _plain_name(name: str) -> str:
    """pandas calls an index without a name `__index_level_0__`; a CSV leaves its cell empty."""
    return "" if name.startswith("__index_level_") else name


def _plain_column(column: Any) -> list[Any]:
    import pyarrow as arrow
    from pyarrow import compute

    kind = column.type
    if arrow.types.is_timestamp(kind) and kind.tz is not None:
        nanoseconds = column.cast(arrow.timestamp("ns", kind.tz)).cast(arrow.int64())
        return [str(value) if value is not None else "" for value in nanoseconds.to_pylist()]
    if arrow.types.is_timestamp(kind):
        written: list[Any] = compute.strftime(column, format="%Y-%m-%d %H:%M:%S").to_pylist()
        return written
    if arrow.types.is_date(kind):
        return [str(value) for value in column.to_pylist()]
    plain: list[Any] = column.to_pylist()
    return plain
