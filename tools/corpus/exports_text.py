"""Exports of transformers and recurrent networks, of tiny configurations with random weights."""
OPSET = 17
BATCH, LENGTH = 2, 6
VOCABULARY = 200
TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 64}


def _export(module, example, path, inputs, outputs, axes):
    import torch
    torch.onnx.export(module.eval(), example, str(path), dynamo=False, opset_version=OPSET,
                      input_names=inputs, output_names=outputs, dynamic_axes=axes)


def _export_dynamo(module, example, path, inputs, outputs, shapes):
    import torch
    torch.onnx.export(module.eval(), example, str(path), dynamo=True, input_names=inputs,
                      output_names=outputs, dynamic_shapes=shapes, external_data=False)


def _ids(torch, length=LENGTH):
    return torch.randint(1, VOCABULARY, (BATCH, length))


def _free(*names):
    return {name: {0: "batch", 1: "length"} for name in names}


def _bert_parts():
    import torch
    from transformers import BertConfig, BertModel
    torch.manual_seed(1)
    network = BertModel(BertConfig(vocab_size=VOCABULARY, max_position_embeddings=64,
                                   attn_implementation="eager", **TINY))

    class Only(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, input_ids, attention_mask, token_type_ids):
            answer = self.network(input_ids=input_ids, attention_mask=attention_mask,
                                  token_type_ids=token_type_ids)
            return answer.last_hidden_state, answer.pooler_output

    ids = _ids(torch)
    return Only(), (ids, torch.ones_like(ids), torch.zeros_like(ids))


_BERT_INPUTS = ["input_ids", "attention_mask", "token_type_ids"]
_BERT_OUTPUTS = ["last_hidden_state", "pooler_output"]


def bert(path):
    module, example = _bert_parts()
    _export(module, example, path, _BERT_INPUTS, _BERT_OUTPUTS,
            {**_free(*_BERT_INPUTS, "last_hidden_state"), "pooler_output": {0: "batch"}})


def bert_dynamo(path):
    import torch
    module, example = _bert_parts()
    free = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length", max=64)}
    _export_dynamo(module, example, path, _BERT_INPUTS, _BERT_OUTPUTS, (free, free, free))


def bert_int8(path):
    from onnxruntime.quantization import quantize_dynamic
    whole = path.with_suffix(".float.onnx")
    bert(whole)
    quantize_dynamic(str(whole), str(path))
    whole.unlink()


def _gpt2(torch):
    from transformers import GPT2Config, GPT2LMHeadModel
    torch.manual_seed(1)
    return GPT2LMHeadModel(GPT2Config(vocab_size=VOCABULARY, n_positions=64, n_embd=32, n_layer=2,
                                      n_head=2, attn_implementation="eager"))


def gpt2(path):
    import torch
    network = _gpt2(torch)

    class Only(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, input_ids, attention_mask):
            return self.network(input_ids=input_ids, attention_mask=attention_mask,
                                use_cache=False).logits

    ids = _ids(torch)
    _export(Only(), (ids, torch.ones_like(ids)), path, ["input_ids", "attention_mask"], ["logits"],
            _free("input_ids", "attention_mask", "logits"))


def gpt2_with_past(path):
    """Takes and gives the keys and values of each layer, as text is generated word by word."""
    import torch
    from transformers import DynamicCache
    network = _gpt2(torch)

    class Step(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, input_ids, attention_mask, key0, value0, key1, value1):
            cache = DynamicCache()
            cache.update(key0, value0, 0)
            cache.update(key1, value1, 1)
            answer = self.network(input_ids=input_ids, attention_mask=attention_mask,
                                  past_key_values=cache, use_cache=True)
            after = answer.past_key_values
            layers = [(layer.keys, layer.values) for layer in after.layers]
            return (answer.logits, *layers[0], *layers[1])

    past = 3
    ids = _ids(torch, 1)
    states = [torch.rand(BATCH, 2, past, 16) for _ in range(4)]
    names = [f"past_{what}_{layer}" for layer in range(2) for what in ("key", "value")]
    after = [name.replace("past", "present") for name in names]
    axes = _free("input_ids", "logits")
    axes["attention_mask"] = {0: "batch", 1: "total_length"}
    axes.update({name: {0: "batch", 2: "past_length"} for name in names})
    axes.update({name: {0: "batch", 2: "total_length"} for name in after})
    _export(Step(), (ids, torch.ones(BATCH, past + 1, dtype=torch.long), *states), path,
            ["input_ids", "attention_mask", *names], ["logits", *after], axes)


def vit(path):
    import torch
    from transformers import ViTConfig, ViTForImageClassification
    torch.manual_seed(1)
    network = ViTForImageClassification(ViTConfig(image_size=64, patch_size=16,
                                                  attn_implementation="eager", **TINY))

    class Only(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, pixel_values):
            return self.network(pixel_values).logits

    _export(Only(), (torch.rand(BATCH, 3, 64, 64),), path, ["pixel_values"], ["logits"],
            {"pixel_values": {0: "batch"}, "logits": {0: "batch"}})


def _t5(torch):
    from transformers import T5Config, T5ForConditionalGeneration
    torch.manual_seed(1)
    return T5ForConditionalGeneration(T5Config(
        vocab_size=VOCABULARY, d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2,
        decoder_start_token_id=0))


def t5_encoder(path):
    import torch
    network = _t5(torch).encoder

    class Only(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, input_ids, attention_mask):
            return self.network(input_ids=input_ids, attention_mask=attention_mask)[0]

    ids = _ids(torch)
    _export(Only(), (ids, torch.ones_like(ids)), path, ["input_ids", "attention_mask"],
            ["last_hidden_state"], _free("input_ids", "attention_mask", "last_hidden_state"))


def t5(path):
    import torch
    network = _t5(torch)

    class Only(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, input_ids, attention_mask, decoder_input_ids):
            return self.network(input_ids=input_ids, attention_mask=attention_mask,
                                decoder_input_ids=decoder_input_ids, use_cache=False).logits

    ids = _ids(torch)
    axes = _free("input_ids", "attention_mask")
    axes.update({name: {0: "batch", 1: "decoder_length"}
                 for name in ("decoder_input_ids", "logits")})
    _export(Only(), (ids, torch.ones_like(ids), _ids(torch, 4)), path,
            ["input_ids", "attention_mask", "decoder_input_ids"], ["logits"], axes)


def _recurrent(kind, dynamo=False):
    def export(path):
        import torch
        torch.manual_seed(1)

        class Recurrent(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.layers = getattr(torch.nn, kind)(8, 16, num_layers=2, batch_first=True)
                self.head = torch.nn.Linear(16, 4)

            def forward(self, frames, *state):
                states = state if kind == "LSTM" else state[0]
                answer, after = self.layers(frames, states)
                return (self.head(answer), *(after if kind == "LSTM" else (after,)))

        count = 2 if kind == "LSTM" else 1
        states = [f"state_{number}" for number in range(count)]
        after = [f"next_{name}" for name in states]
        example = (torch.rand(BATCH, LENGTH, 8), *[torch.zeros(2, BATCH, 16)] * count)
        axes = _free("frames", "scores")
        axes.update({name: {1: "batch"} for name in states + after})
        if dynamo:
            _export_dynamo(Recurrent(), example, path, ["frames", *states], ["scores", *after],
                           None)
        else:
            _export(Recurrent(), example, path, ["frames", *states], ["scores", *after], axes)
    return export


TRANSFORMERS = "transformers"
TORCH = "torch"
EXPORTS = {
    "bert": (TRANSFORMERS, bert),
    "bert_dynamo": (TRANSFORMERS, bert_dynamo),
    "bert_int8": (TRANSFORMERS + ", onnxruntime.quantization", bert_int8),
    "gpt2": (TRANSFORMERS, gpt2),
    "gpt2_with_past": (TRANSFORMERS, gpt2_with_past),
    "vit": (TRANSFORMERS, vit),
    "t5_encoder": (TRANSFORMERS, t5_encoder),
    "t5": (TRANSFORMERS, t5),
    "lstm_with_state": (TORCH, _recurrent("LSTM")),
    "gru_with_state": (TORCH, _recurrent("GRU")),
    "rnn_with_state": (TORCH, _recurrent("RNN")),
    "lstm_dynamo": (TORCH, _recurrent("LSTM", dynamo=True)),
}
