/* Reading and writing .npy: a magic, a version, the length of a header, the header (a Python dict of
 * literals), the elements.
 *
 * The file comes from outside: the header is read by a small parser that knows the three keys in any order,
 * sizes are multiplied with overflow checks, and the elements
 * are read, or the mapped file used in their place, when the array is computed. */
#include "io/npy.h"

#include "array/source.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/strbuf.h"

#include <limits.h>
#include <string.h>

#define MAGIC "\x93NUMPY"
enum { PREFIX = 10, LONG_PREFIX = 12, LONGEST_HEADER = 1 << 20 };

static const struct npy_type {
    char text[3];
    mlx_dtype dtype;
} TYPES[] = {
    {"b1", MLX_BOOL},      {"u1", MLX_UINT8},    {"u2", MLX_UINT16},  {"u4", MLX_UINT32},
    {"u8", MLX_UINT64},    {"i1", MLX_INT8},     {"i2", MLX_INT16},   {"i4", MLX_INT32},
    {"i8", MLX_INT64},     {"f2", MLX_FLOAT16},  {"f4", MLX_FLOAT32}, {"f8", MLX_FLOAT64},
    {"c8", MLX_COMPLEX64}, {"V2", MLX_BFLOAT16},
};
enum { TYPE_COUNT = sizeof TYPES / sizeof *TYPES };

typedef struct npy_header {
    const char *name, *p, *end;
    mlx_dtype dtype;
    bool swapped, fortran, has_type, has_order, has_shape;
    int ndim, shape[MX_MAX_DIMS];
} npy_header;

/* --- the header --- */

static int malformed(const npy_header *h)
{
    return error_set("[load] Invalid header in %s: it is not a dict of 'descr', 'fortran_order' and 'shape'",
                     h->name);
}

static void blanks(npy_header *h)
{
    while (h->p < h->end && (*h->p == ' ' || *h->p == '\n' || *h->p == '\t'))
        h->p++;
}

/* Takes a character, or a word, if it is next. */
static bool take(npy_header *h, const char *word)
{
    size_t n = strlen(word);
    blanks(h);
    if ((size_t)(h->end - h->p) < n || memcmp(h->p, word, n) != 0)
        return false;
    h->p += n;
    return true;
}

static int read_type(npy_header *h)
{
    char quote = take(h, "'") ? '\'' : take(h, "\"") ? '"' : 0;
    const char *stop = quote ? memchr(h->p, quote, (size_t)(h->end - h->p)) : NULL;
    if (!stop)
        return malformed(h);
    const char *text = h->p;
    size_t n = (size_t)(stop - text);
    h->p = stop + 1;
    char order = n == 3 ? *text++ : '=';
    for (int i = 0; i < TYPE_COUNT && (n == 2 || n == 3) && strchr("<>|=", order); i++)
        if (memcmp(TYPES[i].text, text, 2) == 0) {
            h->dtype = TYPES[i].dtype;
            h->swapped = order == '>';
            h->has_type = true;
            return 0;
        }
    return error_set("[load] %s: Unsupported array protocol type-string: %.*s", h->name,
                     (int)(n < 40 ? n : 40), stop - n);
}

static int read_shape(npy_header *h)
{
    if (!take(h, "("))
        return malformed(h);
    while (!take(h, ")")) {
        long long size = 0;
        const char *start = h->p;
        for (; h->p < h->end && *h->p >= '0' && *h->p <= '9' && size <= INT_MAX; h->p++)
            size = size * 10 + (*h->p - '0');
        if (h->p == start)
            return malformed(h);
        if (size > INT_MAX || h->ndim == MX_MAX_DIMS)
            return error_set("[load] %s: the shape has more than %d sizes or one over %d", h->name,
                             MX_MAX_DIMS, INT_MAX);
        h->shape[h->ndim++] = (int)size;
        take(h, "L");
        if (!take(h, ",")) {
            if (!take(h, ")"))
                return malformed(h);
            break;
        }
    }
    h->has_shape = true;
    return 0;
}

static int read_entry(npy_header *h)
{
    bool quote = take(h, "'"), type = quote && take(h, "descr'"), order = quote && take(h, "fortran_order'");
    bool shape = quote && take(h, "shape'");
    if ((!type && !order && !shape) || !take(h, ":"))
        return malformed(h);
    if (type && !h->has_type)
        return read_type(h);
    if (shape && !h->has_shape)
        return read_shape(h);
    if (order && !h->has_order) {
        h->fortran = take(h, "True");
        h->has_order = true;
        return h->fortran || take(h, "False") ? 0 : malformed(h);
    }
    return malformed(h);
}

static int read_dict(npy_header *h, const char *text, size_t length)
{
    h->p = text;
    h->end = text + length;
    if (!take(h, "{"))
        return malformed(h);
    while (!take(h, "}")) {
        if (read_entry(h))
            return -1;
        if (!take(h, ",")) {
            if (!take(h, "}"))
                return malformed(h);
            break;
        }
    }
    blanks(h);
    return h->p == h->end && h->has_type && h->has_order && h->has_shape ? 0 : malformed(h);
}

/* How long the text of the header is that the first bytes begin (10 of them, in version 1, else 12), and
 * where it starts. 0, or -1 with an error. */
static int measure_header(const npy_header *h, const unsigned char *p, size_t size, size_t *start,
                          size_t *length)
{
    if (size < PREFIX || memcmp(p, MAGIC, 6) != 0)
        return error_set("[load] Invalid header in %s", h->name);
    if (p[6] < 1 || p[6] > 3)
        return error_set("[load] Unsupported npy format version in %s", h->name);
    *start = p[6] == 1 ? PREFIX : LONG_PREFIX;
    *length = p[8] | (size_t)p[9] << 8;
    if (p[6] > 1 && size >= LONG_PREFIX)
        *length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (size < *start || *length > size - *start)
        return error_set("[load] %s: the header would have %zu bytes, the file has %zu; it is truncated",
                         h->name, *length, size);
    return 0;
}

/* The elements that follow the header, from `offset` on in a source, whose reference it takes (NULL: there
 * was an error). */
static mlx_array elements(const npy_header *h, node *from, size_t offset)
{
    int shape[MX_MAX_DIMS], axes[MX_MAX_DIMS];
    size_t bytes = mx_dtype_size(h->dtype);
    mlx_array x = MX_NULL;
    bool fits = true;
    for (int i = 0; i < h->ndim; i++) {
        axes[i] = h->ndim - 1 - i;
        shape[i] = h->shape[h->fortran ? axes[i] : i];
        fits &= mem_mul(bytes, (size_t)h->shape[i], &bytes);
    }
    if (!from)
        return MX_NULL;
    if (fits)
        x = source_array(from, offset, shape, h->ndim, h->dtype, h->swapped);
    else
        error_set("[load] %s: the shape has too many elements", h->name);
    node_release(from);
    return h->fortran && !mx_is_null(x) ? mx_transpose(x, axes, (size_t)h->ndim) : x;
}

mlx_array npy_from_buffer(const char *name, buffer *b)
{
    npy_header h = {.name = name};
    size_t start, length;
    if (measure_header(&h, (const unsigned char *)b->data, b->size, &start, &length) ||
        read_dict(&h, b->data + start, length)) {
        buffer_release(b);
        return MX_NULL;
    }
    return elements(&h, source_of_buffer(name, b), start + length);
}

mlx_array mx_load(const char *file)
{
    buffer *b = stream_map(file);
    return b ? npy_from_buffer(file, b) : MX_NULL;
}

/* Reads the header from a stream that has `size` bytes from here on; *length of all of it. */
static int stream_header(npy_header *h, const stream *s, size_t size, size_t *length)
{
    unsigned char prefix[LONG_PREFIX] = {0};
    size_t start, n = size < PREFIX ? size : PREFIX;
    if (stream_read(s, "load", prefix, n))
        return -1;
    if (n == PREFIX && prefix[6] > 1 && size >= LONG_PREFIX) {
        if (stream_read(s, "load", prefix + PREFIX, LONG_PREFIX - PREFIX))
            return -1;
    }
    if (measure_header(h, prefix, size, &start, &n))
        return -1;
    char *text = n <= LONGEST_HEADER ? mem_alloc(n, 1) : NULL;
    int rc = text ? stream_read(s, "load", text, n) : -1;
    if (n > LONGEST_HEADER)
        error_set("[load] Invalid header in %s: it would have %zu bytes", h->name, n);
    rc = rc ? rc : read_dict(h, text, n);
    mem_free(text);
    *length = start + n;
    return rc;
}

mlx_array npy_load_stream(const stream *s)
{
    npy_header h = {.name = stream_label(s)};
    size_t size, length;
    if (stream_size(s, "load", &size))
        return MX_NULL;
    size_t at = s->calls.tell(s->desc);
    if (stream_header(&h, s, size - at, &length))
        return MX_NULL;
    return elements(&h, stream_source(s, size), at + length);
}

/* --- writing --- */

/* Are x's elements, which are evaluated, dense by columns and not by rows? */
static bool by_columns(mlx_array x)
{
    int64_t step = 1;
    const int64_t *strides = mx_strides(x);
    bool columns = mx_ndim(x) > 1;
    for (int i = 0; i < mx_ndim(x); i++) {
        columns &= mx_shape(x)[i] <= 1 || strides[i] == step;
        step *= mx_shape(x)[i];
    }
    return columns && !(node_of(x)->flags & NODE_ROW_CONTIGUOUS);
}

static void add_header(strbuf *out, mlx_array x, bool fortran)
{
    strbuf dict = {0};
    const char *type = "";
    for (int i = 0; i < TYPE_COUNT; i++)
        if (TYPES[i].dtype == mx_dtype_of(x))
            type = TYPES[i].text;
    strbuf_addf(&dict, "{'descr': '%c%s', 'fortran_order': %s, 'shape': (",
                mx_dtype_size(mx_dtype_of(x)) == 1 ? '|' : '<', type, fortran ? "True" : "False");
    for (int i = 0; i < mx_ndim(x); i++)
        strbuf_addf(&dict, "%d, ", mx_shape(x)[i]);
    strbuf_adds(&dict, ")}");
    while (!dict.failed && (dict.len + 11) % 64)
        strbuf_addc(&dict, ' ');
    strbuf_addc(&dict, '\n');
    /* 32 sizes of 10 digits are far from the 64 KiB that version 1 holds */
    const char prefix[10] = {
        '\x93', 'N', 'U', 'M', 'P', 'Y', 1, 0, (char)(dict.len & 255), (char)(dict.len >> 8)};
    strbuf_add(out, prefix, sizeof prefix);
    strbuf_add(out, dict.data, dict.len);
    out->failed |= dict.failed;
    strbuf_free(&dict);
}

static int fill(void *arg, const sink *to)
{
    mlx_array x = *(const mlx_array *)arg;
    int axes[MX_MAX_DIMS];
    strbuf header = {0};
    if (mx_is_null(x) || mx_eval(x))
        return -1;
    bool fortran = by_columns(x);
    add_header(&header, x, fortran);
    int rc = header.failed ? -1 : sink_write(to, header.data, header.len);
    strbuf_free(&header);
    for (int i = 0; i < mx_ndim(x); i++)
        axes[i] = mx_ndim(x) - 1 - i;
    size_t mark = mx_mark();
    rc = rc ? rc : sink_write_array(to, fortran ? mx_transpose(x, axes, (size_t)mx_ndim(x)) : x);
    mx_release(mark);
    return rc;
}

int mx_save(const char *file, mlx_array a) { return stream_save(file, ".npy", fill, &a); }

int npy_save_stream(const stream *s, mlx_array a) { return stream_write(s, "save", fill, &a); }
