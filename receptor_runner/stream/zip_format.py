"""What zip writer and zip reader share: the numbers of the format, and the sizes in which files are read."""

from __future__ import annotations

CHUNK_SIZE = 192 * 1024
"""Bytes read at once; a multiple of three, so that base64 of a chunk needs no carrying over."""

SMALL_SIZE = 1024 * 1024
"""Up to this size a file is read, compressed and written in one piece."""

DEEPEST = 128
"""How many directories may lie one below the other."""

TIMESTAMP_FIELD = 0x5455
"""The extra field of a zip entry that holds its time in UTC."""

ZIP64_FIELD = 1
"""The extra field for sizes and offsets that do not fit into 32 bits."""

STORED, DEFLATED = 0, 8
UTF8_FLAG = 0x800
MAX_32 = 0xFFFFFFFF
