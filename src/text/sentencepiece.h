/* SentencePiece's tokenizer.model and other older files, as the tokenizer.json that says the same. */
#ifndef MICA_TEXT_SENTENCEPIECE_H
#define MICA_TEXT_SENTENCEPIECE_H

#include "base/strbuf.h"

/* Appends the tokenizer.json for the model in data[0..n), a protobuf message; `name` is for messages. Begin
 * or end of text is added as Llama's (BPE) and T5's (Unigram) tokenizers do. 0, or -1 with an error for a
 * file that is broken, too large or of a kind (words, characters) that is not supported. */
int sentencepiece_json(const char *name, const char *data, size_t n, strbuf *out);

#endif
