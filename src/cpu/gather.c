/* Picked pairs (see gather.h): a counting sort of the pairs by their right side; each group's rows are
 * brought together, unless they lie so already, for one product, and its rows taken back to their places. */
#include "cpu/gather.h"

#include "base/error.h"
#include "base/mem.h"

#include <stdbool.h>
#include <string.h>

static int check(const gather_job *j)
{
    for (size_t i = 0; i < j->pairs; i++)
        if (j->lhs[i] >= j->lefts || j->rhs[i] >= j->rights) {
            bool left = j->lhs[i] >= j->lefts;
            return error_set("[%s] %s index %u is out of range for %zu matrices", j->op, left ? "lhs" : "rhs",
                             left ? j->lhs[i] : j->rhs[i], left ? j->lefts : j->rights);
        }
    return 0;
}

/* Sets order to the pairs by rising right side and begin[r] to the place of r's first one; begin has an entry
 * more than there are right sides. */
static void sort(const gather_job *j, size_t *order, size_t *begin)
{
    memset(begin, 0, (j->rights + 1) * sizeof *begin);
    for (size_t i = 0; i < j->pairs; i++)
        begin[j->rhs[i] + 1]++;
    for (size_t r = 0; r < j->rights; r++)
        begin[r + 1] += begin[r];
    for (size_t i = 0; i < j->pairs; i++)
        order[begin[j->rhs[i]]++] = i;
    for (size_t r = j->rights; r > 0; r--) /* each has moved to the next one's first */
        begin[r] = begin[r - 1];
    begin[0] = 0;
}

/* Do the rows of these pairs lie one after the other, on both sides? */
static bool in_a_row(const gather_job *j, const size_t *pairs, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (pairs[i] != pairs[0] + i || j->lhs[pairs[i]] != j->lhs[pairs[0]] + i)
            return false;
    return true;
}

static int group(const gather_job *j, const size_t *pairs, size_t n, char *scratch)
{
    size_t x_size = j->m * j->x_row, y_size = j->m * j->y_row, right = j->rhs[pairs[0]];
    char *x = scratch, *y = scratch + n * x_size;
    if (in_a_row(j, pairs, n))
        return j->product(j->context, right, n * j->m, j->x + j->lhs[pairs[0]] * x_size,
                          j->y + pairs[0] * y_size);
    for (size_t i = 0; i < n; i++)
        memcpy(x + i * x_size, j->x + j->lhs[pairs[i]] * x_size, x_size);
    if (j->product(j->context, right, n * j->m, x, y))
        return -1;
    for (size_t i = 0; i < n; i++)
        memcpy(j->y + pairs[i] * y_size, y + i * y_size, y_size);
    return 0;
}

/* The scratch that the largest group needs. */
static size_t scratch_size(const gather_job *j, const size_t *order, const size_t *begin)
{
    size_t most = 0;
    for (size_t r = 0; r < j->rights; r++) {
        size_t n = begin[r + 1] - begin[r];
        if (n > most && !in_a_row(j, order + begin[r], n))
            most = n;
    }
    return most * j->m * (j->x_row + j->y_row);
}

int cpu_gather(const gather_job *j)
{
    if (check(j))
        return -1;
    size_t *order = mem_alloc(j->pairs + j->rights + 1, sizeof *order), *begin = order + j->pairs;
    if (!order)
        return -1;
    sort(j, order, begin);
    char *scratch = mem_aligned(64, scratch_size(j, order, begin));
    int rc = scratch ? 0 : -1;
    for (size_t r = 0; r < j->rights && rc == 0; r++)
        if (begin[r + 1] > begin[r])
            rc = group(j, order + begin[r], begin[r + 1] - begin[r], scratch);
    mem_free(scratch);
    mem_free(order);
    return rc;
}
