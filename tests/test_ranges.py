"""The laws that `nab_resolver.types.RangeProtocol` demands, against sets of small numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layercraft.resolution.ranges import Bits

POSITIONS = 12
UNIVERSE = frozenset(range(POSITIONS))

finite = st.frozensets(st.integers(0, POSITIONS - 1)).map(
    lambda members: Bits(sum(1 << member for member in members))
)
ranges = st.tuples(finite, st.booleans()).map(lambda drawn: ~drawn[0] if drawn[1] else drawn[0])


def members(bits: Bits) -> frozenset[int]:
    """Give the members below POSITIONS; beyond, a range holds all or nothing."""
    return frozenset(position for position in UNIVERSE if position in bits)


def is_endless(bits: Bits) -> bool:
    return POSITIONS in bits


@given(ranges)
def test_members_are_those_of_the_mask(bits: Bits) -> None:
    assert members(bits) == {position for position in UNIVERSE if bits.mask >> position & 1}
    assert bits.is_empty == (not members(bits) and not is_endless(bits))


@given(ranges, ranges)
def test_operations_are_those_of_sets(left: Bits, right: Bits) -> None:
    assert members(left & right) == members(left) & members(right)
    assert members(left | right) == members(left) | members(right)
    assert members(left - right) == members(left) - members(right)
    assert members(~left) == UNIVERSE - members(left)
    assert is_endless(left & right) == (is_endless(left) and is_endless(right))
    assert is_endless(left | right) == (is_endless(left) or is_endless(right))
    assert is_endless(left - right) == (is_endless(left) and not is_endless(right))
    assert is_endless(~left) != is_endless(left)


@given(ranges, ranges)
def test_comparisons_are_those_of_sets(left: Bits, right: Bits) -> None:
    mine, theirs = ((*members(each), *[POSITIONS] * is_endless(each)) for each in (left, right))
    assert left.is_subset(right) == (set(mine) <= set(theirs))
    assert left.is_superset(right) == (set(mine) >= set(theirs))
    assert left.is_disjoint(right) == set(mine).isdisjoint(theirs)


@given(ranges, ranges)
def test_a_relation_tells_both_comparisons_at_once(left: Bits, right: Bits) -> None:
    relation = left.relation(right)
    assert relation.is_subset == left.is_subset(right)
    assert relation.is_disjoint == left.is_disjoint(right)
    assert (relation.is_subset and relation.is_disjoint) == left.is_empty


@given(ranges, ranges)
def test_what_is_taken_away_and_put_back_covers_the_range(left: Bits, right: Bits) -> None:
    """Conflict resolution ends only while this holds."""
    assert left.is_subset((left - right) | right)


@given(ranges)
def test_the_empty_and_the_full_range_are_neutral(bits: Bits) -> None:
    assert bits & Bits.full() == bits == bits | Bits.empty()
    assert bits & Bits.empty() == Bits.empty()
    assert ~~bits == bits
    assert ~Bits.empty() == Bits.full()
    assert bits - bits == Bits.empty()


@given(ranges, ranges)
def test_equal_ranges_have_equal_hashes(left: Bits, right: Bits) -> None:
    assert (left == right) == (left.mask == right.mask)
    if left == right:
        assert hash(left) == hash(right)


@given(st.integers(0, 5000))
def test_a_singleton_has_one_member(position: int) -> None:
    single = Bits.singleton(position)
    assert position in single
    assert position + 1 not in single
    assert single.mask.bit_count() == 1


@given(ranges, ranges)
def test_ranges_never_change(left: Bits, right: Bits) -> None:
    masks = left.mask, right.mask
    _ = (left & right, left | right, left - right, ~left, left.relation(right))
    assert (left.mask, right.mask) == masks


def test_ranges_mix_with_nothing_else() -> None:
    with pytest.raises(TypeError, match="not a set of positions"):
        _ = Bits(1) & 1
    assert Bits(1) != 1


def test_a_range_shows_its_bits() -> None:
    assert repr(Bits(5)) == "Bits(0b101)"
