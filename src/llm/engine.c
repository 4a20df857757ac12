/* What the public functions of the engine do: requests come in by a list under the lock, and the thread that
 * steps takes them from there. */
#include "llm/engine.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "kernels/threefry.h"

#include <stdint.h>
#include <string.h>
#include <time.h>

enum { BATCH_TOKENS = 512, SEQUENCES = 64, WAITING = 1024 };

static int chosen(int value, int otherwise) { return value ? value : otherwise; }

static int check(const lm_engine_options *o)
{
    const struct {
        const char *name;
        int value, most;
    } rows[] = {{"max_batch_tokens", o->max_batch_tokens, 1 << 20},
                {"max_sequences", o->max_sequences, 1 << 16},
                {"max_length", o->max_length, INT32_MAX}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].value < 0 || rows[i].value > rows[i].most)
            return error_set("%s must be from 0 to %d, not %d", rows[i].name, rows[i].most, rows[i].value);
    if (o->max_waiting < -1)
        return error_set("max_waiting must be -1 or more, not %d", o->max_waiting);
    if (o->kv_bits != 0 && o->kv_bits != 4 && o->kv_bits != 8)
        return error_set("kv_bits must be 0, 4 or 8, not %d", o->kv_bits);
    return 0;
}

static int start(lm_engine *e, const lm_engine_options *o)
{
    int tokens = chosen(o->max_batch_tokens, BATCH_TOKENS), sequences = chosen(o->max_sequences, SEQUENCES);
    struct timespec now = {0};
    timespec_get(&now, TIME_UTC);
    e->seeds = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    sched_options s = {.max_batch_tokens = tokens,
                       .max_sequences = o->max_sequences || sequences < tokens ? sequences : tokens,
                       .no_prefix_cache = o->no_prefix_cache,
                       .hash_seed = e->seeds ^ (uintptr_t)e};
    e->max_queued = o->max_waiting < 0 ? SIZE_MAX : (size_t)chosen(o->max_waiting, WAITING);
    if (check(o) || engine_pools_new(e, o, &s) || sched_init(&e->sched, &s))
        return -1;
    size_t position = e->model->info.max_position > 0 ? (size_t)e->model->info.max_position : SIZE_MAX;
    e->max_length = sched_capacity(&e->sched) < position ? sched_capacity(&e->sched) : position;
    if (o->max_length > 0 && (size_t)o->max_length < e->max_length)
        e->max_length = (size_t)o->max_length;
    lm_sampling plain = LM_SAMPLING_DEFAULT;
    e->top = mem_alloc(e->vocab, sizeof *e->top);
    e->row = mem_alloc(e->vocab, sizeof *e->row);
    return e->top && e->row
               ? sampler_init(&e->scratch, &plain, (int)e->vocab, e->model->special, e->model->n_special)
               : -1;
}

lm_engine *lm_engine_new(const lm_model *model, const lm_engine_options *options)
{
    static const lm_engine_options NONE;
    lm_begin();
    lm_engine *e = mem_calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->model = model;
    e->vocab = (size_t)model->info.vocab_size;
    e->inbox_end = &e->inbox;
    e->active_end = &e->active;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->work, NULL);
    if (start(e, options ? options : &NONE)) {
        lm_engine_free(e);
        return NULL;
    }
    engine_publish(e);
    return e;
}

static void free_list(lm_engine *e, engine_request *q)
{
    for (engine_request *next; q; q = next) {
        next = q->next;
        for (size_t i = 0; i < q->n_answers; i++) {
            sched_remove(&e->sched, &q->answers[i].q);
            if (i == 0)
                prefix_drop(&e->sched.blocks, q->answers[i].q.root);
        }
        request_free(q);
    }
}

void lm_engine_free(lm_engine *e)
{
    if (!e)
        return;
    free_list(e, e->active);
    free_list(e, e->inbox);
    sched_free(&e->sched);
    engine_pools_free(e);
    sampler_free(&e->scratch);
    mem_free(e->logits);
    mem_free(e->row);
    mem_free(e->top);
    pthread_mutex_destroy(&e->lock);
    pthread_cond_destroy(&e->work);
    mem_free(e);
}

/* Puts a request into the inbox, if there is room. */
static int enqueue(lm_engine *e, engine_request *q, uint64_t *id)
{
    pthread_mutex_lock(&e->lock);
    size_t queued = e->queued;
    bool full = queued >= e->max_queued, stopping = e->stopping == 2;
    if (full || stopping) {
        e->stats.refused++;
    } else {
        q->id = ++e->ids;
        if (id)
            *id = q->id;
        if (!q->r.sampling.seeded)
            for (size_t i = 0; i < q->n_answers; i++)
                threefry_key(e->seeds += 0x9E3779B97F4A7C15u, q->answers[i].sampler.state);
        *e->inbox_end = q;
        e->inbox_end = &q->next;
        e->queued++;
        e->stats.submitted++;
        pthread_cond_broadcast(&e->work);
    }
    pthread_mutex_unlock(&e->lock);
    if (full)
        error_set("the queue is full: %zu requests are waiting", queued);
    else if (stopping)
        error_set("the engine is stopping and takes no more requests");
    return full || stopping ? LM_BUSY : 0;
}

int lm_engine_submit(lm_engine *e, const lm_request *request, lm_event_fn fn, void *user, uint64_t *id)
{
    lm_begin();
    engine_request *q = request_new(e, request, fn, user);
    if (!q)
        return -1;
    int rc = enqueue(e, q, id);
    if (rc)
        request_free(q);
    return rc;
}

void lm_engine_cancel(lm_engine *e, uint64_t id)
{
    pthread_mutex_lock(&e->lock);
    engine_request *const lists[] = {e->active, e->inbox};
    for (int i = 0; i < 2; i++)
        for (engine_request *q = lists[i]; q; q = q->next)
            if (q->id == id)
                atomic_store(&q->cancelled, true);
    pthread_mutex_unlock(&e->lock);
}

void lm_engine_get_stats(lm_engine *e, lm_engine_stats *stats)
{
    pthread_mutex_lock(&e->lock);
    *stats = e->stats;
    pthread_mutex_unlock(&e->lock);
}

void lm_engine_stop(lm_engine *e, bool drain)
{
    pthread_mutex_lock(&e->lock);
    e->stopping = drain ? 2 : 1;
    pthread_cond_broadcast(&e->work);
    pthread_mutex_unlock(&e->lock);
}

void lm_engine_run(lm_engine *e)
{
    for (bool more = true;;) {
        pthread_mutex_lock(&e->lock);
        while (!more && !e->inbox && !e->stopping)
            pthread_cond_wait(&e->work, &e->lock);
        more = more || e->inbox;
        bool stop = e->stopping == 1 || (e->stopping == 2 && !more);
        if (stop)
            e->stopping = 0;
        pthread_mutex_unlock(&e->lock);
        if (stop)
            return;
        more = lm_engine_step(e) > 0;
    }
}
