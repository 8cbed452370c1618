"""Models of Hugging Face, tiny and with random weights: keyword tensors in, outputs of their own classes out."""

import numpy as np
import pytest
import torch
from torch import nn

from raymm.valuation.own import value_batches
from tests.valuation.own.nets import phi_by_definition, restless

transformers = pytest.importorskip("transformers", reason="Transformers is not installed (an extra of raymm)")

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
ROWS, TOKENS = 4, 6


class ClipClassifier(nn.Module):
    """The towers of CLIP, and a head over both."""

    def __init__(self):
        super().__init__()
        config = transformers.CLIPConfig(
            text_config={**SMALL, "vocab_size": 40, "max_position_embeddings": 8, "eos_token_id": 39},
            vision_config={**SMALL, "image_size": 16, "patch_size": 8},
            projection_dim=8,
        )
        self.clip = transformers.CLIPModel(config)
        self.head = nn.Linear(16, 3)

    def forward(self, input_ids, attention_mask, pixel_values):
        text = self.clip.text_model(input_ids=input_ids, attention_mask=attention_mask)
        image = self.clip.vision_model(pixel_values=pixel_values)
        parts = self.clip.text_projection(text.pooler_output), self.clip.visual_projection(image.pooler_output)
        logits = self.head(torch.cat(parts, dim=1))
        return transformers.modeling_outputs.SequenceClassifierOutput(logits=logits)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def tokens(generator):
    found = torch.randint(1, 38, (ROWS, TOKENS), generator=generator)
    found[:, -1] = 39
    return {"input_ids": found, "attention_mask": torch.ones(ROWS, TOKENS, dtype=torch.int64)}


def test_two_towers_and_a_head(generator):
    model = restless(ClipClassifier()).eval()
    batch = transformers.BatchEncoding(
        {
            **tokens(generator),
            "pixel_values": torch.randn(ROWS, 3, 16, 16, generator=generator),
            "labels": torch.tensor([0, 1, 2, 1]),
            "id": ["a", "b", "c", "d"],
        }
    )
    modalities = {"text": "clip.text_model", "image": model.clip.vision_model}
    table = value_batches(model, [batch, batch], modalities=modalities, ids="id", utility="log_probability")
    with torch.no_grad():
        text = model.clip.text_model(batch["input_ids"], batch["attention_mask"]).pooler_output
        image = model.clip.vision_model(batch["pixel_values"]).pooler_output

        def logits_of(row, coalition):
            heard, seen = text[row] * ("audio" in coalition), image[row] * ("video" in coalition)
            return model.head(torch.cat([model.clip.text_projection(heard), model.clip.visual_projection(seen)]))

        def value(logits, label, _):
            return logits.double().log_softmax(-1)[label]

        true = np.array(phi_by_definition(logits_of, batch["labels"], [("audio", "video")] * ROWS, value), float)
    assert np.allclose(table.phi, np.concatenate([true, true])[:, :2], rtol=0, atol=1e-4)
    assert np.abs(table.phi).min() > 1e-3
    assert table.sample_id.tolist() == [*"abcdabcd"]


def test_one_transformer_over_both_whose_logits_have_another_name(generator):
    config = transformers.LxmertConfig(
        vocab_size=40,
        hidden_size=16,
        num_attention_heads=2,
        intermediate_size=16,
        l_layers=1,
        x_layers=1,
        r_layers=1,
        visual_feat_dim=5,
        num_qa_labels=4,
    )
    model = restless(transformers.LxmertForQuestionAnswering(config)).eval()
    batch = {
        **tokens(generator),
        "visual_feats": torch.randn(ROWS, 3, 5, generator=generator),
        "visual_pos": torch.rand(ROWS, 3, 4, generator=generator),
        "labels": torch.tensor([0, 3, 2, 1]),
    }
    parts = {"text": model.lxmert.embeddings, "image": model.lxmert.encoder.visn_fc}

    def predict(batch, mask):
        handles = [
            part.register_forward_hook(lambda _module, _args, output, keep=keep: output * keep[:, None, None])
            for part, keep in zip(parts.values(), mask.T, strict=True)
        ]
        answer = model(**{name: values for name, values in batch.items() if name != "labels"})
        for handle in handles:
            handle.remove()
        return answer.question_answering_score

    settings = {"utility": "margin"}
    found = value_batches(
        model, [batch], modalities=parts, outputs=lambda out: out.question_answering_score, **settings
    )
    true = value_batches(model, [batch], modalities=["text", "image"], predict=predict, **settings)
    assert np.allclose(found.phi, true.phi, rtol=0, atol=1e-4)
    assert np.array_equal(found.outcomes, true.outcomes)
    assert np.abs(found.phi).max() > 1e-3
