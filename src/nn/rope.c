/* Rotary positions: pair i of a head turns by position / period[i], period[i] = base^(2i / dims) by default.
 *
 * linear   positions are divided by a factor
 * llama3   long periods are multiplied by the factor, short ones kept, those between blended
 * yarn     the same idea with a ramp over the pair's index, and q and k are scaled by 0.1 ln(factor) + 1
 * longrope a factor for each period, of one list for short texts and of another for long ones
 *
 * config.json has two spellings: rope_theta beside rope_scaling {type | rope_type, ...}, and since
 * transformers 5 rope_parameters {rope_theta, rope_type, ...}. Others (dynamic) are refused. */
#include "nn/rope.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

static void periods_default(float *p, int n, float base)
{
    for (int i = 0; i < n; i++)
        p[i] = powf(base, (float)i / (float)n);
}

static void periods_llama3(float *p, int n, const cfg *s)
{
    float factor = cfg_float(s, "factor", 8), low = cfg_float(s, "low_freq_factor", 1),
          high = cfg_float(s, "high_freq_factor", 4),
          original = (float)cfg_size(s, "original_max_position_embeddings", 8192);
    if (!(factor > 0) || !(high > low))
        cfg_error(s, "factor", "and the frequency factors do not describe llama3 scaling");
    for (int i = 0; i < n; i++) {
        float wavelength = 6.283185307179586f * p[i];
        float smooth = (original / wavelength - low) / (high - low);
        smooth = smooth < 0 ? 0 : smooth > 1 ? 1 : smooth;
        p[i] = p[i] / ((1 - smooth) / factor + smooth);
    }
}

/* The (fractional) index of the pair that turns `turns` times over `length` positions. */
static double yarn_index(double turns, int n, double base, double length)
{
    return n * log(length / (turns * 6.283185307179586)) / log(base);
}

static void periods_yarn(float *p, int n, const cfg *s, float base, float original)
{
    float factor = cfg_float(s, "factor", 1), fast = cfg_float(s, "beta_fast", 32),
          slow = cfg_float(s, "beta_slow", 1);
    if (!(factor > 0) || !(fast > 0) || !(slow > 0) || !(base > 1)) {
        cfg_error(s, "factor", "and the betas do not describe yarn scaling");
        return;
    }
    double low = yarn_index(fast, n, base, original), high = yarn_index(slow, n, base, original);
    if (cfg_bool(s, "truncate", true)) {
        low = floor(low);
        high = ceil(high);
    }
    low = fmax(low, 0);
    high = fmin(high, 2 * n - 1);
    if (high == low)
        high += 0.001;
    for (int i = 0; i < n; i++) {
        double ramp = fmin(fmax((i - low) / (high - low), 0), 1); /* 0: keep, 1: stretch */
        p[i] = (float)(1 / (ramp / (factor * p[i]) + (1 - ramp) / p[i]));
    }
}

static float yarn_scale(float factor, float m) { return factor <= 1 ? 1 : 0.1f * m * logf(factor) + 1; }

/* What yarn multiplies the rotated part with. */
static float yarn_mscale(const cfg *s)
{
    float factor = cfg_float(s, "factor", 1);
    if (cfg_has(s, "attention_factor"))
        return cfg_float(s, "attention_factor", 1);
    float m = cfg_float(s, "mscale", 0), all = cfg_float(s, "mscale_all_dim", 0);
    if (m != 0 && all != 0)
        return yarn_scale(factor, m) / yarn_scale(factor, all);
    return yarn_scale(factor, 1);
}

/* Puts n periods into a slot. */
static void set_slot(const cfg *c, mlx_array *slot, const float *p, int n)
{
    size_t mark = mx_mark();
    mx_set(slot, mx_from(p, SHAPE(n), MLX_FLOAT32));
    mx_release(mark);
    if (mx_is_null(*slot))
        c->file->failed = true;
}

/* What a text was at most when the model learned its positions. */
static int original_length(const cfg *c, const cfg *s)
{
    int trained = cfg_size(c, "max_position_embeddings", 2048);
    return cfg_size(s, "original_max_position_embeddings",
                    cfg_size(c, "original_max_position_embeddings", trained));
}

/* Periods times the factors of a list, which has one for each. */
static void set_stretched(const cfg *c, const cfg *s, const char *key, mlx_array *slot, float *p, int n,
                          float base)
{
    periods_default(p, n, base);
    for (int i = 0; i < n; i++) {
        double factor = 0;
        if (!cfg_number(s, key, (size_t)i, &factor) || !(factor > 0)) {
            cfg_error(s, key, "must have a number above 0 for each pair that rotates");
            return;
        }
        p[i] *= (float)factor;
    }
    set_slot(c, slot, p, n);
}

static void set_longrope(nn_rope *r, const cfg *c, const cfg *s, float *p)
{
    int n = r->dims / 2;
    r->long_from = original_length(c, s);
    float most = (float)cfg_size(c, "max_position_embeddings", r->long_from);
    float factor = cfg_float(s, "factor", most / (float)r->long_from);
    r->mscale = factor <= 1 ? 1 : sqrtf(1 + logf(factor) / logf((float)r->long_from));
    r->mscale = cfg_float(s, "attention_factor", r->mscale);
    set_stretched(c, s, "short_factor", &r->freqs, p, n, r->base);
    set_stretched(c, s, "long_factor", &r->long_freqs, p, n, r->base);
}

static void set_freqs(nn_rope *r, const cfg *c, const cfg *s, const char *kind)
{
    int n = r->dims / 2;
    float *p = mem_alloc((size_t)n, sizeof *p);
    if (!p) {
        c->file->failed = true;
        return;
    }
    periods_default(p, n, r->base);
    if (strcmp(kind, "llama3") == 0) {
        periods_llama3(p, n, s);
        set_slot(c, &r->freqs, p, n);
    } else if (strcmp(kind, "yarn") == 0) {
        periods_yarn(p, n, s, r->base, (float)original_length(c, s));
        r->mscale = yarn_mscale(s);
        set_slot(c, &r->freqs, p, n);
    } else {
        set_longrope(r, c, s, p);
    }
    mem_free(p);
}

static void set_kind(nn_rope *r, const cfg *c, const cfg *scaling)
{
    static const char *const LISTED[] = {"llama3", "yarn", "longrope", "su"};
    const char *kind = cfg_string(scaling, "rope_type", cfg_string(scaling, "type", "default"));
    for (size_t i = 0; i < sizeof LISTED / sizeof *LISTED; i++)
        if (strcmp(kind, LISTED[i]) == 0) {
            set_freqs(r, c, scaling, kind);
            return;
        }
    if (strcmp(kind, "linear") == 0) {
        float factor = cfg_float(scaling, "factor", 0);
        if (!(factor > 0))
            cfg_error(scaling, "factor", "must be above 0");
        r->scale = 1 / factor;
    } else if (strcmp(kind, "dynamic") == 0 &&
               cfg_has(scaling, "alpha")) { /* hunyuan: the same at any length */
        r->base *= powf(cfg_float(scaling, "alpha", 1), (float)r->dims / (float)(r->dims - 2));
    } else if (strcmp(kind, "default") != 0 && strcmp(kind, "mrope") != 0) {
        cfg_error(scaling, "rope_type",
                  "is of a kind that is not known; known: default, linear, llama3, yarn, longrope");
    }
}

static nn_rope read(const cfg *c, const cfg *parameters, int head_dim, float theta)
{
    cfg scaling = parameters->node ? *parameters : cfg_object(c, "rope_scaling", "rope_scaling.");
    theta = cfg_float(parameters, "rope_theta", theta);
    float part = cfg_float(parameters, "partial_rotary_factor", cfg_float(c, "partial_rotary_factor", 1));
    nn_rope r = {.dims = part > 0 && part <= 1 ? (int)((float)head_dim * part) : 0,
                 .traditional = cfg_bool(c, "rope_traditional", false),
                 .base = theta,
                 .scale = 1,
                 .mscale = 1};
    if (r.dims < 2 || r.dims % 2 || !(theta > 0))
        cfg_error(c, "head_dim", "with partial_rotary_factor and rope_theta gives no rotary positions");
    else
        set_kind(&r, c, &scaling);
    return r;
}

nn_rope nn_rope_from(const cfg *c, int head_dim)
{
    cfg parameters = cfg_object(c, "rope_parameters", "rope_parameters.");
    if (cfg_has(&parameters, "full_attention") || cfg_has(&parameters, "sliding_attention"))
        cfg_error(c, "rope_parameters", "differs by layer type, which this family does not have");
    return read(c, &parameters, head_dim, cfg_float(c, "rope_theta", 10000));
}

nn_rope nn_rope_of_type(const cfg *c, const char *layer_type, int head_dim, float theta)
{
    cfg parameters = cfg_object(c, "rope_parameters", "rope_parameters.");
    cfg own = cfg_object(&parameters, layer_type, "rope_parameters.");
    return read(c, own.node ? &own : &parameters, head_dim, theta);
}

float nn_rope_score_scale(const cfg *c)
{
    cfg parameters = cfg_object(c, "rope_parameters", "rope_parameters.");
    cfg s = parameters.node ? parameters : cfg_object(c, "rope_scaling", "rope_scaling.");
    float all = cfg_float(&s, "mscale_all_dim", 0), m = yarn_scale(cfg_float(&s, "factor", 1), all);
    return all != 0 ? m * m : 1;
}

void nn_rope_free(nn_rope *r)
{
    mx_set(&r->freqs, MX_NULL);
    mx_set(&r->long_freqs, MX_NULL);
}

/* Rows become the entries of the first axis, which may have an offset each: (1, H, L, D) -> (L, H, 1, D). */
static mlx_array rotate_each(const nn_rope *r, mlx_array x, mlx_array each, mlx_array freqs)
{
    static const int SWAP[] = {2, 1, 0, 3};
    mlx_array y =
        mx_rope_dynamic(mx_transpose(x, SWAP, 4), r->dims, r->traditional, r->base, r->scale, each, freqs);
    return mx_transpose(y, SWAP, 4);
}

static mlx_array rotate(const nn_rope *r, mlx_array x, nn_positions at, mlx_array freqs)
{
    if (!mx_is_null(at.each))
        return rotate_each(r, x, at.each, freqs);
    return mx_rope(x, r->dims, r->traditional, r->base, r->scale, at.first, freqs);
}

mlx_array nn_rotate(const nn_rope *r, mlx_array x, nn_positions at)
{
    if (r->dims == 0 || mx_is_null(x))
        return x;
    if (r->mscale != 1) {
        mlx_array m = mx_float(r->mscale, mx_dtype_of(x));
        int d = mx_dim(x, -1);
        mlx_array parts[2] = {mx_multiply(mx_slice_axis(x, -1, 0, r->dims), m),
                              mx_slice_axis(x, -1, r->dims, d)};
        x = r->dims == d ? mx_multiply(x, m) : mx_concatenate(parts, 2, -1);
    }
    if (r->long_from == 0 || (mx_is_null(at.each) && at.total <= r->long_from))
        return rotate(r, x, at, r->freqs);
    mlx_array y = rotate(r, x, at, r->long_freqs);
    if (mx_is_null(at.each))
        return y;
    mlx_array is_long = mx_greater(at.totals, mx_int(r->long_from, MLX_INT32));
    return mx_where(mx_expand_dims(is_long, -1), y, rotate(r, x, at, r->freqs));
}

mlx_array nn_position_numbers(nn_positions at, int L)
{
    return mx_is_null(at.each) ? mx_arange(at.first, at.first + L, 1, MLX_FLOAT32)
                               : mx_astype(at.each, MLX_FLOAT32);
}
