/* mica.h: run language models.
 *
 *     lm_model *model = lm_load("models/story", NULL);
 *     lm_session *chat = lm_session_new(model);
 *     int *ids; size_t n;
 *     lm_tokenize(model, "Once upon a time", 16, true, &ids, &n);
 *     lm_generate(chat, ids, n, NULL, print_piece, stdout, NULL);
 *
 * Handles are opaque; *_load and *_new return owned handles, paired with *_free (NULL is fine). Functions
 * that fail return -1 or NULL and leave one line for lm_error. A model is immutable and may be shared by
 * threads; a session (the KV cache and its position) belongs to one thread at a time. Text is UTF-8. */
#ifndef MICA_H
#define MICA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define LM_API
#else
#define LM_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lm_model lm_model;
typedef struct lm_session lm_session;

/* The text of this thread's last failure, "" if none; valid until the next call on this thread. Reading it
 * clears it, so the next failure is recorded anew. */
LM_API const char *lm_error(void);
/* Frees memory that the library returned (lists of ids, texts). */
LM_API void lm_release(void *p);

/* --- models --- */

typedef enum lm_precision {
    LM_PRECISION_DEFAULT, /* int8 on CPUs */
    LM_PRECISION_EXACT, /* quantized products with activations as they are, sums in float32: what MLX computes
                         */
    LM_PRECISION_INT8,  /* activations of 4- and 8-bit products quantized to int8 by group: what llama.cpp
                           computes */
} lm_precision;

typedef struct lm_load_options {
    lm_precision precision;
    /* "float32", "bfloat16", "float16": what keys and values are stored as; NULL = the checkpoint's float
     * type. */
    const char *kv_dtype;
    bool no_tokenizer; /* weights only */
} lm_load_options;

/* Loads a model folder (config.json, model*.safetensors, tokenizer.json). The weights stay in the mapped
 * files: nothing is copied. Every missing, surplus or misshapen tensor is an error here, not later.
 * options may be NULL. */
LM_API lm_model *lm_load(const char *path, const lm_load_options *options);
LM_API void lm_free(lm_model *model);

typedef struct lm_info {
    const char *model_type;
    int layers, vocab_size, hidden_size, max_position;
    int bits, group_size;   /* of the quantization in config.json; 0: none */
    size_t parameters;      /* numbers of weights, quantized ones counted as one each */
    size_t weight_bytes;    /* in the mapped files */
    size_t bytes_per_token; /* weights read by one decode step (an untied input embedding is one row) */
    size_t kv_bytes_per_token;
    double load_seconds;
    lm_precision precision; /* in effect */
    bool has_chat_template;
} lm_info;
LM_API lm_info lm_model_info(const lm_model *model);

/* --- text --- */

/* Token ids of n bytes of UTF-8. special: add what the tokenizer puts around a text (such as a begin token).
 */
LM_API int lm_tokenize(const lm_model *model, const char *text, size_t n, bool special, int **ids,
                       size_t *count);
/* The text of ids, NUL-terminated, *len bytes (len may be NULL). */
LM_API char *lm_detokenize(const lm_model *model, const int *ids, size_t n, bool skip_special, size_t *len);
/* Id of one token by its text, or -1. */
LM_API int lm_token_id(const lm_model *model, const char *text);
/* Does this token end a generation (config.json, generation_config.json)? */
LM_API bool lm_is_eos(const lm_model *model, int id);

typedef struct lm_template_options {
    const char *tools;  /* JSON list, or NULL */
    const char *kwargs; /* JSON object with further template variables, or NULL */
    const char *now;    /* ISO time for strftime_now; NULL = the clock */
    bool no_generation_prompt;
    bool continue_final_message; /* leave the last message open */
} lm_template_options;
/* Renders the model's chat template over a JSON list of {"role", "content", ..}. An error if it has none. */
LM_API char *lm_template(const lm_model *model, const char *messages, const lm_template_options *options);

/* --- sampling and generation --- */

/* mlx-lm's samplers and logits processors with its semantics. LM_SAMPLING_DEFAULT is greedy. */
typedef struct lm_sampling {
    float temp;             /* 0: the most likely token, and every filter below is skipped */
    float top_p;            /* 0 or 1: off */
    float min_p;            /* 0: off */
    int min_tokens_to_keep; /* for min_p */
    int top_k;              /* 0: off */
    float xtc_probability;  /* 0: off */
    float xtc_threshold;
    float repetition_penalty; /* 0: off */
    int repetition_context;
    float presence_penalty, frequency_penalty; /* 0: off */
    int presence_context, frequency_context;
    uint64_t seed;
    bool seeded; /* else the clock */
} lm_sampling;
#define LM_SAMPLING_DEFAULT                                                                   \
    {                                                                                         \
        .top_p = 1, .min_tokens_to_keep = 1, .xtc_threshold = 0.1f, .repetition_context = 20, \
        .presence_context = 20, .frequency_context = 20                                       \
    }

typedef struct lm_generate_options {
    lm_sampling sampling;
    int max_tokens;       /* -1: until an end token; 0: only read the prompt */
    const int *extra_eos; /* further end tokens */
    size_t n_extra_eos;
    int prefill_step; /* prompt tokens a step; 0 = 512 */
    bool ignore_eos;
    /* Called between prefill steps with tokens done and in all (may be NULL). */
    void (*progress)(void *user, size_t done, size_t total);
    /* Asked before each step; true ends the generation with finish reason "cancelled" (may be NULL). */
    bool (*cancelled)(void *user);
} lm_generate_options;
#define LM_GENERATE_DEFAULT                                \
    {                                                      \
        .sampling = LM_SAMPLING_DEFAULT, .max_tokens = 256 \
    }

typedef struct lm_token {
    int id;           /* -1 on a last call that only says "cancelled" */
    const char *text; /* whole characters that this token completed; may be empty */
    size_t len;
    float logprob;
    const char *finish_reason; /* NULL, or on the last call "stop", "length", "cancelled" */
} lm_token;

typedef struct lm_stats {
    size_t prompt_tokens, generated_tokens;
    double prompt_seconds, generation_seconds; /* up to the first token; after it */
    double prompt_tps, generation_tps;
    size_t peak_memory; /* bytes: buffers plus the mapped weights */
    const char *finish_reason;
} lm_stats;

/* Returns non-zero to stop. */
typedef int (*lm_token_fn)(void *user, const lm_token *token);

/* An empty KV cache for one sequence. */
LM_API lm_session *lm_session_new(const lm_model *model);
LM_API void lm_session_free(lm_session *session);
/* Tokens of the session: what was fed and, after a generation, the last token drawn, which the next step
 * feeds. */
LM_API size_t lm_session_length(const lm_session *session);
/* Forgets all but the first n tokens. */
LM_API int lm_session_trim(lm_session *session, size_t n);
/* Their ids; valid until the session changes. */
LM_API const int *lm_session_tokens(const lm_session *session);

/* Appends the prompt's tokens to the session, then generates; fn gets every token (the end token last, with
 * empty text, but for characters that were held back). The session keeps what was generated, so a chat goes
 * on by passing only what is new; n may then be 0. options, fn and stats may be NULL. user is passed to fn
 * and to the callbacks of options. Penalties see the whole session. 0, or -1: after a failed step the session
 * is empty. */
LM_API int lm_generate(lm_session *session, const int *prompt, size_t n, const lm_generate_options *options,
                       lm_token_fn fn, void *user, lm_stats *stats);

/* Appends ids and gives float32 logits: of every position (out holds n * vocab_size), or only of the last one
 * (vocab_size). */
LM_API int lm_logits(lm_session *session, const int *ids, size_t n, bool all, float *out);

/* --- converting --- */

typedef struct lm_convert_options {
    const char
        *dtype;       /* "float16", "bfloat16", "float32"; NULL = config.json's torch_dtype, else as stored */
    bool quantize;    /* MLX's affine quantization of linear layers and embeddings */
    int group_size;   /* 32, 64, 128; 0 = 64 */
    int bits;         /* 2, 3, 4, 5, 6, 8; 0 = 4 */
    bool dequantize;  /* a quantized model back to floats; not together with quantize */
    size_t max_shard; /* bytes of a file; 0 = 5 GiB */
    /* Bytes of weights written and in all (may be NULL). */
    void (*progress)(void *user, size_t done, size_t total);
    /* Asked between tensors; true gives up (may be NULL). */
    bool (*cancelled)(void *user);
    void *user;
} lm_convert_options;

typedef struct lm_convert_result {
    double bits_per_weight;
    size_t parameters, bytes;
    const char *dtype; /* of what is float in the result, "" if it was left as it was */
} lm_convert_result;

/* Writes the model folder `from` as an MLX checkpoint to the folder `to`, which must not exist (the folders
 * above it are made): weights (cast, quantized or dequantized), index, config.json, tokenizer files, a model
 * card. Streams tensor by tensor; everything is made under a temporary name, so a failure leaves nothing.
 * options and result may be NULL. 0, or -1. */
LM_API int lm_convert(const char *from, const char *to, const lm_convert_options *options,
                      lm_convert_result *result);

/* --- the machine --- */

/* Threads that kernels use; 0 = the cores this process may use. */
LM_API void lm_set_threads(int n);
LM_API int lm_threads(void);
/* "portable", "avx2", "avx512", "amx". */
LM_API const char *lm_isa(void);
/* Read-only memory bandwidth with that many threads, bytes/s: takes about a second. */
LM_API double lm_measure_bandwidth(int threads);
/* Bytes in buffers now plus mapped weights; the most so far. */
LM_API size_t lm_active_memory(void);
LM_API size_t lm_peak_memory(void);
LM_API const char *lm_version(void);
/* Frees what lives as long as the process (worker threads, caches). */
LM_API void lm_shutdown(void);

#ifdef __cplusplus
}
#endif

#endif
