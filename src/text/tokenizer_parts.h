/* What the tokenizer's own files share: the parts of a loaded tokenizer and the working memory of one
 * encoding. Nothing outside src/text/ includes this. */
#ifndef MICA_TEXT_TOKENIZER_PARTS_H
#define MICA_TEXT_TOKENIZER_PARTS_H

#define PCRE2_CODE_UNIT_WIDTH 8

#include "base/json.h"
#include "base/strbuf.h"
#include "text/tokenizer.h"

#include <pcre2.h>
#include <stdint.h>

/* --- vocab.c: spelling to id and back --- */

typedef struct token_text {
    uint32_t at, len; /* len is TOKEN_NONE where no token has this id */
} token_text;
#define TOKEN_NONE UINT32_MAX

typedef struct vocab_slot {
    uint32_t hash;
    int32_t id; /* -1: free */
} vocab_slot;

typedef struct vocab {
    strbuf bytes;     /* all spellings */
    token_text *text; /* by id */
    size_t ids, text_cap;
    vocab_slot *slots;
    size_t n_slots, count; /* n_slots is 0 or a power of two */
} vocab;

/* Makes room for n tokens. 0 or -1. */
int vocab_reserve(vocab *v, size_t n);
/* Adds a spelling under an id: 0; 1 if the spelling or the id is taken; -1 when memory is short. */
int vocab_add(vocab *v, const char *text, size_t n, int id);
/* The two halves of that, for many tokens: append without looking for the spelling (1: the id is taken), and
 * then index all `count` of them: 0, or -1 with an error. */
int vocab_append(vocab *v, const char *text, size_t n, int id);
int vocab_index(vocab *v, size_t count);
/* The id, or -1. */
int vocab_find(const vocab *v, const char *text, size_t n);
/* Looks up n (at most VOCAB_MANY) spellings, given as spans of base, in a vocabulary that is not empty: their
 * ids, or -1. Faster than one by one: the cache misses overlap. */
void vocab_find_many(const vocab *v, const char *base, const token_text *spans, size_t n, int *ids);
#define VOCAB_MANY 192
void vocab_free(vocab *v);

/* --- bytelevel.c: the printable alphabet for bytes --- */

/* The UTF-8 form (1 or 2 bytes) of the character that stands for byte b. Returns its length. */
int bytelevel_char(unsigned char b, char out[2]);
/* Appends the characters for n bytes. */
void bytelevel_encode(strbuf *out, const char *p, size_t n);
/* Appends the bytes that a token stands for: its own bytes if any character is not of the alphabet. */
void bytelevel_decode(strbuf *out, const char *p, size_t n);

/* --- bpe.c: pairs and merging --- */

typedef struct merge {
    uint32_t left, right, rank, id; /* left is UINT32_MAX in a free slot */
} merge;

#define UNK_NONE    (-1) /* no unk_token: unknown characters vanish */
#define UNK_MISSING (-2) /* one is named but the vocabulary lacks it */

typedef struct bpe {
    merge *slots;
    size_t n_slots, count;
    char *prefix, *suffix; /* continuing_subword_prefix, end_of_word_suffix: "" when not used */
    char *unk_name;        /* NULL: none */
    int unk;
    int byte_id[256];     /* token of one byte in the byte-level alphabet, -1: none */
    int fallback_id[256]; /* token "<0xNN>", -1: none */
    bool all_bytes;       /* byte_id has no -1, and no affixes are used */
    bool fuse_unk, byte_fallback, ignore_merges;
} bpe;

/* Makes room for n merges. 0 or -1. */
int bpe_reserve(bpe *b, size_t n);
/* Adds a merge; an earlier one of the same pair is replaced. 0 or -1. */
int bpe_add(bpe *b, int left, int right, size_t rank, int id);
/* Fills the tables that depend on the finished vocabulary. */
void bpe_prepare(bpe *b, const vocab *v);
void bpe_free(bpe *b);

/* --- unigram.c --- */

typedef struct prefix_node {
    uint32_t first; /* its children stand together, in order of their bytes */
    int32_t id;     /* the token that ends here, or -1 */
    uint16_t n;
    unsigned char byte;
} prefix_node;

typedef struct unigram {
    double *scores; /* by id */
    size_t n, cap;
    double unk_score;
    int64_t unk; /* -1: none */
    prefix_node *nodes;
    size_t n_nodes, nodes_cap;
    uint32_t root[256]; /* node of a first byte, 0: none */
} unigram;

/* Builds the tree of all spellings. 0, or -1 with an error. */
int unigram_prepare(unigram *u, const vocab *v);
void unigram_free(unigram *u);

/* --- pattern_syntax.c: regular expressions written for Oniguruma --- */

/* Appends the same pattern in PCRE2's syntax. false with the reason in *why when that cannot be done; the
 * buffer's `failed` tells whether memory was short. */
bool pattern_translate(const char *text, size_t n, strbuf *out, const char **why);

/* --- pattern.c: compiling and matching --- */

typedef struct pattern {
    pcre2_code *code;
    bool jit;
} pattern;

/* Compiles; `name` is for messages. 0, or -1 with an error that has the pattern and the reason. */
int pattern_compile(pattern *p, const char *name, const char *text, size_t n);
void pattern_free(pattern *p);

/* Walks the matches in one text, as the reference's iterator does: an empty match right after a match is
 * passed over. */
typedef struct pattern_iter {
    const pattern *pattern;
    pcre2_match_data *data;
    pcre2_match_context *context;
    const char *text;
    size_t n, from, last; /* where to search next; end of the last match, SIZE_MAX before the first */
} pattern_iter;

/* 1 with the next match in *start and *end, 0 when there is none, -1 with an error. */
int pattern_next(pattern_iter *it, size_t *start, size_t *end);

/* --- unicode.c: character classes as the reference has them --- */

bool unicode_is_word(uint32_t c);
bool unicode_is_space(uint32_t c);
bool unicode_is_numeric(uint32_t c);
bool unicode_is_punctuation(uint32_t c);
/* Is c unknown to the Unicode version that the reference normalizes by? */
bool unicode_is_unassigned(uint32_t c);
/* For patterns, in bracket form: the members of a category that came after Unicode 14, and \w. */
const char *unicode_new_members(const char *category);
const char *unicode_word_set(void);
/* What StripAccents and BertNormalizer take away: combining marks, nonspacing marks, controls. */
bool unicode_is_mark(uint32_t c);
bool unicode_is_nonspacing(uint32_t c);
bool unicode_is_control(uint32_t c);
/* The lower case, or c; that of U+0130 is two characters, which the caller sees to. */
uint32_t unicode_to_lower(uint32_t c);

/* --- added.c: tokens that are cut out of the text before everything else --- */

typedef struct added_token {
    int id;
    char *content;
    size_t len;
    bool single_word, lstrip, rstrip, normalized, special;
} added_token;

typedef struct trie_node {
    uint32_t child, sibling; /* 0: none */
    int32_t token;           /* index of an added token, -1: none ends here */
    unsigned char byte;
} trie_node;

typedef struct trie {
    trie_node *nodes; /* node 0 is unused */
    size_t n, cap;
    uint32_t root[256];
    size_t tokens;
} trie;

/* Adds a spelling for an added token: 0; 1 if another token has it; -1 when memory is short. */
int trie_add(trie *t, const char *text, size_t n, int token);
void trie_free(trie *t);

typedef struct piece {
    size_t at, len;
    int id; /* an added token's id, -1: text */
} piece;

typedef struct pieces {
    piece *v;
    size_t n, cap;
} pieces;

/* Appends unless empty text. 0 or -1. */
int pieces_add(pieces *p, size_t at, size_t len, int id);

/* Cuts text[0..n) into added tokens and the text between. 0 or -1. */
int added_split(const added_token *tokens, const trie *t, const char *text, size_t n, pieces *out);

/* --- normalize.c --- */

typedef enum {
    NORM_NFC,
    NORM_NFD,
    NORM_NFKC,
    NORM_NFKD,
    NORM_PREPEND,
    NORM_REPLACE,
    NORM_BYTES,
    NORM_STRIP,
    NORM_LOWER,
    NORM_ACCENTS, /* StripAccents */
    NORM_NMT,
    NORM_CLEAN,      /* BertNormalizer's steps: controls and odd spaces, */
    NORM_CHINESE,    /* spaces around ideographs, */
    NORM_NONSPACING, /* marks */
    NORM_CHARSMAP    /* Precompiled */
} norm_kind;

typedef struct norm_step {
    norm_kind kind;
    char *text, *with; /* PREPEND: with; REPLACE: text (or pattern), with; CHARSMAP: text */
    size_t text_len, with_len;
    pattern pattern;
    bool left, right; /* STRIP */
} norm_step;

typedef struct encoder encoder;

/* Runs the steps over text[0..n). The result is *out: the input itself or one of the encoder's two buffers.
 * 0 or -1. */
int normalize(encoder *e, const char *text, size_t n, const char **out, size_t *out_n);
/* One Unicode normalization form of text[0..n), appended to out. 0 or -1. */
int normalize_unicode(norm_kind form, const char *text, size_t n, strbuf *out);
/* A step of LOWER..NONSPACING, character by character, appended to out (normalize_chars.c). */
void normalize_chars(norm_kind kind, const char *text, size_t n, strbuf *out);

/* --- charsmap.c: SentencePiece's compiled normalization rules --- */

/* Is it a map: a length, a double array of that many bytes, and texts, the last with a NUL? */
bool charsmap_check(const char *map, size_t n);
/* Appends the normalized text; stops soon after out has grown beyond the limit. */
void charsmap_apply(const char *map, size_t map_n, const char *text, size_t n, size_t limit, strbuf *out);
/* Appends what base64 text stands for; false when it is not base64. */
bool charsmap_base64(const char *p, size_t n, strbuf *out);

/* --- split.c: pre-tokenizers --- */

typedef enum {
    SPLIT_REGEX,
    SPLIT_STRING,
    SPLIT_BYTES, /* ByteLevel: optional prefix space, optional pattern, then the byte alphabet */
    SPLIT_DIGITS,
    SPLIT_PUNCTUATION,
    SPLIT_WORDS,  /* Whitespace */
    SPLIT_SPACES, /* WhitespaceSplit */
    SPLIT_METASPACE
} split_kind;

typedef enum { REMOVED, ISOLATED, MERGED_WITH_PREVIOUS, MERGED_WITH_NEXT, CONTIGUOUS } split_behavior;
typedef enum { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER } prepend_scheme;

typedef struct split_step {
    split_kind kind;
    split_behavior behavior;
    bool invert, prefix_space, use_pattern, split, last;
    prepend_scheme prepend;
    pattern pattern;
    char *text; /* STRING: the delimiter; METASPACE: the replacement */
    size_t len;
} split_step;

/* Runs the pre-tokenizers over text[0..n), which begins at `start` of the original text. The words are
 * e->words over *out. 0 or -1. */
int split_words(encoder *e, const char *text, size_t n, size_t start, const char **out);

/* --- the whole --- */

/* What a post-processor makes of a text. */
typedef struct post_item {
    bool sequence; /* the text's ids stand here */
    int id;        /* otherwise this one */
} post_item;

typedef struct post_template {
    post_item *items;
    size_t n, cap;
} post_template;

/* What decoding starts with: tokens joined by spaces; the bytes that tokens stand for; a chain of steps. */
typedef enum { DECODE_JOIN, DECODE_BYTES, DECODE_CHAIN } decode_kind;

/* Steps of a chain. Each takes tokens and gives tokens; those marked * give one token, piece by piece. */
typedef enum {
    DEC_REPLACE,
    DEC_METASPACE,
    DEC_FALLBACK, /* ByteFallback */
    DEC_FUSE,     /* * */
    DEC_STRIP,
    DEC_BYTES, /* * ByteLevel */
    DEC_WORDPIECE,
    DEC_SUFFIX, /* BPEDecoder */
    DEC_CTC,
    DEC_GATHER /* * put before a step that needs the one token whole */
} dec_kind;

typedef struct dec_step {
    dec_kind kind;
    char *from, *to; /* REPLACE; METASPACE: from; WORDPIECE, SUFFIX: from; CTC: the pad, the delimiter */
    size_t from_len, to_len;
    pattern pattern; /* REPLACE by a Regex: from is NULL */
    bool clean;      /* WORDPIECE, CTC */
    bool drop_first; /* METASPACE: in the first token, what would be replaced is left out */
    bool one;        /* the input is one token, piece by piece */
    uint32_t strip;  /* STRIP: the character */
    size_t start, stop;
} dec_step;

#define MAX_STEPS     32
#define MAX_DEC_STEPS 16
#define MAX_TEXT      1024 /* bytes of a replacement, a prefix or a suffix */
#define N_NAMED       4

typedef struct decoder {
    decode_kind kind;
    dec_step step[MAX_DEC_STEPS];
    int n;
} decoder;

/* What a step remembers between tokens. */
typedef struct dec_state {
    strbuf wait;             /* what may not leave yet */
    size_t taken, held;      /* STRIP of one token: characters taken at the start, held at the end */
    bool any, started, last; /* a token came; STRIP: nothing more is taken; SUFFIX: a token waits */
} dec_state;

/* A chain at work; all zero at the start of a text. */
typedef struct chain_state {
    dec_state step[MAX_DEC_STEPS];
    pcre2_general_context *general; /* made when a pattern needs them */
    pcre2_match_data *match;
    pcre2_match_context *context;
    strbuf scratch[2];
    bool failed; /* memory, or a pattern that gave up */
} chain_state;

/* Puts a token through the steps; what becomes certain is appended to out. (decode_steps.c) */
void decode_put(const decoder *k, chain_state *s, const char *p, size_t n, strbuf *out);
/* The end of the text: the rest, and the state is ready for another. */
void decode_end(const decoder *k, chain_state *s, strbuf *out);
void decode_free(const decoder *k, chain_state *s);
/* Appends bytes that may be anything as valid UTF-8; `wait` keeps the start of an unfinished character. */
void decode_bytes(strbuf *wait, strbuf *out, const char *p, size_t n);

typedef enum { MODEL_BPE, MODEL_UNIGRAM, MODEL_WORDPIECE, MODEL_WORDLEVEL } model_kind;

struct tokenizer {
    vocab vocab;
    model_kind model;
    bpe bpe;            /* the settings that models share (unk, prefix, byte tokens) stand here too */
    unigram unigram;    /* of MODEL_UNIGRAM */
    int64_t word_chars; /* WORDPIECE: longer words are unknown */
    size_t longest;     /* WORDPIECE: bytes of the longest spelling */
    added_token *added;
    size_t n_added, added_cap;
    trie raw, normal; /* matched before and after normalization */
    norm_step norm[MAX_STEPS];
    split_step split[MAX_STEPS];
    int n_norm, n_split;
    post_template post; /* when has_post */
    bool has_post;
    decoder decoder;
    unsigned char *special; /* by id */
    strbuf bytes;           /* what the tokens stand for */
    token_text *token_bytes;
    char *named[N_NAMED];
    bool marked_words; /* a text can be cut before every U+2581 behind another character */
    bool byte_words;   /* words reach the model as plain bytes: the byte alphabet is applied by table */
};

/* Reads the parts of tokenizer.json into t. 0 or -1. */
int load_normalizer(tokenizer *t, jr *r);
int load_pre_tokenizer(tokenizer *t, jr *r);
int load_post_processor(tokenizer *t, jr *r);
int load_decoder(tokenizer *t, jr *r);
int load_model(tokenizer *t, jr *r, size_t file_size);
/* The vocabulary of a Unigram model, [["text", score], ...]. */
int load_pieces(tokenizer *t, jr *r, size_t limit);
/* Reads tokenizer_config.json, if the folder has one. 0 or -1. */
int load_config(tokenizer *t, const char *folder, bool has_post);

/* A word's ids, remembered during one encoding. */
typedef struct cached_word {
    char key[24];
    uint32_t at;    /* in the encoder's ids */
    uint8_t len, n; /* len 0: free */
} cached_word;

struct encoder {
    const tokenizer *t;
    strbuf norm[2], split[2], word, mapped;
    pieces outer, inner, words, next;
    pcre2_general_context *general;
    pcre2_match_data *match;
    pcre2_match_context *context;
    cached_word *cache;
    size_t cache_mask;
    uint64_t *heap;
    uint32_t *links;
    size_t heap_cap, links_cap;
    int *symbols;
    size_t symbols_cap;
    struct lattice_node *lattice; /* unigram.c */
    size_t lattice_cap;
    int *ids;
    size_t n, cap;
    size_t limit; /* of rewritten text: steps of a hostile file could double it again and again */
};

/* Did a rewriting step succeed and keep to the limit? 0, or -1 with an error. */
int encoder_check(const encoder *e, const strbuf *text);

/* Makes the working memory for a text of n bytes: 0 or -1; encoder_close in both cases. */
int encoder_open(encoder *e, size_t n);
void encoder_close(encoder *e);

/* Appends the ids of one word to e->ids, by the tokenizer's model (words.c). 0 or -1. */
int words_encode(encoder *e, const char *word, size_t n);
/* The models: the ids of a word in e->symbols; how many, or SIZE_MAX with an error. */
size_t bpe_word(encoder *e, const char *word, size_t n);
size_t unigram_word(encoder *e, const char *word, size_t n);
size_t wordpiece_word(encoder *e, const char *word, size_t n);
size_t wordpiece_whole(encoder *e, const char *word, size_t n);
/* Room for n symbols. 0 or -1. */
int words_reserve(encoder *e, size_t n);
/* 64-bit hash for the tables of this folder. */
uint64_t text_hash(const char *p, size_t n);

/* Allocation through base/mem.h for the regular-expression library; NULL when memory is short. */
pcre2_general_context *pattern_memory(void);

#endif
