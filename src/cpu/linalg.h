/* One LAPACK call for each matrix of a batch.
 *
 * A task is filled by linalg_begin, which gives the node's results their buffers, and by the primitive, which
 * says what to do with one matrix and how much scratch memory that takes. linalg_end runs it over the batch,
 * on several threads when there is enough to do, each with its own scratch. */
#ifndef MICA_CPU_LINALG_H
#define MICA_CPU_LINALG_H

#include "cpu/eval.h"
#include "cpu/lapack.h"

enum { LINALG_AREAS = 6, LINALG_RESULTS = 3 };
/* In the place of an info: the matrix holds NaN or an infinity. */
enum { LINALG_NOT_FINITE = 1 << 30 };

typedef struct linalg_task {
    node *n;
    const lapack *l;
    buffer *dense; /* a row-major copy of the input if it needed one */
    const char *in;
    int rows, columns, least;   /* of each matrix; least: the smaller of both */
    int real;                   /* index of the real routines: 0 float, 1 double */
    bool complex;               /* complex float */
    size_t item, batch, matrix; /* bytes of an element; matrices; bytes of one */
    char *out[LINALG_RESULTS];  /* the results' data */
    size_t out_bytes[LINALG_RESULTS];

    /* Computes matrix i with scratch memory; LAPACK's info: 0, or what went wrong. */
    int (*one)(const struct linalg_task *t, size_t i, char *scratch);
    double flops;        /* of one matrix, about: how many threads pay */
    const char *failure; /* the message for an info that is not 0, with one %d */
    size_t at[LINALG_AREAS], scratch;
    int lwork, lrwork, liwork;
} linalg_task;

/* Fills t for n, whose first input is a batch of matrices. 0, or -1 with an error. */
int linalg_begin(linalg_task *t, node *n);
/* Reserves scratch area i of so many bytes. */
void linalg_area(linalg_task *t, int i, size_t bytes);
static inline void *linalg_scratch(const linalg_task *t, char *scratch, int i) { return scratch + t->at[i]; }
/* Result k of matrix i. */
static inline char *linalg_out(const linalg_task *t, int k, size_t i)
{
    return t->out[k] + i * t->out_bytes[k];
}
/* What a workspace query left in *answer (float, or double for real == 1), with some room to spare; -1 with
 * an error when it is more than 32-bit integers hold. */
int linalg_lwork(const linalg_task *t, const void *answer, bool complex);
/* Runs t, unless rc says that something failed before, and releases what it holds. */
int linalg_end(linalg_task *t, int rc);

/* to[c][r] = from[r][c] for elements of 4 or 8 bytes. */
void linalg_transpose(const void *from, void *to, int rows, int columns, size_t item);
/* Is there a NaN or an infinity among the floats of matrix i? */
bool linalg_not_finite(const linalg_task *t, size_t i);

#endif
