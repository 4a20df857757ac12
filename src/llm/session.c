/* A session is the driver of the graph: it marks, lets the model build a step, keeps the logits in a slot,
 * releases every temporary and only then evaluates, so that the graph's edges own the intermediates. */
#include "llm/model.h"

#include "base/error.h"
#include "base/mem.h"

#include <limits.h>
#include <string.h>

/* Positions of one step when logits are asked for many: their memory is this times the vocabulary. */
enum { LOGITS_STEP = 256 };

lm_session *lm_session_new(const lm_model *model)
{
    lm_begin();
    lm_session *s = mem_calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->model = model;
    if (kv_init(&s->cache, model->info.layers, model->kv_dtype)) {
        lm_session_free(s);
        return NULL;
    }
    return s;
}

void lm_session_free(lm_session *s)
{
    if (!s)
        return;
    kv_free(&s->cache);
    mem_free(s->ids);
    mem_free(s);
}

int lm_session_limit(lm_session *s, int limit)
{
    enum { KEEP = 4 };
    const lm_model *m = s->model;
    lm_begin();
    if (limit < KEEP + 2)
        return error_set("a cache cannot be limited to %d tokens: it keeps the first %d and at least 2 more",
                         limit, KEEP);
    if (s->count)
        return error_set("only an empty session's cache can be limited");
    for (int i = 0; i < m->info.layers; i++) {
        kv_spec spec = m->arch->layer(m->self, i);
        if (spec.window || spec.state_bytes || !spec.heads)
            return error_set(
                "the cache of a model of type %s cannot be limited: its layers forget by themselves",
                m->arch->name);
    }
    kv_limit(&s->cache, limit, KEEP);
    return 0;
}

size_t lm_session_length(const lm_session *s) { return s->count; }

const int *lm_session_tokens(const lm_session *s) { return s->ids; }

int lm_session_trim(lm_session *s, size_t n)
{
    lm_begin();
    if (n > s->count)
        return error_set("a session of %zu tokens cannot be trimmed to %zu", s->count, n);
    s->count = n;
    kv_trim(&s->cache, (int)n);
    return 0;
}

int session_check(const lm_session *s, const int *ids, size_t n)
{
    int vocab = s->model->info.vocab_size;
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= vocab)
            return error_set("token id %d is not in the model's vocabulary of %d", ids[i], vocab);
    if (n > INT_MAX / 2 || s->count > INT_MAX / 2 - n)
        return error_set("%zu tokens are too many for a session", n);
    return 0;
}

int session_append(lm_session *s, const int *ids, size_t n)
{
    int *grown = mem_grow(s->ids, &s->cap, s->count + n, sizeof *grown);
    if (!grown)
        return -1;
    s->ids = grown;
    if (n)
        memcpy(s->ids + s->count, ids, n * sizeof *ids);
    s->count += n;
    return 0;
}

int session_push(lm_session *s, int id) { return session_append(s, &id, 1); }

/* Builds the step; its logits go into the slot. */
static int build(lm_session *s, size_t n, bool drawn, bool all, mlx_array *slot)
{
    const lm_model *m = s->model;
    const int *ids = s->ids + kv_offset(&s->cache);
    size_t mark = mx_mark();
    mlx_array tokens = mx_from(ids, SHAPE(1, (int)n), MLX_INT32);
    const int last = (int)n - 1;
    kv_step step = kv_begin(&s->cache, (int)n, all ? NULL : &last, 1);
    int before = nn_drawn_rows(drawn ? (int)n : 0);
    step.positions.total = (int)s->count;
    mlx_array logits = mx_is_null(tokens) ? tokens : m->arch->forward(m->self, tokens, &step);
    nn_drawn_rows(before);
    kv_advance(&s->cache, (int)n);
    mx_set(slot, mx_astype(logits, MLX_FLOAT32));
    mx_release(mark);
    return mx_is_null(*slot) || error_pending() ? -1 : 0;
}

int session_step(lm_session *s, size_t n, bool drawn, bool all, float *logits)
{
    mlx_array slot = MX_NULL;
    int rc = build(s, n, drawn, all, &slot);
    if (rc == 0 && logits)
        rc = mx_read_f32(slot, logits);
    mx_set(&slot, MX_NULL);
    if (rc == 0)
        rc = kv_eval(&s->cache);
    if (rc == 0)
        return 0;
    kv_reset(&s->cache);
    s->count = 0;
    return error_set("the step failed"); /* kept only if nothing told more */
}

int lm_logits(lm_session *s, const int *ids, size_t n, bool all, float *out)
{
    lm_begin();
    if (n == 0)
        return error_set("there are no tokens to give logits for");
    if (session_check(s, ids, n) || session_append(s, ids, n))
        return -1;
    size_t step = all ? LOGITS_STEP : 512, vocab = (size_t)s->model->info.vocab_size;
    while (session_pending(s) > n) { /* what generation left unfed comes without logits */
        size_t k = session_pending(s) - n;
        if (session_step(s, k < step ? k : step, false, false, NULL))
            return -1;
    }
    for (size_t left = n; left;) {
        size_t k = left < step ? left : step;
        bool wanted = all || k == left;
        if (session_step(s, k, n == 1, all, wanted ? out : NULL))
            return -1;
        out += all ? k * vocab : 0;
        left -= k;
    }
    return 0;
}
