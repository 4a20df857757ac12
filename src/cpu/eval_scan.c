/* Scans along an axis.
 *
 * The input is dense: `outer` blocks of `length` rows of `inner` elements. Along the last axis (inner is 1)
 * the scans of cpu/scan.c run over the blocks; a few long ones are cut into pieces of PIECE elements, which
 * are scanned on their own and then joined with all that came before, so that there is something to do at the
 * same time. (The cut does not depend on the number of threads, and so neither do roundings.) Otherwise a row
 * is combined with the one before it by the binary kernel of the operation, if it is not too narrow for that.
 * A scan that is not inclusive is one over all elements but the last, behind the operation's neutral element.
 */
#include "cpu/eval.h"
#include "cpu/pool.h"
#include "cpu/scan.h"
#include "cpu/walk.h"

#include <math.h>
#include <string.h>

enum { PIECE = 4096, GRAIN = 32768, NARROW = 16 };

typedef struct scan_job {
    scan_fn scan;
    cpu_binary_fn join;
    const char *x; /* where a block's scan begins reading and writing */
    char *y;
    size_t outer, length, inner, size; /* length: what is scanned of a block; size: bytes of an element */
    ptrdiff_t block, step;             /* from block to block, from row to row: in elements */
    char neutral[8];
} scan_job;

/* The value that changes nothing: 0, 1, or the end of the dtype's range. */
static void set_neutral(scan_job *j, int kind, mlx_dtype t)
{
    double v = kind == PRIM_SCAN_PROD  ? 1
               : kind == PRIM_SCAN_SUM ? 0
               : kind == PRIM_SCAN_MIN ? INFINITY
                                       : -INFINITY;
    bool is_signed = t >= MLX_INT8 && t <= MLX_INT64, whole = t <= MLX_INT64;
    cpu_kernels_get()->elementwise.cast[MLX_FLOAT64][t](&v, 1, j->neutral, 1);
    if (t == MLX_COMPLEX64 && (kind == PRIM_SCAN_MAX || kind == PRIM_SCAN_MIN))
        memcpy(j->neutral + 4, j->neutral, 4);
    if (!whole || kind == PRIM_SCAN_SUM || kind == PRIM_SCAN_PROD)
        return;
    bool largest = kind == PRIM_SCAN_MIN;
    int64_t end = largest ? INT64_MAX : INT64_MIN;
    uint64_t bits = is_signed ? (uint64_t)(end >> (64 - 8 * j->size)) : largest ? UINT64_MAX : 0;
    if (t == MLX_BOOL)
        bits = largest;
    mlx_dtype from = is_signed ? MLX_INT64 : MLX_UINT64;
    cpu_kernels_get()->elementwise.cast[from][t](&bits, 1, j->neutral, 1);
}

static void scan_blocks(void *context, size_t begin, size_t end)
{
    const scan_job *j = context;
    ptrdiff_t offset = (ptrdiff_t)begin * j->block * (ptrdiff_t)j->size;
    j->scan(j->x + offset, j->y + offset, j->length, j->step, end - begin, j->block);
}

/* Pieces of one block; the last may be shorter. */
static void scan_pieces(void *context, size_t begin, size_t end)
{
    const scan_job *j = context;
    ptrdiff_t stride = PIECE * j->step, offset = (ptrdiff_t)begin * stride * (ptrdiff_t)j->size;
    size_t whole = j->length / PIECE < end ? j->length / PIECE - begin : end - begin;
    j->scan(j->x + offset, j->y + offset, PIECE, j->step, whole, stride);
    offset += (ptrdiff_t)whole * stride * (ptrdiff_t)j->size;
    if (whole < end - begin)
        j->scan(j->x + offset, j->y + offset, j->length % PIECE, j->step, 1, stride);
}

/* carried[i] is what all pieces before piece i + 1 come to. */
typedef struct join_job {
    const scan_job *j;
    const char *carried;
} join_job;

static void join_pieces(void *context, size_t begin, size_t end)
{
    const join_job *c = context;
    const scan_job *j = c->j;
    for (size_t i = begin + 1; i <= end; i++) {
        size_t n = j->length - i * PIECE < PIECE ? j->length - i * PIECE : PIECE;
        ptrdiff_t first = (ptrdiff_t)(i * PIECE) * j->step;
        char *y = j->y + (j->step > 0 ? first : first - (ptrdiff_t)n + 1) * (ptrdiff_t)j->size;
        j->join(c->carried + (i - 1) * j->size, 0, y, 1, y, n);
    }
}

/* One long block. */
static int scan_long(const scan_job *j)
{
    size_t pieces = (j->length + PIECE - 1) / PIECE;
    buffer *carried = buffer_new(pieces * j->size);
    if (!carried)
        return -1;
    pool_for(pieces, 8, scan_pieces, (void *)(uintptr_t)j);
    for (size_t i = 0; i + 1 < pieces; i++) {
        const char *last = j->y + (ptrdiff_t)((i + 1) * PIECE - 1) * j->step * (ptrdiff_t)j->size;
        char *to = carried->data + i * j->size;
        if (i == 0)
            memcpy(to, last, j->size);
        else
            j->join(to - j->size, 1, last, 1, to, 1);
    }
    join_job c = {j, carried->data};
    if (pieces > 1)
        pool_for(pieces - 1, 8, join_pieces, &c);
    buffer_release(carried);
    return 0;
}

/* Columns begin to end of all rows of a block, which is found by the same numbers: outer x inner. */
static void scan_columns(void *context, size_t begin, size_t end)
{
    const scan_job *j = context;
    while (begin < end) {
        size_t column = begin % j->inner, n = j->inner - column;
        n = n < end - begin ? n : end - begin;
        ptrdiff_t at = (ptrdiff_t)(begin / j->inner) * j->block + (ptrdiff_t)column,
                  size = (ptrdiff_t)j->size;
        const char *x = j->x + at * size;
        char *y = j->y + at * size;
        if (n < NARROW)
            j->scan(x, y, j->length, j->step, n, 1);
        else
            memmove(y, x, n * j->size);
        for (size_t i = 1; i < j->length && n >= NARROW; i++) {
            ptrdiff_t row = (ptrdiff_t)i * j->step * size;
            j->join(y + row - j->step * size, 1, x + row, 1, y + row, n);
        }
        begin += n;
    }
}

/* Writes the neutral element where a scan that is not inclusive begins, and makes the rest a shorter one. */
static void start_behind(scan_job *j)
{
    const elementwise_kernels *k = &cpu_kernels_get()->elementwise;
    ptrdiff_t size = (ptrdiff_t)j->size;
    for (size_t i = 0; i < j->outer; i++)
        k->copy[walk_log_size(j->size)](j->neutral, 0, j->y + (ptrdiff_t)i * j->block * size, 1, j->inner);
    j->y += j->step * size;
    j->length--;
}

static int run(scan_job *j)
{
    if (j->length == 0)
        return 0;
    if (j->inner > 1) {
        size_t grain = GRAIN / j->length + 1;
        pool_for(j->outer * j->inner, grain < 64 ? 64 : grain, scan_columns, j);
        return 0;
    }
    if (j->outer >= 8 || j->length < 4 * PIECE) {
        pool_for(j->outer, (GRAIN / j->length + 8) & ~(size_t)7, scan_blocks, j);
        return 0;
    }
    int rc = 0;
    for (size_t i = 0; i < j->outer && rc == 0; i++) {
        scan_job one = *j;
        one.x += (ptrdiff_t)i * j->block * (ptrdiff_t)j->size;
        one.y += (ptrdiff_t)i * j->block * (ptrdiff_t)j->size;
        rc = scan_long(&one);
    }
    return rc;
}

int cpu_eval_scan(node *n)
{
    static const int joins[PRIM_SCAN_KINDS] = {[PRIM_SCAN_SUM] = CPU_add,
                                               [PRIM_SCAN_PROD] = CPU_multiply,
                                               [PRIM_SCAN_MAX] = CPU_maximum,
                                               [PRIM_SCAN_MIN] = CPU_minimum,
                                               [PRIM_SCAN_LOGADDEXP] = CPU_logaddexp};
    const prim_scan *p = n->params;
    mlx_dtype t = (mlx_dtype)n->dtype;
    size_t length = (size_t)n->shape[p->axis];
    scan_job j = {.scan = scan_get(p->kind, t), .length = length, .size = node_itemsize(n)};
    j.join = cpu_kernels_get()->elementwise.binary[joins[p->kind]][t];
    if (!j.scan || !j.join)
        return cpu_eval_no_kernel(n, t);
    buffer *temp;
    j.x = walk_dense(n->inputs[0], &temp);
    int rc = j.x ? node_allocate(n) : -1;
    if (rc == 0 && n->size) {
        j.inner = (size_t)n->strides[p->axis];
        j.outer = n->size / (length * j.inner);
        j.block = (ptrdiff_t)(length * j.inner);
        j.step = p->reverse ? -(ptrdiff_t)j.inner : (ptrdiff_t)j.inner;
        size_t first = p->reverse ? (length - 1) * j.inner * j.size : 0;
        j.x += first;
        j.y = n->data + first;
        set_neutral(&j, p->kind, t);
        if (!p->inclusive)
            start_behind(&j);
        rc = run(&j);
    }
    buffer_release(temp);
    return rc;
}
