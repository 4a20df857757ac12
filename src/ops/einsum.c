/* Einstein's sums.
 *
 * Each operand is first stripped of what concerns it alone: of axes with one label the diagonal stays, labels
 * that neither others nor the result have are summed over. Then pairs are contracted, two operands after
 * another, each time the pair that gets rid of most elements; a pair that shares no label only when there is
 * no other, and none whose result would be larger than all that there is, or once the way costs more than
 * doing everything at once: then the rest is multiplied as a whole. A pair with labels to sum over is one
 * batched matrix product, one without a multiplication. */
#include "ops/einsum.h"

#include "base/mem.h"

#include <string.h>

static bool has(const einsum_term *t, int label) { return t->set >> label & 1; }

/* The axis with this label; -1 if there is none. */
static int axis_of(const einsum_term *t, int label)
{
    for (int i = 0; i < t->n; i++)
        if (t->labels[i] == label)
            return i;
    return -1;
}

static void relabel(einsum_term *t, const uint8_t *labels, int n)
{
    t->n = n;
    t->set = 0;
    for (int i = 0; i < n; i++) {
        t->labels[i] = labels[i];
        t->set |= (uint64_t)1 << labels[i];
    }
}

/* Of axes with one label the diagonal stays, as the last axis. */
static void take_diagonals(einsum_term *t)
{
    for (int i = 0; i < t->n; i++)
        for (int j = i + 1; j < t->n; j++) {
            uint8_t label = t->labels[i];
            if (t->labels[j] != label)
                continue;
            t->x = mx_diagonal(t->x, 0, i, j);
            memmove(t->labels + j, t->labels + j + 1, (size_t)(t->n - j - 1));
            memmove(t->labels + i, t->labels + i + 1, (size_t)(t->n - i - 2));
            t->n--;
            t->labels[t->n - 1] = label;
            i = -1; /* from the start again */
            break;
        }
}

/* Sums over the labels that are not in the set. */
static void sum_others(einsum_term *t, uint64_t keep)
{
    int axes[MX_MAX_DIMS], n = 0, k = 0;
    uint8_t labels[MX_MAX_DIMS];
    for (int i = 0; i < t->n; i++)
        if (keep >> t->labels[i] & 1)
            labels[k++] = t->labels[i];
        else
            axes[n++] = i;
    if (n == 0)
        return;
    t->x = mx_sum(t->x, axes, (size_t)n, false);
    relabel(t, labels, k);
}

/* t's axes in the order of n labels, and of size 1 for those that it lacks. */
static mlx_array arranged(const einsum_term *t, const uint8_t *labels, int n)
{
    int order[MX_MAX_DIMS], missing[MX_MAX_DIMS], k = 0, m = 0;
    for (int i = 0; i < n; i++) {
        int axis = axis_of(t, labels[i]);
        if (axis < 0)
            missing[m++] = i;
        else
            order[k++] = axis;
    }
    return mx_expand_dims_axes(mx_transpose(t->x, order, (size_t)k), missing, (size_t)m);
}

/* The labels of two terms by what becomes of them. */
typedef struct parts {
    uint8_t batch[MX_MAX_DIMS], only[2][MX_MAX_DIMS], summed[MX_MAX_DIMS];
    int n_batch, n_only[2], n_summed;
} parts;

static void sort_labels(const einsum_term *a, const einsum_term *b, uint64_t keep, parts *p)
{
    p->n_batch = p->n_only[0] = p->n_only[1] = p->n_summed = 0;
    for (int i = 0; i < a->n; i++) {
        uint8_t label = a->labels[i];
        if (!has(b, label))
            p->only[0][p->n_only[0]++] = label;
        else if (keep >> label & 1)
            p->batch[p->n_batch++] = label;
        else
            p->summed[p->n_summed++] = label;
    }
    for (int i = 0; i < b->n; i++)
        if (!has(a, b->labels[i]))
            p->only[1][p->n_only[1]++] = b->labels[i];
}

/* The product of the sizes of these axes of x, from `at` on, as one; -1 with an error if it is none. */
static int merged(mlx_array x, int at, int n)
{
    int64_t size = 1;
    for (int i = 0; i < n; i++) {
        size *= mx_shape(x)[at + i];
        if (size > INT32_MAX)
            break;
    }
    return shape_size("einsum", size);
}

/* One side of a matrix product: the batch's axes, then rows and columns, which are each merged into one.
 * Labels that are summed over are brought to their common size, for the other side may have 1. */
static mlx_array side(const einsum *e, const einsum_term *t, const parts *p, int which)
{
    uint8_t labels[MX_MAX_DIMS];
    int shape[MX_MAX_DIMS], n = p->n_batch, own = p->n_only[which], rows = which ? p->n_summed : own;
    memcpy(labels, p->batch, (size_t)n);
    memcpy(labels + n + (which ? p->n_summed : 0), p->only[which], (size_t)own);
    memcpy(labels + n + (which ? 0 : own), p->summed, (size_t)p->n_summed);
    mlx_array x = arranged(t, labels, t->n);
    if (mx_is_null(x))
        return x;
    for (int i = 0; i < t->n; i++) {
        bool summed = which ? i >= n && i < n + rows : i >= n + own;
        shape[i] = summed ? e->size[labels[i]] : mx_shape(x)[i];
    }
    x = mx_broadcast_to(x, shape, (size_t)t->n);
    if (mx_is_null(x))
        return x;
    int height = merged(x, n, rows), width = merged(x, n + rows, t->n - n - rows);
    if (height < 0 || width < 0)
        return MX_NULL;
    shape[n] = height;
    shape[n + 1] = width;
    return mx_reshape(x, shape, (size_t)n + 2);
}

/* The sizes that a product of two terms has on these labels. */
static void sizes_of(const einsum_term *a, const einsum_term *b, const uint8_t *labels, int n, int *out)
{
    for (int i = 0; i < n; i++) {
        int j = axis_of(a, labels[i]), k = axis_of(b, labels[i]);
        int size = j < 0 ? 1 : mx_shape(a->x)[j];
        out[i] = size == 1 && k >= 0 ? mx_shape(b->x)[k] : size;
    }
}

/* a becomes its product with b, summed over the labels of both that are not in the set. */
static int contract(const einsum *e, einsum_term *a, const einsum_term *b, uint64_t keep)
{
    uint8_t labels[3 * MX_MAX_DIMS];
    int shape[MX_MAX_DIMS];
    parts p;
    if (mx_is_null(a->x) || mx_is_null(b->x))
        return -1;
    sort_labels(a, b, keep, &p);
    int n = p.n_batch + p.n_only[0] + p.n_only[1];
    if (n > MX_MAX_DIMS || p.n_batch + 2 > MX_MAX_DIMS)
        return error_set("[einsum] an intermediate result has more than %d dimensions", MX_MAX_DIMS);
    memcpy(labels, p.batch, (size_t)p.n_batch);
    memcpy(labels + p.n_batch, p.only[0], (size_t)p.n_only[0]);
    memcpy(labels + p.n_batch + p.n_only[0], p.only[1], (size_t)p.n_only[1]);
    if (p.n_summed) {
        sizes_of(a, b, labels, n, shape);
        a->x = mx_reshape(mx_matmul(side(e, a, &p, 0), side(e, b, &p, 1)), shape, (size_t)n);
    } else
        a->x = mx_multiply(arranged(a, labels, n), arranged(b, labels, n));
    relabel(a, labels, n);
    return mx_is_null(a->x) ? -1 : 0;
}

/* --- the order --- */

static double elements(const einsum *e, uint64_t set)
{
    double size = 1;
    for (; set; set &= set - 1)
        size *= e->size[__builtin_ctzll(set)];
    return size;
}

/* What `terms` operands cost to multiply, over all these labels, summing if some are not in the set. */
static double cost_of(const einsum *e, uint64_t labels, uint64_t keep, size_t terms)
{
    double each = terms > 2 ? (double)(terms - 1) : 1;
    return elements(e, labels) * (each + ((labels & ~keep) != 0));
}

/* The labels that the result or terms other than i and j need. */
static uint64_t needed(const einsum *e, size_t i, size_t j)
{
    uint64_t set = e->out.set;
    for (size_t k = 0; k < e->n; k++)
        if (k != i && k != j)
            set |= e->terms[k].set;
    return set;
}

typedef struct choice {
    size_t i, j;
    double saved, cost;
    bool found;
} choice;

/* The pair that saves most elements, at the least cost, within the limits. */
static choice best_pair(const einsum *e, bool sharing, double memory, double budget)
{
    choice best = {0};
    for (size_t j = 1; j < e->n; j++)
        for (size_t i = 0; i < j; i++) {
            uint64_t a = e->terms[i].set, b = e->terms[j].set, keep = needed(e, i, j);
            double size = elements(e, (a | b) & keep), cost = cost_of(e, a | b, keep, 2);
            double saved = elements(e, a) + elements(e, b) - size;
            if ((sharing && !(a & b)) || size > memory || cost > budget)
                continue;
            if (!best.found || saved > best.saved || (saved == best.saved && cost < best.cost))
                best = (choice){i, j, saved, cost, true};
        }
    return best;
}

/* Contracts terms i and j, whose place the result takes at the end of the list. */
static int contract_pair(einsum *e, size_t i, size_t j, uint64_t keep)
{
    einsum_term y = e->terms[i];
    if (contract(e, &y, &e->terms[j], keep))
        return -1;
    memmove(e->terms + j, e->terms + j + 1, (e->n - j - 1) * sizeof *e->terms);
    memmove(e->terms + i, e->terms + i + 1, (e->n - i - 2) * sizeof *e->terms);
    e->n--;
    e->terms[e->n - 1] = y;
    return 0;
}

static int contract_all(einsum *e)
{
    uint64_t all = e->out.set;
    double memory = elements(e, e->out.set), budget;
    for (size_t i = 0; i < e->n; i++) {
        all |= e->terms[i].set;
        memory = elements(e, e->terms[i].set) > memory ? elements(e, e->terms[i].set) : memory;
    }
    budget = cost_of(e, all, e->out.set, e->n);
    while (e->n > 2) {
        choice c = best_pair(e, true, memory, budget);
        if (!c.found)
            c = best_pair(e, false, memory, budget);
        if (!c.found)
            break;
        budget -= c.cost;
        if (contract_pair(e, c.i, c.j, needed(e, c.i, c.j)))
            return -1;
    }
    if (e->n == 2)
        return contract_pair(e, 0, 1, e->out.set);
    while (e->n > 1) /* the rest at once: all labels stay until the end */
        if (contract_pair(e, 0, 1, all))
            return -1;
    return 0;
}

static mlx_array evaluate(einsum *e)
{
    for (size_t i = 0; i < e->n; i++)
        take_diagonals(&e->terms[i]);
    for (size_t i = 0; i < e->n; i++)
        sum_others(&e->terms[i], needed(e, i, i));
    if (contract_all(e))
        return MX_NULL;
    sum_others(&e->terms[0], e->out.set);
    return arranged(&e->terms[0], e->out.labels, e->out.n);
}

mlx_array mx_einsum(const char *subscripts, const mlx_array *operands, size_t n)
{
    einsum e;
    if (n == 0)
        return op_fail("[einsum] at least one operand is needed");
    for (size_t i = 0; i < n; i++)
        if (mx_is_null(operands[i]))
            return MX_NULL;
    einsum_term *terms = mem_alloc(n, sizeof *terms);
    mlx_array y = MX_NULL;
    if (terms && einsum_parse(&e, terms, subscripts, operands, n) == 0)
        y = evaluate(&e);
    mem_free(terms);
    return y;
}
