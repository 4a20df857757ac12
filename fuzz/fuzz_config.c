/* config.json from any bytes: the family configures itself and names its weights, or there is exactly one
 * error. */
#include "base/error.h"
#include "base/mem.h"
#include "models/arch.h"
#include "nn/load.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
    if (!condition)
        abort();
}

static int check_module(nn_visitor *v, const nn_module *m)
{
    must(v->path == m->path && v->len < sizeof v->path);
    must(m->norm ? m->norm->dim > 0 : m->linear->in > 0 && m->linear->out > 0);
    return 0;
}

static void configure(const cfg *c, const arch *a)
{
    arch_info info;
    void *self = mem_calloc(1, a->size);
    if (self && a->configure(self, c, &info) == 0) {
        must(!error_pending() && info.layers > 0 && info.vocab_size > 0);
        nn_visitor v = {.module = check_module};
        a->visit(self, &v);
        must(!v.failed && v.len == 0);
    } else {
        must(error_pending());
    }
    if (self)
        a->release(self);
    mem_free(self);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t live = mem_live();
    cfg_file f;
    if (cfg_parse(&f, "config.json", (const char *)data, size) == 0) {
        cfg c = cfg_root(&f);
        int ids[4];
        cfg_ids(&c, "eos_token_id", ids, 4);
        nn_quantization q = nn_quantization_from(&c);
        nn_quantization_of(&c, "lm_head", q, true);
        const arch *a = cfg_ok(&c) ? arch_find(&c) : NULL;
        if (a)
            configure(&c, a);
        else
            must(error_pending());
        cfg_close(&f);
    } else {
        must(error_pending());
    }
    error_clear();
    mx_shutdown();
    must(mem_live() <= live);
    return 0;
}
