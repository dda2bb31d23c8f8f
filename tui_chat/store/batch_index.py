"""What is known about ids, in 15 bytes each, whatever their length.

Among a million ids two are taken for one with a chance of 1 to 2 million.
"""

from __future__ import annotations

from hashlib import blake2b

KEY = 6
"""Bytes of an id's hash that are kept; where they are kept tells 12 bits more."""
WIDTH = KEY + 4
BUCKETS = 4096


class Index:
    """Maps ids to marks, whole numbers from 1 to 2^32 - 1."""

    def __init__(self) -> None:
        self._buckets: list[bytearray | None] = [None] * BUCKETS
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, id: str) -> int:
        """The mark of an id; 0 where it has none."""
        key, bucket = self._place(id)
        at = _find(bucket, key)
        return int.from_bytes(bucket[at + KEY : at + WIDTH], "little") if at >= 0 else 0

    def put(self, id: str, mark: int) -> None:
        """Give an id a mark, instead of the one that it has."""
        key, bucket = self._place(id)
        at = _find(bucket, key)
        if at >= 0:
            bucket[at + KEY : at + WIDTH] = mark.to_bytes(4, "little")
        else:
            bucket += key + mark.to_bytes(4, "little")
            self._count += 1

    def _place(self, id: str) -> tuple[bytes, bytearray]:
        whole = blake2b(id.encode("utf-8", "surrogatepass"), digest_size=KEY + 2).digest()
        key, number = whole[:KEY], int.from_bytes(whole[KEY:], "little") % BUCKETS
        bucket = self._buckets[number]
        if bucket is None:
            bucket = self._buckets[number] = bytearray()
        return key, bucket


def _find(bucket: bytearray, key: bytes) -> int:
    """Where the record of `key` begins, -1 where there is none."""
    at = bucket.find(key)
    while at > 0 and at % WIDTH:
        at = bucket.find(key, at + 1)
    return at
