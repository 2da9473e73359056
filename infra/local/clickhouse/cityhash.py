"""CityHash128 as of version 1.0.2, the checksum of ClickHouse's compressed blocks (later versions give other values).

Written from the published algorithm (Pike and Alakuijala, Google, 2011). Plain Python: a few MB/s.
"""

import struct

MASK = (1 << 64) - 1
K0, K1, K2, K3 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F, 0xC949C7DEFEBE726F
MULTIPLIER = 0x9DDFEA08EB382D69


def cityhash128(data: bytes) -> bytes:
    """Return the 16 bytes that stand before a block.

    >>> cityhash128(b"").hex()
    '2b9ac064fc9df03d291ee592c340b53c'
    """
    length = len(data)
    if length >= 16:
        low, high = _seeded(data[16:], _word(data, 0) ^ K3, _word(data, 8))
    elif length >= 8:
        low, high = _seeded(b"", _word(data, 0) ^ (length * K0 & MASK), _word(data, length - 8) ^ K1)
    else:
        low, high = _seeded(data, K0, K1)
    return struct.pack("<QQ", low, high)


def _word(data: bytes, place: int) -> int:
    return int.from_bytes(data[place : place + 8], "little")


def _rotate(value: int, shift: int) -> int:
    return (value >> shift | value << (64 - shift)) & MASK


def _mix(value: int) -> int:
    return value ^ value >> 47


def _pair(low: int, high: int) -> int:
    first = _mix((low ^ high) * MULTIPLIER & MASK)
    return _mix((high ^ first) * MULTIPLIER & MASK) * MULTIPLIER & MASK


def _short(data: bytes) -> int:
    length = len(data)
    if length > 8:
        first, last = _word(data, 0), _word(data, length - 8)
        turned = (last + length) & MASK
        return _pair(first, _rotate(turned, length)) ^ last
    if length >= 4:
        first, last = int.from_bytes(data[:4], "little"), int.from_bytes(data[-4:], "little")
        return _pair((length + (first << 3)) & MASK, last)
    if length:
        y = data[0] + (data[length >> 1] << 8)
        z = length + (data[-1] << 2)
        return _mix((y * K2 ^ z * K3) & MASK) * K2 & MASK
    return K2


def _murmur(data: bytes, a: int, b: int) -> tuple[int, int]:
    length = len(data)
    if length <= 16:
        a = _mix(a * K1 & MASK) * K1 & MASK
        c = (b * K1 + _short(data)) & MASK
        d = _mix((a + (_word(data, 0) if length >= 8 else c)) & MASK)
    else:
        c = _pair((_word(data, length - 8) + K1) & MASK, a)
        d = _pair((b + length) & MASK, (c + _word(data, length - 16)) & MASK)
        a = (a + d) & MASK
        for place in range(0, length - 16, 16):
            a = (a ^ _mix(_word(data, place) * K1 & MASK) * K1 & MASK) * K1 & MASK
            b ^= a
            c = (c ^ _mix(_word(data, place + 8) * K1 & MASK) * K1 & MASK) * K1 & MASK
            d ^= c
    a, b = _pair(a, c), _pair(d, b)
    return a ^ b, _pair(b, a)


def _weak(data: tuple[int, ...], place: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = data[place : place + 4]
    a += w
    b = _rotate((b + a + z) & MASK, 21)
    c = a
    a = (a + x + y) & MASK
    return (a + z) & MASK, (b + _rotate(a, 44) + c) & MASK


def _seeded(data: bytes, x: int, y: int) -> tuple[int, int]:
    length = len(data)
    if length < 128:
        return _murmur(data, x, y)
    z = length * K1 & MASK
    v0 = (_rotate(y ^ K1, 49) * K1 + _word(data, 0)) & MASK
    v = v0, (_rotate(v0, 42) * K1 + _word(data, 8)) & MASK
    w = (_rotate((y + z) & MASK, 35) * K1 + x) & MASK, _rotate((x + _word(data, 88)) & MASK, 53) * K1 & MASK
    whole = length // 128 * 128
    for at in range(0, whole, 64):
        s = struct.unpack_from("<8Q", data, at)
        x = _rotate((x + y + v[0] + s[2]) & MASK, 37) * K1 & MASK ^ w[1]
        y = _rotate((y + v[1] + s[6]) & MASK, 42) * K1 & MASK ^ v[0]
        z = _rotate(z ^ w[0], 33)
        v = _weak(s, 0, v[1] * K1 & MASK, (x + w[0]) & MASK)
        w = _weak(s, 4, (z + w[1]) & MASK, y)
        z, x = x, z
    y = (y + _rotate(w[0], 37) * K0 + z) & MASK
    x = (x + _rotate((v[0] + z) & MASK, 49) * K0) & MASK
    for done in range(32, length - whole + 32, 32):
        s = struct.unpack_from("<4Q", data, length - done)
        y = (_rotate((y - x) & MASK, 42) * K0 + v[1]) & MASK
        w = (w[0] + s[2]) & MASK, w[1]
        x = (_rotate(x, 49) * K0 + w[0]) & MASK
        w = (w[0] + v[0]) & MASK, w[1]
        v = _weak(s, 0, v[0], v[1])
    x, y = _pair(x, v[0]), _pair(y, w[0])
    return (_pair((x + v[1]) & MASK, w[1]) + y) & MASK, _pair((x + w[1]) & MASK, (y + v[1]) & MASK)
