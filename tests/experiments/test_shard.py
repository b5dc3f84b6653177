"""Shards: the same parts at every start, whole together, networks kept together."""

from dataclasses import replace

import pytest

from robustnets.chapters import CHAPTERS, chapter
from robustnets.experiments.shard import Shard


@pytest.fixture(scope="module", params=CHAPTERS)
def cells(request):
    return chapter(request.param).cells("demo", None, 3, "native")


@pytest.mark.parametrize("of", [1, 2, 3, 8, 300])
def test_parts_are_the_whole(cells, of):
    parts = [Shard(i + 1, of).take(cells) for i in range(of)]
    assert parts == [Shard(i + 1, of).take([*cells, *cells[:5]]) for i in range(of)]
    together = [cell for part in parts for cell in part]
    assert len(together) == len(set(together))
    assert set(together) == set(cells)
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


def base(cell):
    network = cell.network
    return replace(network, defense=None, rule=network.training.rules[0])


def test_networks_stay_together(cells):
    bases = {base(cell) for cell in cells}
    for of in (2, 3):
        trained = sum(len({base(cell) for cell in Shard(i + 1, of).take(cells)}) for i in range(of))
        assert trained <= len(bases) + of - 1  # each border cuts through one at most


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2", "a shard is written as 2/8, got '2'"),
        ("a/b", "a shard is written as 2/8, got 'a/b'"),
        ("-1/8", "a shard is written as 2/8"),
        ("0/8", "a shard is one of 1/8 to 8/8, got 0/8"),
        ("9/8", "a shard is one of 1/8 to 8/8, got 9/8"),
        ("1/0", "there must be at least one shard, got 1/0"),
    ],
)
def test_what_is_no_shard(text, message):
    with pytest.raises(ValueError, match=message):
        Shard.of_text(text)


def test_text():
    assert Shard.of_text(" 2/8 ") == Shard(2, 8)
