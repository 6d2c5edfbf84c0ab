"""Opening the database of a partition, or making it anew where it cannot be trusted.

The changelog has everything, so whatever is wrong with the files is mended by throwing them away:
they are damaged, or so old that the changelog may have forgotten what was erased since. A database
that another process uses, or that cannot be read for want of rights or space, is left alone.
"""

import logging
import os
import shutil
from pathlib import Path
from typing import Final

import rocksdict
from rocksdict import Rdict

from app.core.errors import InfrastructureError
from tables.layout import AS_OF_KEY, unpack_offset

_log: Final = logging.getLogger(__name__)

_MIB: Final = 1 << 20
#: What RocksDB says of its lock file when this process holds it, and when another one does.
_HELD_HERE: Final = "lock hold by current process"
_HELD_ELSEWHERE: Final = "While lock file"
#: How old files may be: Kafka keeps a null value for ``delete.retention.ms``, a day by default, and
#: then compaction may take it away, and with it all that says that a customer is no more.
TRUSTED_MS: Final = 20 * 3_600_000


def open_database(path: Path, cache: "rocksdict.Cache | None", now_ms: int) -> Rdict:
    """The database at ``path``, an empty one when there is none. Raises InfrastructureError."""
    marker = _marker(path)
    if marker.exists():
        _remove(path, "it was found to be damaged")
        marker.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        database = Rdict(str(path), options=_options(cache))
    except Exception as exc:
        if is_full(exc):
            raise full(path) from exc
        if not is_damage(exc):
            raise _cannot_open(path, exc) from exc
        _remove(path, "it is damaged")
        return Rdict(str(path), options=_options(cache))
    as_of = database.get(AS_OF_KEY)
    is_empty = next(iter(database.keys()), None) is None
    if not is_empty and (as_of is None or now_ms - unpack_offset(as_of) > TRUSTED_MS):
        database.close()
        _remove(path, "it is older than the changelog remembers erasures")
        return Rdict(str(path), options=_options(cache))
    return database


def _cannot_open(path: Path, exc: Exception) -> InfrastructureError:
    """What to raise for files that are neither damaged nor on a full volume."""
    message = str(exc)
    if _HELD_HERE in message:
        return InfrastructureError(
            f"the database {path} is still open in this process ({os.getpid()}): it was opened"
            " twice, or not closed when its partition left; start the worker again, and report it"
        )
    if _HELD_ELSEWHERE in message:
        return InfrastructureError(
            f"the database {path} is open in another process: another worker uses this data"
            " directory; stop it, or give this one its own TRIGGER_DATA_DIR"
        )
    return InfrastructureError(
        f"the database {path} cannot be opened: {message}; mend what is named, or delete the"
        " folder: the changelog has everything"
    )


def is_damage(exc: Exception) -> bool:
    """Whether files are not what the database wrote, by what it says."""
    message = str(exc)
    return message.startswith("Corruption") or "No such file" in message


def is_full(exc: Exception) -> bool:
    """Whether there is no room for what was to be written."""
    return "No space left" in str(exc)


def full(path: Path) -> InfrastructureError:
    """What to raise then."""
    return InfrastructureError(
        f"the volume of {path} is full: make room on it, or enlarge it, then start the worker"
        " again; nothing is lost, it goes on from what was committed last"
    )


def mark_damaged(path: Path) -> None:
    """Let the next opening start from nothing."""
    _marker(path).touch()


def shared_cache() -> "rocksdict.Cache":
    """One block cache for all partitions of a worker, so that memory does not grow with them."""
    return rocksdict.Cache(64 * _MIB)


def _marker(path: Path) -> Path:
    return path.with_name(f"{path.name}.damaged")


def _remove(path: Path, why: str) -> None:
    _log.warning(
        "the database of a partition is thrown away and rebuilt from the changelog",
        extra={"action": "rebuild", "path": str(path), "why": why},
    )
    shutil.rmtree(path, ignore_errors=True)


def _options(cache: "rocksdict.Cache | None") -> "rocksdict.Options":
    """Small values, point lookups, bounded memory: 16 MiB of memtables a partition at most.

    Files are compressed when they are first rewritten: until then there are few of them, except in
    a bulk load, and to compress all twice would be a fifth of what writing costs.

    Indexes and filters, a few bytes a customer, stay out of the block cache: the blocks of records,
    which are many more, would evict them, and almost every get would read and check them again.
    """
    table = rocksdict.BlockBasedOptions()
    table.set_block_cache(cache or rocksdict.Cache(8 * _MIB))
    table.set_block_size(4 * 1024)
    table.set_bloom_filter(10, False)
    table.set_cache_index_and_filter_blocks(False)
    table.set_format_version(5)
    options = rocksdict.Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(table)
    options.set_write_buffer_size(8 * _MIB)
    options.set_max_write_buffer_number(2)
    options.set_level_zero_file_num_compaction_trigger(8)
    options.set_max_open_files(256)
    compression = rocksdict.DBCompressionType
    options.set_compression_per_level([compression.none(), compression.lz4()])
    options.set_wal_recovery_mode(rocksdict.DBRecoveryMode.point_in_time())
    options.set_keep_log_file_num(2)
    options.set_max_log_file_size(_MIB)
    options.set_max_background_jobs(2)
    return options
