"""What the processor says of itself, and the warning where it has no bf16."""

import logging
from pathlib import Path

import pytest

from bbert.processor_precision import has_bf16, vector_units, warn_of_slow_bf16

ZEN_3 = "model name\t: AMD EPYC\nflags\t\t: fpu sse2 avx avx2 fma\nbugs\t: bf16\n"
SAPPHIRE = "model name\t: Intel\nflags\t\t: fpu avx2 avx512f avx512_bf16 amx_bf16\n"
NEOVERSE = "Features\t: fp asimd sve bf16 i8mm\n"
NO_FLAGS = "processor\t: 0\n"


@pytest.mark.parametrize(
    ("text", "bf16", "units"),
    [
        (ZEN_3, False, ["AVX2"]),
        (SAPPHIRE, True, ["AMX", "AVX-512 bf16", "AVX-512", "AVX2"]),
        (NEOVERSE, True, ["Arm bf16"]),
        (NO_FLAGS, None, []),
    ],
)
def test_the_flags_of_a_processor(tmp_path: Path, text: str, bf16: bool | None, units: list[str]):
    file = tmp_path / "cpuinfo"
    file.write_text(text)
    assert has_bf16(file) is bf16
    assert vector_units(file) == units


def test_a_system_that_does_not_tell(tmp_path: Path):
    assert has_bf16(tmp_path / "none") is None
    assert vector_units(tmp_path / "none") == []


@pytest.mark.parametrize(("text", "lines"), [(ZEN_3, 1), (SAPPHIRE, 0), (NO_FLAGS, 0)])
def test_only_emulated_bf16_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, lines: int
):
    file = tmp_path / "cpuinfo"
    file.write_text(text)
    with caplog.at_level(logging.WARNING):
        warn_of_slow_bf16(file)
    assert len(caplog.messages) == lines
    assert all("--precision fp32" in message for message in caplog.messages)
