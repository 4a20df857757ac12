/* Functions of each element. */
#ifndef MX_ELEMENTWISE_H
#define MX_ELEMENTWISE_H

#include "mx/array.h"

/* --- the rows of mx_unary.def and mx_binary.def --- */

#define UNARY(name, ...) MX_API mlx_array mx_##name(mlx_array x);
#include "mx_unary.def"
#undef UNARY
#define BINARY(name, ...) MX_API mlx_array mx_##name(mlx_array a, mlx_array b);
#include "mx_binary.def"
#undef BINARY
/* condition ? a : b, broadcast. */
MX_API mlx_array mx_where(mlx_array condition, mlx_array a, mlx_array b);
MX_API mlx_array mx_astype(mlx_array x, mlx_dtype dtype);

/* --- made of those --- */

/* out[0] = the quotient, rounded down, out[1] = the remainder, of the divisor's sign; integers over 0 give
 * what no caller should use. No gradient flows. 0, or -1 with an error and nulls. */
MX_API int mx_divmod(mlx_array a, mlx_array b, mlx_array *out);
/* To so many decimal places (negative: tens, hundreds ...), halves to even; x's dtype. */
MX_API mlx_array mx_round_to(mlx_array x, int decimals);
/* x between least and most, which broadcast; one of them may be null. */
MX_API mlx_array mx_clip(mlx_array x, mlx_array least, mlx_array most);
MX_API mlx_array mx_degrees(mlx_array x);
MX_API mlx_array mx_radians(mlx_array x);

/* bool; integers are finite numbers, a complex number is NaN or infinite if a part is. */
MX_API mlx_array mx_isnan(mlx_array x);
MX_API mlx_array mx_isinf(mlx_array x);
MX_API mlx_array mx_isposinf(mlx_array x);
MX_API mlx_array mx_isneginf(mlx_array x);
MX_API mlx_array mx_isfinite(mlx_array x);
/* NaN replaced by nan, the infinities by *posinf and *neginf, or where that is NULL by the largest numbers of
 * x's dtype: float32, float16, bfloat16 (integers have none of the three and stay). */
MX_API mlx_array mx_nan_to_num(mlx_array x, float nan, const float *posinf, const float *neginf);
/* |a - b| <= atol + rtol |b|; infinities are close to themselves, and NaN if equal_nan. */
MX_API mlx_array mx_isclose(mlx_array a, mlx_array b, double rtol, double atol, bool equal_nan);
/* One bool each: are all close; are shapes and values the same? */
MX_API mlx_array mx_allclose(mlx_array a, mlx_array b, double rtol, double atol, bool equal_nan);
MX_API mlx_array mx_array_equal(mlx_array a, mlx_array b, bool equal_nan);

#endif
