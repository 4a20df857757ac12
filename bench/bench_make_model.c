/* bench_make_model: writes a checkpoint of any size with random weights, to measure loading and speed without
 * downloading anything: MLX's affine quantization (2 to 8 bits) or bf16, in the shape of a known model or
 * any.
 *
 * Weights are uniform with a variance of about 1/inputs, norms are about 1, so activations and logits stay
 * finite through any number of layers. Quantized words are random bits: every level is used equally, and the
 * scale and bias of a group put the levels symmetrically around 0. Only one tensor is in memory at a time. */
#include "cli/options.c"

#include "cli/progress.c"

#include "base/file.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "io/safetensors.h"
#include "kernels/half.h"

#include <stdint.h>

typedef struct shape {
    const char *name, *model_type;
    int hidden, inter, layers, heads, kv_heads, head_dim, vocab;
    bool tied;
    double theta, rope_factor; /* of llama3's rope scaling, 0: none */
    int max_position;
} shape;

/* clang-format off */
static const shape shapes[] = {
    {"tiny", "qwen3", 256, 512, 2, 4, 2, 64, 1000, true, 1e6, 0, 4096},
    {"qwen3-0.6b", "qwen3", 1024, 3072, 28, 16, 8, 128, 151936, true, 1e6, 0, 40960},
    {"qwen3-1.7b", "qwen3", 2048, 6144, 28, 16, 8, 128, 151936, true, 1e6, 0, 40960},
    {"qwen3-4b", "qwen3", 2560, 9728, 36, 32, 8, 128, 151936, true, 1e6, 0, 40960},
    {"qwen3-8b", "qwen3", 4096, 12288, 36, 32, 8, 128, 151936, false, 1e6, 0, 40960},
    {"qwen3-14b", "qwen3", 5120, 17408, 40, 40, 8, 128, 151936, false, 1e6, 0, 40960},
    {"qwen3-32b", "qwen3", 5120, 25600, 64, 64, 8, 128, 151936, false, 1e6, 0, 40960},
    {"qwen2.5-0.5b", "qwen2", 896, 4864, 24, 14, 2, 64, 151936, true, 1e6, 0, 32768},
    {"qwen2.5-7b", "qwen2", 3584, 18944, 28, 28, 4, 128, 152064, false, 1e6, 0, 32768},
    {"llama-3.2-1b", "llama", 2048, 8192, 16, 32, 8, 64, 128256, true, 5e5, 32, 131072},
    {"llama-3.1-8b", "llama", 4096, 14336, 32, 32, 8, 128, 128256, false, 5e5, 8, 131072},
};

typedef struct make_options {
    const char *out, *shape, *tokenizer;
    int bits, group, hidden, inter, layers, heads, kv_heads, head_dim, vocab;
    option_seed seed;
    float shard_gb;
} make_options;

#define AT(field) offsetof(make_options, field)
#define DIM(name, field, help) {name, NULL, OPTION_INT, AT(field), "N", NULL, NULL, 0, 1 << 24, help}
static const option rows[] = {
    {"--out", NULL, OPTION_TEXT, AT(out), "DIR", NULL, NULL, 0, 0, "folder to write"},
    {"--shape", NULL, OPTION_TEXT, AT(shape), "NAME", "qwen3-0.6b", NULL, 0, 0,
     "tiny, qwen3-0.6b, -1.7b, -4b, -8b, -14b, -32b, qwen2.5-0.5b, -7b, llama-3.2-1b, llama-3.1-8b"},
    {"--bits", NULL, OPTION_INT, AT(bits), "N", "4", NULL, 2, 16, "2, 3, 4, 5, 6, 8, or 16 for bf16"},
    {"--group-size", NULL, OPTION_INT, AT(group), "N", "64", NULL, 32, 128, "32, 64 or 128"},
    DIM("--layers", layers, "instead of the shape's"),
    DIM("--hidden", hidden, "instead of the shape's"),
    DIM("--intermediate", inter, "instead of the shape's"),
    DIM("--heads", heads, "instead of the shape's"),
    DIM("--kv-heads", kv_heads, "instead of the shape's"),
    DIM("--head-dim", head_dim, "instead of the shape's"),
    DIM("--vocab", vocab, "instead of the shape's"),
    {"--tokenizer", NULL, OPTION_TEXT, AT(tokenizer), "DIR", NULL, NULL, 0, 0,
     "copy tokenizer.json and tokenizer_config.json from there"},
    {"--shard-gb", NULL, OPTION_REAL, AT(shard_gb), "X", "5", NULL, 0.001, 1e6, "largest file"},
    {"--seed", NULL, OPTION_SEED, AT(seed), "N", "0", NULL, 0, 0, "of the random weights"},
};
#undef AT
/* clang-format on */

static const char examples[] =
    "  bench_make_model --shape qwen3-8b --bits 4 --group-size 64 --out /tmp/qwen3-8b-4bit\n"
    "  bench_make_model --shape qwen3-0.6b --layers 4 --bits 16 --out /tmp/small\n";

/* What a tensor is filled with. */
typedef enum fill { FILL_WORDS, FILL_SCALES, FILL_BIASES, FILL_WEIGHTS, FILL_NORM } fill;

typedef struct plan {
    shape s;
    int bits, group;
    safetensors_item *items;
    fill *fills;
    int *inputs; /* width of the product that the tensor belongs to */
    size_t n, cap, parameters, bytes, done;
    uint64_t state; /* of the random numbers */
    void *data;     /* of the item that is being written */
    progress bar;
} plan;

/* --- the list of tensors --- */

static int add_item(plan *p, const char *name, const char *suffix, mlx_dtype dtype, int rows_, int cols,
                    fill f, int inputs)
{
    if (p->n == p->cap)
        return error_set("too many tensors");
    int *dims = mem_alloc(2, sizeof *dims);
    strbuf full = {0};
    strbuf_addf(&full, "%s%s", name, suffix);
    char *owned = strbuf_take(&full);
    if (!dims || !owned) {
        mem_free(dims);
        mem_free(owned);
        return -1;
    }
    dims[0] = rows_;
    dims[1] = cols;
    p->fills[p->n] = f;
    p->inputs[p->n] = inputs;
    p->items[p->n++] = (safetensors_item){owned, dtype, cols ? 2 : 1, dims};
    p->bytes += (size_t)rows_ * (size_t)(cols ? cols : 1) * (dtype == MLX_UINT32 ? 4 : 2);
    return 0;
}

/* A matrix (out, in) of the model: quantized or bf16. */
static int add_matrix(plan *p, const char *name, int out, int in)
{
    p->parameters += (size_t)out * (size_t)in;
    if (p->bits == 16)
        return add_item(p, name, ".weight", MLX_BFLOAT16, out, in, FILL_WEIGHTS, in);
    return add_item(p, name, ".weight", MLX_UINT32, out, in / 32 * p->bits, FILL_WORDS, in) ||
           add_item(p, name, ".scales", MLX_BFLOAT16, out, in / p->group, FILL_SCALES, in) ||
           add_item(p, name, ".biases", MLX_BFLOAT16, out, in / p->group, FILL_BIASES, in);
}

static int add_vector(plan *p, const char *name, const char *suffix, int n, fill f)
{
    p->parameters += (size_t)n;
    return add_item(p, name, suffix, MLX_BFLOAT16, n, 0, f, n);
}

static int add_layer(plan *p, int layer)
{
    const shape *s = &p->s;
    int q = s->heads * s->head_dim, kv = s->kv_heads * s->head_dim;
    const struct {
        const char *name;
        int out, in;
    } matrices[] = {{"self_attn.q_proj", q, s->hidden},     {"self_attn.k_proj", kv, s->hidden},
                    {"self_attn.v_proj", kv, s->hidden},    {"self_attn.o_proj", s->hidden, q},
                    {"mlp.gate_proj", s->inter, s->hidden}, {"mlp.up_proj", s->inter, s->hidden},
                    {"mlp.down_proj", s->hidden, s->inter}};
    char name[96];
    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++) {
        snprintf(name, sizeof name, "model.layers.%d.%s", layer, matrices[i].name);
        if (add_matrix(p, name, matrices[i].out, matrices[i].in))
            return -1;
        if (i < 3 && strcmp(s->model_type, "qwen2") == 0 &&
            add_vector(p, name, ".bias", matrices[i].out, FILL_WEIGHTS))
            return -1;
    }
    static const char *const norms[] = {"input_layernorm", "post_attention_layernorm", "self_attn.q_norm",
                                        "self_attn.k_norm"};
    for (int i = 0; i < (strcmp(s->model_type, "qwen3") == 0 ? 4 : 2); i++) {
        snprintf(name, sizeof name, "model.layers.%d.%s", layer, norms[i]);
        if (add_vector(p, name, ".weight", i < 2 ? s->hidden : s->head_dim, FILL_NORM))
            return -1;
    }
    return 0;
}

static int make_list(plan *p)
{
    p->cap = (size_t)p->s.layers * 32 + 16;
    p->items = mem_calloc(p->cap, sizeof *p->items);
    p->fills = mem_calloc(p->cap, sizeof *p->fills);
    p->inputs = mem_calloc(p->cap, sizeof *p->inputs);
    if (!p->items || !p->fills || !p->inputs || add_matrix(p, "model.embed_tokens", p->s.vocab, p->s.hidden))
        return -1;
    for (int i = 0; i < p->s.layers; i++)
        if (add_layer(p, i))
            return -1;
    if (add_vector(p, "model.norm", ".weight", p->s.hidden, FILL_NORM))
        return -1;
    return p->s.tied ? 0 : add_matrix(p, "lm_head", p->s.vocab, p->s.hidden);
}

/* --- random contents --- */

static inline uint64_t next_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void fill_words(plan *p, size_t bytes)
{
    uint64_t *out = p->data;
    for (size_t i = 0; i < (bytes + 7) / 8; i++)
        out[i] = next_random(&p->state);
}

/* bf16 numbers drawn from a table of 65536 values that go evenly from lo to hi. */
static int fill_range(plan *p, size_t n, float lo, float hi)
{
    uint16_t *table = mem_alloc(65536, sizeof *table), *out = p->data;
    if (!table)
        return -1;
    for (int i = 0; i < 65536; i++)
        table[i] = f32_to_bf16(lo + (hi - lo) * (float)i / 65535);
    for (size_t i = 0; i < n;) {
        uint64_t z = next_random(&p->state);
        for (int k = 0; k < 4 && i < n; k++, z >>= 16)
            out[i++] = table[z & 65535];
    }
    mem_free(table);
    return 0;
}

/* The same scale for a matrix, varied a little by group; biases are derived from the same draws, so that the
 * levels of a group lie around 0. */
static int fill_groups(plan *p, size_t n, float scale, bool biases)
{
    uint16_t *out = p->data;
    float levels = (float)((1 << p->bits) - 1);
    uint64_t state = 12345; /* the same for scales and biases */
    for (size_t i = 0; i < n; i++) {
        float vary = 0.75f + 0.5f * (float)(next_random(&state) >> 40) * 0x1p-24f;
        float s = bf16_to_f32(f32_to_bf16(scale * vary));
        out[i] = f32_to_bf16(biases ? -0.5f * levels * s : s);
    }
    return 0;
}

static int fetch(void *user, size_t i, const void **data)
{
    plan *p = user;
    const safetensors_item *item = &p->items[i];
    size_t n = (size_t)item->shape[0] * (size_t)(item->ndim == 2 ? item->shape[1] : 1);
    size_t bytes = n * (item->dtype == MLX_UINT32 ? 4 : 2);
    mem_free(p->data);
    p->data = mem_alloc(bytes / 8 + 1, 8);
    if (!p->data)
        return -1;
    float bound = 0.7f * sqrtf(3 / (float)p->inputs[i]), levels = (float)((1 << p->bits) - 1);
    int status = 0;
    switch (p->fills[i]) {
    case FILL_WORDS:
        fill_words(p, bytes);
        break;
    case FILL_SCALES:
        status = fill_groups(p, n, 2 * bound / levels, false);
        break;
    case FILL_BIASES:
        status = fill_groups(p, n, 2 * bound / levels, true);
        break;
    case FILL_WEIGHTS:
        status = fill_range(p, n, -bound, bound);
        break;
    case FILL_NORM:
        status = fill_range(p, n, 0.9f, 1.1f);
        break;
    }
    p->done += bytes;
    progress_update(&p->bar, p->done, p->bytes);
    *data = p->data;
    return status;
}

/* --- the other files --- */

static int write_config(const plan *p, const char *dir)
{
    const shape *s = &p->s;
    const char *family = s->model_type[0] == 'l' ? "Llama" : s->model_type[4] == '2' ? "Qwen2" : "Qwen3";
    strbuf out = {0};
    strbuf_addf(
        &out,
        "{\n    \"architectures\": [\"%sForCausalLM\"],\n    \"model_type\": \"%s\",\n"
        "    \"hidden_size\": %d,\n    \"intermediate_size\": %d,\n    \"num_hidden_layers\": %d,\n"
        "    \"num_attention_heads\": %d,\n    \"num_key_value_heads\": %d,\n    \"head_dim\": %d,\n"
        "    \"vocab_size\": %d,\n    \"tie_word_embeddings\": %s,\n    \"rope_theta\": %.1f,\n"
        "    \"max_position_embeddings\": %d,\n    \"rms_norm_eps\": 1e-06,\n    \"hidden_act\": \"silu\",\n",
        family, s->model_type, s->hidden, s->inter, s->layers, s->heads, s->kv_heads, s->head_dim, s->vocab,
        s->tied ? "true" : "false", s->theta, s->max_position);
    if (s->rope_factor > 0)
        strbuf_addf(
            &out,
            "    \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": %.1f, \"low_freq_factor\": 1.0, "
            "\"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 8192},\n",
            s->rope_factor);
    if (p->bits != 16)
        strbuf_addf(&out, "    \"quantization\": {\"group_size\": %d, \"bits\": %d, \"mode\": \"affine\"},\n",
                    p->group, p->bits);
    strbuf_adds(&out, "    \"torch_dtype\": \"bfloat16\"\n}\n");
    char *path = file_join(dir, "config.json");
    int status = path && !out.failed ? file_save(path, out.data, out.len) : -1;
    mem_free(path);
    strbuf_free(&out);
    return status;
}

static int copy_file(const char *from, const char *to, const char *name)
{
    char *source = file_join(from, name), *target = file_join(to, name), *data = NULL;
    size_t size;
    int status = source && target ? file_read(source, (size_t)1 << 30, &data, &size) : -1;
    if (status == 0)
        status = file_save(target, data, size);
    mem_free(source);
    mem_free(target);
    mem_free(data);
    return status;
}

/* --- the program --- */

static void override(int *value, int by)
{
    if (by)
        *value = by;
}

static int make_plan(plan *p, const make_options *o)
{
    const shape *known = NULL;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(shapes[i].name, o->shape) == 0)
            known = &shapes[i];
    if (!known)
        return error_set("--shape: %s is not known (--help lists the shapes)", o->shape);
    *p = (plan){.s = *known, .bits = o->bits, .group = o->group, .state = o->seed.value};
    override(&p->s.hidden, o->hidden);
    override(&p->s.inter, o->inter);
    override(&p->s.layers, o->layers);
    override(&p->s.heads, o->heads);
    override(&p->s.kv_heads, o->kv_heads);
    override(&p->s.head_dim, o->head_dim);
    override(&p->s.vocab, o->vocab);
    if (o->bits != 16 && (o->bits == 7 || o->bits > 8))
        return error_set("--bits: %d is not one of 2, 3, 4, 5, 6, 8, 16", o->bits);
    if (o->group != 32 && o->group != 64 && o->group != 128)
        return error_set("--group-size: %d is not one of 32, 64, 128", o->group);
    if (o->bits != 16 &&
        (p->s.hidden % o->group || p->s.inter % o->group || p->s.heads * p->s.head_dim % o->group))
        return error_set("every matrix's width must be a multiple of the group size %d", o->group);
    if (p->s.heads % p->s.kv_heads)
        return error_set("--heads must be a multiple of --kv-heads");
    return make_list(p);
}

static void free_plan(plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        mem_free((void *)(size_t)p->items[i].name);
        mem_free((void *)(size_t)p->items[i].shape);
    }
    mem_free(p->items);
    mem_free(p->fills);
    mem_free(p->inputs);
    mem_free(p->data);
}

static int make(const make_options *o)
{
    if (!o->out)
        return error_set("--out is missing (see: bench_make_model --help)");
    plan p = {0};
    int status = make_plan(&p, o);
    if (status == 0)
        status = file_mkdir(o->out);
    if (status == 0) {
        progress_start(&p.bar, "Writing", PROGRESS_BYTES);
        status = safetensors_write_sharded(o->out, p.items, p.n, (size_t)((double)o->shard_gb * 1e9),
                                           p.parameters, fetch, &p);
        progress_end(&p.bar);
    }
    if (status == 0)
        status = write_config(&p, o->out);
    if (status == 0 && o->tokenizer)
        status = copy_file(o->tokenizer, o->out, "tokenizer.json") ||
                         copy_file(o->tokenizer, o->out, "tokenizer_config.json")
                     ? -1
                     : 0;
    if (status == 0)
        printf("%s: %zu tensors, %.3f billion parameters, %.3f GB\n", o->out, p.n,
               (double)p.parameters * 1e-9, (double)p.bytes * 1e-9);
    free_plan(&p);
    return status;
}

int main(int argc, char **argv)
{
    make_options o = {0};
    const option_group group = OPTION_GROUP("Options", rows, &o);
    const option_spec spec = {"bench_make_model", "writes a checkpoint with random weights", examples, &group,
                              1};
    char *help[] = {"--help"};
    bool bare = argc < 2; /* as when all benchmarks are run one after the other */
    option_result parsed = options_parse(&spec, bare ? 1 : argc - 1, bare ? help : argv + 1);
    if (parsed == OPTIONS_HELP)
        return 0;
    if (parsed == OPTIONS_RUN && make(&o) == 0)
        return 0;
    fprintf(stderr, "bench_make_model: %s\n", error_text());
    return 1;
}
