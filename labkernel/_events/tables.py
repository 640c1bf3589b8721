"""Tables in memory as rows: a pandas DataFrame, an Arrow table, Polars, lists of dicts, dataclasses or tuples.

None of those libraries is imported: a table is known by what it offers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from labkernel._errors import UsageError
from labkernel._events.cells import Gap
from labkernel._events.cloudevents import is_cloud_event, read_cloud_event
from labkernel._events.files import Row
from labkernel._events.lookup import as_mapping

__all__ = ["Table"]


class Table:
    """A table of events. `rows()` goes through it from the beginning, as often as it is called.

    Raises `UsageError` for what is no table, or an iterator, which could be gone through only once.
    """

    def __init__(self, data: Any) -> None:
        self._data = data
        kind = type(data).__name__
        if hasattr(data, "itertuples") and hasattr(data, "columns"):
            self.is_pandas, self._read = True, self._pandas
        elif hasattr(data, "to_batches") and hasattr(data, "column_names"):
            self.is_pandas, self._read = False, self._arrow
        elif hasattr(data, "iter_rows") and hasattr(data, "columns"):
            self.is_pandas, self._read = False, self._polars
        elif isinstance(data, Sequence) and not isinstance(data, str | bytes | bytearray):
            self.is_pandas, self._read = False, self._plain
        else:
            raise UsageError(
                f"A value of type {kind} is no table of events; "
                "give a DataFrame, an Arrow table or a list with a row per event."
            )
        self.name = f"the rows of a {kind}"

    def rows(self) -> Iterator[Row]:
        """Yield every row with its number, counted from 0 as the table does."""
        for number, value in enumerate(self._read()):
            try:
                yield Row(f"row {number}", read_cloud_event(value) if is_cloud_event(value) else value)
            except UsageError as error:
                yield Row(f"row {number}", error=error)

    def _pandas(self) -> Iterable[Any]:
        columns = [str(column) for column in self._data.columns]
        for values in self._data.itertuples(index=False, name=None):
            yield _nested(columns, map(_present, values))

    def _arrow(self) -> Iterable[Any]:
        for batch in self._data.to_batches(max_chunksize=1024):
            for row in batch.to_pylist():
                yield _nested([*row], row.values())

    def _polars(self) -> Iterable[Any]:
        for row in self._data.iter_rows(named=True):
            yield _nested([*row], row.values())

    def _plain(self) -> Iterable[Any]:
        for row in self._data:
            mapping = as_mapping(row)
            yield row if mapping is None or isinstance(row, Mapping) else dict(mapping)


def _present(value: Any) -> Any:
    """Return a cell of a DataFrame; what pandas writes for nothing is `None`, or a `Gap` where it is NaN."""
    if type(value).__name__ in ("NAType", "NaTType"):
        return None
    return Gap() if isinstance(value, float) and value != value else value


def _nested(columns: list[str], values: Iterable[Any]) -> dict[str, Any]:
    """Return a row as a dict; columns such as `event-timestamp.seconds` are parts of one value."""
    made: dict[str, Any] = {}
    for name, value in zip(columns, values, strict=True):
        node = made
        *outer, last = name.split(".")
        for word in outer:
            inner = node.setdefault(word, {})
            if not isinstance(inner, dict):
                raise UsageError(
                    f"The table has both a column {word!r} and parts of it ({name!r}); keep one."
                )
            node = inner
        node[last] = value
    return made
