/* Reads what matters of tokenizer_config.json: the texts of the named special tokens, and whether encoding
 * adds begin and end tokens. As in transformers, add_bos_token or add_eos_token in the file (or the lack of
 * a post-processor in tokenizer.json) means that these two alone decide what is added. */
#include "text/tokenizer_parts.h"

#include "base/file.h"
#include "base/mem.h"

#include <string.h>

static const char *const names[N_NAMED] = {"bos_token", "eos_token", "pad_token", "unk_token"};
enum { BOS, EOS };

const char *tokenizer_named(const tokenizer *t, const char *name)
{
    for (int i = 0; i < N_NAMED; i++)
        if (strcmp(name, names[i]) == 0)
            return t->named[i];
    return NULL;
}

/* A token is written as its text, as an object with "content", or as null. */
static int read_named(jr *r, char **out)
{
    jr value, content;
    jr_text s;
    if (jr_span(r, &value))
        return -1;
    int status = 0;
    if (jr_peek(&value) == JR_OBJECT) {
        if (!jr_find(&value, "content", &content))
            return jr_error(r, "a special token without \"content\"");
        value = content;
    }
    if (!jr_null(&value)) {
        status = jr_string(&value, &s);
        mem_free(*out);
        *out = status ? NULL : mem_strndup(s.p, s.n);
        status = *out ? 0 : -1;
    }
    jr_close(&value);
    return status;
}

/* The settings that change what is added. */
typedef struct flags {
    bool bos, eos, set;
} flags;

static int read_flag(jr *r, bool *out, flags *f)
{
    f->set = true;
    *out = false;
    return jr_null(r) ? 0 : jr_bool(r, out);
}

static int read_key(tokenizer *t, jr *r, jr_text key, flags *f)
{
    if (jr_is(key, "add_bos_token"))
        return read_flag(r, &f->bos, f);
    if (jr_is(key, "add_eos_token"))
        return read_flag(r, &f->eos, f);
    for (int i = 0; i < N_NAMED; i++)
        if (jr_is(key, names[i]))
            return read_named(r, &t->named[i]);
    return jr_skip(r);
}

/* Appends the id of a named token, if there is such a token. */
static int add_named(const tokenizer *t, const char *file, int which, post_item *item, size_t *n)
{
    const char *text = t->named[which];
    if (!text)
        return 0;
    int id = vocab_find(&t->vocab, text, strlen(text));
    if (id < 0)
        return error_set("%s: the %s \"%s\" is to be added but is not in the vocabulary", file, names[which],
                         text);
    item[(*n)++] = (post_item){false, id};
    return 0;
}

/* Replaces the post-processor. */
static int set_post(tokenizer *t, const char *file, const flags *f)
{
    size_t n = 0;
    post_item *items = mem_alloc(3, sizeof *items);
    if (!items)
        return -1;
    mem_free(t->post.items);
    t->post = (post_template){items, 0, 3};
    t->has_post = true;
    if (f->bos && add_named(t, file, BOS, items, &n))
        return -1;
    items[n++] = (post_item){true, 0};
    if (f->eos && add_named(t, file, EOS, items, &n))
        return -1;
    t->post.n = n;
    return 0;
}

static int read_file(tokenizer *t, const char *file, bool has_post)
{
    file_map m;
    jr r;
    jr_text key;
    flags f = {0};
    if (file_map_open(&m, file))
        return -1;
    jr_open(&r, file, m.data, m.size);
    int status = jr_object(&r);
    while (!status && jr_key(&r, &key))
        status = read_key(t, &r, key, &f);
    if (status)
        jr_close(&r);
    else
        status = jr_finish(&r);
    file_map_close(&m);
    return !status && (f.set || !has_post) ? set_post(t, file, &f) : status;
}

int load_config(tokenizer *t, const char *folder, bool has_post)
{
    char *file = file_join(folder, "tokenizer_config.json");
    int status = !file ? -1 : file_exists(file) ? read_file(t, file, has_post) : 0;
    mem_free(file);
    return status;
}
