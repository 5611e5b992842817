"""What zip writer and zip reader share: the numbers of the format, and the sizes in which files are read."""

from __future__ import annotations

CHUNK_SIZE = 192 * 1024
"""Bytes read at once; a multiple of three, so that base64 of a chunk needs no carrying over."""

SMALL_SIZE = 1024 * 1024
"""Up to this size a file is read, compressed and written in one piece."""

SPOOL_MEMORY = 8 << 20
"""Bytes of an archive that are held in memory; a larger one goes to a temporary file."""

DEEPEST = 128
"""How many directories may lie one below the other."""

TIMESTAMP_FIELD = 0x5455
"""The extra field of a zip entry that holds its time in UTC."""

ZIP64_FIELD = 1
"""The extra field for sizes and offsets that do not fit into 32 bits."""

STORED, DEFLATED = 0, 8
REFERENCE = 0xB10B
"""The compression method of an entry that stands for a file which the reader keeps: its content is digest and size.

No other reader knows it, so each refuses the archive instead of writing a wrong file.
"""

DIGEST_FIELD = 0xB10B
"""The extra field of a file that the reader may keep under that digest; others ignore it, as they must."""

DIGEST_SIZE = 32
"""Bytes of a digest (SHA-256)."""

UTF8_FLAG = 0x800
MAX_32 = 0xFFFFFFFF

DEFAULT_LEVEL = 3
"""Nearly as small as zlib's level 6, in a quarter of the time."""

FAST_LEVEL = 1
"""For what stays on this machine: it still writes a quarter of what files take without compression."""

SMALL_LEVEL = 6
"""For what crosses a mesh, which moves a few megabytes a second."""
