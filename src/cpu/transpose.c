/* Transposing copies, by tiles of SIDE x SIDE elements.
 *
 * The tile's lines of the source are read one after the other into a small block, turned there, and leave as
 * whole lines of the destination: each line of memory is touched once, which matters most where rows are a
 * power of two apart and would push each other out of the cache. */
#include "cpu/transpose.h"

#include "cpu/pool.h"

#include <string.h>

enum { SIDE = 16, GRAIN = 32768 };

typedef struct turn {
    char *to;
    const char *from;
    int ndim, column; /* the axis that is dense in the source; the last is dense in the destination */
    int64_t shape[MX_MAX_DIMS], out[MX_MAX_DIMS], in[MX_MAX_DIMS]; /* strides in elements */
    int64_t tiles;                                                 /* of one strip, along `column` */
    int64_t itemsize;
} turn;

/* rows x columns of the source, rows `in` apart, become columns x rows, `out` apart. */
#define TILE(T)                                                                                    \
    static void tile_##T(const T *x, int64_t in, T *y, int64_t out, int64_t rows, int64_t columns) \
    {                                                                                              \
        T block[SIDE][SIDE];                                                                       \
        if (rows == SIDE && columns == SIDE) {                                                     \
            for (int64_t i = 0; i < SIDE; i++)                                                     \
                for (int64_t j = 0; j < SIDE; j++)                                                 \
                    block[j][i] = x[i * in + j];                                                   \
            for (int64_t j = 0; j < SIDE; j++)                                                     \
                memcpy(y + j * out, block[j], sizeof block[j]);                                    \
            return;                                                                                \
        }                                                                                          \
        for (int64_t j = 0; j < columns; j++)                                                      \
            for (int64_t i = 0; i < rows; i++)                                                     \
                y[j * out + i] = x[i * in + j];                                                    \
    }
TILE(uint8_t)
TILE(uint16_t)
TILE(uint32_t)
TILE(uint64_t)

static void tile(const turn *t, const char *x, char *y, int64_t rows, int64_t columns)
{
    int64_t in = t->in[t->ndim - 1], out = t->out[t->column];
    switch (t->itemsize) {
#define CASE(T)                                                 \
    case sizeof(T):                                             \
        tile_##T((const T *)x, in, (T *)y, out, rows, columns); \
        break;
        CASE(uint8_t)
        CASE(uint16_t)
        CASE(uint32_t)
        CASE(uint64_t)
    }
}

/* Strips of SIDE entries of `column`, at all places of the axes but the last. */
static void strips(void *arg, size_t begin, size_t end)
{
    const turn *t = arg;
    int64_t length = t->shape[t->ndim - 1];
    for (size_t s = begin; s < end; s++) {
        int64_t at = (int64_t)s, first = at % t->tiles * SIDE, x = first, y = first * t->out[t->column];
        int64_t columns = t->shape[t->column] - first < SIDE ? t->shape[t->column] - first : SIDE;
        at /= t->tiles;
        for (int d = t->ndim - 2; d >= 0; d--) {
            if (d == t->column)
                continue;
            x += at % t->shape[d] * t->in[d];
            y += at % t->shape[d] * t->out[d];
            at /= t->shape[d];
        }
        for (int64_t i = 0; i < length; i += SIDE)
            tile(t, t->from + (x + i * t->in[t->ndim - 1]) * t->itemsize, t->to + (y + i) * t->itemsize,
                 length - i < SIDE ? length - i : SIDE, columns);
    }
}

bool transpose_copy(char *to, const int64_t *strides, const int *shape, int ndim, const node *from)
{
    turn t = {
        .to = to, .from = from->data, .ndim = ndim, .column = -1, .itemsize = (int64_t)node_itemsize(from)};
    int64_t places = 1;
    if (ndim < 2 || from->ndim != ndim || strides[ndim - 1] != 1 || shape[ndim - 1] < SIDE)
        return false;
    for (int d = 0; d < ndim; d++) {
        t.shape[d] = shape[d];
        t.out[d] = strides[d];
        t.in[d] = from->shape[d] == 1 ? 0 : from->strides[d];
        if (d < ndim - 1 && shape[d] >= SIDE && t.in[d] == 1)
            t.column = d;
        else if (d < ndim - 1)
            places *= shape[d];
    }
    if (t.column < 0 || t.in[ndim - 1] == 1 || t.in[ndim - 1] == 0)
        return false;
    t.tiles = (shape[t.column] + SIDE - 1) / SIDE;
    size_t work = SIDE * (size_t)shape[ndim - 1];
    pool_for((size_t)(places * t.tiles), GRAIN / work + 1, strips, &t);
    return true;
}
