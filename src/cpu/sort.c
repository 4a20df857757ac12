/* Sorting rows of numbers, see sort.h: values become unsigned keys whose order is theirs, and these are
 * sorted by digits (sort_tmpl.h).
 *
 * Values alone: keys from which the values can be made again, 32 or 64 bits wide. Of floats -0 and NaN do not
 * fit into that, since they are not in the order of their bits. A row that has one, rows of complex numbers,
 * and whenever positions are asked for: elements that hold a key and a position. */
#include "cpu/sort.h"

#include "cpu/pool.h"

#include <string.h>

enum { TINY = 32, SMALL = 48, LARGE = 4096, MOST_VALUES = 2048, BLOCK = 256 };

#define CAT2(a, b) a##_##b
#define CAT(a, b)  CAT2(a, b)

typedef uint64_t packed; /* the key, and in the lower half the position */
typedef struct pair {
    uint64_t key;
    uint32_t at;
} pair;

static size_t chunk_start(size_t n, size_t c, size_t chunks)
{
    return n / chunks * c + n % chunks * c / chunks;
}

/* Turns the chunks' counts of each value into the places where the chunk's elements of that value begin.
 * False: all n elements have the same value, there is nothing to move. */
static bool counts_to_places(const sort_space *space, size_t values, size_t n)
{
    size_t place = 0;
    for (size_t v = 0; v < values; v++) {
        size_t start = place;
        for (size_t c = 0; c < space->chunks; c++) {
            uint32_t *p = space->counts + c * values + v;
            size_t count = *p;
            *p = (uint32_t)place;
            place += count;
        }
        if (place - start == n)
            return false;
    }
    return true;
}

#define E      uint32_t
#define KEY(e) (e)
#include "cpu/sort_tmpl.h"
#undef E
#define E uint64_t
#include "cpu/sort_tmpl.h"
#undef E
#undef KEY
#define E            packed
#define KEY(e)       ((uint32_t)((e) >> 32))
#define BEFORE(a, b) ((a) < (b))
#include "cpu/sort_select_tmpl.h"
#include "cpu/sort_tmpl.h"
#undef E
#undef KEY
#undef BEFORE
#define E            pair
#define KEY(e)       ((e).key)
#define BEFORE(a, b) ((a).key < (b).key || ((a).key == (b).key && (a).at < (b).at))
#include "cpu/sort_select_tmpl.h"
#include "cpu/sort_tmpl.h"
#undef E
#undef KEY
#undef BEFORE

/* How the bits of a dtype become a key: flip always, negative too if the highest bit is set. */
typedef struct format {
    uint64_t flip, negative;
    uint64_t infinity; /* floats: its bits; else 0 */
} format;

static format format_of(mlx_dtype t)
{
    const uint64_t top = (uint64_t)1 << (8 * mx_dtype_size(t) - 1);
    switch (t) {
    case MLX_INT8:
    case MLX_INT16:
    case MLX_INT32:
    case MLX_INT64:
        return (format){top, 0, 0};
    case MLX_FLOAT16:
        return (format){top, top - 1, 0x7c00};
    case MLX_BFLOAT16:
        return (format){top, top - 1, 0x7f80};
    case MLX_FLOAT32:
        return (format){top, top - 1, 0x7f800000};
    case MLX_FLOAT64:
        return (format){top, top - 1, (uint64_t)0x7ff << 52};
    default:
        return (format){0, 0, 0};
    }
}

/* One row of type U, an unsigned type of the element's size: gives each key to PUT. A dense row has a loop of
 * its own, which compilers make vector code of. */
#define EACH_KEY(U, PUT)                                                            \
    {                                                                               \
        enum { TOP = 8 * sizeof(U) - 1 };                                           \
        const U *x = (const U *)row->x, flip = (U)f.flip, negative = (U)f.negative; \
        if (row->stride == 1)                                                       \
            KEY_LOOP(U, x[i], PUT)                                                  \
        else                                                                        \
            KEY_LOOP(U, x[(int64_t)i * row->stride], PUT)                           \
        break;                                                                      \
    }
#define KEY_LOOP(U, element, PUT)                                       \
    for (size_t i = 0; i < n; i++) {                                    \
        U bits = element;                                               \
        U key = (U)(bits ^ flip ^ ((U)(0 - (bits >> TOP)) & negative)); \
        PUT                                                             \
    }

/* NaN has the highest key of all, -0 that of 0. */
#define NORMAL(U)                                          \
    if (f.infinity && (bits & (U)~f.flip) > (U)f.infinity) \
        key = (U)-1;                                       \
    else if (f.infinity && bits == flip)                   \
        key = flip;

bool sort_plain_keys(const sort_row *row, void *out)
{
    if (row->dtype == MLX_COMPLEX64)
        return false;
    const format f = format_of(row->dtype);
    const size_t n = row->n;
    unsigned special = 0;
    uint32_t *narrow = out;
    uint64_t *wide = out;
#define PLAIN(U, to) \
    EACH_KEY(U, special |= (unsigned)((bits == flip) | ((bits & (U)~flip) > (U)f.infinity)); to[i] = key;)
    switch (mx_dtype_size(row->dtype)) {
    case 1:
        PLAIN(uint8_t, narrow)
    case 2:
        PLAIN(uint16_t, narrow)
    case 4:
        PLAIN(uint32_t, narrow)
    default:
        PLAIN(uint64_t, wide)
    }
#undef PLAIN
    return !special || !f.infinity;
}

void sort_plain_values(const void *keys, const sort_row *row, char *y, int64_t stride)
{
    const format f = format_of(row->dtype);
    const size_t n = row->n;
    const uint32_t *narrow = keys;
    const uint64_t *wide = keys;
#define PLAIN_VALUE(U, key) (U)((U)(key) ^ flip ^ ((U)(0 - ((U) ~(U)(key) >> TOP)) & negative))
#define PLAIN(U, from)                                               \
    {                                                                \
        enum { TOP = 8 * sizeof(U) - 1 };                            \
        U *out = (U *)y, flip = (U)f.flip, negative = (U)f.negative; \
        for (size_t i = 0; stride == 1 && i < n; i++)                \
            out[i] = PLAIN_VALUE(U, from[i]);                        \
        for (size_t i = 0; stride != 1 && i < n; i++)                \
            out[(int64_t)i * stride] = PLAIN_VALUE(U, from[i]);      \
        break;                                                       \
    }
    switch (mx_dtype_size(row->dtype)) {
    case 1:
        PLAIN(uint8_t, narrow)
    case 2:
        PLAIN(uint16_t, narrow)
    case 4:
        PLAIN(uint32_t, narrow)
    default:
        PLAIN(uint64_t, wide)
    }
#undef PLAIN
}

static void load_packed(const sort_row *row, packed *out)
{
    const size_t n = row->n;
    const format f = format_of(row->dtype);
#define PACKED(U) EACH_KEY(U, NORMAL(U) out[i] = (uint64_t)key << 32 | i;)
    switch (mx_dtype_size(row->dtype)) {
    case 1:
        PACKED(uint8_t)
    case 2:
        PACKED(uint16_t)
    default:
        PACKED(uint32_t)
    }
#undef PACKED
}

/* Of two halves with normal keys; one NaN makes the number one. */
static void complex_keys(const sort_row *row, uint64_t *out)
{
    const int64_t stride = row->stride * 2;
    for (size_t done = 0, m; done < row->n; done += m) {
        packed parts[2][BLOCK];
        m = row->n - done < BLOCK ? row->n - done : BLOCK;
        for (int i = 0; i < 2; i++) {
            const char *x = row->x + ((int64_t)done * stride + i) * 4;
            load_packed(&(sort_row){x, stride, m, MLX_FLOAT32}, parts[i]);
        }
        for (size_t i = 0; i < m; i++) {
            uint64_t re = parts[0][i] >> 32, im = parts[1][i] >> 32;
            out[done + i] = re == UINT32_MAX || im == UINT32_MAX ? UINT64_MAX : re << 32 | im;
        }
    }
}

void sort_keys(const sort_row *row, uint64_t *out)
{
    const size_t n = row->n;
    const format f = format_of(row->dtype);
    if (row->dtype == MLX_COMPLEX64) {
        complex_keys(row, out);
        return;
    }
#define KEYS(U) EACH_KEY(U, NORMAL(U) out[i] = key;)
    switch (mx_dtype_size(row->dtype)) {
    case 1:
        KEYS(uint8_t)
    case 2:
        KEYS(uint16_t)
    case 4:
        KEYS(uint32_t)
    default:
        KEYS(uint64_t)
    }
#undef KEYS
}

static void load_pairs(const sort_row *row, pair *out)
{
    const int64_t step = row->stride * (int64_t)mx_dtype_size(row->dtype);
    for (size_t done = 0, m; done < row->n; done += m) {
        uint64_t keys[BLOCK];
        m = row->n - done < BLOCK ? row->n - done : BLOCK;
        sort_keys(&(sort_row){row->x + (int64_t)done * step, row->stride, m, row->dtype}, keys);
        for (size_t i = 0; i < m; i++)
            out[done + i] = (pair){keys[i], (uint32_t)(done + i)};
    }
}

static size_t element_bytes(mlx_dtype t) { return mx_dtype_size(t) <= 4 ? sizeof(packed) : sizeof(pair); }

size_t sort_space_bytes(mlx_dtype dtype, size_t n, size_t chunks)
{
    size_t elements = (n * element_bytes(dtype) + 63) & ~(size_t)63;
    return 2 * elements + chunks * MOST_VALUES * sizeof(uint32_t);
}

sort_space sort_space_in(char *memory, mlx_dtype dtype, size_t n, size_t chunks)
{
    size_t elements = (n * element_bytes(dtype) + 63) & ~(size_t)63;
    return (sort_space){memory, memory + elements, (uint32_t *)(memory + 2 * elements), chunks};
}

/* What is not the result of a sort: room for positions. */
static uint32_t *other(const sort_space *space, const void *result)
{
    return result == space->a ? space->b : space->a;
}

const uint32_t *sort_order(const sort_space *space, const sort_row *row, int64_t kth)
{
    const size_t n = row->n;
    if (element_bytes(row->dtype) == sizeof(packed)) {
        packed *a = space->a;
        load_packed(row, a);
        if (kth >= 0)
            select_packed(a, n, (size_t)kth);
        else
            a = radix_packed(space, n, 8 * (int)mx_dtype_size(row->dtype));
        uint32_t *out = other(space, a);
        for (size_t i = 0; i < n; i++)
            out[i] = (uint32_t)a[i];
        return out;
    }
    pair *a = space->a;
    load_pairs(row, a);
    if (kth >= 0)
        select_pair(a, n, (size_t)kth);
    else
        a = radix_pair(space, n, 64);
    uint32_t *out = other(space, a);
    for (size_t i = 0; i < n; i++)
        out[i] = a[i].at;
    return out;
}

void sort_take(const sort_row *row, const uint32_t *positions, char *y, int64_t stride)
{
    switch (mx_dtype_size(row->dtype)) {
#define TAKE(T)                                                                              \
    case sizeof(T):                                                                          \
        for (size_t i = 0; i < row->n; i++)                                                  \
            ((T *)y)[(int64_t)i * stride] = ((const T *)row->x)[positions[i] * row->stride]; \
        break;
        TAKE(uint8_t)
        TAKE(uint16_t)
        TAKE(uint32_t)
        TAKE(uint64_t)
#undef TAKE
    }
}

void sort_values(const sort_space *space, const sort_row *row, char *y, int64_t stride)
{
    size_t itemsize = mx_dtype_size(row->dtype);
    if (!sort_plain_keys(row, space->a)) {
        sort_take(row, sort_order(space, row, -1), y, stride);
        return;
    }
    const void *sorted = itemsize <= 4 ? (void *)radix_uint32_t(space, row->n, 8 * (int)itemsize)
                                       : (void *)radix_uint64_t(space, row->n, 64);
    sort_plain_values(sorted, row, y, stride);
}
