/* The functions of mx_unary.def for one dtype (dtypes_tmpl.h) and a function that enters them in the table.
 * The includer says which rows each class has: LOOP or nothing for floats_ANY_REAL ... */
#define UNARY(name, Prim, kind, domain, vjp, ...) CAT(CAT(CLASS, kind), domain)(name, __VA_ARGS__)

#define LOOP(name, R, WRITE, expr)                                                    \
    static void CAT(name, X)(const void *p, ptrdiff_t stride, void *result, size_t n) \
    {                                                                                 \
        const T *in = p;                                                              \
        R *y = result;                                                                \
        if (stride == 1)                                                              \
            EACH(C x = LOAD(in[i]); y[i] = WRITE(expr);)                              \
        else                                                                          \
            EACH_AT(C x = LOAD(in[i * stride]); y[i] = WRITE(expr);)                  \
    }
#include "mx_unary.def"
#undef LOOP

static void CAT(fill, X)(elementwise_kernels *t)
{
#define LOOP(name, R, WRITE, expr) t->unary[CPU_##name][DTYPE] = CAT(name, X);
#include "mx_unary.def"
#undef LOOP
}
#undef UNARY
