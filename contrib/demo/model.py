"""InternVL3 in plain PyTorch, with the parameter names of the official checkpoint layout.

InternViT (LayerNorm or RMSNorm with qk-norm) -> pixel shuffle -> mlp1 -> Qwen2.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn


class RMSNorm(nn.Module):
    def __init__(self, dim, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(dim)), eps

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


def sinusoids(side, d):
    """[1, 1 + side * side, d]: row 0 is the class token; half of the channels tell the row, half
    the column."""
    frequency = torch.logspace(0, -2, d // 4)
    angle = torch.arange(side)[:, None] * frequency
    wave = torch.cat([angle.sin(), angle.cos()], 1) * 0.3
    rows, columns = wave[:, None].expand(-1, side, -1), wave[None].expand(side, -1, -1)
    grid = torch.cat([rows, columns], 2).flatten(0, 1)
    return torch.cat([torch.zeros(1, d), grid])[None]


# ---- vision ----------------------------------------------------------------------------------------


class VisionEmbeddings(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, n = c["hidden_size"], (c["image_size"] // c["patch_size"]) ** 2
        self.class_embedding = nn.Parameter(torch.randn(1, 1, d) * 0.02)
        self.patch_embedding = nn.Conv2d(3, d, c["patch_size"], c["patch_size"])
        self.position_embedding = nn.Parameter(sinusoids(math.isqrt(n), d))

    def forward(self, pixels, corner=None):
        """pixels [tiles, 3, h, w] -> [tiles, 1 + patches, d].  A part of a tile says which patch its
        corner is: corner [tiles, 2] (row, column)."""
        x = self.patch_embedding(pixels)
        rows, cols = x.shape[-2:]
        x = torch.cat([self.class_embedding.expand(x.shape[0], -1, -1),
                       x.flatten(2).transpose(1, 2)], 1)
        if corner is None:
            return x + self.position_embedding
        side = math.isqrt(self.position_embedding.shape[1] - 1)
        r = corner[:, :1] + torch.arange(rows)
        c = corner[:, 1:] + torch.arange(cols)
        where = (r[:, :, None] * side + c[:, None, :]).flatten(1) + 1
        where = torch.cat([torch.zeros(len(where), 1, dtype=where.dtype), where], 1)
        return x + self.position_embedding[0][where]


class VisionAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        d = c["hidden_size"]
        self.heads = c["num_attention_heads"]
        self.qkv, self.proj = nn.Linear(d, 3 * d, bias=c["qkv_bias"]), nn.Linear(d, d)
        if c["qk_normalization"]:
            self.q_norm = RMSNorm(d, c["layer_norm_eps"])
            self.k_norm = RMSNorm(d, c["layer_norm_eps"])

    def forward(self, x):
        q, k, v = self.qkv(x).chunk(3, -1)
        if hasattr(self, "q_norm"):
            q, k = self.q_norm(q), self.k_norm(k)
        q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (q, k, v))
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed.transpose(1, 2).flatten(2))


class VisionMLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.fc1 = nn.Linear(c["hidden_size"], c["intermediate_size"])
        self.fc2 = nn.Linear(c["intermediate_size"], c["hidden_size"])

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class VisionLayer(nn.Module):
    def __init__(self, c):
        super().__init__()
        d, eps = c["hidden_size"], c["layer_norm_eps"]
        norm = RMSNorm if c["norm_type"] == "rms_norm" else nn.LayerNorm
        self.norm1, self.norm2 = norm(d, eps=eps), norm(d, eps=eps)
        self.attn, self.mlp = VisionAttention(c), VisionMLP(c)
        self.ls1 = nn.Parameter(torch.full((d,), 0.5))
        self.ls2 = nn.Parameter(torch.full((d,), 0.5))

    def forward(self, x):
        x = x + self.ls1 * self.attn(self.norm1(x))
        return x + self.ls2 * self.mlp(self.norm2(x))


class VisionEncoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.layers = nn.ModuleList(VisionLayer(c) for _ in range(c["num_hidden_layers"]))


class VisionModel(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embeddings, self.encoder = VisionEmbeddings(c), VisionEncoder(c)

    def forward(self, pixels, corner=None):
        x = self.embeddings(pixels, corner)
        for layer in self.encoder.layers:
            x = layer(x)
        return x[:, 1:]


# ---- language --------------------------------------------------------------------------------------


def rope(x, positions, theta):
    """Rotate-half over the full head; x [batch, heads, tokens, head_dim], positions [tokens]."""
    half = x.shape[-1] // 2
    frequency = theta ** (-torch.arange(half, dtype=torch.float32) / half)
    angle = positions[:, None].float() * frequency
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        h, self.n, self.kv = c["hidden_size"], c["num_attention_heads"], c["num_key_value_heads"]
        d = h // self.n
        self.q_proj = nn.Linear(h, self.n * d)
        self.k_proj = nn.Linear(h, self.kv * d)
        self.v_proj = nn.Linear(h, self.kv * d)
        self.o_proj = nn.Linear(self.n * d, h, bias=False)
        self.theta = c["rope_theta"]

    def forward(self, x, positions, mask):
        q, k, v = (project(x).unflatten(-1, (heads, -1)).transpose(1, 2) for project, heads in
                   ((self.q_proj, self.n), (self.k_proj, self.kv), (self.v_proj, self.kv)))
        q, k = rope(q, positions, self.theta), rope(k, positions, self.theta)
        k, v = (t.repeat_interleave(self.n // self.kv, 1) for t in (k, v))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.o_proj(mixed.transpose(1, 2).flatten(2))


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        h, f = c["hidden_size"], c["intermediate_size"]
        self.gate_proj = nn.Linear(h, f, bias=False)
        self.up_proj = nn.Linear(h, f, bias=False)
        self.down_proj = nn.Linear(f, h, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.self_attn, self.mlp = Attention(c), MLP(c)
        self.input_layernorm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])
        self.post_attention_layernorm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])

    def forward(self, x, positions, mask):
        x = x + self.self_attn(self.input_layernorm(x), positions, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Qwen2(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))
        self.norm = RMSNorm(c["hidden_size"], c["rms_norm_eps"])


class LanguageModel(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.model = Qwen2(c)
        self.lm_head = nn.Linear(c["hidden_size"], c["vocab_size"], bias=False)


class InternVL(nn.Module):
    def __init__(self, config, context_id):
        super().__init__()
        vision, language = config["vision_config"], config["llm_config"]
        self.vision_model, self.language_model = VisionModel(vision), LanguageModel(language)
        d, h = 4 * vision["hidden_size"], language["hidden_size"]
        self.mlp1 = nn.Sequential(nn.LayerNorm(d), nn.Linear(d, h), nn.GELU(), nn.Linear(h, h))
        self.context_id = context_id
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                linear = isinstance(module, nn.Linear)
                std = module.weight.shape[1] ** -0.5 * 0.7 if linear else 0.02
                nn.init.normal_(module.weight, std=std)
                if linear and module.bias is not None:
                    nn.init.zeros_(module.bias)

    def encode(self, pixels, corner=None):
        """pixels [tiles, 3, 448, 448] -> visual tokens [tiles, 256, hidden]"""
        x = self.vision_model(pixels, corner)
        n, side = x.shape[0], math.isqrt(x.shape[1])
        x = x.view(n, side // 2, 2, side // 2, 2, -1).permute(0, 1, 3, 2, 4, 5)
        return self.mlp1(x.flatten(3).flatten(1, 2))

    def forward(self, ids, visual):
        """ids [batch, tokens]; visual [tiles, 256, hidden] fills the context tokens in order
        -> logits [batch, tokens, vocabulary]"""
        language = self.language_model
        x = language.model.embed_tokens(ids).clone()
        x[ids == self.context_id] = visual.flatten(0, 1).to(x.dtype)
        t = ids.shape[1]
        mask = torch.full((t, t), float("-inf")).triu(1).to(x.dtype)
        positions = torch.arange(t)
        for layer in language.model.layers:
            x = layer(x, positions, mask)
        return language.lm_head(language.model.norm(x))
