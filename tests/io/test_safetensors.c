/* Safetensors: what is written comes back, and what is hostile is refused with one line. */
#include "test.h"

#include "base/file.h"
#include "io/checkpoint.h"
#include "io/safetensors.h"

#include <stdlib.h>
#include <unistd.h>

static char dir[] = "/tmp/mica-safetensors-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

/* Writes length, header and `data` zero bytes; returns the path. */
static const char *make_file(unsigned long long length, const char *header, size_t data)
{
    char bytes[4096] = {0};
    size_t n = strlen(header);
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)(length >> 8 * i);
    memcpy(bytes + 8, header, n);
    const char *path = path_of("hostile.safetensors");
    assert_int_equal(file_save(path, bytes, 8 + n + data), 0);
    return path;
}

#define T(dtype, shape, offsets) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static const struct hostile {
    const char *header;
    size_t data;
    const char *error;
} HOSTILE[] = {
    {"", 0, "not valid JSON"},
    {"{", 0, "not valid JSON"},
    {"[]", 0, "not a JSON object"},
    {"{} x", 0, "not valid JSON"},
    {"{\"a\":1}", 0, "not an object"},
    {"{\"a\":{}}", 0, "has no \"dtype\""},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[]}}", 0, "has no \"data_offsets\""},
    {"{\"a\":" T("F33", "[1]", "[0,4]") "}", 4, "unknown dtype \"F33\""},
    {"{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "unknown dtype"},
    {"{\"a\":" T("F32", "1", "[0,4]") "}", 4, "\"shape\" must be a list"},
    {"{\"a\":" T("F32", "[-1]", "[0,4]") "}", 4, "size 0 of the shape"},
    {"{\"a\":" T("F32", "[1.0]", "[0,4]") "}", 4, "size 0 of the shape"},
    {"{\"a\":" T("F32", "[1,\"1\"]", "[0,4]") "}", 4, "size 1 of the shape"},
    {"{\"a\":" T("F32", "[4294967297]", "[0,4]") "}", 4, "size 0 of the shape"},
    {"{\"a\":" T("F32", "[2147483647,2147483647,2147483647]", "[0,4]") "}", 4, "too many elements"},
    {"{\"a\":" T("F64", "[2147483648,2147483648]", "[0,4]") "}", 4, "size 0 of the shape"},
    {"{\"a\":" T("F64", "[2147483647,2147483647,2]", "[0,4]") "}", 4, "need another size"},
    {"{\"a\":" T("F32", "[1]", "[0]") "}", 4, "must be two whole numbers"},
    {"{\"a\":" T("F32", "[1]", "[0,4,8]") "}", 4, "must be two whole numbers"},
    {"{\"a\":" T("F32", "[1]", "[0,4.0]") "}", 4, "must be two whole numbers"},
    {"{\"a\":" T("F32", "[1]", "[-4,0]") "}", 4, "are not a range"},
    {"{\"a\":" T("F32", "[1]", "[4,0]") "}", 4, "are not a range"},
    {"{\"a\":" T("F32", "[1]", "[0,8]") "}", 4, "are not a range"},
    {"{\"a\":" T("F32", "[1]", "[9223372036854775804,9223372036854775807]") "}", 4, "are not a range"},
    {"{\"a\":" T("F32", "[1]", "[0,99999999999999999999]") "}", 4, "not valid JSON"},
    {"{\"a\":" T("F32", "[2]", "[0,4]") "}", 4, "need another size"},
    {"{\"a\":" T("F32", "[1]", "[0,8]") "}", 8, "need another size"},
    {"{\"a\":" T("F32", "[2]", "[0,8]") ",\"b\":" T("F32", "[2]", "[4,12]") "}", 12, "overlap"},
    {"{\"a\":" T("F32", "[1]", "[0,4]") ",\"b\":" T("F32", "[1]", "[0,4]") "}", 4, "overlap"},
    {"{\"a\":" T("F32", "[1]", "[4,8]") "}", 8, "before tensor \"a\" belong to no tensor"},
    {"{\"a\":" T("F32", "[1]", "[0,4]") "}", 8, "at the end belong to no tensor"},
    {"{\"a\":" T("F32", "[1]", "[0,4]") ",\"a\":" T("F32", "[1]", "[4,8]") "}", 8, "not valid JSON"},
    {"{\"__metadata__\":[]}", 0, "not an object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "is not a string"},
    {"{\"a\\u0000b\":" T("F32", "[1]", "[0,4]") "}", 4, "not valid JSON"},
};

static void refuses_hostile_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof HOSTILE / sizeof *HOSTILE; i++) {
        const struct hostile *h = &HOSTILE[i];
        safetensors s;
        int rc = safetensors_open(&s, make_file(strlen(h->header), h->header, h->data));
        if (rc == 0)
            fail_msg("accepted: %s", h->header);
        assert_error(h->error);
        assert_null(s.tensors);
    }
}

static void refuses_hostile_lengths(void **state)
{
    (void)state;
    safetensors s;
    assert_int_equal(safetensors_open(&s, make_file(3, "{}", 0)), -1);
    assert_error("it is truncated");
    assert_int_equal(safetensors_open(&s, make_file(~0ull, "{}", 0)), -1);
    assert_error("no safetensors file");
    assert_int_equal(safetensors_open(&s, make_file((100ull << 20) + 1, "{}", 0)), -1);
    assert_error("no safetensors file");
    assert_int_equal(file_save(path_of("short"), "1234567", 7), 0);
    assert_int_equal(safetensors_open(&s, path_of("short")), -1);
    assert_error("too short");
    assert_int_equal(file_save(path_of("short"), "", 0), 0);
    assert_int_equal(safetensors_open(&s, path_of("short")), -1);
    assert_error("too short");
    assert_int_equal(safetensors_open(&s, path_of("absent")), -1);
    assert_error("absent");
}

/* Every prefix of a good file is refused. */
static void refuses_truncation(void **state)
{
    (void)state;
    const char header[] = "{\"__metadata__\":{\"k\":\"v\"},\"a\":" T("F32", "[2,1]", "[0,8]") "}";
    char *bytes;
    size_t n;
    assert_int_equal(file_read(make_file(strlen(header), header, 8), 4096, &bytes, &n), 0);
    safetensors s;
    for (size_t k = 0; k < n; k++) {
        assert_int_equal(file_save(path_of("cut"), bytes, k), 0);
        assert_int_equal(safetensors_open(&s, path_of("cut")), -1);
        assert_error("cut");
    }
    assert_int_equal(file_save(path_of("cut"), bytes, n), 0);
    assert_ok(safetensors_open(&s, path_of("cut")) == 0);
    assert_string_equal(safetensors_metadata(&s, "k"), "v");
    assert_null(safetensors_metadata(&s, "x"));
    safetensors_close(&s);
    mem_free(bytes);
}

static void reads_scalars_empties_and_misaligned(void **state)
{
    (void)state;
    /* b begins at byte 1 of the data, wherever the header ends. */
    const char header[] = "{\"e\":" T("F32", "[0,3]", "[0,0]") ",\"a\":" T("BOOL", "[]", "[0,1]") ",\"b\":" T(
        "F32", "[2]", "[1,9]") ",\"f\":" T("F8_E4M3", "[1]", "[9,10]") "}";
    safetensors s;
    assert_ok(safetensors_open(&s, make_file(strlen(header), header, 10)) == 0);
    assert_int_equal(s.count, 4);
    assert_true(safetensors_find(&s, "f")->foreign);
    size_t mark = mx_mark();
    mlx_array slot = MX_NULL, a = safetensors_array(&s, safetensors_find(&s, "a"));
    assert_int_equal(mx_ndim(a), 0);
    assert_int_equal(mx_dtype_of(a), MLX_BOOL);
    assert_int_equal(mx_size(safetensors_array(&s, safetensors_find(&s, "e"))), 0);
    mx_set(&slot, safetensors_array(&s, safetensors_find(&s, "b")));
    mx_release(mark);
    safetensors_close(&s);
    float values[2] = {1, 1};
    assert_ok(mx_read_f32(slot, values) == 0); /* outlives the file */
    assert_true(values[0] == 0 && values[1] == 0);
    mx_set(&slot, MX_NULL);
}

static void round_trip(void **state)
{
    (void)state;
    const char *names[] = {"z \"quoted\" \xc3\xa9", "a", "half"};
    const float z[] = {1, -2, 3, 4, 5, 6};
    const int32_t a[] = {7, 8, 9};
    size_t mark = mx_mark();
    mlx_array whole = mx_from(z, SHAPE(2, 3), MLX_FLOAT32);
    mlx_array arrays[] = {mx_swapaxes(whole, 0, 1), mx_from(a, SHAPE(3, 1), MLX_INT32),
                          mx_astype(whole, MLX_BFLOAT16)};
    assert_ok(safetensors_save(path_of("r.safetensors"), names, arrays, 3) == 0);
    safetensors s;
    assert_ok(safetensors_open(&s, path_of("r.safetensors")) == 0);
    assert_int_equal(s.count, 3);
    assert_int_equal((uintptr_t)safetensors_find(&s, names[0])->data % 64, 0);
    float back[6];
    assert_ok(mx_read_f32(safetensors_array(&s, safetensors_find(&s, names[0])), back) == 0);
    const float expected[] = {1, 4, -2, 5, 3, 6};
    assert_memory_equal(back, expected, sizeof back);
    mlx_array half = safetensors_array(&s, safetensors_find(&s, "half"));
    assert_int_equal(mx_dtype_of(half), MLX_BFLOAT16);
    assert_ok(mx_read_f32(half, back) == 0);
    assert_memory_equal(back, z, sizeof back);
    int64_t ints[3];
    assert_ok(mx_read_i64(safetensors_array(&s, safetensors_find(&s, "a")), ints) == 0);
    assert_true(ints[0] == 7 && ints[2] == 9);
    safetensors_close(&s);
    mx_release(mark);
}

static int fetch_letters(void *user, size_t i, const void **data)
{
    static char text[16];
    (void)user;
    memset(text, 'a' + (int)i, sizeof text);
    *data = text;
    return 0;
}

static void shards_and_index(void **state)
{
    (void)state;
    const int shape[] = {10};
    const safetensors_item items[] = {{"b", MLX_UINT8, 1, shape},
                                      {"a", MLX_UINT8, 1, shape},
                                      {"c", MLX_UINT8, 1, shape},
                                      {"d", MLX_UINT8, 1, shape}};
    char *folder = file_join(dir, "sharded"), *text;
    size_t n;
    assert_int_equal(file_mkdir(folder), 0);
    assert_ok(safetensors_write_sharded(folder, items, 4, 25, 40, fetch_letters, NULL) == 0);
    assert_true(file_exists(path_of("sharded/model-00001-of-00002.safetensors")));
    assert_int_equal(file_read(path_of("sharded/model.safetensors.index.json"), 4096, &text, &n), 0);
    assert_non_null(strstr(text, "\"total_size\": 40"));
    assert_non_null(
        strstr(text, "\"a\": \"model-00001-of-00002.safetensors\",\n        \"b\": \"model-00001"));
    mem_free(text);
    checkpoint c;
    assert_ok(checkpoint_open(&c, folder) == 0);
    assert_int_equal(c.count, 4);
    assert_int_equal(checkpoint_bytes(&c), 40);
    assert_int_equal(checkpoint_find(&c, "d")->tensor->data[9], 'd');
    assert_null(checkpoint_find(&c, "e"));
    checkpoint_close(&c);
    /* A file that the index names and that is gone. */
    unlink(path_of("sharded/model-00002-of-00002.safetensors"));
    assert_int_equal(checkpoint_open(&c, folder), -1);
    assert_error("model-00002-of-00002.safetensors is missing");
    /* The same name in two files. */
    assert_ok(safetensors_write(path_of("sharded/model-00002-of-00002.safetensors"), items, 1, NULL, 0,
                                fetch_letters, NULL) == 0);
    assert_int_equal(checkpoint_open(&c, folder), -1);
    assert_error("is also in");
    mem_free(folder);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    const char header[] = "{\"__metadata__\":{\"k\":\"v\"},\"a\":" T("F32", "[2]", "[0,8]") "}";
    const char *path = make_file(strlen(header), header, 8);
    size_t live = mem_live();
    for (size_t k = 1;; k++) {
        safetensors s;
        mem_fail_at(k);
        int rc = safetensors_open(&s, path);
        bool fired = mem_fail_fired();
        mem_fail_at(0);
        if (rc == 0)
            safetensors_close(&s);
        assert_int_equal(mem_live(), live);
        if (!fired) {
            assert_ok(rc == 0);
            break;
        }
        assert_int_equal(rc, -1);
        assert_error("out of memory");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_hostile_headers),
        cmocka_unit_test(refuses_hostile_lengths),
        cmocka_unit_test(refuses_truncation),
        cmocka_unit_test(reads_scalars_empties_and_misaligned),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(shards_and_index),
        cmocka_unit_test(every_allocation_may_fail),
    };
    if (!mkdtemp(dir))
        return 1;
    int rc = RUN_TESTS("safetensors", tests, mx_shutdown);
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command) ? 1 : rc;
}
