/* The steps of chains: see cpu/chain.h.
 *
 * With the block in eight vector registers that the calling convention passes anyway, a step is a handful of
 * instructions and a jump. Where the compiler makes calls of the jumps (without optimization), the stack gets
 * as deep as the chain is long, no more. Functions with long code are left to the kernels of elementwise.c,
 * which run over a block in memory. */
#include "cpu/isa/loops.h"
#include "cpu/kernels.h"
#include "cpu/simd.h"

#define BLOCK (CHAIN_WIDTH * SIMD_LANES)
#define ARGS                                                                                              \
    const chain_step *s, chain_state *t, simd_f32 v0, simd_f32 v1, simd_f32 v2, simd_f32 v3, simd_f32 v4, \
        simd_f32 v5, simd_f32 v6, simd_f32 v7
typedef void (*step_fn)(ARGS);
#define NEXT ((step_fn)s[1].fn)(s + 1, t, v0, v1, v2, v3, v4, v5, v6, v7);
/* X(i, ...) for each vector of the block. */
#define EACH_VECTOR(X, ...) \
    X(0, __VA_ARGS__)       \
    X(1, __VA_ARGS__)       \
    X(2, __VA_ARGS__)       \
    X(3, __VA_ARGS__) X(4, __VA_ARGS__) X(5, __VA_ARGS__) X(6, __VA_ARGS__) X(7, __VA_ARGS__)
#define STEP(name, setup, X, ...)   \
    static void name(ARGS)          \
    {                               \
        setup;                      \
        EACH_VECTOR(X, __VA_ARGS__) \
        NEXT                        \
    }
/* Memory of elements of type T at operand a, and the i-th vector's part of it. */
#define AT(T)         T *m = (T *)t->at[s->a]
#define MEMORY(i)     (m + (i)*SIMD_LANES)
/* v_i = f(v_i), and f(v_i) put to memory. */
#define MAKE(i, f)    v##i = f(v##i);
#define LOAD(i, from) v##i = from(MEMORY(i));
#define STORE(i, put) put(MEMORY(i), v##i);

/* --- what vectors are made into --- */

SIMD_INLINE simd_f32 choose(simd_u32 mask, simd_f32 a, simd_f32 b)
{
    return (simd_f32)((mask & (simd_u32)a) | (~mask & (simd_u32)b));
}

/* 1 where the comparison is true. */
SIMD_INLINE simd_f32 truth(simd_u32 mask) { return (simd_f32)(mask & 0x3F800000u); }

SIMD_INLINE simd_f32 root(simd_f32 x)
{
#if defined(__AVX512F__)
    return (simd_f32)_mm512_sqrt_ps((__m512)x);
#elif defined(__AVX2__)
    return (simd_f32)_mm256_sqrt_ps((__m256)x);
#elif defined(__x86_64__)
    return (simd_f32)_mm_sqrt_ps((__m128)x);
#elif defined(__aarch64__)
    return (simd_f32)vsqrtq_f32((float32x4_t)x);
#else
    for (int i = 0; i < SIMD_LANES; i++)
        x[i] = sqrtf(x[i]);
    return x;
#endif
}

/* As m_max and m_min: NaN if either is, and y of two zeros. */
SIMD_INLINE simd_f32 larger(simd_f32 x, simd_f32 y) { return choose((simd_u32)(x == x), simd_max(y, x), x); }
SIMD_INLINE simd_f32 smaller(simd_f32 x, simd_f32 y)
{
#if defined(__AVX512F__)
    simd_f32 z = (simd_f32)_mm512_min_ps((__m512)x, (__m512)y);
#elif defined(__AVX2__)
    simd_f32 z = (simd_f32)_mm256_min_ps((__m256)x, (__m256)y);
#elif defined(__x86_64__)
    simd_f32 z = (simd_f32)_mm_min_ps((__m128)x, (__m128)y);
#else
    simd_f32 z = choose((simd_u32)(x < y), x, y);
#endif
    return choose((simd_u32)(x == x), z, x);
}

/* --- rounding: what a store and a load would leave --- */

#define SAME(x) (x)
/* Not for NaN with bits below bfloat16's. Arithmetic on bfloat16 gives none: a processor's own NaN, and one
 * that was an operand, have zeros there. */
SIMD_INLINE simd_f32 round_bf16(simd_f32 x)
{
    simd_u32 u = (simd_u32)x;
#if defined(__AVX512F__)
    __m512i minus = _mm512_ternarylogic_epi32((__m512i)(u >> 16), _mm512_set1_epi32(1),
                                              _mm512_set1_epi32(0x7FFE), 0x15); /* as below */
    return (simd_f32)((u - (simd_u32)minus) & 0xFFFF0000u);
#else
    simd_u32 minus = ~((u >> 16 & 1u) | 0x7FFEu); /* -(0x7FFF + the lowest bit that stays) */
    return (simd_f32)((u - minus) & 0xFFFF0000u);
#endif
}
SIMD_INLINE simd_f32 round_bf16_nan(simd_f32 x) { return simd_from_bf16(simd_to_bf16(x)); }
#if defined(__F16C__) || defined(__aarch64__)
SIMD_INLINE simd_f32 round_f16(simd_f32 x) { return simd_from_f16(simd_to_f16(x)); }
#else /* long */
ONE_COPY static simd_f32 round_f16(simd_f32 x) { return simd_from_f16(simd_to_f16(x)); }
#endif
SIMD_INLINE simd_f32 round_bool(simd_f32 x) { return truth((simd_u32)(x != 0)); }

STEP(to_f16, , MAKE, round_f16)
STEP(to_bf16, , MAKE, round_bf16_nan)
STEP(to_bool, , MAKE, round_bool)

/* --- loads and stores of rounded values --- */

typedef uint8_t bytes __attribute__((vector_size(SIMD_LANES)));

SIMD_INLINE simd_f32 get_f16(const uint16_t *p) { return simd_from_f16(simd_load_u16(p)); }
SIMD_INLINE simd_f32 get_bf16(const uint16_t *p) { return simd_from_bf16(simd_load_u16(p)); }
SIMD_INLINE simd_f32 get_bool(const uint8_t *p)
{
    bytes b;
    memcpy(&b, p, sizeof b);
    return truth((simd_u32)(__builtin_convertvector(b, simd_u32) != 0));
}
SIMD_INLINE void put_u16(uint16_t *p, simd_u16 h) { memcpy(p, &h, sizeof h); }
SIMD_INLINE void put_f16(uint16_t *p, simd_f32 x) { put_u16(p, simd_to_f16(x)); }
SIMD_INLINE void put_bf16(uint16_t *p, simd_f32 x)
{
    put_u16(p, __builtin_convertvector((simd_u32)x >> 16, simd_u16));
}
SIMD_INLINE void put_bool(uint8_t *p, simd_f32 x)
{
    bytes b = __builtin_convertvector((simd_u32)x >> 29, bytes); /* 1 of 0x3F800000 */
    memcpy(p, &b, sizeof b);
}
#define SPLAT(i, x) v##i = x;

STEP(load_f32, AT(const float), LOAD, simd_load_f32)
STEP(load_f16, AT(const uint16_t), LOAD, get_f16)
STEP(load_bf16, AT(const uint16_t), LOAD, get_bf16)
STEP(load_bool, AT(const uint8_t), LOAD, get_bool)
STEP(splat, AT(const float); simd_f32 x = simd_set1(*m), SPLAT, x)
STEP(store_f32, AT(float), STORE, simd_store_f32)
STEP(store_f16, AT(uint16_t), STORE, put_f16)
STEP(store_bf16, AT(uint16_t), STORE, put_bf16)
STEP(store_bool, AT(uint8_t), STORE, put_bool)

/* Stores that go past the caches: large results would only push out of them what is to come, and be fetched
 * before they are written. */
#if defined(__x86_64__)
#if defined(__AVX512F__)
SIMD_INLINE void pass_f32(float *p, simd_f32 x) { _mm512_stream_ps(p, (__m512)x); }
SIMD_INLINE void pass_u16(uint16_t *p, simd_u16 h) { _mm256_stream_si256((__m256i *)(void *)p, (__m256i)h); }
#elif defined(__AVX2__)
SIMD_INLINE void pass_f32(float *p, simd_f32 x) { _mm256_stream_ps(p, (__m256)x); }
SIMD_INLINE void pass_u16(uint16_t *p, simd_u16 h) { _mm_stream_si128((__m128i *)(void *)p, (__m128i)h); }
#else
SIMD_INLINE void pass_f32(float *p, simd_f32 x) { _mm_stream_ps(p, (__m128)x); }
SIMD_INLINE void pass_u16(uint16_t *p, simd_u16 h)
{
    long long bits;
    memcpy(&bits, &h, sizeof bits);
    _mm_stream_si64((long long *)(void *)p, bits);
}
#endif
static void settle(void) { _mm_sfence(); }
#else
SIMD_INLINE void pass_f32(float *p, simd_f32 x) { simd_store_f32(p, x); }
SIMD_INLINE void pass_u16(uint16_t *p, simd_u16 h) { put_u16(p, h); }
static void settle(void) {}
#endif
SIMD_INLINE void pass_f16(uint16_t *p, simd_f32 x) { pass_u16(p, simd_to_f16(x)); }
SIMD_INLINE void pass_bf16(uint16_t *p, simd_f32 x)
{
    pass_u16(p, __builtin_convertvector((simd_u32)x >> 16, simd_u16));
}
#define STREAM(kind, T, put)                \
    static void stream_##kind(ARGS)         \
    {                                       \
        AT(T);                              \
        if ((uintptr_t)m % 64 == 0) {       \
            EACH_VECTOR(STORE, pass_##kind) \
        } else {                            \
            EACH_VECTOR(STORE, put)         \
        }                                   \
        NEXT                                \
    }
STREAM(f32, float, simd_store_f32)
STREAM(f16, uint16_t, put_f16)
STREAM(bf16, uint16_t, put_bf16)

/* --- operations --- */

#define SELECT(i, n) v##i = choose((simd_u32)(v##i != 0), LOADED(m, i), LOADED(n, i));
#define LOADED(m, i) simd_load_f32((m) + (i)*SIMD_LANES)
STEP(select_block, AT(const float); const float *n = (const float *)t->at[s->b], SELECT, n)

/* clang-format off */
#define UNARIES(X)                                 \
    X(abs, (simd_f32)((simd_u32)x & 0x7FFFFFFFu))  \
    X(negative, -x)                                \
    X(square, x * x)                               \
    X(sqrt, root(x))                               \
    X(rsqrt, 1 / root(x))                          \
    X(reciprocal, 1 / x)                           \
    X(logical_not, truth((simd_u32)(x == 0)))
#define BINARIES(X)             \
    X(add, x + y)               \
    X(subtract, x - y)          \
    X(multiply, x * y)          \
    X(divide, x / y)            \
    X(maximum, larger(x, y))    \
    X(minimum, smaller(x, y))
#define COMPARISONS(X)          \
    X(equal, x == y)            \
    X(not_equal, x != y)        \
    X(less, x < y)              \
    X(less_equal, x <= y)       \
    X(greater, x > y)           \
    X(greater_equal, x >= y)    \
    X(nan_equal, (x == y) | ((x != x) & (y != y)))
/* clang-format on */

#define MAKE_ROUNDED(i, f, round) v##i = round(f(v##i));
#define UNARY_STEPS(name, value)                                \
    SIMD_INLINE simd_f32 f_##name(simd_f32 x) { return value; } \
    STEP(name##_f32, , MAKE, f_##name)                          \
    STEP(name##_f16, , MAKE_ROUNDED, f_##name, round_f16)       \
    STEP(name##_bf16, , MAKE_ROUNDED, f_##name, round_bf16)
UNARIES(UNARY_STEPS)

#define BLOCK_MEMORY(i, f, round) v##i = round(f(v##i, LOADED(m, i)));
#define MEMORY_BLOCK(i, f, round) v##i = round(f(LOADED(m, i), v##i));
#define BLOCK_ONE(i, f, round)    v##i = round(f(v##i, one));
#define ONE_BLOCK(i, f, round)    v##i = round(f(one, v##i));
#define FORMS(name, f, round)                                                                  \
    STEP(name##_block_memory, AT(const float), BLOCK_MEMORY, f, round)                         \
    STEP(name##_memory_block, AT(const float), MEMORY_BLOCK, f, round)                         \
    STEP(name##_block_one, AT(const float); simd_f32 one = simd_set1(*m), BLOCK_ONE, f, round) \
    STEP(name##_one_block, AT(const float); simd_f32 one = simd_set1(*m), ONE_BLOCK, f, round)
#define BINARY_STEPS(name, value)                                           \
    SIMD_INLINE simd_f32 f_##name(simd_f32 x, simd_f32 y) { return value; } \
    FORMS(name##_f32, f_##name, SAME)                                       \
    FORMS(name##_f16, f_##name, round_f16)                                  \
    FORMS(name##_bf16, f_##name, round_bf16)
BINARIES(BINARY_STEPS)

#define COMPARISON_STEPS(name, mask)                                                          \
    SIMD_INLINE simd_f32 f_##name(simd_f32 x, simd_f32 y) { return truth((simd_u32)(mask)); } \
    FORMS(name##_f32, f_##name, SAME)
COMPARISONS(COMPARISON_STEPS)

/* Kernels of one and of two arguments, over the block in memory. */
#define CALLS(kind, round)                                                                 \
    static void call_unary_##kind(ARGS)                                                    \
    {                                                                                      \
        float *m = t->scratch;                                                             \
        EACH_VECTOR(STORE, simd_store_f32)                                                 \
        s->call.one(m, 1, m, BLOCK);                                                       \
        EACH_VECTOR(LOAD, simd_load_f32)                                                   \
        EACH_VECTOR(MAKE, round)                                                           \
        NEXT                                                                               \
    }                                                                                      \
    static void call_binary_##kind(ARGS)                                                   \
    {                                                                                      \
        float *m = t->scratch;                                                             \
        const void *other = t->at[s->a];                                                   \
        ptrdiff_t stride = s->form == CHAIN_BLOCK_MEMORY || s->form == CHAIN_MEMORY_BLOCK; \
        EACH_VECTOR(STORE, simd_store_f32)                                                 \
        if (s->form == CHAIN_BLOCK_MEMORY || s->form == CHAIN_BLOCK_ONE)                   \
            s->call.two(m, 1, other, stride, m, BLOCK);                                    \
        else                                                                               \
            s->call.two(other, stride, m, 1, m, BLOCK);                                    \
        EACH_VECTOR(LOAD, simd_load_f32)                                                   \
        EACH_VECTOR(MAKE, round)                                                           \
        NEXT                                                                               \
    }
CALLS(f32, SAME)
CALLS(f16, round_f16)
CALLS(bf16, round_bf16_nan)

static void end(ARGS)
{
    (void)s, (void)t, (void)v0, (void)v1, (void)v2, (void)v3, (void)v4, (void)v5, (void)v6, (void)v7;
}

static void run(const chain_step *first, chain_state *state)
{
    simd_f32 v = {0};
    ((step_fn)first->fn)(first, state, v, v, v, v, v, v, v, v);
}

static void fill_operations(chain_kernels *t)
{
#define FILL_UNARY(name, value)                             \
    t->unary[CPU_##name][CHAIN_F32] = (chain_fn)name##_f32; \
    t->unary[CPU_##name][CHAIN_F16] = (chain_fn)name##_f16; \
    t->unary[CPU_##name][CHAIN_BF16] = (chain_fn)name##_bf16;
    UNARIES(FILL_UNARY)
#define FILL_FORMS(name, kind, KIND)                                                       \
    t->binary[CPU_##name][CHAIN_BLOCK_MEMORY][KIND] = (chain_fn)name##kind##_block_memory; \
    t->binary[CPU_##name][CHAIN_BLOCK_ONE][KIND] = (chain_fn)name##kind##_block_one;       \
    t->binary[CPU_##name][CHAIN_MEMORY_BLOCK][KIND] = (chain_fn)name##kind##_memory_block; \
    t->binary[CPU_##name][CHAIN_ONE_BLOCK][KIND] = (chain_fn)name##kind##_one_block;
#define FILL_COMPARISON(name, mask) FILL_FORMS(name, _f32, CHAIN_F32)
#define FILL_BINARY(name, value)      \
    FILL_FORMS(name, _f32, CHAIN_F32) \
    FILL_FORMS(name, _f16, CHAIN_F16) \
    FILL_FORMS(name, _bf16, CHAIN_BF16)
    BINARIES(FILL_BINARY)
    COMPARISONS(FILL_COMPARISON)
}

void FILL(chain)(chain_kernels *t)
{
    t->block = BLOCK;
    t->run = run;
#define FILL_KIND(kind, KIND)              \
    t->load[KIND] = (chain_fn)load_##kind; \
    t->store[KIND] = (chain_fn)store_##kind;
    FILL_KIND(f32, CHAIN_F32)
    FILL_KIND(f16, CHAIN_F16)
    FILL_KIND(bf16, CHAIN_BF16)
    FILL_KIND(bool, CHAIN_BOOL)
#define FILL_CALLS(kind, KIND)                         \
    t->call_unary[KIND] = (chain_fn)call_unary_##kind; \
    t->call_binary[KIND] = (chain_fn)call_binary_##kind;
    FILL_CALLS(f32, CHAIN_F32)
    FILL_CALLS(f16, CHAIN_F16)
    FILL_CALLS(bf16, CHAIN_BF16)
    t->round[CHAIN_F16] = (chain_fn)to_f16;
    t->round[CHAIN_BF16] = (chain_fn)to_bf16;
    t->round[CHAIN_BOOL] = (chain_fn)to_bool;
    t->stream[CHAIN_F32] = (chain_fn)stream_f32;
    t->stream[CHAIN_F16] = (chain_fn)stream_f16;
    t->stream[CHAIN_BF16] = (chain_fn)stream_bf16;
    t->stream[CHAIN_BOOL] = (chain_fn)store_bool;
    t->settle = settle;
    t->splat = (chain_fn)splat;
    t->select = (chain_fn)select_block;
    t->end = (chain_fn)end;
    fill_operations(t);
}
