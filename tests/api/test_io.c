/* Files through the C interface: by name and by callbacks. */
#include "api/api.h"

#include <unistd.h>

static mlx_stream s;

/* A file in memory. */
typedef struct memory {
    char bytes[4096];
    size_t size, at;
    int freed;
} memory;

static bool is_fine(void *m) { return m != NULL; }
static size_t tell(void *m) { return ((memory *)m)->at; }
static void seek(void *m, int64_t off, int whence)
{
    memory *f = m;
    f->at = (size_t)(off + (whence == SEEK_SET ? 0 : (int64_t)(whence == SEEK_CUR ? f->at : f->size)));
}
static void read_at(void *m, char *data, size_t n, size_t off)
{
    memcpy(data, ((memory *)m)->bytes + off, n);
}
static void read_on(void *m, char *data, size_t n)
{
    memory *f = m;
    read_at(f, data, n, f->at);
    f->at += n;
}
static void write_on(void *m, const char *data, size_t n)
{
    memory *f = m;
    assert_true(f->at + n <= sizeof f->bytes);
    memcpy(f->bytes + f->at, data, n);
    f->at += n;
    f->size = f->at > f->size ? f->at : f->size;
}
static const char *label(void *m)
{
    (void)m;
    return "memory";
}
static void freed(void *m) { ((memory *)m)->freed++; }

static const mlx_io_vtable calls = {is_fine, is_fine, tell, seek, read_on, read_at, write_on, label, freed};

static void arrays_go_through_callbacks(void **state)
{
    (void)state;
    static memory m;
    mlx_array a = FLOATS(1, 2, 3), b = {0};
    mlx_io_writer w = mlx_io_writer_new(&m, calls);
    mlx_io_reader r = mlx_io_reader_new(&m, calls);
    mlx_string text = {0};
    void *desc = NULL;
    OK(mlx_io_writer_tostring(&text, w));
    assert_string_equal(mlx_string_data(text), "memory");
    OK(mlx_io_reader_descriptor(&desc, r));
    assert_ptr_equal(desc, &m);
    OK(mlx_save_writer(w, a));
    m.at = 0;
    OK(mlx_load_reader(&b, r, s));
    api_prints(b, "array([1, 2, 3], dtype=float32)");
    m.at = 0;
    OK(mlx_load_reader(&b, r, s)); /* and is let go unread */
    OK(mlx_array_set(&b, a));

    m = (memory){0};
    mlx_map_string_to_array arrays = mlx_map_string_to_array_new(), back = {0};
    mlx_map_string_to_string metadata = mlx_map_string_to_string_new(), words = {0};
    OK(mlx_map_string_to_array_insert(arrays, "x", a));
    OK(mlx_map_string_to_string_insert(metadata, "format", "mlx"));
    OK(mlx_save_safetensors_writer(w, arrays, metadata));
    m.at = 0;
    OK(mlx_load_safetensors_reader(&back, &words, r, s));
    OK(mlx_map_string_to_array_get(&b, back, "x"));
    api_prints(b, "array([1, 2, 3], dtype=float32)");
    const char *word;
    OK(mlx_map_string_to_string_get(&word, words, "format"));
    assert_string_equal(word, "mlx");
    m.bytes[0] = 127; /* a header longer than the file */
    m.bytes[1] = 127;
    m.at = 0;
    assert_int_equal(mlx_load_safetensors_reader(&back, &words, r, s), 1);
    assert_int_equal(api_take_errors(), 1);
    OK(mlx_map_string_to_array_get(&b, back, "x"));
    FAILS(mlx_load_reader(&b, (mlx_io_reader){0}, s), "expected a non-empty mlx_io_reader");
    mlx_io_writer_free(w);
    mlx_io_reader_free(r);
    mlx_map_string_to_array_free(arrays);
    mlx_map_string_to_array_free(back);
    mlx_map_string_to_string_free(metadata);
    mlx_map_string_to_string_free(words);
    mlx_array_free(a);
    mlx_array_free(b);
    mlx_string_free(text);
    assert_int_equal(m.freed, 2);
}

static char folder[] = "/tmp/mica-api-XXXXXX";
static const char *path(const char *name)
{
    static char text[256];
    snprintf(text, sizeof text, "%s/%s", folder, name);
    return text;
}

static void arrays_go_to_files(void **state)
{
    (void)state;
    mlx_array a = FLOATS(1, 2, 3), b = {0};
    OK(mlx_save(path("a"), a));
    OK(mlx_load(&b, path("a.npy"), s));
    api_prints(b, "array([1, 2, 3], dtype=float32)");
    FAILS(mlx_load(&b, path("none.npy"), s), "[load] /");
    assert_int_equal(truncate(path("a.npy"), 128 + 8), 0); /* arrays are read when they are computed */
    OK(mlx_load(&b, path("a.npy"), s));
    FAILS(mlx_array_eval(b), "the elements need 12 bytes, the file has 8");
    remove(path("a.npy"));

    mlx_map_string_to_array arrays = mlx_map_string_to_array_new(), back = {0};
    mlx_map_string_to_string metadata = mlx_map_string_to_string_new(), words = {0};
    OK(mlx_map_string_to_array_insert(arrays, "x", a));
    OK(mlx_save_safetensors(path("m"), arrays, metadata));
    OK(mlx_load_safetensors(&back, &words, path("m.safetensors"), s));
    OK(mlx_map_string_to_array_get(&b, back, "x"));
    api_prints(b, "array([1, 2, 3], dtype=float32)");
    remove(path("m.safetensors"));
    mlx_map_string_to_array_free(arrays);
    mlx_map_string_to_array_free(back);
    mlx_map_string_to_string_free(metadata);
    mlx_map_string_to_string_free(words);

    mlx_io_gguf g = mlx_io_gguf_new(), h = {0};
    mlx_vector_string names = mlx_vector_string_new_data((const char *[]){"p", "q"}, 2), keys = {0};
    mlx_string text = {0};
    bool there;
    char *key;
    OK(mlx_io_gguf_set_array(g, "w", a));
    OK(mlx_io_gguf_set_metadata_string(g, "name", "value"));
    OK(mlx_io_gguf_set_metadata_vector_string(g, "names", names));
    OK(mlx_io_gguf_set_metadata_array(g, "numbers", a));
    OK(mlx_save_gguf(path("g"), g));
    OK(mlx_load_gguf(&h, path("g.gguf"), s));
    OK(mlx_io_gguf_get_keys(&keys, h));
    assert_int_equal(mlx_vector_string_size(keys), 1);
    OK(mlx_vector_string_get(&key, keys, 0));
    assert_string_equal(key, "w");
    OK(mlx_io_gguf_get_array(&b, h, "w"));
    api_prints(b, "array([1, 2, 3], dtype=float32)");
    OK(mlx_io_gguf_get_metadata_string(&text, h, "name"));
    assert_string_equal(mlx_string_data(text), "value");
    OK(mlx_io_gguf_get_metadata_vector_string(&keys, h, "names"));
    assert_int_equal(mlx_vector_string_size(keys), 2);
    OK(mlx_io_gguf_has_metadata_array(&there, h, "numbers"));
    assert_true(there);
    OK(mlx_io_gguf_has_metadata_string(&there, h, "numbers"));
    assert_false(there);
    FAILS(mlx_io_gguf_get_array(&b, h, "none"), "[gguf]");
    FAILS(mlx_io_gguf_get_metadata_string(&text, h, "numbers"), "[gguf]");
    remove(path("g.gguf"));
    mlx_io_gguf_free(g);
    mlx_io_gguf_free(h);
    mlx_vector_string_free(names);
    mlx_vector_string_free(keys);
    mlx_string_free(text);
    mlx_array_free(a);
    mlx_array_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_go_through_callbacks),
        cmocka_unit_test(arrays_go_to_files),
    };
    s = mlx_default_cpu_stream_new();
    if (!mkdtemp(folder))
        return 1;
    int failed = RUN_API_TESTS("api: files", tests);
    rmdir(folder);
    mlx_stream_free(s);
    return failed;
}
