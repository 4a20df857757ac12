/* Sorting many short rows, SORT_LANES at a time, by the networks of cpu/isa/sort.c; see sort.h. The keys of
 * each row go into a lane: alone; or above the position in one number, if they have 32 bits; or with the
 * position beside them. The order is stable, since no two positions are equal. */
#include "cpu/kernels.h"
#include "cpu/sort.h"

enum { LANES = SORT_LANES, FEW_ROWS = 4, LONG = 2048 };

bool sort_group_suits(size_t rows, size_t n) { return n > 1 && n <= LONG && rows >= FEW_ROWS; }

static bool wide(const sort_row *row) { return mx_dtype_size(row->dtype) == 8; }

size_t sort_group_bytes(mlx_dtype dtype, size_t n)
{
    size_t pairs = mx_dtype_size(dtype) == 8 ? 2 : 1;
    return (pairs * LANES + 1) * n * sizeof(uint64_t); /* the lanes, then keys or positions of one row */
}

static bool values_alone(const sort_group *g, char *memory)
{
    const size_t n = g->row[0].n;
    uint64_t *lanes64 = (uint64_t *)memory, *line64 = lanes64 + n * LANES;
    uint32_t *lanes32 = (uint32_t *)memory, *line32 = lanes32 + n * LANES;
    bool is_wide = wide(g->row);
    void *line = is_wide ? (void *)line64 : line32;
    for (int l = 0; l < g->rows; l++) {
        if (!sort_plain_keys(&g->row[l], line))
            return false;
        for (size_t i = 0; is_wide && i < n; i++)
            lanes64[i * LANES + (size_t)l] = line64[i];
        for (size_t i = 0; !is_wide && i < n; i++)
            lanes32[i * LANES + (size_t)l] = line32[i];
    }
    if (is_wide)
        cpu_kernels_get()->sort.u64(lanes64, n);
    else
        cpu_kernels_get()->sort.u32(lanes32, n);
    for (int l = 0; l < g->rows; l++) {
        for (size_t i = 0; is_wide && i < n; i++)
            line64[i] = lanes64[i * LANES + (size_t)l];
        for (size_t i = 0; !is_wide && i < n; i++)
            line32[i] = lanes32[i * LANES + (size_t)l];
        sort_plain_values(line, &g->row[l], g->y[l], g->stride);
    }
    return true;
}

/* Sorts keys with positions; returns where the position in place 0 of row 0 is. That of place i in row l is
 * the lower half of number i * step + l from there. */
static const uint64_t *sorted_positions(const sort_group *g, char *memory, size_t *step)
{
    const size_t n = g->row[0].n;
    bool pairs = wide(g->row);
    *step = pairs ? 2 * LANES : LANES;
    uint64_t *lanes = (uint64_t *)memory, *line = lanes + n * *step;
    for (int l = 0; l < g->rows; l++) {
        sort_keys(&g->row[l], line);
        for (size_t i = 0; i < n; i++) {
            uint64_t *e = lanes + i * *step + l;
            *e = pairs ? line[i] : line[i] << 32 | i;
            if (pairs)
                e[LANES] = i;
        }
    }
    if (pairs)
        cpu_kernels_get()->sort.pairs(lanes, n);
    else
        cpu_kernels_get()->sort.u64(lanes, n);
    return pairs ? lanes + LANES : lanes;
}

void sort_group_order(const sort_group *g, char *memory)
{
    size_t step;
    const uint64_t *at = sorted_positions(g, memory, &step);
    for (int l = 0; l < g->rows; l++)
        for (size_t i = 0; i < g->row[l].n; i++)
            ((uint32_t *)g->y[l])[(int64_t)i * g->stride] = (uint32_t)at[i * step + (size_t)l];
}

void sort_group_take(const sort_group *g, char *memory)
{
    size_t step;
    const uint64_t *at = sorted_positions(g, memory, &step);
    uint32_t *positions = (uint32_t *)((uint64_t *)memory + g->row[0].n * step);
    for (int l = 0; l < g->rows; l++) {
        for (size_t i = 0; i < g->row[l].n; i++)
            positions[i] = (uint32_t)at[i * step + (size_t)l];
        sort_take(&g->row[l], positions, g->y[l], g->stride);
    }
}

void sort_group_values(const sort_group *g, char *memory)
{
    if (!values_alone(g, memory))
        sort_group_take(g, memory);
}
