"""Encodes and decodes MessagePack as hype's docs/values.md describes it."""

import struct
from dataclasses import dataclass


@dataclass(frozen=True)
class Some:
    """A number of nested `Some` of Rust: `Some(None)` is `Some(1)`, which differs from `None`."""

    levels: int


def decode(data: bytes):
    """Decodes the single value in `data`."""
    value, end = _read(data, 0)
    if end != len(data):
        raise ValueError("something follows the value's end")
    return value


# By first byte: the `struct` format of the number that follows, or of the length of the content.
_NUMBERS = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
            0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
_LENGTHS = {0xC4: (">B", "bytes"), 0xC5: (">H", "bytes"), 0xC6: (">I", "bytes"),
            0xD9: (">B", "text"), 0xDA: (">H", "text"), 0xDB: (">I", "text"),
            0xDC: (">H", "list"), 0xDD: (">I", "list"), 0xDE: (">H", "map"), 0xDF: (">I", "map")}
# By first byte: the length of an extension's content, which follows its type.
_EXTENSIONS = {0xD4: 1, 0xD8: 16}
_SOME, _UNSIGNED, _SIGNED = 1, 2, 3
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}


def _read(data: bytes, at: int):
    if at >= len(data):
        raise ValueError("the bytes end too early")
    first, at = data[at], at + 1
    if first < 0x80:
        return first, at
    if first < 0x90:
        return _read_many(data, at, "map", first & 0x0F)
    if first < 0xA0:
        return _read_many(data, at, "list", first & 0x0F)
    if first < 0xC0:
        return _read_many(data, at, "text", first & 0x1F)
    if first >= 0xE0:
        return first - 0x100, at
    if first in _CONSTANTS:
        return _CONSTANTS[first], at
    if first in _NUMBERS:
        return _unpack(_NUMBERS[first], data, at)
    if first in _EXTENSIONS:
        return _read_extension(data, at, _EXTENSIONS[first])
    if first in _LENGTHS:
        form, kind = _LENGTHS[first]
        length, at = _unpack(form, data, at)
        return _read_many(data, at, kind, length)
    raise ValueError(f"a value begins with {first:#x}, which is not understood here")


def _read_extension(data: bytes, at: int, length: int):
    end = at + 1 + length
    if end > len(data):
        raise ValueError("the bytes end too early")
    kind, content = data[at], data[at + 1:end]
    if kind == _SOME and length == 1:
        return Some(content[0]), end
    if kind in (_UNSIGNED, _SIGNED) and length == 16:
        return int.from_bytes(content, "big", signed=kind == _SIGNED), end
    raise ValueError(f"an extension of type {kind} is not understood here")


def _unpack(form: str, data: bytes, at: int):
    end = at + struct.calcsize(form)
    if end > len(data):
        raise ValueError("the bytes end too early")
    return struct.unpack_from(form, data, at)[0], end


def _read_many(data: bytes, at: int, kind: str, length: int):
    if kind in ("bytes", "text"):
        if at + length > len(data):
            raise ValueError("the bytes end too early")
        part = data[at:at + length]
        return (part if kind == "bytes" else part.decode()), at + length
    values = []
    for _ in range(length if kind == "list" else 2 * length):
        value, at = _read(data, at)
        values.append(value)
    return (values if kind == "list" else dict(zip(values[::2], values[1::2]))), at


def encode(value) -> bytes:
    """Encodes `value`."""
    out = bytearray()
    _write(out, value)
    return bytes(out)


def _write(out: bytearray, value) -> None:
    if value is None:
        out.append(0xC0)
    elif isinstance(value, Some):
        out += bytes((0xD4, _SOME, value.levels))
    elif isinstance(value, bool):
        out.append(0xC3 if value else 0xC2)
    elif isinstance(value, int):
        _write_int(out, value)
    elif isinstance(value, float):
        out += struct.pack(">Bd", 0xCB, value)
    elif isinstance(value, str):
        out += struct.pack(">BI", 0xDB, len(text := value.encode())) + text
    elif isinstance(value, (bytes, bytearray)):
        out += struct.pack(">BI", 0xC6, len(value)) + value
    elif isinstance(value, (list, tuple)):
        out += struct.pack(">BI", 0xDD, len(value))
        for element in value:
            _write(out, element)
    elif isinstance(value, dict):
        out += struct.pack(">BI", 0xDF, len(value))
        for key, element in value.items():
            _write(out, key)
            _write(out, element)
    else:
        raise TypeError(f"a {type(value).__name__} has no MessagePack form")


def _write_int(out: bytearray, value: int) -> None:
    if 0 <= value < 0x80:
        out.append(value)
    elif -1 << 63 <= value < 0:
        out += struct.pack(">Bq", 0xD3, value)
    elif 0 < value < 1 << 64:
        out += struct.pack(">BQ", 0xCF, value)
    else:
        kind = _UNSIGNED if value > 0 else _SIGNED
        out += bytes((0xD8, kind)) + value.to_bytes(16, "big", signed=kind == _SIGNED)
