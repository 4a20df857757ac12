/* A model's text side: tokenizer, chat template and the tokens that end a generation. */
#include "llm/model.h"

#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"

#include <string.h>

enum { MAX_EOS = 64 };

/* End tokens: generation_config.json's, else config.json's, else the tokenizer's own. */
static int load_eos(lm_model *m)
{
    int ids[MAX_EOS];
    cfg c = cfg_root(&m->config);
    size_t n = cfg_ids(&c, "eos_token_id", ids, MAX_EOS);
    char *path = file_join(m->dir, "generation_config.json");
    cfg_file f = {0};
    int rc = path ? 0 : -1;
    if (rc == 0 && file_exists(path))
        rc = cfg_open(&f, path);
    mem_free(path);
    if (rc)
        return -1;
    if (f.root) {
        cfg g = cfg_root(&f);
        if (cfg_has(&g, "eos_token_id"))
            n = cfg_ids(&g, "eos_token_id", ids, MAX_EOS);
        rc = cfg_ok(&g) ? 0 : -1;
        cfg_close(&f);
    }
    const char *name = n == 0 && m->tokenizer ? tokenizer_named(m->tokenizer, "eos_token") : NULL;
    if (name && (ids[0] = tokenizer_token_id(m->tokenizer, name, strlen(name))) >= 0)
        n = 1;
    if (rc || !cfg_ok(&c))
        return -1;
    if (n > MAX_EOS)
        return error_set("%s: %zu end tokens; at most %d are supported", m->dir, n, MAX_EOS);
    m->n_eos = n;
    m->eos = mem_alloc(m->n_eos, sizeof *m->eos);
    if (!m->eos)
        return -1;
    memcpy(m->eos, ids, m->n_eos * sizeof *ids);
    return 0;
}

/* What xtc never removes: the tokens of a line break and the end tokens. */
static int load_special(lm_model *m)
{
    int *line;
    size_t n;
    if (tokenizer_encode(m->tokenizer, "\n", 1, true, &line, &n))
        return -1;
    m->special = mem_alloc(n + m->n_eos, sizeof *m->special);
    if (m->special) {
        memcpy(m->special, line, n * sizeof *line);
        memcpy(m->special + n, m->eos, m->n_eos * sizeof *m->eos);
        m->n_special = n + m->n_eos;
    }
    mem_free(line);
    return m->special ? 0 : -1;
}

int lm_load_text(lm_model *m, bool with_tokenizer)
{
    if (with_tokenizer && !(m->tokenizer = tokenizer_load(m->dir)))
        return -1;
    if (load_eos(m))
        return -1;
    return with_tokenizer && (load_special(m) || lm_load_template(m)) ? -1 : 0;
}

void lm_free_text(lm_model *m)
{
    lm_free_template(m);
    tokenizer_free(m->tokenizer);
    mem_free(m->eos);
    mem_free(m->special);
}

static int need_tokenizer(const lm_model *m)
{
    return m->tokenizer ? 0 : error_set("%s: the model was loaded without its tokenizer", m->dir);
}

int lm_tokenize(const lm_model *m, const char *text, size_t n, bool special, int **ids, size_t *count)
{
    lm_begin();
    return need_tokenizer(m) ? -1 : tokenizer_encode(m->tokenizer, text, n, special, ids, count);
}

char *lm_detokenize(const lm_model *m, const int *ids, size_t n, bool skip_special, size_t *len)
{
    lm_begin();
    return need_tokenizer(m) ? NULL : tokenizer_decode(m->tokenizer, ids, n, skip_special, len);
}

int lm_token_id(const lm_model *m, const char *text)
{
    return m->tokenizer ? tokenizer_token_id(m->tokenizer, text, strlen(text)) : -1;
}

bool lm_is_eos(const lm_model *m, int id)
{
    for (size_t i = 0; i < m->n_eos; i++)
        if (m->eos[i] == id)
            return true;
    return false;
}
