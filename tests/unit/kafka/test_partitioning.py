"""Kafka's partitioner, against the vectors of Kafka's own tests."""

import pytest
from aiokafka.partitioner import murmur2 as plain_murmur2
from hypothesis import given
from hypothesis import strategies as st

from app.kafka.partitioning import murmur2, partition_for

#: org.apache.kafka.common.utils.UtilsTest.testMurmur2
JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "hashed"), JAVA.items())
def test_the_hash_is_javas(key: bytes, hashed: int) -> None:
    """The same bits as Java's signed int; the sign bit is dropped before the modulus."""
    assert murmur2(key) == hashed & 0xFFFFFFFF
    assert partition_for(key, 7) == (hashed & 0x7FFFFFFF) % 7


@given(st.binary(max_size=80))
def test_the_hash_is_that_of_another_client(key: bytes) -> None:
    """Every length of the last, partial block included."""
    assert murmur2(key) == plain_murmur2(key)


@given(st.binary(max_size=40), st.integers(1, 500))
def test_a_partition_is_one_that_exists(key: bytes, partitions: int) -> None:
    """Every key gives a number below the count."""
    assert 0 <= partition_for(key, partitions) < partitions
