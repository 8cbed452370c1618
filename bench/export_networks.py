"""Encoders of libraries that are tried in exports, each at small inputs, with random weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["NETWORKS", "WORDS", "Network"]

WORDS = (
    *("[UNK]", "[CLS]", "[SEP]", "red", "green", "a", "loud", "voice", "dog", "of", "seven"),
    *(f"word{number}" for number in range(9)),
)
"""Tokens of networks for texts."""


@dataclass(frozen=True)
class Network:
    """An encoder of a library and the modality that it reads.

    Attributes
    ----------
    library, name
        Whose it is, and its name: of raymm's setting, or of Transformers the type of model.
    modality
        Kind and sizes, as a schema has them.
    settings
        Of the encoder.
    config, sizes
        Of Transformers: the class of its configuration, and what it is given.
    """

    library: str
    name: str
    modality: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    config: str = ""
    sizes: Mapping[str, Any] = field(default_factory=dict)


def _picture(side: int) -> dict[str, Any]:
    return {"kind": "image", "height": side, "width": side}


def _clip(frames: int, side: int) -> dict[str, Any]:
    return {"kind": "rgb", "frames": frames, "height": side, "width": side}


SOUND = {"kind": "audio", "rate": 8000, "seconds": 0.5, "n_mels": 32}
WAVEFORM = {"kind": "waveform", "rate": 16_000, "seconds": 0.1}
TEXT = {"kind": "text"}
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
PATCHES = {**SMALL, "image_size": 32, "patch_size": 8}
TOKENS = {"vocab_size": len(WORDS), "max_position_embeddings": 20}
SHIFTED = {"vocab_size": len(WORDS), "max_position_embeddings": 24}
STAGES = {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2}
WINDOWS = {"image_size": 32, "patch_size": 4, "embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2], "window_size": 4}
SAMPLES = {"conv_dim": (8,) * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2}
ENDS = {"bos_token_id": 1, "eos_token_id": 2}
TOWERS = {"text_config": {**SMALL, **TOKENS, **ENDS}, "vision_config": PATCHES}

TORCHVISION = {
    **dict.fromkeys(("resnet18", "resnet34", "resnet50", "convnext_tiny", "swin_t"), _picture(32)),
    "vit_b_16": _picture(224),
    **dict.fromkeys(("r3d_18", "mc3_18", "r2plus1d_18"), _clip(8, 32)),
    "mvit_v2_s": _clip(16, 224),
    "s3d": _clip(16, 224),
    "swin3d_t": _clip(8, 32),
    "torchvision:alexnet": _picture(64),
    "torchvision:inception_v3": _picture(80),
    "torchvision:maxvit_t": _picture(224),
    **dict.fromkeys(
        (
            *("torchvision:densenet121", "torchvision:efficientnet_b0", "torchvision:googlenet"),
            *("torchvision:mnasnet0_5", "torchvision:mobilenet_v2", "torchvision:mobilenet_v3_small"),
            *("torchvision:regnet_y_400mf", "torchvision:shufflenet_v2_x0_5", "torchvision:squeezenet1_1"),
            *("torchvision:swin_v2_t", "torchvision:vgg11"),
        ),
        _picture(32),
    ),
}

TORCHAUDIO = {
    "conformer": (SOUND, {"width": 16, "layers": 1, "heads": 2, "kernel": 5}),
    "wav2vec2": (WAVEFORM, {"layers": 1}),
    "wav2vec2 (hubert_base)": (WAVEFORM, {"layers": 1, "architecture": "hubert_base"}),
    "wav2vec2 (wavlm_base)": (WAVEFORM, {"layers": 2, "architecture": "wavlm_base"}),
    "wav2vec2 (wav2vec2_large_lv60k)": (WAVEFORM, {"layers": 1, "architecture": "wav2vec2_large_lv60k"}),
}

TIMM = {
    **dict.fromkeys(
        (
            *("resnet18", "mobilenetv3_small_050", "efficientnet_b0", "tf_efficientnet_b0", "convnext_atto"),
            *("regnetx_002", "edgenext_xx_small", "mobilevit_xxs", "poolformer_s12", "ghostnet_050", "repvgg_a0"),
            *("pvt_v2_b0", "fastvit_t8", "xcit_nano_12_p16_224", "coat_lite_tiny"),
        ),
        _picture(64),
    ),
    **dict.fromkeys(
        (
            *("vit_tiny_patch16_224", "deit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "mixer_s32_224"),
            *("efficientformer_l1", "levit_128s", "eva02_tiny_patch14_224", "hiera_tiny_224", "tiny_vit_5m_224"),
        ),
        _picture(224),
    ),
}

TRANSFORMERS = {
    "bert": ("BertConfig", {**SMALL, **TOKENS}, TEXT),
    "distilbert": ("DistilBertConfig", {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, **TOKENS}, TEXT),
    "roberta": ("RobertaConfig", {**SMALL, **SHIFTED}, TEXT),
    "xlm-roberta": ("XLMRobertaConfig", {**SMALL, **SHIFTED}, TEXT),
    "albert": ("AlbertConfig", {**SMALL, **TOKENS, "embedding_size": 16}, TEXT),
    "electra": ("ElectraConfig", {**SMALL, **TOKENS, "embedding_size": 16}, TEXT),
    "mpnet": ("MPNetConfig", {**SMALL, **SHIFTED}, TEXT),
    "deberta-v2": (
        "DebertaV2Config",
        {**SMALL, **TOKENS, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
        TEXT,
    ),
    "modernbert": (
        "ModernBertConfig",
        {**SMALL, **TOKENS, **ENDS, "pad_token_id": 0, "cls_token_id": 1, "sep_token_id": 2},
        TEXT,
    ),
    "gpt2": (
        "GPT2Config",
        {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 20, **ENDS, "vocab_size": len(WORDS)},
        TEXT,
    ),
    "llama": ("LlamaConfig", {**SMALL, **TOKENS, "num_key_value_heads": 2}, TEXT),
    "clip (text)": ("CLIPConfig", TOWERS, TEXT),
    "clip (pictures)": ("CLIPConfig", TOWERS, _picture(32)),
    "siglip (pictures)": ("SiglipVisionConfig", PATCHES, _picture(32)),
    "vit": ("ViTConfig", PATCHES, _picture(32)),
    "deit": ("DeiTConfig", PATCHES, _picture(32)),
    "beit": ("BeitConfig", PATCHES, _picture(32)),
    "dinov2": ("Dinov2Config", PATCHES, _picture(32)),
    "convnext": ("ConvNextConfig", STAGES, _picture(32)),
    "convnextv2": ("ConvNextV2Config", STAGES, _picture(32)),
    "swin": ("SwinConfig", WINDOWS, _picture(32)),
    "swinv2": ("Swinv2Config", WINDOWS, _picture(32)),
    "resnet": ("ResNetConfig", {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}, _picture(32)),
    "efficientnet": (
        "EfficientNetConfig",
        {"width_coefficient": 0.25, "depth_coefficient": 0.25, "hidden_dim": 16},
        _picture(32),
    ),
    "videomae": ("VideoMAEConfig", {**PATCHES, "num_frames": 4}, _clip(4, 32)),
    "vivit": (
        "VivitConfig",
        {**SMALL, "image_size": 32, "num_frames": 4, "tubelet_size": [2, 8, 8]},
        _clip(4, 32),
    ),
    "timesformer": ("TimesformerConfig", {**PATCHES, "num_frames": 4}, _clip(4, 32)),
    "wav2vec2": ("Wav2Vec2Config", {**SMALL, **SAMPLES}, WAVEFORM),
    "hubert": ("HubertConfig", {**SMALL, **SAMPLES}, WAVEFORM),
    "wavlm": ("WavLMConfig", {**SMALL, **SAMPLES}, WAVEFORM),
    "data2vec-audio": ("Data2VecAudioConfig", {**SMALL, **SAMPLES, "conv_pos_kernel_size": 3}, WAVEFORM),
}

NETWORKS = (
    *(Network("torchvision", name, modality) for name, modality in TORCHVISION.items()),
    *(Network("torchaudio", name, modality, settings) for name, (modality, settings) in TORCHAUDIO.items()),
    *(Network("timm", f"timm:{name}", modality) for name, modality in TIMM.items()),
    *(
        Network("Transformers", f"hf: {name}", modality, {}, config, sizes)
        for name, (config, sizes, modality) in TRANSFORMERS.items()
    ),
)
