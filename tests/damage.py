"""What can happen to the bytes of a file: the same places each time, from a seed."""

import random
from dataclasses import dataclass

BITS, BLOCKS, CUT, LONGER = "bits and bytes changed", "pieces zeroed, moved or taken out", "cut off", "made longer"
EMPTY, GONE, SWAPPED = "emptied", "gone, or something else in its place", "swapped with another file"
# Where formats keep their magic words, versions and lengths: age, custom dumps, zstd, tar, JSON.
HEADER = (0, 1, 2, 4, 5, 8, 12, 21, 100, 124, 148, 156, 257)
SIZES = (1, 16, 512)


@dataclass(frozen=True)
class Damage:
    """A kind of damage, where it is, and the content that is left."""

    kind: str
    where: str
    content: bytes


def damages(content, seed, *, random_places=24):
    """Many ways in which this content can be another; none that leaves it as it was."""
    chance = random.Random(seed)  # noqa: S311 - the same places each time
    size = len(content)
    edges = {0, size - 1, size // 4, size // 2, 3 * size // 4, *HEADER}
    places = sorted({each for each in edges if each < size} | {chance.randrange(size) for _ in range(random_places)})
    made = [
        *_changed(content, places, chance),
        *_pieces(content, places[::3], chance),
        *_lengths(content, places, chance),
    ]
    return [each for each in made if each.content != content]


def _changed(content, places, chance):
    for place in places:
        bit = 1 << chance.randrange(8)
        yield Damage(BITS, f"bit {bit} of byte {place}", _with(content, place, bytes([content[place] ^ bit])))
    for place in places[::2]:
        yield Damage(BITS, f"byte {place}", _with(content, place, bytes([content[place] ^ 0xFF])))


def _pieces(content, places, chance):
    for place in places:
        size = min(chance.choice(SIZES), len(content) - place)
        piece, other = content[place : place + size], chance.randrange(len(content))
        yield Damage(BLOCKS, f"{size} bytes zeroed at {place}", _with(content, place, bytes(size)))
        yield Damage(BLOCKS, f"{size} bytes taken out at {place}", content[:place] + content[place + size :])
        yield Damage(
            BLOCKS, f"{size} bytes of {place} over those at {other}", _with(content, other, piece)[: len(content)]
        )


def _lengths(content, places, chance):
    for place in {1, *places[1::2], len(content) - 1}:
        yield Damage(CUT, f"after {place} bytes", content[:place])
    for more in (b"\0", b"\n{}", bytes(512), content[-1:], content, chance.randbytes(100)):
        yield Damage(LONGER, f"by {len(more)} bytes", content + more)
    yield Damage(EMPTY, "whole", b"")


def _with(content, place, piece):
    return content[:place] + piece + content[place + len(piece) :]
