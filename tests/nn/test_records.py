import base64
import zlib

import pytest

from explorer.nn.records import pack_ids, unpack_ids


@pytest.mark.parametrize("ids", [[0], [7], [1, 2, 3, 9], list(range(0, 11_788, 3))])
def test_ids_are_packed_and_unpacked(ids: list[int]) -> None:
    packed = pack_ids(ids)
    assert isinstance(packed, str)
    assert unpack_ids(packed) == ids


@pytest.mark.parametrize("ids", [[], [3, 2], [1, 1], [2**24], [2**60]])
def test_other_ids_are_kept_as_they_are(ids: list[int]) -> None:
    assert pack_ids(ids) == ids


@pytest.mark.parametrize(
    "text",
    [
        *("", "!", "AAAA", pack_ids([1, 2, 300])[:-4]),
        base64.b64encode(zlib.compress(bytes(2**22))).decode(),
    ],
)
def test_damaged_ids_are_told(text: str) -> None:
    with pytest.raises(ValueError, match="its split is damaged"):
        unpack_ids(text)
