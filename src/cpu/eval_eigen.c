/* Singular values and eigenvalues by LAPACK.
 *
 * The singular value decomposition of the transpose has the same factors in the other order, so nothing is
 * transposed. Hermitian matrices are read as their conjugates, which have the same eigenvalues and conjugate
 * vectors. What is not finite is refused: LAPACK's iterations need not end on it. */
#include "cpu/linalg.h"

#include <string.h>

/* --- singular values --- */

static int svd_one(const linalg_task *t, size_t i, char *scratch)
{
    const lapack *l = t->l;
    const int m = t->rows, n = t->columns;
    bool vectors = t->n->outputs != NULL;
    char *a = linalg_scratch(t, scratch, 0), *work = linalg_scratch(t, scratch, 1);
    int *iwork = linalg_scratch(t, scratch, 2), info;
    char *u = vectors ? linalg_out(t, 0, i) : a, *s = linalg_out(t, vectors ? 1 : 0, i);
    char *vt = vectors ? linalg_out(t, 2, i) : a;
    const char *job = vectors ? "A" : "N";
    if (linalg_not_finite(t, i))
        return LINALG_NOT_FINITE;
    memcpy(a, t->in + i * t->matrix, t->matrix);
    if (t->complex)
        l->gesdd_c(job, &n, &m, a, &n, s, vt, &n, u, &m, work, &t->lwork, linalg_scratch(t, scratch, 3),
                   iwork, &info, 1);
    else
        l->gesdd[t->real](job, &n, &m, a, &n, s, vt, &n, u, &m, work, &t->lwork, iwork, &info, 1);
    return info;
}

/* Floats that the complex routine wants besides. */
static size_t svd_rwork(size_t least, size_t most, bool vectors)
{
    size_t a = 5 * least * least + 5 * least, b = 2 * most * least + 2 * least * least + least;
    return !vectors ? 7 * least : a > b ? a : b;
}

static int svd_prepare(linalg_task *t)
{
    const int m = t->rows, n = t->columns, query = -1;
    bool vectors = t->n->outputs != NULL;
    double answer[2] = {0};
    int info, one = 1;
    const char *job = vectors ? "A" : "N";
    if (t->complex)
        t->l->gesdd_c(job, &n, &m, NULL, &n, NULL, NULL, &n, NULL, &m, answer, &query, NULL, &one, &info, 1);
    else
        t->l->gesdd[t->real](job, &n, &m, NULL, &n, NULL, NULL, &n, NULL, &m, answer, &query, &one, &info, 1);
    t->lwork = linalg_lwork(t, answer, t->complex);
    if (t->lwork < 0)
        return -1;
    linalg_area(t, 0, t->matrix);
    linalg_area(t, 1, (size_t)t->lwork * t->item);
    linalg_area(t, 2, 8 * (size_t)t->least * sizeof(int));
    linalg_area(
        t, 3, t->complex ? sizeof(float) * svd_rwork((size_t)t->least, (size_t)(m > n ? m : n), vectors) : 0);
    t->flops *= 20;
    return 0;
}

static void identity(const linalg_task *t, char *a, int n)
{
    const double one_double = 1;
    const float one[2] = {1, 0};
    memset(a, 0, (size_t)n * (size_t)n * t->item);
    for (size_t k = 0; k < (size_t)n; k++)
        memcpy(a + k * ((size_t)n + 1) * t->item, t->real ? (const void *)&one_double : one, t->item);
}

/* A matrix without rows or columns: any unitary factors will do. */
static int svd_empty(const linalg_task *t, size_t i, char *scratch)
{
    (void)scratch;
    if (t->n->outputs) {
        identity(t, linalg_out(t, 0, i), t->rows);
        identity(t, linalg_out(t, 2, i), t->columns);
    }
    return 0;
}

int cpu_eval_svd(node *n)
{
    linalg_task t;
    int rc = linalg_begin(&t, n);
    t.one = t.least ? svd_one : svd_empty;
    t.failure = "[SVD::eval_cpu] SVD failed with error code %d";
    if (rc == 0 && t.least)
        rc = svd_prepare(&t);
    return linalg_end(&t, rc);
}

/* --- eigenvalues of symmetric and Hermitian matrices --- */

static void transpose_in_place(char *a, int n, size_t item, bool conjugate)
{
    for (size_t r = 0; r < (size_t)n; r++)
        for (size_t c = r + 1; c < (size_t)n; c++) {
            char *p = a + (r * (size_t)n + c) * item, *q = a + (c * (size_t)n + r) * item, swap[8];
            memcpy(swap, p, item);
            memcpy(p, q, item);
            memcpy(q, swap, item);
        }
    for (size_t k = 0; conjugate && k < (size_t)n * (size_t)n; k++)
        ((float *)a)[2 * k + 1] *= -1;
}

static int eigh_one(const linalg_task *t, size_t i, char *scratch)
{
    const prim_eigh *p = t->n->params;
    const lapack *l = t->l;
    char *w = linalg_out(t, 0, i), *work = linalg_scratch(t, scratch, 1);
    char *a = p->vectors ? linalg_out(t, 1, i) : linalg_scratch(t, scratch, 0);
    const char *job = p->vectors ? "V" : "N", *triangle = p->upper ? "L" : "U";
    int *iwork = linalg_scratch(t, scratch, 2), info;
    if (linalg_not_finite(t, i))
        return LINALG_NOT_FINITE;
    memcpy(a, t->in + i * t->matrix, t->matrix);
    if (t->complex)
        l->heevd_c(job, triangle, &t->rows, a, &t->rows, w, work, &t->lwork, linalg_scratch(t, scratch, 3),
                   &t->lrwork, iwork, &t->liwork, &info, 1, 1);
    else
        l->syevd[t->real](job, triangle, &t->rows, a, &t->rows, w, work, &t->lwork, iwork, &t->liwork, &info,
                          1, 1);
    if (p->vectors)
        transpose_in_place(a, t->rows, t->item, t->complex);
    return info;
}

static int eigh_prepare(linalg_task *t)
{
    const prim_eigh *p = t->n->params;
    const char *job = p->vectors ? "V" : "N", *triangle = p->upper ? "L" : "U";
    const int query = -1;
    double answer[2] = {0};
    float real = 0;
    int info;
    if (t->complex)
        t->l->heevd_c(job, triangle, &t->rows, NULL, &t->rows, NULL, answer, &query, &real, &query,
                      &t->liwork, &query, &info, 1, 1);
    else
        t->l->syevd[t->real](job, triangle, &t->rows, NULL, &t->rows, NULL, answer, &query, &t->liwork,
                             &query, &info, 1, 1);
    t->lwork = linalg_lwork(t, answer, t->complex);
    t->lrwork = linalg_lwork(t, &real, true);
    if (t->lwork < 0 || t->lrwork < 0)
        return -1;
    linalg_area(t, 0, p->vectors ? 0 : t->matrix);
    linalg_area(t, 1, (size_t)t->lwork * t->item);
    linalg_area(t, 2, (size_t)t->liwork * sizeof(int));
    linalg_area(t, 3, (size_t)t->lrwork * sizeof(float));
    t->flops *= 10;
    return 0;
}

int cpu_eval_eigh(node *n)
{
    linalg_task t;
    int rc = linalg_begin(&t, n);
    if (t.rows == 0)
        t.batch = 0;
    t.one = eigh_one;
    t.failure = "[Eigh::eval_cpu] Eigenvalue decomposition failed with error code %d";
    if (rc == 0 && t.batch)
        rc = eigh_prepare(&t);
    return linalg_end(&t, rc);
}

/* --- eigenvalues of any square matrix --- */

static double real_at(const linalg_task *t, const char *p, size_t k)
{
    return t->real ? ((const double *)p)[k] : (double)((const float *)p)[k];
}

static void put(float *pair, double re, double im)
{
    pair[0] = (float)re;
    pair[1] = (float)im;
}

/* The real routines give values as two lists, and a pair of conjugate vectors as one real and one imaginary
 * column. v holds the columns, one after the other. */
static void eig_unpack(const linalg_task *t, const char *re, const char *im, const char *v, float *values,
                       float *vectors)
{
    size_t n = (size_t)t->rows;
    for (size_t j = 0; j < n; j++) {
        double imaginary = real_at(t, im, j);
        put(values + 2 * j, real_at(t, re, j), imaginary);
        /* of a pair, the first has the positive imaginary part; both look at its column and the next */
        size_t column = imaginary < 0 ? j - 1 : j;
        for (size_t i = 0; vectors && i < n; i++) {
            double a = real_at(t, v, column * n + i),
                   b = imaginary != 0 ? real_at(t, v, (column + 1) * n + i) : 0;
            put(vectors + 2 * (i * n + j), a, imaginary < 0 ? -b : b);
        }
    }
}

static int eig_one(const linalg_task *t, size_t i, char *scratch)
{
    bool want = ((const prim_vectors *)t->n->params)->vectors;
    const int n = t->rows, one = 1, *ldv = want ? &n : &one;
    const char *job = want ? "V" : "N";
    char *a = linalg_scratch(t, scratch, 0), *v = linalg_scratch(t, scratch, 1);
    char *re = linalg_scratch(t, scratch, 2), *im = linalg_scratch(t, scratch, 3);
    char *work = linalg_scratch(t, scratch, 4);
    float *values = (float *)linalg_out(t, 0, i);
    float *vectors = want ? (float *)linalg_out(t, 1, i) : NULL;
    int info;
    if (linalg_not_finite(t, i))
        return LINALG_NOT_FINITE;
    linalg_transpose(t->in + i * t->matrix, a, n, n, t->item);
    if (t->complex) {
        t->l->geev_c("N", job, &n, a, &n, values, NULL, &one, v, ldv, work, &t->lwork, re, &info, 1, 1);
        if (info == 0 && want)
            linalg_transpose(v, vectors, n, n, t->item);
    } else {
        t->l->geev[t->real]("N", job, &n, a, &n, re, im, NULL, &one, v, ldv, work, &t->lwork, &info, 1, 1);
        if (info == 0)
            eig_unpack(t, re, im, v, values, vectors);
    }
    return info;
}

static int eig_prepare(linalg_task *t)
{
    bool want = ((const prim_vectors *)t->n->params)->vectors;
    const int n = t->rows, one = 1, query = -1, *ldv = want ? &n : &one;
    const char *job = want ? "V" : "N";
    double answer[2] = {0};
    float real[2]; /* the query writes there too */
    int info;
    if (t->complex)
        t->l->geev_c("N", job, &n, NULL, &n, NULL, NULL, &one, NULL, ldv, answer, &query, real, &info, 1, 1);
    else
        t->l->geev[t->real]("N", job, &n, NULL, &n, NULL, NULL, NULL, &one, NULL, ldv, answer, &query, &info,
                            1, 1);
    t->lwork = linalg_lwork(t, answer, t->complex);
    if (t->lwork < 0)
        return -1;
    linalg_area(t, 0, t->matrix);
    linalg_area(t, 1, want ? t->matrix : t->item);
    linalg_area(t, 2, 2 * (size_t)n * sizeof(double)); /* complex: the routine's 2 n floats */
    linalg_area(t, 3, (size_t)n * sizeof(double));
    linalg_area(t, 4, (size_t)t->lwork * t->item);
    t->flops *= 25;
    return 0;
}

int cpu_eval_eig(node *n)
{
    linalg_task t;
    int rc = linalg_begin(&t, n);
    if (t.rows == 0)
        t.batch = 0;
    t.one = eig_one;
    t.failure = "[Eig::eval_cpu] Eigenvalue decomposition failed with error code %d";
    if (rc == 0 && t.batch)
        rc = eig_prepare(&t);
    return linalg_end(&t, rc);
}
