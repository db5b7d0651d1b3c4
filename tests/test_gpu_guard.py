from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from shelf import Shelf
from wheelhouse import WheelDraft

from layercraft.resolution.gpu_guard import guard_gpu, hopeless_hint, useless_on_lambda

if TYPE_CHECKING:
    from command_line import CommandLine
    from local_index import LocalIndex

XGBOOST = Shelf(
    "xgboost-3.4.1 : nvidia-nccl-cu13", "nvidia_nccl_cu13-2.32.3", "plain-1 : nvidia-ml-py", "nvidia_ml_py-1"
)


def test_what_only_a_gpu_can_use_is_left_out_and_the_cpu_variant_named() -> None:
    found = guard_gpu(XGBOOST.resolve("xgboost").lock)
    assert [each.pin.name for each in found.left_out] == ["nvidia-nccl-cu13"]
    assert found.told == (
        "nvidia-nccl-cu13 is left out: Lambda has no GPU, although xgboost requires it",
        "xgboost without GPU code: take xgboost-cpu",
    )


def test_what_is_asked_for_by_name_stays() -> None:
    assert guard_gpu(XGBOOST.resolve("xgboost", "nvidia-nccl-cu13").lock).left_out == ()


def test_what_is_imported_at_once_stays() -> None:
    assert guard_gpu(XGBOOST.resolve("plain").lock).left_out == ()


def test_a_chain_of_gpu_libraries_goes_as_a_whole() -> None:
    shelf = Shelf(
        "torch-2 : triton, cuda-toolkit", "triton-3", "cuda_toolkit-13 : nvidia-cublas", "nvidia_cublas-13"
    )
    lock = shelf.resolve("torch").lock
    found = guard_gpu(lock)
    assert [each.pin.name for each in found.left_out] == ["cuda-toolkit", "nvidia-cublas", "triton"]
    assert "although torch requires them" in found.told[0]
    assert "download.pytorch.org/whl/cpu" in (hopeless_hint(lock.pins) or "")


@pytest.mark.parametrize(
    "name",
    ["tritonclient", "nvidia-ml-py", "nvidia-ml-py3", "numpy", "xgboost-cpu", "jax", "jaxlib"],
)
def test_names_that_only_look_alike_are_none(name: str) -> None:
    assert useless_on_lambda(name) is None


@pytest.mark.parametrize(
    "name",
    ["nvidia-cublas-cu12", "triton", "pytorch-triton-rocm", "jax-cuda13-plugin", "libtpu"],
)
def test_gpu_libraries_are_known(name: str) -> None:
    assert useless_on_lambda(name)


def test_a_build_does_not_fetch_them_and_says_so(layercraft: CommandLine, index: LocalIndex) -> None:
    index.add(WheelDraft(name="nvidia-nccl-cu13", version="2.32"))
    index.add(WheelDraft(name="xgboost", version="3.4", requires=["nvidia-nccl-cu13"]))
    ran = layercraft.must("build", "--require", "xgboost")
    assert "note: xgboost without GPU code: take xgboost-cpu" in ran.err
    assert "Left out (zipped)\n  nvidia-nccl-cu13  2.32  " in ran.out
    kept = layercraft.must("build", "--require", "xgboost", "--keep-gpu")
    assert "Left out" not in kept.out
    layercraft.write({"layers/x/requirements.txt": "xgboost\n", "layers/x/layer.toml": "keep-gpu = true\n"})
    assert "Left out" not in layercraft.must("build", "x").out
