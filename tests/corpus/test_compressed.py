"""Compressed files: read whole, and told when they are cut off or damaged."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import pytest
import zstandard

from bbert.corpus.compressed import read_chunks
from bbert.errors import InputError

COMPRESSORS = {
    "bz2": bz2.compress,
    "gz": gzip.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor().compress,
    "txt": bytes,
}
TEXT = "Un café, señor?\n".encode() * 20_000


@pytest.mark.parametrize("kind", COMPRESSORS)
def test_read_whole_whatever_the_name(tmp_path: Path, kind: str):
    path = tmp_path / "file.dat"
    path.write_bytes(COMPRESSORS[kind](TEXT))
    sizes: list[float] = []
    assert b"".join(read_chunks(path, sizes.append)) == TEXT
    assert sum(sizes) == path.stat().st_size


@pytest.mark.parametrize("kind", ["bz2", "gz", "xz", "zst"])
def test_several_streams_in_one_file(tmp_path: Path, kind: str):
    path = tmp_path / "file.dat"
    path.write_bytes(COMPRESSORS[kind](TEXT) + COMPRESSORS[kind](b"end") + b"\0" * 512)
    assert b"".join(read_chunks(path)) == TEXT + b"end"


@pytest.mark.parametrize("kind", ["bz2", "gz", "xz", "zst"])
def test_padding_between_streams(tmp_path: Path, kind: str):
    path = tmp_path / "file.dat"
    path.write_bytes(COMPRESSORS[kind](TEXT) + b"\0" * 8 + COMPRESSORS[kind](b"end"))
    assert b"".join(read_chunks(path)) == TEXT + b"end"


def test_what_zstandard_tools_write(tmp_path: Path):
    path = tmp_path / "file.dat"
    long = zstandard.ZstdCompressionParameters.from_level(1, window_log=28)  # zstd --long=28
    compressor = zstandard.ZstdCompressor(compression_params=long).compressobj()
    path.write_bytes(compressor.compress(TEXT) + compressor.flush())
    assert b"".join(read_chunks(path)) == TEXT
    skipped = b"\x50\x2a\x4d\x18" + (4).to_bytes(4, "little") + b"size"  # pzstd
    path.write_bytes(skipped + zstandard.compress(TEXT) + skipped + zstandard.compress(b"end"))
    assert b"".join(read_chunks(path)) == TEXT + b"end"


@pytest.mark.parametrize("kind", ["bz2", "gz", "xz", "zst"])
def test_a_cut_file_is_an_error_that_names_it(tmp_path: Path, kind: str):
    path = tmp_path / "file.dat"
    whole = COMPRESSORS[kind](TEXT)
    for length in (len(whole) - 1, len(whole) // 2, 12):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"file\.dat.*cut off"):
            list(read_chunks(path))


@pytest.mark.parametrize("kind", ["bz2", "gz", "xz", "zst"])
def test_damaged_data_are_an_error_that_names_the_file(tmp_path: Path, kind: str):
    path = tmp_path / "file.dat"
    whole = bytearray(COMPRESSORS[kind](TEXT))
    for position in range(10, min(60, len(whole))):
        whole[position] ^= 0x55
    path.write_bytes(bytes(whole))
    with pytest.raises(InputError, match=r"file\.dat"):
        list(read_chunks(path))


@pytest.mark.parametrize(
    ("head", "name"), [(b"PK\x03\x04xxxx", "zip"), (b"7z\xbc\xaf\x27\x1cxx", "7z")]
)
def test_archives_are_refused(tmp_path: Path, head: bytes, name: str):
    path = tmp_path / "file.dat"
    path.write_bytes(head)
    with pytest.raises(InputError, match=f"{name} archive"):
        list(read_chunks(path))
