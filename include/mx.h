/* mx: arrays as expressions.
 *
 * The functions of this header build a lazy graph: each checks its arguments, works out the result's shape
 * and dtype, and returns a temporary without computing anything. mx_eval computes.
 *
 * Ownership. Arguments are borrowed. A result is a temporary: the calling thread's pool holds its one
 * reference, and mx_release drops all temporaries made since the matching mx_mark. What must live longer is
 * stored in a slot with mx_set, which its owner clears with mlx_array_free. Release before mx_eval:
 * the graph's edges then own the intermediates, and evaluation reuses and frees their memory as it goes.
 *
 * Errors. The first failure is recorded for the thread and the function returns the null array (ctx NULL); a
 * function that is given a null array returns one in silence. The driver asks once, with mx_failed.
 *
 * Threads. Graphs may be built on several threads, each from its own arrays; an array that is neither
 * evaluated nor handed to a stream (mx_async_eval) belongs to the thread that made it.
 *
 * Names, semantics and promotion rules are MLX's (mlx.core). */
#ifndef MX_H
#define MX_H

#include "mx/array.h"
#include "mx/compile.h"
#include "mx/conv.h"
#include "mx/create.h"
#include "mx/einsum.h"
#include "mx/elementwise.h"
#include "mx/fast.h"
#include "mx/fft.h"
#include "mx/function.h"
#include "mx/index.h"
#include "mx/io.h"
#include "mx/layout.h"
#include "mx/linalg.h"
#include "mx/matmul.h"
#include "mx/memory.h"
#include "mx/paged.h"
#include "mx/quantize.h"
#include "mx/random.h"
#include "mx/recurrent.h"
#include "mx/reduce.h"
#include "mx/sort.h"
#include "mx/stream.h"
#include "mx/transforms.h"

#endif
