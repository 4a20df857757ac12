/* Drafts by looking back (prompt lookup): where the last few tokens stood before, what followed then may
 * follow again. Long matches count before short ones, late places before early ones. What is drawn does not
 * depend on drafts: each token is drawn from its own logits, and drafts that it does not agree with are
 * forgotten. */
#include "llm/engine.h"

enum { LONGEST = 4, MOST = 32, LOOK_BACK = 8192 };

/* The place behind the latest earlier occurrence of the last n tokens, or 0. */
static size_t find(const sequence *q, size_t n)
{
    const int *tokens = q->tokens, *end = tokens + q->count - n;
    size_t first = q->count > LOOK_BACK ? q->count - LOOK_BACK : 0;
    for (size_t at = q->count - n; at-- > first;) {
        size_t k = 0;
        while (k < n && tokens[at + k] == end[k])
            k++;
        if (k == n)
            return at + n;
    }
    return 0;
}

void answer_guess(answer *a)
{
    const engine_request *r = a->request;
    sequence *q = &a->q;
    int ids[MOST];
    size_t rest = r->limit - a->generated, most = (size_t)r->r.drafts, n = 0;
    most = most > MOST ? MOST : most;
    most = rest > 0 && most > rest - 1 ? rest - 1 : most;
    if (q->state != SCHED_RUNNING || q->computed + 1 != q->count || q->computed < q->prompt)
        return;
    for (size_t length = LONGEST; length > 1 && n == 0; length--) {
        size_t from = q->count > length ? find(q, length) : 0;
        for (; from && n < most && from + n < q->count; n++)
            ids[n] = q->tokens[from + n];
    }
    sched_draft(&r->engine->sched, q, ids, n);
}
