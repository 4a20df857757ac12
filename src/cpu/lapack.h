/* LAPACK, found at run time: OpenBLAS on Linux, Accelerate on macOS.
 *
 * The library is loaded at the first call that needs it, not linked: programs that do no linear algebra (a
 * chat, say) then start without its threads and tables, and one build runs with and without it.
 *
 * These are the Fortran routines: matrices by columns, everything by pointer, 32-bit integers. Element
 * pointers are void, so that one prototype serves float, double and complex float; arguments that are text
 * have a hidden length at the end, in the order of their appearance. Our threads are the only ones: OpenBLAS
 * is told once to use one. */
#ifndef MICA_CPU_LAPACK_H
#define MICA_CPU_LAPACK_H

#include <stdbool.h>
#include <stddef.h>

typedef void (*lapack_geqrf)(const int *m, const int *n, void *a, const int *lda, void *tau, void *work,
                             const int *lwork, int *info);
typedef void (*lapack_orgqr)(const int *m, const int *n, const int *k, void *a, const int *lda,
                             const void *tau, void *work, const int *lwork, int *info);
typedef void (*lapack_getrf)(const int *m, const int *n, void *a, const int *lda, int *ipiv, int *info);
typedef void (*lapack_getri)(const int *n, void *a, const int *lda, const int *ipiv, void *work,
                             const int *lwork, int *info);
typedef void (*lapack_trtri)(const char *uplo, const char *diag, const int *n, void *a, const int *lda,
                             int *info, size_t, size_t);
typedef void (*lapack_potrf)(const char *uplo, const int *n, void *a, const int *lda, int *info, size_t);
typedef void (*lapack_gesdd)(const char *jobz, const int *m, const int *n, void *a, const int *lda, void *s,
                             void *u, const int *ldu, void *vt, const int *ldvt, void *work, const int *lwork,
                             int *iwork, int *info, size_t);
typedef void (*lapack_gesdd_c)(const char *jobz, const int *m, const int *n, void *a, const int *lda, void *s,
                               void *u, const int *ldu, void *vt, const int *ldvt, void *work,
                               const int *lwork, void *rwork, int *iwork, int *info, size_t);
typedef void (*lapack_syevd)(const char *jobz, const char *uplo, const int *n, void *a, const int *lda,
                             void *w, void *work, const int *lwork, int *iwork, const int *liwork, int *info,
                             size_t, size_t);
typedef void (*lapack_heevd_c)(const char *jobz, const char *uplo, const int *n, void *a, const int *lda,
                               void *w, void *work, const int *lwork, void *rwork, const int *lrwork,
                               int *iwork, const int *liwork, int *info, size_t, size_t);
typedef void (*lapack_geev)(const char *jobvl, const char *jobvr, const int *n, void *a, const int *lda,
                            void *wr, void *wi, void *vl, const int *ldvl, void *vr, const int *ldvr,
                            void *work, const int *lwork, int *info, size_t, size_t);
typedef void (*lapack_geev_c)(const char *jobvl, const char *jobvr, const int *n, void *a, const int *lda,
                              void *w, void *vl, const int *ldvl, void *vr, const int *ldvr, void *work,
                              const int *lwork, void *rwork, int *info, size_t, size_t);

/* ROW(field, routine): [0] the float form, [1] the double form. */
#define LAPACK_REAL_ROUTINES \
    ROW(geqrf, geqrf)        \
    ROW(orgqr, orgqr)        \
    ROW(getrf, getrf)        \
    ROW(getri, getri)        \
    ROW(trtri, trtri)        \
    ROW(potrf, potrf)        \
    ROW(gesdd, gesdd)        \
    ROW(syevd, syevd)        \
    ROW(geev, geev)
/* ROW(field, routine): complex float. */
#define LAPACK_COMPLEX_ROUTINES \
    ROW(gesdd_c, cgesdd)        \
    ROW(heevd_c, cheevd)        \
    ROW(geev_c, cgeev)

typedef struct lapack {
#define ROW(field, routine) lapack_##field field[2];
    LAPACK_REAL_ROUTINES
#undef ROW
#define ROW(field, routine) lapack_##field field;
    LAPACK_COMPLEX_ROUTINES
#undef ROW
    bool threads; /* may several threads call it at once? */
} lapack;

/* The routines; NULL with an error that says what is missing. Thread-safe; tries once a process. */
const lapack *lapack_get(void);

#endif
