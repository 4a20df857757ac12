/* Converting: every tensor is what mx_quantize gives bit for bit, the result loads and is close, floats come
 * back, and nothing half-made stays. */
#include "test.h"

#include "base/file.h"
#include "io/checkpoint.h"
#include "io/config.h"
#include "llm/convert.h"
#include "mica.h"
#include "mx.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>

static char dir[] = "/tmp/mica-convert-XXXXXX";

static const char *in_dir(const char *name)
{
    static char paths[4][300];
    static int next;
    char *p = paths[next++ % 4];
    snprintf(p, sizeof paths[0], "%s/%s", dir, name);
    return p;
}

static const char *golden(const char *name)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/golden/%s", TEST_DATA, name);
    return path;
}

static size_t count_files(const char *path)
{
    size_t n = 0;
    DIR *d = opendir(path);
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

static mlx_array tensor(checkpoint *c, const char *path, const char *part)
{
    char name[200];
    snprintf(name, sizeof name, "%s.%s", path, part);
    checkpoint_entry *e = checkpoint_find(c, name);
    if (!e)
        fail_msg("no tensor %s", name);
    return safetensors_array(e->file, e->tensor);
}

static void assert_same(mlx_array a, mlx_array b)
{
    assert_ok(!mx_is_null(a) && !mx_is_null(b));
    a = mx_contiguous(a);
    b = mx_contiguous(b);
    assert_ok(mx_eval(a) == 0 && mx_eval(b) == 0);
    assert_int_equal(mx_dtype_of(a), mx_dtype_of(b));
    assert_int_equal(mx_size(a), mx_size(b));
    assert_memory_equal(mx_data(a), mx_data(b), mx_size(a) * mx_dtype_size(mx_dtype_of(a)));
}

/* Last logits of a fixed prompt. */
static void logits_of(const char *path, float *out)
{
    const int ids[] = {5, 99, 300, 7, 41, 2, 260};
    lm_load_options o = {.precision = LM_PRECISION_FLOAT32, .no_tokenizer = true, .kv_dtype = "float32"};
    lm_model *m = lm_load(path, &o);
    assert_ok(m != NULL);
    lm_session *s = lm_session_new(m);
    assert_ok(s && lm_logits(s, ids, 7, false, out) == 0);
    lm_session_free(s);
    lm_free(m);
}

static double relative_error(const float *a, const float *b, int n)
{
    double d = 0, norm = 0;
    for (int i = 0; i < n; i++) {
        d += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += (double)b[i] * b[i];
    }
    return sqrt(d / norm);
}

static void quantizes_bit_for_bit(void **state)
{
    (void)state;
    static const int BITS[] = {2, 3, 4, 5, 6, 8}, GROUPS[] = {32, 64};
    static const char *const MODULES[] = {"model.embed_tokens", "lm_head", "model.layers.2.self_attn.k_proj",
                                          "model.layers.0.mlp.down_proj"};
    float want[512], got[512];
    logits_of(golden("qwen2"), want);
    for (size_t k = 0; k < 12; k++) {
        lm_convert_options o = {.quantize = true, .bits = BITS[k % 6], .group_size = GROUPS[k / 6]};
        lm_convert_result r;
        char name[40];
        snprintf(name, sizeof name, "q%d-%d", o.bits, o.group_size);
        assert_ok(lm_convert(golden("qwen2"), in_dir(name), &o, &r) == 0);
        assert_string_equal(r.dtype, "float32");
        assert_true(r.bits_per_weight > o.bits && r.bits_per_weight < o.bits + 3);
        checkpoint from, to;
        assert_ok(checkpoint_open(&from, golden("qwen2")) == 0);
        assert_ok(checkpoint_open(&to, in_dir(name)) == 0);
        size_t mark = mx_mark();
        for (size_t i = 0; i < 4; i++) {
            mlx_array q[3];
            assert_ok(mx_quantize(tensor(&from, MODULES[i], "weight"), o.group_size, o.bits, q) == 0);
            assert_same(tensor(&to, MODULES[i], "weight"), q[0]);
            assert_same(tensor(&to, MODULES[i], "scales"), q[1]);
            assert_same(tensor(&to, MODULES[i], "biases"), q[2]);
        }
        assert_same(tensor(&to, "model.norm", "weight"), tensor(&from, "model.norm", "weight"));
        assert_same(tensor(&to, "model.layers.1.self_attn.q_proj", "bias"),
                    tensor(&from, "model.layers.1.self_attn.q_proj", "bias"));
        mx_release(mark);
        checkpoint_close(&from);
        checkpoint_close(&to);
        logits_of(in_dir(name), got);
        double error = relative_error(got, want, 512), bound = 8.0 / (1 << o.bits);
        if (!(error < bound))
            fail_msg("%s: logits differ by %g", name, error);
    }
}

static void dequantizes(void **state)
{
    (void)state;
    lm_convert_options q = {.quantize = true, .bits = 8, .group_size = 32}, d = {.dequantize = true};
    float want[512], got[512];
    lm_convert_result r;
    assert_ok(lm_convert(golden("llama"), in_dir("eight"), &q, NULL) == 0);
    assert_ok(lm_convert(in_dir("eight"), in_dir("back"), &d, &r) == 0);
    assert_true(r.bits_per_weight == 32);
    logits_of(in_dir("eight"), want);
    logits_of(in_dir("back"), got);
    assert_true(relative_error(got, want, 512) < 1e-5);
    cfg_file f;
    assert_ok(cfg_open(&f, in_dir("back/config.json")) == 0);
    cfg c = cfg_root(&f);
    assert_false(cfg_has(&c, "quantization") || cfg_has(&c, "quantization_config"));
    cfg_close(&f);
    assert_int_equal(lm_convert(in_dir("eight"), in_dir("x"), &q, NULL), -1);
    assert_error("quantized already");
    assert_int_equal(lm_convert(golden("llama"), in_dir("x"), &d, NULL), -1);
    assert_error("nothing to dequantize");
}

/* Casting halves the file; a tied model has no head in it; shards carry on. */
static void casts_and_shards(void **state)
{
    (void)state;
    lm_convert_options o = {.dtype = "bfloat16", .max_shard = 100000};
    lm_convert_result r;
    float want[512], got[512];
    assert_ok(lm_convert(golden("qwen3_tied"), in_dir("half"), &o, &r) == 0);
    assert_true(r.bits_per_weight == 16);
    assert_true(file_exists(in_dir("half/model.safetensors.index.json")));
    assert_false(file_exists(in_dir("half/model.safetensors")));
    checkpoint c;
    assert_ok(checkpoint_open(&c, in_dir("half")) == 0);
    assert_true(c.n_files > 3);
    assert_null(checkpoint_find(&c, "lm_head.weight"));
    assert_string_equal(safetensors_metadata(&c.files[0], "format"), "mlx");
    checkpoint_close(&c);
    logits_of(golden("qwen3_tied"), want);
    logits_of(in_dir("half"), got);
    assert_true(relative_error(got, want, 512) < 0.02);
    cfg_file f;
    assert_ok(cfg_open(&f, in_dir("half/config.json")) == 0);
    cfg root = cfg_root(&f);
    assert_string_equal(cfg_string(&root, "dtype", ""), "bfloat16");
    cfg_close(&f);
    char *card;
    size_t n;
    assert_int_equal(file_read(in_dir("half/README.md"), 100000, &card, &n), 0);
    assert_non_null(strstr(card, "library_name: mlx"));
    mem_free(card);
}

static bool stop_late(void *user)
{
    int *calls = user;
    return ++*calls > 5;
}

static void failure_leaves_nothing(void **state)
{
    (void)state;
    size_t before = count_files(dir);
    int calls = 0;
    lm_convert_options o = {.quantize = true, .cancelled = stop_late, .user = &calls};
    assert_int_equal(lm_convert(golden("llama"), in_dir("never"), &o, NULL), -1);
    assert_error("cancelled");
    assert_int_equal(count_files(dir), before);
    assert_int_equal(lm_convert(golden("llama"), dir, NULL, NULL), -1);
    assert_error("exists already");
    assert_int_equal(lm_convert(in_dir("absent"), in_dir("never"), NULL, NULL), -1);
    assert_error("no such folder");
    o = (lm_convert_options){.quantize = true, .bits = 7};
    assert_int_equal(lm_convert(golden("llama"), in_dir("never"), &o, NULL), -1);
    assert_error("not 7");
    o = (lm_convert_options){.quantize = true, .dequantize = true};
    assert_int_equal(lm_convert(golden("llama"), in_dir("never"), &o, NULL), -1);
    assert_error("cannot both");
    o = (lm_convert_options){.dtype = "int8"};
    assert_int_equal(lm_convert(golden("llama"), in_dir("never"), &o, NULL), -1);
    assert_error("int8");
    assert_int_equal(count_files(dir), before);
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    size_t before = count_files(dir), failures = 0;
    lm_convert_options o = {.quantize = true, .max_shard = 50000};
    for (size_t k = 1;; k += k < 100 ? 1 : 23) {
        mem_fail_at(k);
        int rc = lm_convert(golden("llama"), in_dir("oom"), &o, NULL);
        bool fired = mem_fail_fired();
        mem_fail_at(0);
        if (rc == 0 && !fired)
            break;
        if (rc == 0) { /* a failure that nobody needed to hear of */
            char command[400];
            snprintf(command, sizeof command, "rm -r %s", in_dir("oom"));
            assert_int_equal(system(command), 0);
            continue;
        }
        assert_error("memory");
        assert_int_equal(count_files(dir), before);
        failures++;
    }
    assert_true(failures > 50);
}

static void writes_json_as_python_does(void **state)
{
    (void)state;
    json_t *v = json_loads("{\"b\":[1,1.0,10000.0,1e-06,0.1,1e22,-2.5,123456.789,0.0001],\"a\":{},\"c\":[],"
                           "\"d\":\"\xc3\xa9\\n\",\"e\":null,\"f\":true}",
                           0, NULL);
    strbuf s = {0};
    convert_json(&s, v);
    assert_string_equal(
        strbuf_text(&s),
        "{\n    \"a\": {},\n    \"b\": [\n        1,\n        1.0,\n        10000.0,\n"
        "        1e-06,\n        0.1,\n        1e+22,\n        -2.5,\n        123456.789,\n"
        "        0.0001\n    ],\n    \"c\": [],\n    \"d\": \"\\u00e9\\n\",\n    \"e\": null,\n"
        "    \"f\": true\n}");
    strbuf_free(&s);
    json_decref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantizes_bit_for_bit),  cmocka_unit_test(dequantizes),
        cmocka_unit_test(casts_and_shards),       cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(failure_leaves_nothing), cmocka_unit_test(writes_json_as_python_does),
    };
    if (!mkdtemp(dir))
        return 1;
    int rc = RUN_TESTS("convert", tests, lm_shutdown);
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command) ? 1 : rc;
}
