/* npy, gguf and files by callbacks: every dtype there and back, bytes written by hand, damaged files, atomic
 * writes. */
#include "test.h"

#include "io/gguf.h"
#include "io/npy.h"
#include "io/safetensors.h"
#include "kernels/half.h"

#include <unistd.h>

/* --- a file in memory, by callbacks --- */

typedef struct memory {
    char data[65536];
    size_t size, at;
    bool broken;
} memory;

static bool m_open(void *d) { return d != NULL; }
static bool m_good(void *d) { return !((memory *)d)->broken; }
static size_t m_tell(void *d) { return ((memory *)d)->at; }
static void m_seek(void *d, int64_t off, int whence)
{
    memory *m = d;
    m->at = (size_t)(off + (int64_t)(whence == SEEK_END ? m->size : whence == SEEK_CUR ? m->at : 0));
}
static void m_read(void *d, char *data, size_t n)
{
    memory *m = d;
    if (m->at + n > m->size) {
        m->broken = true;
        return;
    }
    memcpy(data, m->data + m->at, n);
    m->at += n;
}
static void m_write(void *d, const char *data, size_t n)
{
    memory *m = d;
    if (m->at + n > sizeof m->data) {
        m->broken = true;
        return;
    }
    memcpy(m->data + m->at, data, n);
    m->at += n;
    m->size = m->at;
}
static const char *m_label(void *d) { return d ? "memory" : NULL; }
static memory ram;
static int holders; /* of the stream: arrays that are still to be read */
static void m_hold(void *owner) { ++*(int *)owner; }
static void m_drop(void *owner) { --*(int *)owner; }
static const stream file = {
    &ram, {m_open, m_good, m_tell, m_seek, m_read, NULL, m_write, m_label, NULL}, &holders, m_hold, m_drop};

static void rewind_to(const void *data, size_t n)
{
    ram = (memory){.size = n};
    if (n)
        memcpy(ram.data, data, n);
}

static void same(mlx_array x, mlx_array y)
{
    static char a[4096], b[4096];
    if (mx_is_null(x) || mx_is_null(y) || mx_read(x, a) || mx_read(y, b)) {
        mx_failed();
        fail_msg("%s", mx_error_text());
    }
    assert_int_equal(mx_dtype_of(x), mx_dtype_of(y));
    assert_int_equal(mx_ndim(x), mx_ndim(y));
    if (mx_ndim(x))
        assert_memory_equal(mx_shape(x), mx_shape(y), (size_t)mx_ndim(x) * sizeof(int));
    assert_memory_equal(a, b, mx_size(x) * mx_dtype_size(mx_dtype_of(x)));
}

static char path[64] = "/tmp/mica-npy-XXXXXX", name[96];

/* --- npy --- */

static void npy_round_trips(void **state)
{
    (void)state;
    for (int t = 0; t < MX_DTYPES; t++) {
        mlx_array x = mx_astype(mx_reshape(mx_arange(0, 24, 1, MLX_FLOAT32), SHAPE(2, 3, 4)), (mlx_dtype)t);
        mlx_array forms[5] = {x, mx_transpose(x, SHAPE(2, 1, 0)), mx_swapaxes(x, 0, 1),
                              mx_zeros(SHAPE(0, 3), (mlx_dtype)t), mx_int(1, (mlx_dtype)t)};
        for (int f = 0; f < 5; f++) {
            assert_ok(mx_save(path, forms[f]) == 0);
            same(mx_load(name), forms[f]);
            rewind_to(NULL, 0);
            assert_ok(npy_save_stream(&file, forms[f]) == 0);
            ram.at = 0;
            same(npy_load_stream(&file), forms[f]);
        }
        mx_release(0);
        assert_int_equal(holders, 0);
    }
    unlink(name);
}

static mlx_array npy(int version, const char *dict, const void *data, size_t n)
{
    static char bytes[4096];
    size_t length = strlen(dict), prefix = version == 1 ? 10 : 12;
    memcpy(bytes, "\x93NUMPY", 6);
    bytes[6] = (char)version;
    bytes[8] = (char)(length & 255);
    bytes[9] = (char)(length >> 8);
    bytes[10] = bytes[11] = 0;
    memcpy(bytes + prefix, dict, length);
    memcpy(bytes + prefix + length, data, n);
    rewind_to(bytes, prefix + length + n);
    return npy_load_stream(&file);
}

static void npy_headers(void **state)
{
    (void)state;
    const uint8_t big[] = {0, 1, 2, 3};
    same(npy(2, "{'descr': '>u2', 'fortran_order': False, 'shape': (2,), }\n", big, 4),
         mx_from((uint16_t[]){1, 0x203}, SHAPE(2), MLX_UINT16));
    same(npy(3, "{'shape': (2L, 1L), 'fortran_order': True, 'descr': \"|i1\"}", big, 2),
         mx_from((int8_t[]){0, 1}, SHAPE(2, 1), MLX_INT8));
    mx_release(0);
}

static void npy_rejects(void **state)
{
    (void)state;
    static const struct {
        const char *dict, *error;
        size_t n;
    } bad[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,}", "Invalid header", 8},
        {"{'descr': '<f4', 'fortran_order': False}", "Invalid header", 8},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}", "Invalid header", 8},
        {"{'descr': '<f4', 'fortran_order': Maybe, 'shape': ()}", "Invalid header", 8},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (-1,)}", "Invalid header", 8},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (9999999999,)}", "or one over 2147483647", 8},
        {"{'descr': '<f8', 'fortran_order': True, 'shape': (2147483647, 2147483647, 8)}", "too many elements",
         8},
        {"{'descr': '<U4', 'fortran_order': True, 'shape': ()}",
         "Unsupported array protocol type-string: <U4", 8},
        {"{'descr': '|O', 'fortran_order': True, 'shape': ()}", "Unsupported array protocol type-string: |O",
         8},
        {"{'descr': [('a', '<f4')], 'fortran_order': True, 'shape': ()}", "Invalid header", 8},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(mx_is_null(npy(1, bad[i].dict, "12345678", bad[i].n)));
        assert_error(bad[i].error);
    }
    assert_true(mx_is_null(npy(4, "{}", "", 0)));
    assert_error("[load] Unsupported npy format version in memory");
    rewind_to("\x93NUMPY\1\0\xff\xff{", 11);
    assert_true(mx_is_null(npy_load_stream(&file)));
    assert_error("it is truncated");
    rewind_to("abc", 3);
    assert_true(mx_is_null(npy_load_stream(&file)));
    assert_error("[load] Invalid header in memory");
    ram.broken = true;
    assert_true(mx_is_null(npy_load_stream(&file)));
    assert_error("[load] Failed to open memory");
    assert_true(mx_is_null(mx_load("/nowhere/x.npy")));
    assert_error("/nowhere/x.npy");
}

/* Arrays are read when they are computed, by their own stream; what is missing then is an error then. */
static void npy_is_read_late(void **state)
{
    (void)state;
    const char *dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}";
    mlx_array late = npy(1, dict, "12345678", 8), kept = MX_NULL;
    assert_ok(!mx_is_null(late));
    assert_int_equal(mx_eval(late), -1);
    assert_error("[load] memory: the elements need 12 bytes, the file has 8; it is truncated");
    assert_int_equal(mx_eval(late), -1); /* and again */
    assert_error("the elements need 12 bytes");
    mx_release(0);

    late = npy(1, dict, (const float[]){1, 2, 3}, 12);
    ram.broken = true;
    assert_int_equal(mx_eval(late), -1);
    assert_error("[load] Unable to read 12 bytes from memory");
    ram.broken = false;
    mx_set(&kept, mx_add(late, mx_float(1, MLX_FLOAT32)));
    mx_release(0);
    assert_int_equal(holders, 1);
    assert_ok(mx_eval(kept) == 0);
    assert_int_equal(holders, 0);
    assert_float_equal(((const float *)mx_data(kept))[2], 4, 0);
    mx_set(&kept, MX_NULL);

    /* one after the other in a stream: each is read from where the last ended */
    rewind_to(NULL, 0);
    assert_ok(npy_save_stream(&file, mx_int(7, MLX_INT32)) == 0);
    size_t second = ram.at;
    assert_ok(npy_save_stream(&file, mx_int(8, MLX_INT32)) == 0);
    ram.at = second;
    same(npy_load_stream(&file), mx_int(8, MLX_INT32));
    mx_release(0);
}

/* A result is written over what was read from a small file; a large one is used where it lies. */
static void npy_memory(void **state)
{
    (void)state;
    const int n = 1 << 19;
    mlx_array x = MX_NULL;
    assert_ok(mx_save(path, mx_zeros(SHAPE(1000), MLX_FLOAT32)) == 0);
    mx_release(0);
    size_t before = mx_active_memory();
    mx_reset_peak_memory();
    mx_set(&x, mx_negative(mx_load(name)));
    mx_release(0);
    assert_ok(mx_eval(x) == 0);
    assert_true(mx_peak_memory() - before < 2 * 4000);
    mx_set(&x, MX_NULL);

    assert_ok(mx_save(path, mx_zeros(&n, 1, MLX_FLOAT32)) == 0);
    mx_release(0);
    before = mx_active_memory();
    mx_set(&x, mx_load(name));
    mx_release(0);
    assert_ok(mx_eval(x) == 0);
    assert_int_equal(mx_active_memory(), before);
    mx_set(&x, MX_NULL);
    unlink(name);
}

/* What a function takes from outside is read when it is traced, and is a constant of it. */
static mlx_array outside;
static int add_outside(void *user, const mlx_array *x, size_t n, mx_arrays *out)
{
    (void)user, (void)n;
    mlx_array y = mx_add(x[0], outside);
    return mx_arrays_add(out, y);
}
static void npy_in_functions(void **state)
{
    (void)state;
    const char *dict = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}";
    mx_arrays y = {0};
    mx_set(&outside, npy(1, dict, (const float[]){1, 2, 3}, 12));
    mlx_array x = mx_from((const float[]){1, 1, 1}, SHAPE(3), MLX_FLOAT32);
    for (int i = 0; i < 2; i++) {
        assert_ok(mx_compiled(1, add_outside, NULL, false, NULL, 0, &x, 1, &y) == 0);
        same(y.items[0], mx_from((const float[]){2, 3, 4}, SHAPE(3), MLX_FLOAT32));
        mx_arrays_free(&y);
    }
    assert_int_equal(holders, 0);
    mx_compile_clear_cache();
    mx_set(&outside, MX_NULL);
    mx_release(0);
}

/* --- gguf --- */

static void gguf_round_trips(void **state)
{
    (void)state;
    static const mlx_dtype types[] = {MLX_FLOAT32, MLX_FLOAT16, MLX_INT8, MLX_INT16, MLX_INT32};
    static const mlx_dtype numbers[] = {MLX_BOOL, MLX_UINT8, MLX_UINT16, MLX_UINT32, MLX_UINT64,
                                        MLX_INT8, MLX_INT16, MLX_INT32,  MLX_INT64,  MLX_FLOAT32};
    static const char *const words[] = {"one", "", "three"};
    gguf g = {0}, h;
    char key[32];
    for (int i = 0; i < 5; i++) {
        snprintf(key, sizeof key, "t%d", i);
        mlx_array x = mx_astype(mx_reshape(mx_arange(0, 15, 1, MLX_FLOAT32), SHAPE(3, 5)), types[i]);
        assert_int_equal(gguf_set_array(&g.tensors, key, i % 2 ? mx_swapaxes(x, 0, 1) : x), 0);
    }
    for (int i = 0; i < 10; i++) {
        snprintf(key, sizeof key, "n%d", i);
        mlx_array x = mx_astype(mx_arange(0, 7, 1, MLX_FLOAT32), numbers[i]);
        assert_int_equal(
            gguf_set_array(&g.metadata, key, i % 2 ? mx_squeeze(mx_slice_axis(x, 0, 3, 4), 0) : x), 0);
    }
    assert_int_equal(gguf_set_string(&g.metadata, "text", "first"), 0);
    assert_int_equal(gguf_set_string(&g.metadata, "text", "second"), 0);
    assert_int_equal(gguf_set_strings(&g.metadata, "words", words, 3), 0);
    assert_ok(gguf_save(path, &g) == 0);
    snprintf(name, sizeof name, "%s.gguf", path);
    assert_ok(gguf_load(&h, name) == 0);
    assert_int_equal(h.tensors.count, 5);
    for (size_t i = 0; i < 5; i++)
        same(gguf_find(&h.tensors, g.tensors.entries[i].key)->array, g.tensors.entries[i].array);
    for (size_t i = 0; i < 10; i++)
        same(gguf_find(&h.metadata, g.metadata.entries[i].key)->array, g.metadata.entries[i].array);
    assert_string_equal(gguf_find(&h.metadata, "text")->strings[0], "second");
    assert_int_equal(gguf_find(&h.metadata, "text")->kind, GGUF_STRING);
    const gguf_entry *e = gguf_find(&h.metadata, "words");
    assert_true(e->kind == GGUF_STRINGS && e->count == 3 && strcmp(e->strings[2], "three") == 0);
    assert_null(gguf_find(&h.metadata, "t0"));
    gguf_clear(&h);
    assert_int_equal(gguf_set_array(&g.tensors, "d", mx_zeros(SHAPE(2), MLX_FLOAT64)), 0);
    assert_int_equal(gguf_save(path, &g), -1);
    assert_error("[save_gguf] \"d\": dtype float64 is not supported");
    assert_ok(gguf_load(&h, name) == 0); /* the file that was there is there still */
    gguf_clear(&h);
    gguf_clear(&g);
    mx_release(0);
    unlink(name);
}

/* A file with one tensor of a type, (1, elements). */
static int one_tensor(gguf *g, uint32_t type, uint64_t elements, const void *data, size_t n)
{
    const uint64_t head[2] = {1, 0}, dims[2] = {elements, 1}, length = 8, offset = 0;
    const uint32_t version = 3, ndim = 2;
    rewind_to("GGUF", 4);
    ram.at = 4;
    m_write(&ram, (const char *)&version, 4);
    m_write(&ram, (const char *)head, 16);
    m_write(&ram, (const char *)&length, 8);
    m_write(&ram, "a.weight", 8);
    m_write(&ram, (const char *)&ndim, 4);
    m_write(&ram, (const char *)dims, 16);
    m_write(&ram, (const char *)&type, 4);
    m_write(&ram, (const char *)&offset, 8);
    while (ram.size % 32)
        m_write(&ram, "", 1);
    m_write(&ram, data, n);
    buffer *b = buffer_new(ram.size);
    memcpy(b->data, ram.data, ram.size);
    return gguf_from_buffer(g, "memory", b);
}

/* The packed forms mean what the blocks mean. */
static void gguf_quantized(void **state)
{
    (void)state;
    static const struct {
        uint32_t type;
        int bits;
    } kinds[] = {{2, 4}, {3, 4}, {8, 8}};
    for (int k = 0; k < 3; k++) {
        const gguf_type *t = gguf_type_find(kinds[k].type);
        uint8_t blocks[2 * 34];
        float expected[64], got[64];
        for (size_t i = 0; i < sizeof blocks; i++)
            blocks[i] = (uint8_t)(i * 37 + 11);
        for (int b = 0; b < 2; b++) {
            memcpy(blocks + b * t->bytes, (uint16_t[]){f32_to_f16(0.5f + (float)b)}, 2);
            if (t->id == 3)
                memcpy(blocks + b * t->bytes + 2, (uint16_t[]){f32_to_f16(-3)}, 2);
            t->expand(blocks + b * t->bytes, expected + 32 * b);
        }
        gguf g;
        assert_ok(one_tensor(&g, t->id, 64, blocks, 2 * (size_t)t->bytes) == 0);
        assert_int_equal(g.tensors.count, 3);
        mlx_array w = gguf_find(&g.tensors, "a.weight")->array, s = gguf_find(&g.tensors, "a.scales")->array;
        assert_int_equal(mx_dtype_of(w), MLX_UINT32);
        assert_int_equal(mx_dtype_of(s), MLX_FLOAT16);
        assert_int_equal(mx_dim(w, 1), 2 * kinds[k].bits);
        int rc = mx_read_f32(mx_dequantize(w, s, gguf_find(&g.tensors, "a.biases")->array, 32, kinds[k].bits),
                             got);
        assert_int_equal(rc, 0);
        for (int i = 0; i < 64; i++)
            assert_true(got[i] == expected[i]);
        gguf_clear(&g);
        mx_release(0);
    }
}

/* Blocks worked out by hand. */
static void gguf_expands(void **state)
{
    (void)state;
    uint8_t p[256] = {0};
    float out[256];
    const uint16_t one = f32_to_f16(1), two = f32_to_f16(2);
    memcpy(p, &two, 2); /* Q5_0: weight 3 has its fifth bit and code 5: 2 (21 - 16) */
    p[2] = 8;
    p[6 + 3] = 5;
    gguf_type_find(6)->expand(p, out);
    assert_true(out[3] == 10 && out[0] == -32 && out[31] == -32);
    memset(p, 0, sizeof p); /* Q4_K: group 1 has scale 3, minimum 2; group 5 scale 17, from both places */
    memcpy(p, &one, 2);
    memcpy(p + 2, &two, 2);
    p[4 + 1] = 3 | 1 << 6;
    p[4 + 5] = 2;
    p[4 + 9] = 1;
    p[16 + 7] = 0x40;
    p[16 + 64 + 1] = 0x20;
    gguf_type_find(12)->expand(p, out);
    assert_true(out[32 + 7] == 3 * 4 - 4 && out[32] == -4 && out[0] == 0);
    assert_true(out[5 * 32 + 1] == 17 * 2 && out[5 * 32] == 0);
    memset(p, 0, sizeof p); /* Q6_K: weight 100 is in quarter 3: high bits 3, low nibble 9 */
    memcpy(p + 208, &two, 2);
    p[192 + 6] = (uint8_t)-1;
    p[32 + 4] = 0x90;
    p[128 + 4] = 3 << 6;
    gguf_type_find(14)->expand(p, out);
    assert_true(out[100] == 2 * -1 * (57 - 32) && out[101] == 2 * -1 * -32 && out[0] == 0);
    memset(p, 0, sizeof p); /* Q2_K: group 9, scale 5, minimum 3; code 2 */
    memcpy(p + 80, &one, 2);
    memcpy(p + 82, &two, 2);
    p[9] = 5 | 3 << 4;
    p[16 + 32 + 16 + 2] = 2;
    gguf_type_find(10)->expand(p, out);
    assert_true(out[9 * 16 + 2] == 5 * 2 - 6 && out[9 * 16] == -6 && out[0] == 0);
    gguf g;
    assert_ok(one_tensor(&g, 30, 2, (uint16_t[]){0x3f80, 0xc000}, 4) == 0); /* BF16 */
    same(gguf_find(&g.tensors, "a.weight")->array,
         mx_astype(mx_from((float[]){1, -2}, SHAPE(1, 2), MLX_FLOAT32), MLX_FLOAT16));
    gguf_clear(&g);
    mx_release(0);
}

static void gguf_rejects(void **state)
{
    (void)state;
    gguf g;
    assert_int_equal(one_tensor(&g, 0, 100, "1234", 4), -1);
    assert_error("Tensor 'a.weight' extends past the end of the file");
    assert_int_equal(one_tensor(&g, 11, 256, "1234", 4), -1);
    assert_error("tensor \"a.weight\" is of type 11, which is not supported");
    assert_int_equal(one_tensor(&g, 2, 33, "1234", 4), -1);
    assert_error("incompatible last dim shape: 33");
    assert_int_equal(one_tensor(&g, 0, (uint64_t)1 << 40, "1234", 4), -1);
    assert_error("is too large");
    assert_ok(one_tensor(&g, 0, 1, "1234", 4) == 0);
    gguf_clear(&g);
    size_t size = ram.size;
    for (size_t n = 0; n < size; n++) { /* cut anywhere, it is an error and no more */
        buffer *b = buffer_new(n);
        memcpy(b->data, ram.data, n);
        assert_int_equal(gguf_from_buffer(&g, "cut", b), -1);
        assert_error("[load_gguf] cut: ");
    }
    assert_int_equal(gguf_load(&g, "/nowhere/x.gguf"), -1);
    assert_error("/nowhere/x.gguf");
}

/* --- safetensors by callbacks --- */

static void safetensors_streams(void **state)
{
    (void)state;
    static const char *const names[] = {"b", "a"}, *const metadata[][2] = {{"format", "mlx"}, {"x", "y\"z"}};
    mlx_array x[2] = {mx_swapaxes(mx_reshape(mx_arange(0, 6, 1, MLX_FLOAT32), SHAPE(2, 3)), 0, 1),
                      mx_int(3, MLX_INT8)};
    safetensors_map m = {names, x, 2, metadata, 2};
    safetensors s;
    rewind_to(NULL, 0);
    assert_ok(safetensors_save_stream(&file, &m) == 0);
    assert_ok(safetensors_load_stream(&s, &file) == 0);
    assert_int_equal(holders, 1);
    same(safetensors_array(&s, safetensors_find(&s, "b")), x[0]);
    same(safetensors_array(&s, safetensors_find(&s, "a")), x[1]);
    assert_string_equal(safetensors_metadata(&s, "x"), "y\"z");
    safetensors_close(&s);
    assert_ok(safetensors_save_map(path, &m) == 0);
    snprintf(name, sizeof name, "%s.safetensors", path);
    assert_ok(safetensors_open(&s, name) == 0);
    safetensors_close(&s);
    x[0] = mx_zeros(SHAPE(1), MLX_FLOAT64);
    assert_int_equal(safetensors_save_map(path, &m), -1);
    assert_error("[save_safetensors] received invalid dtype.");
    mx_release(0);
    unlink(name);
}

static void cleanup(void)
{
    assert_int_equal(mx_live_nodes(), 0);
    unlink(path);
    mx_shutdown();
}

int main(void)
{
    close(mkstemp(path));
    snprintf(name, sizeof name, "%s.npy", path);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy_round_trips),     cmocka_unit_test(npy_headers),
        cmocka_unit_test(npy_rejects),         cmocka_unit_test(npy_is_read_late),
        cmocka_unit_test(npy_memory),          cmocka_unit_test(npy_in_functions),
        cmocka_unit_test(gguf_round_trips),    cmocka_unit_test(gguf_quantized),
        cmocka_unit_test(gguf_expands),        cmocka_unit_test(gguf_rejects),
        cmocka_unit_test(safetensors_streams),
    };
    return RUN_TESTS("npy, gguf", tests, cleanup);
}
