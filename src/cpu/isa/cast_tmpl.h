/* Casts from one dtype (dtypes_tmpl.h) to every one that kernels compute in, and a function that enters them
 * in the table. floats_to_i32(x) and so on are the includer's. */
#define CAST(to, TO, R, expr)                                                                  \
    static void CAT(CAT(cast, X), to)(const void *p, ptrdiff_t stride, void *result, size_t n) \
    {                                                                                          \
        const T *in = p;                                                                       \
        R *y = result;                                                                         \
        if (stride == 1)                                                                       \
            EACH(C x = LOAD(in[i]); y[i] = (R)(expr);)                                         \
        else                                                                                   \
            EACH_AT(C x = LOAD(in[i * stride]); y[i] = (R)(expr);)                             \
    }
#define CASTS                                                          \
    CAST(f32, MLX_FLOAT32, float, CAT(CLASS, to_real)(x))              \
    CAST(f64, MLX_FLOAT64, double, CAT(CLASS, to_real)(x))             \
    CAST(c64, MLX_COMPLEX64, float complex, CAT(CLASS, to_complex)(x)) \
    CAST(i8, MLX_INT8, int8_t, CAT(CLASS, to_i32)(x))                  \
    CAST(i16, MLX_INT16, int16_t, CAT(CLASS, to_i32)(x))               \
    CAST(i32, MLX_INT32, int32_t, CAT(CLASS, to_i32)(x))               \
    CAST(i64, MLX_INT64, int64_t, CAT(CLASS, to_i64)(x))               \
    CAST(u64, MLX_UINT64, uint64_t, CAT(CLASS, to_u64)(x))             \
    CAST(u32, MLX_UINT32, uint32_t, CAT(CLASS, to_i64)(x))             \
    CAST(u16, MLX_UINT16, uint16_t, CAT(CLASS, to_i32)(x))             \
    CAST(u8, MLX_UINT8, uint8_t, CAT(CLASS, to_i32)(x))                \
    CAST(b8, MLX_BOOL, uint8_t, CAT(CLASS, to_real)(x) != 0)

CASTS
#undef CAST

static void CAT(fill, X)(elementwise_kernels *t)
{
#define CAST(to, TO, R, expr) t->cast[DTYPE][TO] = CAT(CAT(cast, X), to);
    CASTS
}
#undef CAST
#undef CASTS
