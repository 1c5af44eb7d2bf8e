"""Python values to typed Arrow columns, without pyarrow's own conversion.

Belongs here: one function per type of the contract, from a list of values to an Arrow array.
`pa.array` does the same, but imports pandas at its first call, which takes longer than the whole
demo; these lay out the buffers by themselves.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import accumulate

import pyarrow as pa

from orchestration.ingest import contract

_SCALE = 10
_DECIMAL = pa.decimal128(38, _SCALE)
_INSTANT = pa.timestamp("us", tz="UTC")
_ZERO = bytes(16)


def column(values: Sequence, kind: str) -> pa.Array:
    """An Arrow array of a contract type; instants are given in milliseconds, None is NULL."""
    return _BUILDERS[kind](values)


def _bits(flags: Sequence[bool]) -> pa.Buffer:
    """Booleans as Arrow's bitmap: the first one is the lowest bit."""
    digits = "".join(["1" if flag else "0" for flag in reversed(flags)])
    return pa.py_buffer(int(digits or "0", 2).to_bytes((len(flags) + 7) // 8, "little"))


def _array(values: Sequence, data_type: pa.DataType, *buffers: pa.Buffer) -> pa.Array:
    valid = None if None not in values else _bits([value is not None for value in values])
    return pa.Array.from_buffers(data_type, len(values), [valid, *buffers])


def _text(values: Sequence[str | None]) -> pa.Array:
    parts: list = [value or "" for value in values]
    text = "".join(parts)
    data = text.encode()
    if len(data) != len(text):  # not all ASCII: lengths in bytes differ
        parts = [part.encode() for part in parts]
    ends = array("i", accumulate(map(len, parts), initial=0))
    return _array(values, pa.string(), pa.py_buffer(ends), pa.py_buffer(data))


def _integer(values: Sequence[int | None]) -> pa.Array:
    numbers = array("q", [value or 0 for value in values])
    return _array(values, pa.int64(), pa.py_buffer(numbers))


def _instant(values: Sequence[int | None]) -> pa.Array:
    microseconds = array("q", [(value or 0) * 1000 for value in values])
    return _array(values, _INSTANT, pa.py_buffer(microseconds))


def _boolean(values: Sequence[bool | None]) -> pa.Array:
    return _array(values, pa.bool_(), _bits(values))


def _decimal(values: Sequence[Decimal | None]) -> pa.Array:
    parts = [
        int(value.scaleb(_SCALE)).to_bytes(16, "little", signed=True) if value else _ZERO for value in values
    ]
    return _array(values, _DECIMAL, pa.py_buffer(b"".join(parts)))


_BUILDERS: dict[str, Callable[[Sequence], pa.Array]] = {
    contract.TEXT: _text,
    contract.DECIMAL: _decimal,
    contract.INTEGER: _integer,
    contract.BOOLEAN: _boolean,
    contract.INSTANT: _instant,
}
