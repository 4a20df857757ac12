/* The best of several sequences: which those are is known at the end, so until then their events are kept. */
#include "llm/engine.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

int answer_keep(answer *a, const lm_event *event)
{
    kept_event *grown = mem_grow(a->kept, &a->kept_cap, a->n_kept + 1, sizeof *grown);
    if (!grown)
        return -1;
    a->kept = grown;
    a->kept[a->n_kept++] = (kept_event){*event, a->kept_text.len, a->kept_top.len};
    strbuf_add(&a->kept_text, event->text, event->len);
    strbuf_add(&a->kept_top, (const char *)event->top, event->n_top * sizeof *event->top);
    if (!a->kept_text.failed && !a->kept_top.failed)
        return 0;
    a->n_kept--;
    return -1;
}

static double score(const answer *a) { return a->generated ? a->logprobs / (double)a->generated : -1e30; }

/* The more probable first; one that failed last. */
static int by_score(const void *x, const void *y)
{
    const answer *a = *(answer *const *)x, *b = *(answer *const *)y;
    return score(a) != score(b) ? (score(a) < score(b) ? 1 : -1) : a->index - b->index;
}

static void replay(const answer *a, int index)
{
    bool ended = false;
    for (size_t i = 0; i < a->n_kept; i++) {
        lm_event event = a->kept[i].event;
        const char *top = strbuf_text(&a->kept_top) + a->kept[i].top_at;
        event.index = index;
        event.text = strbuf_text(&a->kept_text) + a->kept[i].text_at;
        memcpy(a->request->engine->top, top, event.n_top * sizeof *event.top);
        event.top = a->request->engine->top;
        request_tell(a->request, &event);
        ended = event.finish_reason != NULL;
    }
    if (ended)
        return;
    lm_event event = answer_event(a); /* memory ran out while events were kept */
    event.index = index;
    event.finish_reason = "error";
    event.error = a->request->error;
    request_tell(a->request, &event);
}

void request_tell_best(engine_request *q)
{
    answer **order = mem_alloc(q->n_answers, sizeof(answer *));
    for (size_t i = 0; order && i < q->n_answers; i++)
        order[i] = &q->answers[i];
    if (order)
        qsort(order, q->n_answers, sizeof(answer *), by_score);
    for (int i = 0; i < q->r.n; i++)
        replay(order ? order[i] : &q->answers[i], i);
    mem_free(order);
}
