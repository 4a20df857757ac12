"""Makes tiny random checkpoints with reference logits: make.py OUT [family ...].

Each family of the table becomes OUT/<name>/ with config.json and model.safetensors (bfloat16, as Hugging Face
transformers saves it) and golden.safetensors: `input_ids` (24), `logits` (24, 256) of every position in float32
without a cache, `greedy` (8) the argmax continuation. Norms and biases are random too, so that a forgotten one
shows. Needs torch and transformers (5.17 made what is here)."""
import os
import shutil
import sys
import zlib

import torch
from transformers import AutoConfig, AutoModelForCausalLM
from safetensors.torch import save_file

TOKENS, GREEDY, VOCAB = 24, 8, 256
BASE = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=128, pad_token_id=0, bos_token_id=1, eos_token_id=2)
MOE = dict(num_experts=6, num_experts_per_tok=2, moe_intermediate_size=16)
MLA = dict(kv_lora_rank=16, q_lora_rank=24, qk_nope_head_dim=8, qk_rope_head_dim=8, v_head_dim=12, head_dim=8,
           num_key_value_heads=4, n_routed_experts=8, num_experts_per_tok=2, moe_intermediate_size=16,
           n_shared_experts=1, first_k_dense_replace=1, n_group=4, topk_group=2)
ROPE = lambda theta=10000.0, **k: dict(rope_theta=theta, rope_type=k.pop('rope_type', 'default'), **k)
HYBRID = dict(linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=8, linear_value_head_dim=8,
              linear_conv_kernel_dim=4, head_dim=16, num_hidden_layers=4)

FAMILIES = {
    'qwen2_moe': ('qwen2_moe', dict(MOE, shared_expert_intermediate_size=24, decoder_sparse_step=1)),
    'qwen3_moe': ('qwen3_moe', dict(MOE, head_dim=16, norm_topk_prob=True, mlp_only_layers=[1], num_hidden_layers=3)),
    'qwen3_next': ('qwen3_next', dict({**MOE, **HYBRID}, shared_expert_intermediate_size=24)),
    'qwen3_5_text': ('qwen3_5_text', dict(HYBRID)),
    'qwen3_5_moe_text': ('qwen3_5_moe_text', dict({**MOE, **HYBRID}, shared_expert_intermediate_size=24)),
    'deepseek_v2': ('deepseek_v2', dict(MLA, topk_method='group_limited_greedy', routed_scaling_factor=1.5, num_hidden_layers=3)),
    'deepseek_v2_lite': ('deepseek_v2', dict(MLA, q_lora_rank=None, topk_method='greedy', n_group=None, topk_group=None,
         rope_parameters=ROPE(rope_type='yarn', factor=4.0, mscale=0.707, mscale_all_dim=0.707, beta_fast=32, beta_slow=1,
                              original_max_position_embeddings=32))),
    'deepseek_v3': ('deepseek_v3', dict(MLA, routed_scaling_factor=2.5, norm_topk_prob=True, num_hidden_layers=3)),
    'deepseek_v3_yarn': ('deepseek_v3', dict(MLA, routed_scaling_factor=2.5, norm_topk_prob=True,
         rope_parameters=ROPE(rope_type='yarn', factor=4.0, mscale=1.0, mscale_all_dim=1.0, beta_fast=32, beta_slow=1,
                              original_max_position_embeddings=32))),
    'gemma': ('gemma', dict(head_dim=16, num_key_value_heads=1)),
    'gemma2': ('gemma2', dict(head_dim=16, query_pre_attn_scalar=16, sliding_window=8)),
    'gemma3_text': ('gemma3_text', dict(hidden_size=64, head_dim=16, query_pre_attn_scalar=16, sliding_window=8, num_hidden_layers=3, layer_types=['sliding_attention', 'full_attention', 'sliding_attention'])),
    'gemma4_text': ('gemma4_text', dict(head_dim=16, global_head_dim=16, sliding_window=8, num_hidden_layers=4,
                    layer_types=['sliding_attention', 'full_attention'] * 2, hidden_size_per_layer_input=8, vocab_size_per_layer_input=VOCAB,
                    num_kv_shared_layers=2)),
    'llama4_text': ('llama4_text', dict(head_dim=8, num_local_experts=4, num_experts_per_tok=1, intermediate_size_mlp=40,
                    interleave_moe_layer_step=2, num_hidden_layers=4, attention_chunk_size=8)),
    'phi': ('phi', dict(num_key_value_heads=4, partial_rotary_factor=0.5)),
    'phi3': ('phi3', dict(sliding_window=8)),
    'phi3_longrope': ('phi3', dict(sliding_window=None, original_max_position_embeddings=16,
         rope_parameters=ROPE(rope_type='longrope', short_factor=[1.0, 1.1, 1.2, 1.5], long_factor=[1.0, 1.5, 2.5, 4.0],
                              original_max_position_embeddings=16))),
    'phimoe': ('phimoe', dict(num_local_experts=4, num_experts_per_tok=2)),
    'mistral_window': ('mistral', dict(sliding_window=8, head_dim=16)),
    'mixtral': ('mixtral', dict(num_local_experts=4, num_experts_per_tok=2, sliding_window=None)),
    'ministral3': ('ministral3', dict(head_dim=16, rope_parameters=ROPE(1e6, rope_type='yarn', factor=4.0, original_max_position_embeddings=16,
                   beta_fast=32.0, beta_slow=1.0, mscale=1.0, mscale_all_dim=1.0, llama_4_scaling_beta=0.1))),
    'ministral': ('ministral', dict(head_dim=16, sliding_window=8, layer_types=['sliding_attention', 'full_attention'])),
    'gpt_oss': ('gpt_oss', dict(num_local_experts=4, num_experts_per_tok=2, head_dim=16, sliding_window=8)),
    'gpt2': ('gpt2', dict(n_embd=32, n_layer=2, n_head=4, n_positions=128)),
    'gpt_neox': ('gpt_neox', dict(rotary_pct=0.25)),
    'gpt_bigcode': ('gpt_bigcode', dict(n_embd=32, n_layer=2, n_head=4, n_positions=128, n_inner=48)),
    'olmo': ('olmo', dict(clip_qkv=8.0)),
    'olmo2': ('olmo2', dict()),
    'olmo3': ('olmo3', dict(sliding_window=8, num_hidden_layers=4)),
    'olmoe': ('olmoe', dict(num_experts=6, num_experts_per_tok=2, num_key_value_heads=4)),
    'starcoder2': ('starcoder2', dict(sliding_window=8)),
    'stablelm': ('stablelm', dict(use_qkv_bias=True, partial_rotary_factor=0.25)),
    'stablelm_parallel': ('stablelm', dict(qk_layernorm=True, use_parallel_residual=True, partial_rotary_factor=0.5)),
    'cohere': ('cohere', dict(logit_scale=0.25, use_qk_norm=True)),
    'cohere2': ('cohere2', dict(sliding_window=8, num_hidden_layers=4, logit_scale=0.25, head_dim=8)),
    'granite': ('granite', dict(embedding_multiplier=6.0, logits_scaling=4.0, residual_multiplier=0.3, attention_multiplier=0.2)),
    'granitemoe': ('granitemoe', dict(num_local_experts=4, num_experts_per_tok=2, embedding_multiplier=6.0, logits_scaling=4.0,
                   residual_multiplier=0.3, attention_multiplier=0.2)),
    'granitemoehybrid': ('granitemoehybrid', dict(num_local_experts=4, num_experts_per_tok=2, shared_intermediate_size=24, num_hidden_layers=3,
                   layer_types=['mamba', 'attention', 'mamba'], mamba_n_heads=4, mamba_d_head=16, mamba_d_state=8, mamba_n_groups=1,
                   mamba_d_conv=4, mamba_expand=2, mamba_chunk_size=8, embedding_multiplier=6.0, logits_scaling=4.0, residual_multiplier=0.3,
                   attention_multiplier=0.2)),
    'glm': ('glm', dict(head_dim=8, partial_rotary_factor=0.5)),
    'glm4': ('glm4', dict(head_dim=8, partial_rotary_factor=0.5)),
    'glm4_moe': ('glm4_moe', dict(head_dim=8, n_routed_experts=8, num_experts_per_tok=2, moe_intermediate_size=16, n_shared_experts=1,
                 first_k_dense_replace=1, n_group=1, topk_group=1, use_qk_norm=True, num_hidden_layers=3)),
    'smollm3': ('smollm3', dict(num_hidden_layers=4, no_rope_layer_interval=4)),
    'exaone4': ('exaone4', dict(sliding_window=8, sliding_window_pattern=4, num_hidden_layers=4, head_dim=8)),
    'ernie4_5': ('ernie4_5', dict(head_dim=8)),
    'ernie4_5_moe': ('ernie4_5_moe', dict(moe_num_experts=4, moe_k=2, moe_intermediate_size=16, moe_num_shared_experts=1, moe_layer_start_index=1,
                     moe_layer_end_index=2, moe_layer_interval=1, num_hidden_layers=3)),
    'hunyuan_v1_dense': ('hunyuan_v1_dense', dict(head_dim=8)),
    'nemotron': ('nemotron', dict(partial_rotary_factor=0.5, head_dim=8)),
    'seed_oss': ('seed_oss', dict(head_dim=16)),
    'mamba': ('mamba', dict(state_size=8, conv_kernel=4, expand=2, time_step_rank=4)),
    'mamba2': ('mamba2', dict(state_size=8, conv_kernel=4, expand=2, num_heads=4, head_dim=16, n_groups=2, chunk_size=8)),
    'falcon_mamba': ('falcon_mamba', dict(state_size=8, conv_kernel=4, expand=2, time_step_rank=4)),
    'falcon_h1': ('falcon_h1', dict(mamba_d_ssm=64, mamba_n_heads=4, mamba_d_head=16, mamba_n_groups=1, mamba_d_state=8, mamba_d_conv=4,
                  mamba_chunk_size=8, head_dim=8, key_multiplier=0.7, attention_out_multiplier=0.9, ssm_out_multiplier=1.1,
                  embedding_multiplier=2.0, lm_head_multiplier=0.5, ssm_in_multiplier=1.2, mlp_multipliers=[0.9, 1.1],
                  ssm_multipliers=[0.9, 1.1, 0.8, 1.2, 0.7])),
    'jamba': ('jamba', dict(num_experts=4, num_experts_per_tok=2, attn_layer_period=2, attn_layer_offset=1, expert_layer_period=2,
              expert_layer_offset=1, mamba_d_state=8, mamba_d_conv=4, mamba_expand=2, mamba_dt_rank=4, use_mamba_kernels=False, num_hidden_layers=4)),
    'lfm2': ('lfm2', dict(layer_types=['conv', 'full_attention', 'conv'], num_hidden_layers=3, conv_L_cache=3, block_multiple_of=8,
             block_ff_dim=48, block_auto_adjust_ff_dim=False)),
    'lfm2_moe': ('lfm2_moe', dict(layer_types=['conv', 'full_attention', 'conv'], num_hidden_layers=3, conv_L_cache=3, num_experts=4,
                 num_experts_per_tok=2, moe_intermediate_size=16, num_dense_layers=1)),
    'minimax_m2': ('minimax_m2', dict(num_local_experts=4, num_experts_per_tok=2, head_dim=8, rotary_dim=4, rope_parameters=ROPE(5e6, partial_rotary_factor=0.5))),
    'apertus': ('apertus', dict()),
    'helium': ('helium', dict(head_dim=8)),
    'bitnet': ('bitnet', dict()),
    'dots1': ('dots1', dict(n_routed_experts=8, num_experts_per_tok=2, moe_intermediate_size=16, n_shared_experts=1, first_k_dense_replace=1,
              n_group=1, topk_group=1, head_dim=8, num_hidden_layers=3)),
    'recurrent_gemma': ('recurrent_gemma', dict(lru_width=32, attention_window_size=8, num_hidden_layers=3, head_dim=8)),
    'nanochat': ('nanochat', dict()),
    'olmo_hybrid': ('olmo_hybrid', dict()),

    'persimmon': ('persimmon', dict(num_key_value_heads=4)),

}

def randomize(model, gen):
    with torch.no_grad():
        named = list(model.named_parameters()) + [(n, b) for n, b in model.named_buffers() if 'correction_bias' in n or 'expert_bias' in n]
        for name, p in named:
            noise = torch.randn(p.shape, generator=gen)
            leaf = name.split('.')[-1]
            if 'correction_bias' in name or 'expert_bias' in name:
                p.copy_(0.1 * noise)
            elif leaf in ('A_log', 'dt_bias', 'D'):
                p.add_(0.1 * noise)
            elif 'sinks' in name:
                p.copy_(noise)
            elif p.ndim >= 2 and ('embed' in name or 'conv' in name) or leaf in ('wte', 'wpe'):
                p.copy_(0.4 * noise)
            elif p.ndim >= 2:
                p.copy_(noise * (0.8 / p.shape[-1] ** 0.5))
            elif leaf == 'bias' or leaf.endswith('_bias'):
                p.copy_(0.1 * noise)
            else:
                p.add_(0.2 * noise)

def make(out, name):
    kind, over = FAMILIES[name]
    kw = dict(BASE); kw.update(over)
    cfg = AutoConfig.for_model(kind, **kw)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(cfg, attn_implementation='eager').float().eval()
    gen = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    randomize(model, gen)
    d = os.path.join(out, name)
    model.to(torch.bfloat16).save_pretrained(d)
    model = AutoModelForCausalLM.from_pretrained(d, dtype=torch.float32, attn_implementation='eager').eval()
    ids = torch.randint(3, VOCAB, (1, TOKENS), generator=gen)
    with torch.no_grad():
        logits = model(ids, use_cache=False).logits[0].float()
        seq = ids
        for _ in range(GREEDY):
            seq = torch.cat([seq, model(seq, use_cache=False).logits[:, -1].argmax(-1, keepdim=True)], 1)
    save_file(dict(input_ids=ids[0].int(), logits=logits.contiguous(), greedy=seq[0, TOKENS:].int().contiguous()), os.path.join(d, 'golden.safetensors'))
    for f in os.listdir(d):
        if f not in ('config.json', 'model.safetensors', 'golden.safetensors'):
            os.remove(os.path.join(d, f))
    size = sum(os.path.getsize(os.path.join(d, f)) for f in os.listdir(d))
    return '%s: %d bytes, logits std %.3f max %.2f, greedy %s' % (name, size, logits.std(), logits.abs().max(), seq[0, TOKENS:].tolist())

if __name__ == '__main__':
    for name in sys.argv[2:] or FAMILIES:
        try:
            print(make(sys.argv[1], name), flush=True)
        except Exception as e:  # a family that this transformers does not have
            shutil.rmtree(os.path.join(sys.argv[1], name), ignore_errors=True)
            print('FAILED', name, type(e).__name__, str(e).strip().replace('\n', ' ')[-300:], flush=True)
