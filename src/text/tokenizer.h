/* Text to token ids and back, from a Hugging Face tokenizer.json (BPE, Unigram, WordPiece, WordLevel), with
 * the ids that the `tokenizers` library gives, or from SentencePiece's tokenizer.model (BPE, Unigram).
 *
 * A loaded tokenizer never changes: any number of threads may use it at once. Working memory belongs to the
 * call (encode) or to the detok object, which one thread uses at a time. */
#ifndef MICA_TEXT_TOKENIZER_H
#define MICA_TEXT_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct tokenizer tokenizer;

/* Loads a model folder or a tokenizer file (*.model is SentencePiece's). In a folder, tokenizer.json is the
 * tokenizer, or else tokenizer.model, and
 * tokenizer_config.json, where there is one, names the special tokens; when it sets add_bos_token or
 * add_eos_token, or when tokenizer.json has no post-processor, these two decide what encoding adds (as in
 * transformers). NULL with one error line for a file that is missing, broken, or that needs anything not
 * supported here. The caller frees it. */
tokenizer *tokenizer_load(const char *path);
/* The same for a tokenizer.json that is in memory (name is for messages; text is not kept). */
tokenizer *tokenizer_parse(const char *name, const char *text, size_t n);
/* The same for a SentencePiece model that is in memory. */
tokenizer *tokenizer_parse_model(const char *name, const char *data, size_t n);
/* NULL is allowed. */
void tokenizer_free(tokenizer *t);

/* The ids of n bytes of text, in new memory (mem_free) even when there are none. add_special: also what the
 * post-processor adds, such as a begin-of-text token. -1 with an error for invalid UTF-8 (the message has
 * the byte offset), for a pattern that gives up on the text, and when memory is short. */
int tokenizer_encode(const tokenizer *t, const char *text, size_t n, bool add_special, int **ids,
                     size_t *count);

/* The text of n ids, NUL-terminated, in new memory; *len (may be NULL) is its length, for it may hold NULs.
 * Always valid UTF-8: bytes that are not become U+FFFD. Ids that name no token give nothing. skip_special
 * leaves out special tokens. NULL when memory is short. */
char *tokenizer_decode(const tokenizer *t, const int *ids, size_t n, bool skip_special, size_t *len);

/* One more than the largest id. */
int tokenizer_vocab_size(const tokenizer *t);
/* The id of a token by its spelling in tokenizer.json, or -1. */
int tokenizer_token_id(const tokenizer *t, const char *text, size_t len);
/* The bytes that a token stands for (perhaps part of a character), owned by t; NULL for an unknown id. */
const char *tokenizer_token_text(const tokenizer *t, int id, size_t *len);
/* Is it a special token (one that skip_special leaves out)? */
bool tokenizer_is_special(const tokenizer *t, int id);
/* The text of "bos_token", "eos_token", "pad_token" or "unk_token" in tokenizer_config.json, owned by t; NULL
 * when it is not set. */
const char *tokenizer_named(const tokenizer *t, const char *name);

/* Streaming: ids in, text out as soon as it can no longer change. All pieces together are exactly what
 * tokenizer_decode gives for all ids. */
typedef struct detok detok;

/* t must outlive it. NULL when memory is short. */
detok *detok_new(const tokenizer *t, bool skip_special);
void detok_free(detok *d);
/* Takes an id; *text (valid until the next call) and *len are the characters that became certain, often
 * none. 0, or -1 when memory is short. */
int detok_add(detok *d, int id, const char **text, size_t *len);
/* The rest: an unfinished character becomes U+FFFD. The object is then ready for another text. */
int detok_finish(detok *d, const char **text, size_t *len);

#endif
