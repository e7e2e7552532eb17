import pytest
import torch

from explorer.nn.fast import onednn

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="this build of PyTorch has no oneDNN"
)


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("rows", [1, 3, 49, 80, 196, 300])
@pytest.mark.parametrize(("inputs", "outputs"), [(5, 3), (64, 128), (128, 64)])
def test_products_are_those_of_each_matrix(rows: int, inputs: int, outputs: int) -> None:
    matrices, x = draw(36, outputs, inputs), draw(rows, 36, inputs, seed=1)
    packed = onednn.PackedMatrices(lambda: matrices, 36, inputs, outputs)
    expected = torch.einsum("tgi,goi->tgo", x.double(), matrices.double()).float()
    for _ in range(2):  # the second time from what is kept
        torch.testing.assert_close(packed.multiply(x), expected, rtol=1e-4, atol=1e-4)


def test_matrices_are_made_once_for_each_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        onednn, "_find_layout", lambda *numbers: b"few" if numbers[3] < 10 else b"many"
    )
    made = []

    def make() -> torch.Tensor:
        made.append(1)
        return draw(2, 3, 4)

    packed = onednn.PackedMatrices(make, 2, 4, 3)
    for rows in (1, 2, 100, 3, 200, 9):
        packed.multiply(draw(rows, 2, 4))
    assert len(made) == 2


def test_another_number_of_threads_is_another_question(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(onednn, "_find_layout", lambda *numbers: asked.append(numbers[-1]) or b"")
    packed = onednn.PackedMatrices(lambda: draw(2, 3, 4), 2, 4, 3)
    threads = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            packed.multiply(draw(5, 2, 4))
    finally:
        torch.set_num_threads(threads)
    assert asked == [1, 2]


def test_only_float32_on_the_processor() -> None:
    cpu = torch.device("cpu")
    assert onednn.is_available(torch.float32, cpu)
    assert not onednn.is_available(torch.float64, cpu)
    assert not onednn.is_available(torch.bfloat16, cpu)
    assert not onednn.is_available(torch.float32, torch.device("meta"))


@pytest.mark.parametrize("rows", [16, 80, 196])
def test_products_do_not_depend_on_the_number_of_threads(rows: int) -> None:
    # Else features would differ between machines that share the work.
    matrices, x = draw(36, 128, 256), draw(rows, 36, 256, seed=1)
    packed = onednn.PackedMatrices(lambda: matrices, 36, 256, 128)
    threads, found = torch.get_num_threads(), []
    try:
        for count in (1, 2, 4):
            torch.set_num_threads(count)
            found.append(packed.multiply(x))
    finally:
        torch.set_num_threads(threads)
    assert found[0].equal(found[1])
    assert found[0].equal(found[2])
