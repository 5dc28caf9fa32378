"""What a build will cost in time, memory and disk, from the size of its input.

The rates are MB a second of CPU time, measured on a virtual machine with two AMD EPYC processors
that were busy with other work too, so they err on the slow side. `benchmarks/corpus.py` measures
those of plain text again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bbert.corpus.compressed import EXPANSION, compression
from bbert.corpus.config import CorpusConfig
from bbert.corpus.sources import Source
from bbert.languages import Language

_MB = 1e6
_DUMP_MB_PER_SECOND = 6.0  # XML out of bzip2, one process; out of gzip four times as fast
_EXTRACTION_MB_PER_SECOND = 3.5  # of XML, each process
_TEXT_MB_PER_SECOND = 15.0  # sentences, tokenisation, interventions, each process
_ENCODING_MB_PER_SECOND = 24.0
_VOCABULARY_SECONDS_PER_MB = 0.3
_SENTENCE_BYTES = 150
_TEXT_SHARE_OF_DUMP = 0.4
_MEGABYTES_PER_PROCESS = 250
_VOCABULARY_MEGABYTES = 1500
_DISK_PER_BYTE = {False: 0.4 + 0.9, True: 0.75 + 0.9}  # compressed text + token store; by fake
SAMPLE_ESTIMATES = {
    "text": "a few MB, written by the program itself",
    "time": "about 1 min",
    "memory": "about 500 MB",
    "disk": "about 50 MB",
}


def estimates(
    config: CorpusConfig,
    served: Mapping[str, Sequence[Language]],
    sources: Mapping[str, Source],
    processes: int,
) -> dict[str, str]:
    """Printable estimates of `time`, `memory` and `disk` for a resolved configuration."""
    seconds, disk, text_bytes = 0.0, 0.0, 0.0
    for key, languages in served.items():
        raw = dump = 0.0
        for path in sources[key].texts:
            raw += path.stat().st_size * EXPANSION[compression(path)]
        for path in sources[key].dumps:
            dump += path.stat().st_size * EXPANSION[compression(path)]
        raw += dump * _TEXT_SHARE_OF_DUMP
        seconds += dump / _MB / _DUMP_MB_PER_SECOND
        seconds += dump / _MB / (_EXTRACTION_MB_PER_SECOND * processes)
        disk += dump * 0.35  # articles, compressed, until they are extracted
        share = raw if config.shared_text == "same" else raw / len(languages)
        for language in languages:
            kept = min(share, config.max_bytes) if config.max_bytes else share
            seconds += kept / _MB / (_TEXT_MB_PER_SECOND * processes)
            seconds += kept / _MB / _ENCODING_MB_PER_SECOND
            text_bytes += kept
            disk += kept * _DISK_PER_BYTE[language.is_fake]
    sampled = min(text_bytes, config.sample_sentences * _SENTENCE_BYTES)
    seconds += sampled / _MB * _VOCABULARY_SECONDS_PER_MB
    memory = _MEGABYTES_PER_PROCESS * (processes + 1)
    memory += _VOCABULARY_MEGABYTES * sampled / (2_000_000 * _SENTENCE_BYTES)
    return {
        "text": _bytes(text_bytes),
        "time": f"about {_duration(seconds)} with {processes} processes",
        "memory": f"about {_bytes(memory * _MB)}",
        "disk": f"about {_bytes(disk)}",
    }


def _bytes(number: float) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{max(1, number / 1e6):.0f} MB"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, seconds):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
