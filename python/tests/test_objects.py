"""Objects of other libraries: configurations, modules, data sets."""

from typing import Any

import pytest

import flopcast
from conftest import RUN


class LlamaConfig:
    """As transformers has it."""

    model_type = "llama"

    def to_dict(self) -> dict[str, Any]:
        return {
            "model_type": "llama",
            "architectures": ["LlamaForCausalLM"],
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "vocab_size": 128256,
            "max_position_embeddings": 8192,
            "tie_word_embeddings": False,
        }


class Parameter:
    def __init__(self, count: int) -> None:
        self.count = count

    def numel(self) -> int:
        return self.count


class Linear:
    """A module of PyTorch on the meta device: parameters without memory."""

    def parameters(self) -> list[Parameter]:
        return [Parameter(7_000_000_000)]

    def named_modules(self) -> list[Any]:
        return []


class Llama(Linear):
    config = LlamaConfig()


class Dataset:
    """As datasets has it."""

    def __len__(self) -> int:
        return 1_281_167


def test_a_configuration_is_the_preset_of_its_shape() -> None:
    preset = flopcast.estimate(RUN).figures()
    for model in (LlamaConfig(), Llama()):
        assert flopcast.estimate(RUN, model=model).figures() == preset
    count = flopcast.model("llama-3-8b").to_dict()
    told = flopcast.model(LlamaConfig()).to_dict()
    assert [value for key, value in sorted(count.items()) if "param" in key] == [
        value for key, value in sorted(told.items()) if "param" in key
    ]


def test_a_module_without_configuration_is_its_parameters() -> None:
    by_size = flopcast.estimate("scenarios/llama-65b.yaml", model={"parameters": 7e9})
    with pytest.warns(UserWarning, match="7,000,000,000 parameters alone"):
        counted = flopcast.estimate("scenarios/llama-65b.yaml", model=Linear())
    assert counted.figures() == by_size.figures()
    with pytest.warns(UserWarning, match="alone"):
        flopcast.model(Linear())


def test_a_model_may_stand_in_a_scenario_or_for_it() -> None:
    keys: dict[str, Any] = {"data": {"tokens": "1T"}, "training": {"precision": "bf16", "hardware": "64x A100"}}
    inside = flopcast.estimate({"model": LlamaConfig(), **keys}).figures()
    assert flopcast.estimate(LlamaConfig(), **keys).figures() == inside


def test_the_length_of_a_data_set_is_its_samples() -> None:
    path = "scenarios/resnet50-imagenet.yaml"
    assert flopcast.estimate(path, data__samples=Dataset()).figures() == flopcast.estimate(path).figures()


def test_transformers() -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(**LlamaConfig().to_dict())
    assert flopcast.estimate(RUN, model=config).figures() == flopcast.estimate(RUN).figures()
