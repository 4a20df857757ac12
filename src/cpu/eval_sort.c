/* Sorting, partitioning and searching along an axis. Threads share the rows, or one long row. */
#include "cpu/eval.h"
#include "cpu/pool.h"
#include "cpu/sort.h"
#include "cpu/walk.h"

/* Elements that are worth a thread, and of one row a chunk. */
enum { GRAIN = 16384, CHUNK = 65536, MOST_CHUNKS = 64 };

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

typedef struct sort_job {
    node *n;
    int axis;
    int64_t kth; /* -1: all are sorted */
    size_t rows, chunks, space_bytes;
    bool grouped; /* rows by groups of SORT_LANES */
    char *memory;
} sort_job;

/* Offset in m, in elements, of row number `row`: all axes but one, counted row-major. */
static int64_t row_offset(const node *m, int axis, size_t row)
{
    int64_t offset = 0;
    for (int d = m->ndim - 1; d >= 0; d--)
        if (d != axis) {
            offset += (int64_t)(row % (size_t)m->shape[d]) * m->strides[d];
            row /= (size_t)m->shape[d];
        }
    return offset;
}

static sort_row row_at(const sort_job *j, size_t r)
{
    const node *x = j->n->inputs[0];
    return (sort_row){x->data + row_offset(x, j->axis, r) * (int64_t)node_itemsize(x), x->strides[j->axis],
                      (size_t)x->shape[j->axis], (mlx_dtype)x->dtype};
}

static char *result_at(const sort_job *j, size_t r)
{
    return j->n->data + row_offset(j->n, j->axis, r) * (int64_t)node_itemsize(j->n);
}

static void sort_one(const sort_job *j, const sort_space *space, size_t r)
{
    const node *n = j->n;
    const sort_row row = row_at(j, r);
    char *y = result_at(j, r);
    int64_t stride = n->strides[j->axis];
    if (n->prim == PRIM_Sort) {
        sort_values(space, &row, y, stride);
        return;
    }
    const uint32_t *order = sort_order(space, &row, j->kth);
    if (n->prim == PRIM_Partition)
        sort_take(&row, order, y, stride);
    else
        for (size_t i = 0; i < row.n; i++)
            ((uint32_t *)y)[(int64_t)i * stride] = order[i];
}

/* A partition of a short row is sorted: that is one, too. */
static void sort_groups(const sort_job *j, char *memory, size_t begin, size_t end)
{
    sort_group g = {.stride = j->n->strides[j->axis]};
    for (size_t r = begin; r < end; r += (size_t)g.rows) {
        g.rows = (int)least(end - r, SORT_LANES);
        for (int i = 0; i < g.rows; i++) {
            g.row[i] = row_at(j, r + (size_t)i);
            g.y[i] = result_at(j, r + (size_t)i);
        }
        if (j->n->prim == PRIM_Sort)
            sort_group_values(&g, memory);
        else if (j->n->prim == PRIM_Partition)
            sort_group_take(&g, memory);
        else
            sort_group_order(&g, memory);
    }
}

static void sort_part(void *arg, int t, int threads)
{
    const sort_job *j = arg;
    const node *x = j->n->inputs[0];
    size_t length = (size_t)x->shape[j->axis], part = (size_t)t, parts = (size_t)threads;
    size_t begin = j->rows * part / parts, end = j->rows * (part + 1) / parts;
    char *memory = j->memory + part * j->space_bytes;
    if (j->grouped) {
        sort_groups(j, memory, begin, end);
        return;
    }
    sort_space space = sort_space_in(memory, (mlx_dtype)x->dtype, length, j->chunks);
    for (size_t r = begin; r < end; r++)
        sort_one(j, &space, r);
}

int cpu_eval_sort(node *n)
{
    const node *x = n->inputs[0];
    bool partition = n->prim == PRIM_Partition || n->prim == PRIM_ArgPartition;
    const prim_partition *params = n->params; /* prim_axis is its beginning */
    sort_job j = {.n = n, .axis = params->axis, .kth = partition ? params->kth : -1, .chunks = 1};
    if (node_allocate(n))
        return -1;
    if (n->size == 0)
        return 0;
    size_t length = (size_t)n->shape[j.axis], pool = (size_t)pool_threads();
    j.rows = n->size / length;
    size_t threads = least(least(pool, j.rows), 1 + n->size / GRAIN);
    if (j.rows < pool && length >= 2 * CHUNK && !partition) {
        threads = 1;
        j.chunks = least(least(pool, length / CHUNK), MOST_CHUNKS);
    }
    j.grouped = sort_group_suits(j.rows / threads, length);
    j.space_bytes = j.grouped ? sort_group_bytes((mlx_dtype)x->dtype, length)
                              : sort_space_bytes((mlx_dtype)x->dtype, length, j.chunks);
    j.space_bytes = (j.space_bytes + 63) & ~(size_t)63;
    buffer *memory = buffer_new(threads * j.space_bytes);
    if (!memory)
        return -1;
    j.memory = memory->data;
    if (threads == 1) /* not as a job: a row's chunks are jobs */
        sort_part(&j, 0, 1);
    else
        pool_run(sort_part, &j, (int)threads);
    buffer_release(memory);
    return 0;
}

typedef struct search {
    const uint64_t *keys;
    size_t n;
    bool right;
    mlx_dtype dtype;
} search;

/* How many keys lie before the value's: those below it, or (right) those not above it. */
static size_t place(const search *s, uint64_t key)
{
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->keys[mid] < key || (s->right && s->keys[mid] == key))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* p: the result, the values */
static void search_row(const void *context, char *const *p, const int64_t *strides, size_t n)
{
    const search *s = context;
    int64_t step = strides[1] * (int64_t)mx_dtype_size(s->dtype);
    uint32_t *out = (uint32_t *)p[0];
    for (size_t i = 0, m; i < n; i += m) {
        uint64_t keys[256];
        m = least(n - i, 256);
        sort_keys(&(sort_row){p[1] + (int64_t)i * step, strides[1], m, s->dtype}, keys);
        for (size_t k = 0; k < m; k++)
            out[(int64_t)(i + k) * strides[0]] = (uint32_t)place(s, keys[k]);
    }
}

int cpu_eval_search_sorted(node *n)
{
    const node *sequence = n->inputs[0], *values = n->inputs[1];
    mlx_dtype t = (mlx_dtype)values->dtype;
    search s = {.n = sequence->size, .right = ((const prim_search *)n->params)->right, .dtype = t};
    buffer *temp = buffer_new(s.n * sizeof(uint64_t));
    walk w;
    if (!temp || node_allocate(n)) {
        buffer_release(temp);
        return -1;
    }
    sort_keys(&(sort_row){sequence->data, sequence->strides[0], s.n, t}, (uint64_t *)temp->data);
    s.keys = (const uint64_t *)temp->data;
    walk_init(&w, n->shape, n->ndim);
    walk_add(&w, n);
    walk_add(&w, values);
    walk_run(&w, search_row, &s);
    buffer_release(temp);
    return 0;
}
