/* The two entry points: compile and render.
 *
 * Each sets up a run (arena, limits, the place where errors jump to), does its work, and frees what the run
 * held. The frame that calls setjmp keeps nothing in registers that the jump could lose: the state is in the
 * struct. */
#include "text/jinja.h"

#include "base/map.h"
#include "base/mem.h"
#include "text/jinja_impl.h"

static const size_t default_memory = (size_t)512 << 20, default_output = (size_t)256 << 20;
static const uint64_t default_steps = 50 * 1000 * 1000, compile_steps = 500 * 1000 * 1000;

/* What a compilation holds. */
typedef struct compiler {
    jctx c;
    jinja *t;
    map names;
} compiler;

static const jstr *intern(compiler *k, const char *name, size_t n)
{
    uint64_t old;
    if (map_get(&k->names, name, n, &old))
        return (const jstr *)(uintptr_t)old;
    jval v = j_text(&k->c, name, n);
    if (map_put(&k->names, v.s->p, n, (uintptr_t)v.s))
        j_fail(&k->c, "out of memory");
    return v.s;
}

static void compile(compiler *k, const char *text, size_t n)
{
    static const char *const names[] = {"loop", "caller", "varargs", "kwargs"};
    static const size_t lengths[] = {4, 6, 7, 6};
    for (int i = 0; i < 4; i++)
        k->t->names[i] = intern(k, names[i], lengths[i]);
    const jtoken *tokens = j_lex(&k->c, text, n);
    k->t->body = j_parse(&k->c, tokens, &k->names);
}

jinja *jinja_compile(const char *text, size_t n)
{
    compiler k = {.t = mem_calloc(1, sizeof *k.t)};
    compiler *volatile keep = &k;
    if (!k.t)
        return NULL;
    k.t->mem.limit = default_memory;
    k.c = (jctx){.mem = &k.t->mem, .max_steps = compile_steps, .line = 1};
    if (setjmp(k.c.fail)) {
        jinja_free(keep->t);
        map_free(&keep->names);
        return NULL;
    }
    compile(&k, text, n);
    map_free(&k.names);
    return k.t;
}

void jinja_free(jinja *t)
{
    if (!t)
        return;
    arena_free(&t->mem);
    mem_free(t);
}

/* What a rendering holds. */
typedef struct renderer {
    jctx c;
    arena mem;
} renderer;

static void render(renderer *r, const jinja *t, const json_t *vars)
{
    r->c.vars = j_dict(&r->c).dict;
    if (vars && !json_is_object(vars))
        j_fail(&r->c, "the variables of a template must be a JSON object");
    if (vars)
        r->c.vars = j_from_json(&r->c, vars).dict;
    j_run(&r->c, &t->body);
}

char *jinja_render(const jinja *t, const json_t *vars, const jinja_options *options, size_t *len)
{
    jinja_options o = options ? *options : (jinja_options){0};
    renderer r = {.mem.limit = o.max_memory ? o.max_memory : default_memory};
    renderer *volatile keep = &r;
    r.c = (jctx){.mem = &r.mem,
                 .line = 1,
                 .now_iso = o.now_iso,
                 .max_output = o.max_output ? o.max_output : default_output,
                 .max_steps = o.max_steps ? o.max_steps : default_steps,
                 .loop_name = t->names[0],
                 .caller_name = t->names[1],
                 .varargs_name = t->names[2],
                 .kwargs_name = t->names[3]};
    if (setjmp(r.c.fail)) {
        arena_free(&keep->mem);
        strbuf_free(&keep->c.out);
        return NULL;
    }
    render(&r, t, vars);
    arena_free(&r.mem);
    if (len)
        *len = r.c.out.len;
    return strbuf_take(&r.c.out);
}
