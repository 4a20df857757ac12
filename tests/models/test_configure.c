/* What families read from config.json: both spellings, defaults, nulls, and numbers that cannot be. */
#include "test.h"

#include "models/transformer.h"

#define BASE                                                                                          \
    "\"num_hidden_layers\": 3, \"hidden_size\": 64, \"intermediate_size\": 96, \"vocab_size\": 100, " \
    "\"num_attention_heads\": 4"

static cfg_file file;
static transformer model;
static arch_info info;

/* Configures a family from BASE and `more`; 0 or -1. Clears what came before. */
static int configure(const char *type, const char *more)
{
    char text[1000];
    transformer_release(&model);
    cfg_close(&file);
    memset(&model, 0, sizeof model);
    int n =
        snprintf(text, sizeof text, "{\"model_type\": \"%s\", %s%s%s}", type, BASE, *more ? ", " : "", more);
    assert_ok(cfg_parse(&file, "config.json", text, (size_t)n) == 0);
    cfg c = cfg_root(&file);
    const arch *a = arch_find(&c);
    assert_non_null(a);
    assert_true(a->size == sizeof model);
    return a->configure(&model, &c, &info);
}

static void refused(const char *type, const char *more, const char *text)
{
    assert_int_equal(configure(type, more), -1);
    assert_error(text);
}

static void defaults_by_family(void **state)
{
    (void)state;
    static const struct row {
        const char *type;
        bool tied, qkv_bias, o_bias, head_norms;
    } rows[] = {{"llama", true, false, false, false},
                {"mistral", false, false, false, false},
                {"qwen2", true, true, false, false},
                {"qwen3", false, false, false, true}};
    for (size_t i = 0; i < 4; i++) {
        assert_ok(configure(rows[i].type,
                            "\"head_dim\": null, \"rope_scaling\": null, \"sliding_window\": null") == 0);
        assert_int_equal(model.head_dim, 16);
        assert_int_equal(model.kv_heads, 4);
        assert_int_equal(model.tied, rows[i].tied);
        assert_int_equal(info.tied, rows[i].tied);
        assert_int_equal(model.qkv_bias, rows[i].qkv_bias);
        assert_int_equal(model.o_bias, rows[i].o_bias);
        assert_int_equal(model.head_norms == HEAD_NORMS_EACH, rows[i].head_norms);
        assert_int_equal(model.layers[0].window, 0);
        assert_float_equal(model.rope[0].base, 10000, 0);
        assert_float_equal(model.eps, 1e-6f, 0);
        assert_ok(configure(rows[i].type, "\"tie_word_embeddings\": true") == 0);
        assert_true(model.tied);
    }
    assert_ok(configure("llama", "\"attention_bias\": true, \"mlp_bias\": true") == 0);
    assert_true(model.qkv_bias && model.o_bias && model.mlp_bias);
}

static void both_spellings_of_rope(void **state)
{
    (void)state;
    static const char *const same[] = {
        "\"rope_theta\": 500000, \"rope_scaling\": {\"type\": \"linear\", \"factor\": 4}",
        "\"rope_theta\": 500000.0, \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 4.0}",
        "\"rope_parameters\": {\"rope_theta\": 5e5, \"rope_type\": \"linear\", \"factor\": 4}",
        "\"rope_scaling\": null, \"rope_parameters\": {\"rope_theta\":5e5,\"type\":\"linear\",\"factor\":4}"};
    for (size_t i = 0; i < 4; i++) {
        assert_ok(configure("llama", same[i]) == 0);
        assert_float_equal(model.rope[0].base, 500000, 0);
        assert_float_equal(model.rope[0].scale, 0.25f, 0);
        assert_true(mx_is_null(model.rope[0].freqs));
    }
    assert_ok(
        configure("llama", "\"rope_scaling\": {}, \"head_dim\": 32.0, \"partial_rotary_factor\": 0.5") == 0);
    assert_int_equal(model.head_dim, 32);
    assert_int_equal(model.rope[0].dims, 16);
}

static void windows_by_layer(void **state)
{
    (void)state;
    const char *types = "\"layer_types\": [\"full_attention\", \"sliding_attention\", \"full_attention\"], "
                        "\"sliding_window\": 8, \"use_sliding_window\": true";
    const char *families[] = {"llama", "mistral", "qwen2", "qwen3"};
    for (size_t i = 0; i < 4; i++) {
        assert_ok(configure(families[i], types) == 0);
        assert_int_equal(model.layers[1].window, 8);
        assert_true(!(model.layers[0].window != 0) && (model.layers[1].window != 0) &&
                    !(model.layers[2].window != 0));
    }
    assert_ok(configure("llama", "\"sliding_window\": 8") == 0);
    assert_int_equal(model.layers[0].window, 0);
    assert_ok(configure("mistral", "\"sliding_window\": 8") == 0);
    assert_true((model.layers[0].window != 0) && (model.layers[2].window != 0));
    assert_ok(
        configure("qwen2", "\"sliding_window\": 8, \"use_sliding_window\": true, \"max_window_layers\": 2") ==
        0);
    assert_true(!(model.layers[1].window != 0) && (model.layers[2].window != 0));
    assert_ok(configure("qwen3",
                        "\"sliding_window\": 8, \"use_sliding_window\": false, \"max_window_layers\": 0") ==
              0);
    assert_false((model.layers[0].window != 0));
    refused("qwen2", "\"use_sliding_window\": true, \"max_window_layers\": 0",
            "\"sliding_window\" is missing");
    refused("llama", "\"layer_types\": [\"full_attention\"]", "for each layer");
    refused("llama", "\"layer_types\": \"full_attention\"", "must be a list");
}

static void numbers_that_cannot_be(void **state)
{
    (void)state;
    static const struct row {
        const char *more, *text;
    } rows[] = {
        {"\"num_key_value_heads\": 0", "\"num_key_value_heads\" must be a whole number"},
        {"\"num_key_value_heads\": 3", "must divide num_attention_heads"},
        {"\"num_key_value_heads\": 8", "must divide num_attention_heads"},
        {"\"num_key_value_heads\": -4", "must be a whole number"},
        {"\"head_dim\": 1e9", "must be a whole number"},
        {"\"head_dim\": 16777216", "is too large"},
        {"\"head_dim\": 16.5", "must be a whole number"},
        {"\"head_dim\": 15", "rotary"},
        {"\"head_dim\": \"16\"", "must be a whole number"},
        {"\"rope_theta\": 0", "rope_theta"},
        {"\"rope_theta\": -1", "rope_theta"},
        {"\"rope_theta\": 1e300", "must be a number"},
        {"\"partial_rotary_factor\": 1e30", "partial_rotary_factor"},
        {"\"partial_rotary_factor\": -1e30", "partial_rotary_factor"},
        {"\"rope_scaling\": 4", "must be an object"},
        {"\"rope_scaling\": {\"type\": \"linear\", \"factor\": 0}", "must be above 0"},
        {"\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2}", "not known"},
        {"\"rope_scaling\": {\"type\": \"yarn\", \"factor\": -2}", "yarn"},
        {"\"hidden_act\": \"tan\"", "activation"},
        {"\"tie_word_embeddings\": 1", "must be true or false"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        refused("llama", rows[i].more, rows[i].text);
}

/* Numbers of BASE itself: each replaced by hostile ones. */
static void hostile_sizes(void **state)
{
    (void)state;
    static const char *const keys[] = {"num_hidden_layers", "hidden_size", "intermediate_size", "vocab_size",
                                       "num_attention_heads"};
    static const char *const values[] = {"0",     "-1",   "1e9",   "1000000000", "2.5",
                                         "\"3\"", "null", "1e400", "[]"};
    for (size_t k = 0; k < 5; k++)
        for (size_t i = 0; i < 9; i++) {
            char text[600] = "{\"model_type\": \"qwen3\"";
            for (size_t j = 0; j < 5; j++)
                snprintf(text + strlen(text), sizeof text - strlen(text), ", \"%s\": %s", keys[j],
                         j == k ? values[i] : "4");
            strcat(text, "}");
            transformer_release(&model);
            cfg_close(&file);
            memset(&model, 0, sizeof model);
            if (cfg_parse(&file, "config.json", text, strlen(text)) == 0) { /* JSON itself has no 1e400 */
                cfg c = cfg_root(&file);
                assert_int_equal(arch_qwen3.configure(&model, &c, &info), -1);
            }
            assert_true(error_pending());
            error_clear();
        }
    refused("llama", "\"head_dim\": 2, \"num_key_value_heads\": 5000", "must divide");
}

static void cleanup(void)
{
    transformer_release(&model);
    cfg_close(&file);
    assert_int_equal(mx_live_nodes(), 0);
    mx_shutdown();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_by_family), cmocka_unit_test(both_spellings_of_rope),
        cmocka_unit_test(windows_by_layer),   cmocka_unit_test(numbers_that_cannot_be),
        cmocka_unit_test(hostile_sizes),
    };
    return RUN_TESTS("configure", tests, cleanup);
}
