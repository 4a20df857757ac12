/* The functions of mx_binary.def for one dtype (dtypes_tmpl.h) and a function that enters them in the table.
 * The includer says which rows each class has: LOOP or nothing for floats_SAME_REAL ...
 * One operand may be a single number (stride 0), which is read once; other strides take the slow loop. */
#define BINARY(name, Prim, kind, domain, vjp, ...) CAT(CAT(CLASS, kind), domain)(name, __VA_ARGS__)
#define TRUTH(v)                                   ((uint8_t)(v))

#define LOOP(name, R, WRITE, expr)                                                                           \
    static void CAT(name, X)(const void *pa, ptrdiff_t sa, const void *pb, ptrdiff_t sb, void *py, size_t n) \
    {                                                                                                        \
        const T *p = pa, *q = pb;                                                                            \
        R *y = py;                                                                                           \
        if (sa == 1 && sb == 1) {                                                                            \
            EACH(C a = LOAD(p[i]); C b = LOAD(q[i]); y[i] = WRITE(expr);)                                    \
        } else if (sa == 1 && sb == 0 && n > 0) {                                                            \
            C b = LOAD(*q);                                                                                  \
            EACH(C a = LOAD(p[i]); y[i] = WRITE(expr);)                                                      \
        } else if (sa == 0 && sb == 1 && n > 0) {                                                            \
            C a = LOAD(*p);                                                                                  \
            EACH(C b = LOAD(q[i]); y[i] = WRITE(expr);)                                                      \
        } else {                                                                                             \
            EACH_AT(C a = LOAD(p[i * sa]); C b = LOAD(q[i * sb]); y[i] = WRITE(expr);)                       \
        }                                                                                                    \
    }
#include "mx_binary.def"
#undef LOOP

static void CAT(fill, X)(elementwise_kernels *t)
{
#define LOOP(name, R, WRITE, expr) t->binary[CPU_##name][DTYPE] = CAT(name, X);
#include "mx_binary.def"
#undef LOOP
}
#undef TRUTH
#undef BINARY
