/* Reads the post-processor, which adds special tokens to the ids of a text. */
#include "text/load_steps.h"

#include "base/mem.h"

#include <limits.h>
#include <string.h>

#define MAX_ITEMS 64 /* of a template */

/* The template of the one post-processor that may add tokens: what two of them would do to each other's
 * output is not defined for one text. */
static post_template *new_post(tokenizer *t, jr *r)
{
    if (t->has_post) {
        jr_error(r, "two post-processors that add tokens are not supported");
        return NULL;
    }
    t->has_post = true;
    return &t->post;
}

/* Adds an item; the text may be used more than once, but not without end. */
static int post_add(post_template *p, bool sequence, int id)
{
    if (p->n == MAX_ITEMS)
        return error_set("tokenizer: a post-processor with more than %d items", MAX_ITEMS);
    post_item *items = mem_grow(p->items, &p->cap, p->n + 1, sizeof *items);
    if (!items)
        return -1;
    p->items = items;
    items[p->n++] = (post_item){sequence, id};
    return 0;
}

/* An id that must name a token. */
static int known_id(const tokenizer *t, jr *r, int *id)
{
    int64_t v;
    if (jr_int(r, 0, INT_MAX, &v))
        return -1;
    if ((size_t)v >= t->vocab.ids || t->vocab.text[v].len == TOKEN_NONE)
        return jr_error(r, "the post-processor adds the id %lld, which is no token", (long long)v);
    *id = (int)v;
    return 0;
}

/* Adds the ids of one special token of a template. */
static int post_special(tokenizer *t, jr *r, jr *item, post_template *p)
{
    jr tokens, token, ids;
    char *name = load_string(item, "id", NULL);
    int status = -1, id = 0;
    if (name && jr_find(r, "special_tokens", &tokens)) {
        if (jr_find(&tokens, name, &token) && jr_find(&token, "ids", &ids)) {
            status = jr_array(&ids);
            while (!status && jr_item(&ids))
                status = known_id(t, &ids, &id) || post_add(p, false, id) ? -1 : 0;
            status = ids.failed ? -1 : status;
        }
    }
    if (status)
        jr_error(item, "the template names a token without \"ids\" in special_tokens");
    mem_free(name);
    return status;
}

/* One element of "single". */
static int post_piece(tokenizer *t, jr *r, jr *list, post_template *p)
{
    jr item, inner;
    int status = -1;
    if (jr_span(list, &item))
        return -1;
    if (jr_find(&item, "SpecialToken", &inner)) {
        status = post_special(t, r, &inner, p);
    } else if (jr_find(&item, "Sequence", &inner)) {
        char *which = load_string(&inner, "id", NULL);
        if (which)
            status = strcmp(which, "A") == 0
                         ? post_add(p, true, 0)
                         : jr_error(&inner, "the template for one text uses a second one");
        mem_free(which);
    } else {
        jr_error(&item, "a template element must be a \"SpecialToken\" or a \"Sequence\"");
    }
    return status;
}

static int post_process_template(tokenizer *t, jr *r, int option)
{
    (void)option;
    jr list;
    post_template *p = new_post(t, r);
    if (!p)
        return -1;
    if (!jr_find(r, "single", &list))
        return jr_error(r, "\"single\" is missing");
    int status = jr_array(&list);
    while (!status && jr_item(&list))
        status = post_piece(t, r, &list, p);
    status = list.failed ? -1 : status;
    jr_close(&list);
    return status;
}

/* ["text", id] of a Bert or Roberta post-processor. */
static int post_pair(tokenizer *t, jr *r, const char *key, post_template *p)
{
    jr f;
    int id;
    if (!jr_find(r, key, &f))
        return jr_error(r, "\"%s\" is missing", key);
    int status = jr_array(&f) || !jr_item(&f) || jr_skip(&f) || !jr_item(&f) || known_id(t, &f, &id) ? -1 : 0;
    if (status)
        jr_error(&f, "\"%s\" must be a token and its id", key);
    jr_close(&f);
    return status ? -1 : post_add(p, false, id);
}

static int post_around(tokenizer *t, jr *r, int option)
{
    (void)option;
    post_template *p = new_post(t, r);
    return !p || post_pair(t, r, "cls", p) || post_add(p, true, 0) || post_pair(t, r, "sep", p) ? -1 : 0;
}

/* ByteLevel only trims offsets. */
static int post_nothing(tokenizer *t, jr *r, int option)
{
    (void)t, (void)r, (void)option;
    return 0;
}

int load_post_processor(tokenizer *t, jr *r)
{
    static const step_type types[] = {{"ByteLevel", post_nothing, 0},
                                      {"TemplateProcessing", post_process_template, 0},
                                      {"RobertaProcessing", post_around, 0},
                                      {"BertProcessing", post_around, 0},
                                      {NULL, NULL, 0}};
    static const part_type part = {"post-processor", "processors", types};
    return jr_null(r) ? 0 : load_part(t, r, &part);
}
