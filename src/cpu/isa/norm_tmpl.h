/* The row kernels for one stored format. Expects NAME(n), SIZE (bytes an element) and the vector LOAD,
 * LOAD_PART, STORE, STORE_PART of that format; undefines them. */

SIMD_INLINE simd_f32 NAME(get)(const char *x, size_t i, size_t n)
{
    return n - i >= SIMD_LANES ? LOAD(x + i * SIZE) : LOAD_PART(x + i * SIZE, n - i);
}

SIMD_INLINE void NAME(put)(char *y, size_t i, size_t n, simd_f32 v)
{
    if (n - i >= SIMD_LANES)
        STORE(y + i * SIZE, v);
    else
        STORE_PART(y + i * SIZE, v, n - i);
}

/* --- norms --- */

/* Sum of (x - shift)^p, p = 1 or 2, of at most SEGMENT elements. */
SIMD_INLINE float NAME(sum_segment)(const char *x, size_t n, float shift, const int power)
{
    simd_f32 sum[4] = {0}, s = simd_set1(shift);
    size_t i = 0;
    for (; i + 4 * SIMD_LANES <= n; i += 4 * SIMD_LANES)
        UNROLL
    for (size_t j = 0; j < 4; j++) {
        simd_f32 d = LOAD(x + (i + j * SIMD_LANES) * SIZE) - s;
        sum[j] += power == 2 ? d * d : d;
    }
    for (; i + SIMD_LANES <= n; i += SIMD_LANES) {
        simd_f32 d = LOAD(x + i * SIZE) - s;
        sum[0] += power == 2 ? d * d : d;
    }
    float rest = 0, last[SIMD_LANES];
    if (i < n)
        simd_store_f32(last, LOAD_PART(x + i * SIZE, n - i) - s);
    for (size_t j = 0; i + j < n; j++)
        rest += power == 2 ? last[j] * last[j] : last[j];
    return simd_sum((sum[0] + sum[1]) + (sum[2] + sum[3])) + rest;
}

SIMD_INLINE float NAME(sum)(const char *x, size_t n, float shift, const int power)
{
    float total = 0;
    for (size_t i = 0; i < n; i += SEGMENT)
        total += NAME(sum_segment)(x + i * SIZE, n - i < SEGMENT ? n - i : SEGMENT, shift, power);
    return total;
}

/* y = (x - mean) * factor * w + b */
SIMD_INLINE void NAME(affine)(const char *x, float mean, float factor, const void *w, mlx_dtype w_dtype,
                              const void *b, mlx_dtype b_dtype, size_t n, char *y)
{
    simd_f32 m = simd_set1(mean), f = simd_set1(factor);
    for (size_t i = 0; i < n; i += SIMD_LANES) {
        simd_f32 v = (NAME(get)(x, i, n) - m) * f;
        if (w)
            v *= parameter(w, w_dtype, i, n - i, 1);
        if (b)
            v += parameter(b, b_dtype, i, n - i, 0);
        NAME(put)(y, i, n, v);
    }
}

static void NAME(rms_norm)(const void *x, const void *w, mlx_dtype w_dtype, float eps, size_t n, void *y)
{
    float factor = 1.0f / sqrtf(NAME(sum)(x, n, 0, 2) / (float)n + eps);
    NAME(affine)(x, 0, factor, w, w_dtype, NULL, MLX_FLOAT32, n, y);
}

static void NAME(layer_norm)(const void *x, const void *w, mlx_dtype w_dtype, const void *b,
                             mlx_dtype b_dtype, float eps, size_t n, void *y)
{
    float mean = NAME(sum)(x, n, 0, 1) / (float)n;
    float factor = 1.0f / sqrtf(NAME(sum)(x, n, mean, 2) / (float)n + eps);
    NAME(affine)(x, mean, factor, w, w_dtype, b, b_dtype, n, y);
}

/* --- softmax --- */

static float NAME(largest)(const char *x, size_t n)
{
    simd_f32 most = simd_set1(-INFINITY);
    size_t i = 0;
    for (; i + SIMD_LANES <= n; i += SIMD_LANES)
        most = simd_max(most, LOAD(x + i * SIZE));
    float max = simd_max_lane(most), last[SIMD_LANES];
    if (i < n)
        simd_store_f32(last, LOAD_PART(x + i * SIZE, n - i));
    for (size_t j = 0; i + j < n; j++)
        max = last[j] > max ? last[j] : max;
    return max;
}

/* Element i on, at most BLOCK, as exp(x - shift) in e (BLOCK floats); returns how many. */
static size_t NAME(exps)(const char *x, size_t i, size_t n, float shift, float *e)
{
    size_t count = n - i < BLOCK ? n - i : BLOCK;
    for (size_t j = 0; j < count; j += SIMD_LANES)
        simd_store_f32(e + j, NAME(get)(x + i * SIZE, j, count));
    exp_block(e, BLOCK, shift);
    return count;
}

static float NAME(sum_exps)(const char *x, size_t n, float shift)
{
    float e[BLOCK] = {0}, rest = 0;
    simd_f32 sum = {0};
    for (size_t i = 0, count; i < n; i += count) {
        simd_f32 part[2] = {0};
        size_t j = 0;
        count = NAME(exps)(x, i, n, shift, e);
        for (; j + 2 * SIMD_LANES <= count; j += 2 * SIMD_LANES) {
            part[0] += simd_load_f32(e + j);
            part[1] += simd_load_f32(e + j + SIMD_LANES);
        }
        for (; j < count; j++)
            rest += e[j];
        sum += part[0] + part[1];
    }
    return simd_sum(sum) + rest;
}

static void NAME(softmax)(const void *x, size_t n, void *y)
{
    float max = NAME(largest)(x, n), factor = 1.0f / NAME(sum_exps)(x, n, max), e[BLOCK] = {0};
    for (size_t i = 0, count; i < n; i += count) {
        count = NAME(exps)(x, i, n, max, e);
        for (size_t j = 0; j < count; j += SIMD_LANES)
            NAME(put)((char *)y + i * SIZE, j, count, simd_load_f32(e + j) * simd_set1(factor));
    }
}

/* An infinite maximum is not subtracted: the sum is then 0 or infinite, and its logarithm the answer. */
static float NAME(logsumexp)(const void *x, size_t n)
{
    float max = NAME(largest)(x, n), shift = isinf(max) ? 0.0f : max;
    return shift + logf(NAME(sum_exps)(x, n, shift));
}

/* --- rotary positions --- */

/* Pairs (i, i + half). */
static void NAME(rope_halves)(const char *x, const float *c, const float *s, size_t half, char *y)
{
    for (size_t i = 0; i < half; i += SIMD_LANES) {
        size_t left = half - i;
        simd_f32 a = NAME(get)(x, i, half), b = NAME(get)(x + half * SIZE, i, half);
        simd_f32 cv = left >= SIMD_LANES ? simd_load_f32(c + i) : simd_load_part_f32(c + i, left);
        simd_f32 sv = left >= SIMD_LANES ? simd_load_f32(s + i) : simd_load_part_f32(s + i, left);
        NAME(put)(y, i, half, a * cv - b * sv);
        NAME(put)(y + half * SIZE, i, half, a * sv + b * cv);
    }
}

/* Pairs (2i, 2i + 1), a block of floats at a time. */
static void NAME(rope_pairs)(const char *x, const float *c, const float *s, size_t half, char *y)
{
    float in[BLOCK], out[BLOCK] = {0};
    for (size_t i = 0; i < half; i += BLOCK / 2) {
        size_t pairs = half - i < BLOCK / 2 ? half - i : BLOCK / 2;
        for (size_t j = 0; j < 2 * pairs; j += SIMD_LANES)
            simd_store_f32(in + j, NAME(get)(x + 2 * i * SIZE, j, 2 * pairs));
        for (size_t j = 0; j < pairs; j++) {
            out[2 * j] = in[2 * j] * c[i + j] - in[2 * j + 1] * s[i + j];
            out[2 * j + 1] = in[2 * j] * s[i + j] + in[2 * j + 1] * c[i + j];
        }
        for (size_t j = 0; j < 2 * pairs; j += SIMD_LANES)
            NAME(put)(y + 2 * i * SIZE, j, 2 * pairs, simd_load_f32(out + j));
    }
}

static void NAME(rope)(const void *x, const float *c, const float *s, size_t half, bool traditional, size_t n,
                       void *y)
{
    if (traditional)
        NAME(rope_pairs)(x, c, s, half, y);
    else
        NAME(rope_halves)(x, c, s, half, y);
    if (x != y && n > 2 * half)
        memcpy((char *)y + 2 * half * SIZE, (const char *)x + 2 * half * SIZE, (n - 2 * half) * SIZE);
}

/* --- SwiGLU --- */

static void NAME(swiglu)(const void *gate, const void *up, size_t n, void *y)
{
    const char *g = gate, *u = up;
    float e[BLOCK] = {0};
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t count = n - i < BLOCK ? n - i : BLOCK;
        for (size_t j = 0; j < count; j += SIMD_LANES)
            simd_store_f32(e + j, -NAME(get)(g + i * SIZE, j, count));
        exp_block(e, BLOCK, 0);
        for (size_t j = 0; j < count; j += SIMD_LANES) {
            simd_f32 gv = NAME(get)(g + i * SIZE, j, count), uv = NAME(get)(u + i * SIZE, j, count);
            NAME(put)((char *)y + i * SIZE, j, count, gv / (simd_load_f32(e + j) + 1.0f) * uv);
        }
    }
}

#undef NAME
#undef SIZE
#undef LOAD
#undef LOAD_PART
#undef STORE
#undef STORE_PART
