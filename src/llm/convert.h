/* What lm_convert's files are made of; the public function is in mica.h. */
#ifndef MICA_LLM_CONVERT_H
#define MICA_LLM_CONVERT_H

#include "base/strbuf.h"
#include "mica.h"

#include <jansson.h>

/* JSON as Python's json.dump(sort_keys, indent=4) writes it, which is how mlx-lm writes config.json. */
void convert_json(strbuf *out, const json_t *value);

/* Makes a new folder beside `to` and the folders above; the caller frees its name. NULL with an error, also
 * if `to` exists. */
char *convert_begin(const char *to);
/* The folder gets its name. 0 or -1. */
int convert_end(const char *temp, const char *to);
/* Removes the folder and the files in it. */
void convert_abort(const char *temp);

/* Copies what goes with the weights: tokenizer, generation_config.json, templates, licence. */
int convert_copy(const char *from, const char *temp);
/* Writes the card: front matter for MLX, `what` (a sentence), then the original card's text. */
int convert_card(const char *from, const char *to, const char *temp, const char *what);

#endif
