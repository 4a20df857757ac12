/* The reductions of one dtype (dtypes_tmpl.h): each operation by reduce_op_tmpl.h, the positions of extremes,
 * and a function that enters them in the table. */

/* n elements with a stride into a dense block. */
static inline void CAT(gather, X)(T *block, const T *a, ptrdiff_t sa, size_t n)
{
    EACH_AT(block[i] = a[i * sa];)
}

#define NAME       sum
#define A          CAT(CLASS, wide)
#define R          W
#define VALUE(x)   ((A)(x))
#define JOIN(p, q) ((p) + (q))
#define START(x)   0
#include "cpu/isa/reduce_op_tmpl.h"

#define NAME       prod
#define A          CAT(CLASS, wide)
#define R          W
#define VALUE(x)   ((A)(x))
#define JOIN(p, q) ((p) * (q))
#define START(x)   1
#include "cpu/isa/reduce_op_tmpl.h"

#define NAME       max
#define A          C
#define R          T
#define VALUE(x)   (x)
#define JOIN(p, q) CAT(CLASS, max)(p, q)
#define START(x)   (x)
#include "cpu/isa/reduce_op_tmpl.h"

#define NAME       min
#define A          C
#define R          T
#define VALUE(x)   (x)
#define JOIN(p, q) CAT(CLASS, min)(p, q)
#define START(x)   (x)
#include "cpu/isa/reduce_op_tmpl.h"

#define NAME       all
#define A          uint8_t
#define R          uint8_t
#define VALUE(x)   ((uint8_t)((x) != 0))
#define JOIN(p, q) ((uint8_t)((p) & (q)))
#define START(x)   1
#include "cpu/isa/reduce_op_tmpl.h"

#define NAME       any
#define A          uint8_t
#define R          uint8_t
#define VALUE(x)   ((uint8_t)((x) != 0))
#define JOIN(p, q) ((uint8_t)((p) | (q)))
#define START(x)   0
#include "cpu/isa/reduce_op_tmpl.h"

#define NAME        argmax
#define BEATS(p, q) CAT(CLASS, more)(p, q)
#include "cpu/isa/reduce_arg_tmpl.h"

#define NAME        argmin
#define BEATS(p, q) CAT(CLASS, more)(q, p)
#include "cpu/isa/reduce_arg_tmpl.h"

static void CAT(fill, X)(reduce_kernels *t)
{
#define REDUCE(name, NUMBER)                          \
    t->reduce[NUMBER][DTYPE] = CAT(reduce_##name, X); \
    t->rows[NUMBER][DTYPE] = CAT(rows_##name, X);
    REDUCTIONS
#undef REDUCE
    t->arg[0][DTYPE] = CAT(arg_argmax, X);
    t->arg[1][DTYPE] = CAT(arg_argmin, X);
    t->arg_rows[0][DTYPE] = CAT(arg_rows_argmax, X);
    t->arg_rows[1][DTYPE] = CAT(arg_rows_argmin, X);
}
