/* Inside of lm_model and lm_session. */
#ifndef MICA_LLM_MODEL_H
#define MICA_LLM_MODEL_H

#include "io/config.h"
#include "kv/kv.h"
#include "mica.h"
#include "models/arch.h"
#include "nn/load.h"
#include "text/tokenizer.h"

struct lm_model {
    char *dir;
    cfg_file config;
    const arch *arch;
    void *self; /* the family's struct: weights and sizes */
    arch_info info;
    nn_quantization quantization;
    nn_totals totals;
    size_t mapped; /* bytes of weights in the files */
    mlx_dtype kv_dtype;
    tokenizer *tokenizer;       /* NULL with no_tokenizer */
    struct chat_template *chat; /* NULL if the model has none */
    int *eos;                   /* end tokens */
    size_t n_eos;
    int *special; /* the end tokens and the line break's: what xtc leaves alone */
    size_t n_special;
    double load_seconds;
};

struct lm_session {
    const lm_model *model;
    kv_cache cache;
    int *ids; /* all tokens; the first cache.offset of them are in the cache, the rest is fed by the next step
               */
    size_t count, cap;
    size_t unknown; /* the first so many ids are not known: they came from a file without them */
};

/* Makes room for one more and appends. 0 or -1. */
int session_push(lm_session *s, int id);
/* Are all n ids tokens of the model? 0, or -1 with an error. */
int session_check(const lm_session *s, const int *ids, size_t n);
/* Appends n checked ids; they are fed by the next steps. */
int session_append(lm_session *s, const int *ids, size_t n);
/* Ids that no step has fed yet. */
static inline size_t session_pending(const lm_session *s) { return s->count - (size_t)s->cache.offset; }
/* Feeds the next n pending ids, which were drawn or are a prompt's (nn_drawn_rows). logits NULL: only fills
 * the cache; else gives the last position's vocab_size numbers, or with `all` those of all n positions. 0; on
 * failure -1 and the session is empty, for the cache is lost. */
int session_step(lm_session *s, size_t n, bool drawn, bool all, float *logits);

/* lm_load for those who only take weights one by one: what the checkpoint has in another form is not
 * computed.
 */
lm_model *lm_load_lazily(const char *path, const lm_load_options *options);

/* Starts a public function: whatever failed before is forgotten. */
void lm_begin(void);
/* Bytes of weights mapped by all models: counts up or down. */
void lm_count_mapped(size_t bytes, bool add);

/* Reads the end tokens of a loaded model, and its tokenizer and template if wanted. 0 or -1. */
int lm_load_text(lm_model *m, bool with_tokenizer);
void lm_free_text(lm_model *m);
/* The template's part of that. */
int lm_load_template(lm_model *m);
void lm_free_template(lm_model *m);

#endif
