/* Loading: what does not fit config.json is told by name, and quantization may differ from layer to layer. */
#include "test.h"

#include "base/file.h"
#include "io/checkpoint.h"
#include "io/config.h"
#include "mica.h"

#include <math.h>
#include <stdlib.h>

static char dir[] = "/tmp/mica-load-XXXXXX";

static const char *in_dir(const char *name)
{
    static char paths[4][300];
    static int next;
    char *p = paths[next++ % 4];
    snprintf(p, sizeof paths[0], "%s/%s", dir, name);
    return p;
}

/* A folder with a golden model's weights and its config.json with one key replaced (value NULL: removed). */
static const char *variant(const char *golden, const char *key, const char *value)
{
    char path[400], *data;
    size_t n;
    assert_int_equal(file_mkdir(in_dir("m")), 0);
    snprintf(path, sizeof path, "%s/golden/%s/model.safetensors", TEST_DATA, golden);
    assert_int_equal(file_read(path, (size_t)1 << 24, &data, &n), 0);
    assert_int_equal(file_save(in_dir("m/model.safetensors"), data, n), 0);
    mem_free(data);
    snprintf(path, sizeof path, "%s/golden/%s/config.json", TEST_DATA, golden);
    json_t *root = json_load_file(path, 0, NULL);
    json_object_del(root, key);
    if (value)
        json_object_set_new(root, key, json_loads(value, JSON_DECODE_ANY, NULL));
    assert_int_equal(json_dump_file(root, in_dir("m/config.json"), 0), 0);
    json_decref(root);
    return in_dir("m");
}

static lm_model *load(const char *path)
{
    lm_load_options o = {.no_tokenizer = true, .precision = LM_PRECISION_FLOAT32, .kv_dtype = "float32"};
    return lm_load(path, &o);
}

static void tells_what_does_not_fit(void **state)
{
    (void)state;
    static const struct {
        const char *golden, *key, *value, *error;
    } rows[] = {
        {"qwen3", "model_type", "\"gpt9\"", "\"gpt9\" is not supported; supported: llama, mistral, "},
        {"qwen3", "model_type", NULL, "\"model_type\" is missing"},
        {"qwen3", "num_hidden_layers", NULL, "\"num_hidden_layers\" is missing"},
        {"qwen3", "num_hidden_layers", "\"3\"", "\"num_hidden_layers\" must be a whole number"},
        {"qwen3", "num_hidden_layers", "0", "\"num_hidden_layers\" must be a whole number"},
        {"qwen3", "num_hidden_layers", "1000000", "is too large"},
        {"qwen3", "num_hidden_layers", "4", "\"model.layers.3.input_layernorm.weight\" is missing"},
        {"qwen3", "num_hidden_layers", "2", "others are not part of the model"},
        {"qwen3", "num_key_value_heads", "3", "must divide"},
        {"qwen3", "intermediate_size", "127", "has shape (128, 64); config.json makes it (127, 64)"},
        {"qwen3", "vocab_size", "513", "\"model.embed_tokens.weight\" has shape (512, 64)"},
        {"qwen3", "model_type", "\"llama\"", "not part of the model"},
        {"qwen3", "hidden_act", "\"swoosh\"", "\"hidden_act\" names an activation that is not known"},
        {"qwen3", "rms_norm_eps", "\"x\"", "\"rms_norm_eps\" must be a number"},
        {"qwen3_tied", "tie_word_embeddings", "false", "\"lm_head.weight\" is missing"},
        {"qwen2", "model_type", "\"qwen3\"", "q_norm.weight\" is missing"},
        {"llama", "quantization_config", "{\"quant_method\":\"gptq\",\"bits\":4}",
         "quant_method\" is a scheme"},
        {"llama", "quantization", "{\"group_size\":64,\"bits\":7}", "\"quantization.bits\" must be 2"},
        {"llama", "quantization", "{\"group_size\":48,\"bits\":4}", "\"quantization.group_size\" must be 32"},
        {"llama", "quantization", "{\"group_size\":32,\"bits\":4,\"mode\":\"mxfp4\"}",
         "mode\" is not supported"},
        {"llama", "quantization", "{\"lm_head\":{\"bits\":4}}", "expected uint32"},
        {"mistral", "sliding_window", "0", "\"sliding_window\" must be a whole number"},
        {"llama", "layer_types", "[\"full_attention\",\"chunked\",\"full_attention\"]",
         "\"layer_types\" must name"},
        {"llama", "layer_types", "[\"full_attention\"]", "\"layer_types\" must name"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        lm_model *m = load(variant(rows[i].golden, rows[i].key, rows[i].value));
        if (m)
            fail_msg("loaded with %s %s", rows[i].key, rows[i].value ? rows[i].value : "(none)");
        assert_error(rows[i].error);
    }
}

/* A head beside a tied embedding, and constants of old checkpoints, are dropped. */
static void drops_what_is_known(void **state)
{
    (void)state;
    lm_model *m = load(variant("llama", "tie_word_embeddings", "true"));
    assert_ok(m != NULL);
    lm_free(m);
}

typedef struct source {
    const safetensors_tensor **tensors;
} source;

static int fetch(void *user, size_t i, const void **data)
{
    *data = ((source *)user)->tensors[i]->data;
    return 0;
}

static void logits_of(const char *path, float *out)
{
    const int ids[] = {5, 99, 300, 7, 41, 2, 260};
    lm_model *m = load(path);
    assert_ok(m != NULL);
    lm_session *s = lm_session_new(m);
    assert_ok(s && lm_logits(s, ids, 7, false, out) == 0);
    lm_session_free(s);
    lm_free(m);
}

/* Most of a 6-bit model, one matrix of an 8-bit one, and a head in float: config.json says which. */
static void quantization_by_layer(void **state)
{
    (void)state;
    static const char *const eight = "model.layers.1.mlp.down_proj.";
    char golden[300];
    snprintf(golden, sizeof golden, "%s/golden/qwen2", TEST_DATA);
    lm_convert_options q6 = {.quantize = true, .bits = 6, .group_size = 64};
    lm_convert_options q8 = {.quantize = true, .bits = 8, .group_size = 32};
    assert_ok(lm_convert(golden, in_dir("q6"), &q6, NULL) == 0);
    assert_ok(lm_convert(golden, in_dir("q8"), &q8, NULL) == 0);
    checkpoint from[3];
    assert_ok(checkpoint_open(&from[0], in_dir("q6")) == 0);
    assert_ok(checkpoint_open(&from[1], in_dir("q8")) == 0);
    assert_ok(checkpoint_open(&from[2], golden) == 0);
    safetensors_item items[200];
    const safetensors_tensor *tensors[200];
    size_t n = 0;
    for (size_t i = 0; i < from[0].count; i++) {
        const safetensors_tensor *t = from[0].entries[i].tensor;
        if (strncmp(t->name, "lm_head.", 8) == 0)
            continue;
        if (strncmp(t->name, eight, strlen(eight)) == 0)
            t = checkpoint_find(&from[1], t->name)->tensor;
        tensors[n++] = t;
    }
    tensors[n++] = checkpoint_find(&from[2], "lm_head.weight")->tensor;
    for (size_t i = 0; i < n; i++)
        items[i] =
            (safetensors_item){tensors[i]->name, tensors[i]->dtype, tensors[i]->ndim, tensors[i]->shape};
    source s = {.tensors = tensors};
    assert_ok(safetensors_write(in_dir("q6/model.safetensors"), items, n, NULL, 0, fetch, &s) == 0);
    for (int i = 0; i < 3; i++)
        checkpoint_close(&from[i]);

    json_t *root = json_load_file(in_dir("q6/config.json"), 0, NULL),
           *q = json_object_get(root, "quantization");
    json_object_set_new(q, "model.layers.1.mlp.down_proj",
                        json_pack("{s:i, s:i}", "group_size", 32, "bits", 8));
    json_object_set_new(q, "lm_head", json_false());
    assert_int_equal(json_dump_file(root, in_dir("q6/config.json"), 0), 0);
    float want[512], got[512];
    double d = 0, norm = 0;
    logits_of(golden, want);
    logits_of(in_dir("q6"), got);
    for (int i = 0; i < 512; i++) {
        d += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        norm += (double)want[i] * want[i];
    }
    if (!(d > 0 && sqrt(d / norm) < 0.15))
        fail_msg("logits differ by %g", sqrt(d / norm));
    /* Without the entry the matrix has the wrong shape. */
    json_object_del(q, "model.layers.1.mlp.down_proj");
    assert_int_equal(json_dump_file(root, in_dir("q6/config.json"), 0), 0);
    assert_null(load(in_dir("q6")));
    assert_error("\"model.layers.1.mlp.down_proj.weight\" has shape");
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_does_not_fit),
        cmocka_unit_test(drops_what_is_known),
        cmocka_unit_test(quantization_by_layer),
    };
    if (!mkdtemp(dir))
        return 1;
    int rc = RUN_TESTS("load", tests, lm_shutdown);
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command) ? 1 : rc;
}
