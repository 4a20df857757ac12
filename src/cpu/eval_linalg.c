/* Factorizations and inverses by LAPACK.
 *
 * LAPACK's matrices lie by columns: what we hand it is read as the transpose. Where the function of the
 * transpose is the transpose of the function (inverses, Cholesky) that is all the same, but for upper and
 * lower changing names; QR and LU transpose on the way in and out. */
#include "cpu/linalg.h"

#include <string.h>

/* Zeros on one side of the diagonal of a row-major (n, n) matrix. */
static void clear_triangle(char *a, int n, size_t item, bool lower)
{
    for (size_t r = 0; r < (size_t)n; r++) {
        size_t first = lower ? 0 : r + 1, end = lower ? r : (size_t)n;
        memset(a + (r * (size_t)n + first) * item, 0, (end - first) * item);
    }
}

/* --- inverse --- */

static int invert_one(const linalg_task *t, size_t i, char *scratch)
{
    char *a = linalg_out(t, 0, i);
    int info, *pivots = linalg_scratch(t, scratch, 0);
    memcpy(a, t->in + i * t->matrix, t->matrix);
    t->l->getrf[t->real](&t->rows, &t->rows, a, &t->rows, pivots, &info);
    if (info == 0)
        t->l->getri[t->real](&t->rows, a, &t->rows, pivots, linalg_scratch(t, scratch, 1), &t->lwork, &info);
    return info;
}

static int invert_triangle(const linalg_task *t, size_t i, char *scratch)
{
    (void)scratch;
    const prim_inverse *p = t->n->params;
    char *a = linalg_out(t, 0, i);
    int info;
    memcpy(a, t->in + i * t->matrix, t->matrix);
    t->l->trtri[t->real](p->upper ? "L" : "U", "N", &t->rows, a, &t->rows, &info, 1, 1);
    clear_triangle(a, t->rows, t->item, p->upper);
    return info;
}

static int invert_prepare(linalg_task *t)
{
    const int query = -1;
    double answer[2] = {0};
    int info;
    t->l->getri[t->real](&t->rows, NULL, &t->rows, NULL, answer, &query, &info);
    t->lwork = linalg_lwork(t, answer, false);
    if (t->lwork < 0)
        return -1;
    linalg_area(t, 0, (size_t)t->rows * sizeof(int));
    linalg_area(t, 1, (size_t)t->lwork * t->item);
    return 0;
}

int cpu_eval_inverse(node *n)
{
    bool triangle = ((const prim_inverse *)n->params)->tri;
    linalg_task t;
    int rc = linalg_begin(&t, n);
    if (t.rows == 0)
        t.batch = 0;
    t.one = triangle ? invert_triangle : invert_one;
    t.failure = triangle ? "[Inverse::eval_cpu] triangular inversion failed with error code %d"
                         : "[Inverse::eval_cpu] LU factorization failed with error code %d";
    if (rc == 0 && t.batch && !triangle)
        rc = invert_prepare(&t);
    return linalg_end(&t, rc);
}

/* --- Cholesky --- */

static int cholesky_one(const linalg_task *t, size_t i, char *scratch)
{
    (void)scratch;
    bool upper = ((const prim_upper *)t->n->params)->upper;
    char *a = linalg_out(t, 0, i);
    int info;
    memcpy(a, t->in + i * t->matrix, t->matrix);
    t->l->potrf[t->real](upper ? "L" : "U", &t->rows, a, &t->rows, &info, 1);
    clear_triangle(a, t->rows, t->item, upper);
    return info;
}

int cpu_eval_cholesky(node *n)
{
    linalg_task t;
    int rc = linalg_begin(&t, n);
    if (t.rows == 0)
        t.batch = 0;
    t.one = cholesky_one;
    t.failure = "[Cholesky::eval_cpu] Cholesky decomposition failed with error code %d: the matrix is not "
                "positive definite";
    return linalg_end(&t, rc);
}

/* --- LU --- */

/* The pivots count from 0; row j of L U is row p of the matrix where rows[p] is j: swaps are undone last
 * first. */
static void finish_pivots(uint32_t *pivots, uint32_t *rows, int count, int n_rows)
{
    for (int j = 0; j < n_rows; j++)
        rows[j] = (uint32_t)j;
    for (int j = count - 1; j >= 0; j--) {
        uint32_t p = --pivots[j], row = rows[p];
        rows[p] = rows[j];
        rows[j] = row;
    }
}

static int lu_one(const linalg_task *t, size_t i, char *scratch)
{
    char *a = linalg_scratch(t, scratch, 0);
    uint32_t *pivots = (uint32_t *)linalg_out(t, 1, i);
    int info;
    linalg_transpose(t->in + i * t->matrix, a, t->rows, t->columns, t->item);
    t->l->getrf[t->real](&t->rows, &t->columns, a, &t->rows, (int *)pivots, &info);
    linalg_transpose(a, linalg_out(t, 0, i), t->columns, t->rows, t->item);
    finish_pivots(pivots, (uint32_t *)linalg_out(t, 2, i), t->least, t->rows);
    return info < 0 ? info : 0; /* a singular matrix has a factorization all the same */
}

/* Without columns there are no swaps. */
static int lu_empty(const linalg_task *t, size_t i, char *scratch)
{
    (void)scratch;
    finish_pivots(NULL, (uint32_t *)linalg_out(t, 2, i), 0, t->rows);
    return 0;
}

int cpu_eval_luf(node *n)
{
    linalg_task t;
    int rc = linalg_begin(&t, n);
    t.one = t.least ? lu_one : lu_empty;
    t.failure = "[LUF::eval_cpu] LU factorization failed with error code %d";
    linalg_area(&t, 0, t.matrix);
    return linalg_end(&t, rc);
}

/* --- QR --- */

/* R: the upper triangle of the first `least` rows. */
static void copy_r(const linalg_task *t, const char *a, char *r)
{
    size_t m = (size_t)t->rows, n = (size_t)t->columns, item = t->item;
    for (size_t i = 0; i < (size_t)t->least; i++) {
        memset(r + i * n * item, 0, i * item);
        for (size_t c = i; c < n; c++)
            memcpy(r + (i * n + c) * item, a + (c * m + i) * item, item);
    }
}

static int qr_one(const linalg_task *t, size_t i, char *scratch)
{
    char *a = linalg_scratch(t, scratch, 0), *tau = linalg_scratch(t, scratch, 1);
    char *work = linalg_scratch(t, scratch, 2);
    int info;
    linalg_transpose(t->in + i * t->matrix, a, t->rows, t->columns, t->item);
    t->l->geqrf[t->real](&t->rows, &t->columns, a, &t->rows, tau, work, &t->lwork, &info);
    if (info)
        return info;
    copy_r(t, a, linalg_out(t, 1, i));
    t->l->orgqr[t->real](&t->rows, &t->least, &t->least, a, &t->rows, tau, work, &t->lwork, &info);
    linalg_transpose(a, linalg_out(t, 0, i), t->least, t->rows, t->item);
    return info;
}

static int qr_prepare(linalg_task *t)
{
    const int query = -1;
    double answer[2] = {0};
    int info, second;
    t->l->geqrf[t->real](&t->rows, &t->columns, NULL, &t->rows, NULL, answer, &query, &info);
    t->lwork = linalg_lwork(t, answer, false);
    t->l->orgqr[t->real](&t->rows, &t->least, &t->least, NULL, &t->rows, NULL, answer, &query, &info);
    second = linalg_lwork(t, answer, false);
    if (t->lwork < 0 || second < 0)
        return -1;
    t->lwork = t->lwork > second ? t->lwork : second;
    linalg_area(t, 0, t->matrix);
    linalg_area(t, 1, (size_t)t->least * t->item);
    linalg_area(t, 2, (size_t)t->lwork * t->item);
    return 0;
}

int cpu_eval_qrf(node *n)
{
    linalg_task t;
    int rc = linalg_begin(&t, n);
    if (t.least == 0)
        t.batch = 0;
    t.one = qr_one;
    t.failure = "[QRF::eval_cpu] QR factorization failed with error code %d";
    if (rc == 0 && t.batch)
        rc = qr_prepare(&t);
    return linalg_end(&t, rc);
}
