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
 * threads; a session (the KV cache and its position) belongs to one thread at a time. Text is UTF-8. For many
 * requests at a time see lm_engine. */
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
    LM_PRECISION_EXACT,   /* quantized products with activations as they are, those of many tokens perhaps
                             rounded to a checkpoint's own bfloat16, sums in float32: what MLX computes */
    LM_PRECISION_INT8,    /* activations of 4- and 8-bit products quantized to int8 by group: what llama.cpp
                             computes */
    LM_PRECISION_FLOAT32, /* activations stay float32: for comparing with references */
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
    size_t bytes_per_token; /* weights read by one decode step: of an untied input embedding one row, of
                               experts those that a token meets */
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
/* The empty session keeps keys and values of at most `limit` tokens from now on: the first 4 and the last
 * ones (mlx-lm's --max-kv-size). 0, or -1 when the limit is below 6 or the model's layers do not take one. */
LM_API int lm_session_limit(lm_session *session, int limit);
/* Tokens of the session: what was fed and, after a generation, the last token drawn, which the next step
 * feeds. */
LM_API size_t lm_session_length(const lm_session *session);
/* Forgets all but the first n tokens. */
LM_API int lm_session_trim(lm_session *session, size_t n);
/* Their ids; valid until the session changes. */
LM_API const int *lm_session_tokens(const lm_session *session);

/* Writes a session's cache as mlx-lm's prompt cache files are, with n pairs of key and value of the caller's.
 * A file's name gets ".safetensors" if it lacks it. 0, or -1 and no file changed. */
LM_API int lm_session_save(const lm_session *session, const char *path, const char *const (*metadata)[2],
                           size_t n);
/* Fills an empty session of the same model from such a file, also from mlx-lm's own (with quantized keys and
 * values, too). Those do not say which tokens they hold: these are then 0 in lm_session_tokens, and penalties
 * pass over them. */
LM_API int lm_session_load(lm_session *session, const char *path);
/* The value that was saved with a key ("" if there is none), to be freed by lm_release; NULL with an error.
 */
LM_API char *lm_session_metadata(const char *path, const char *key);

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

/* --- the engine: many requests at a time --- */

/* Continuous batching over one model: each step computes the next token of all running requests and chunks of
 * waiting prompts, within a budget of tokens, so that a long prompt never holds the others up. Keys and
 * values lie in blocks of a pool whose size is fixed at the start; prompts that begin alike share blocks, now
 * and later. A request that cannot fit is refused when it is submitted, never after.
 *
 *     lm_engine *engine = lm_engine_new(model, NULL);
 *     lm_engine_submit(engine, &request, on_event, user, NULL);     from any thread
 *     while (lm_engine_step(engine) > 0) continue;                  or lm_engine_run on a thread of its own
 *
 * Threads: submit, cancel, stop and stats may be called from any thread at any time, step and run from one at
 * a time; new and free when no other call is under way. Callbacks run on the thread that steps, without a
 * lock held: they may submit and cancel; they must not step or free. The model must outlive its engines. */
typedef struct lm_engine lm_engine;

typedef struct lm_engine_options {
    size_t kv_memory;     /* bytes for keys and values; 0: half of the memory that is free now */
    int max_batch_tokens; /* of a step; 0: 512 */
    int max_sequences;    /* that run at a time, at most max_batch_tokens; 0: 64 */
    int max_waiting;      /* requests that wait to run; 0: 1024; -1: no limit */
    int max_length;       /* prompt and answer of one request; 0: the model's, or what fits into the pool */
    int kv_bits;          /* 8 or 4: quantized keys and values; 0: as the model's kv_dtype says */
    bool no_prefix_cache;
    /* Rows are computed however is fastest for as many as there are. Else a request's tokens and
     * log-probabilities have the same bits whatever is computed beside it (which with dozens of sequences
     * costs speed), as long as the cache holds the same of its prompt. */
    bool throughput;
} lm_engine_options;

typedef struct lm_bias {
    int id;
    float bias; /* added to the token's logit; -INFINITY forbids it */
} lm_bias;

/* What is wanted. Everything is copied by submit. */
typedef struct lm_request {
    const int *prompt;
    size_t n_prompt;
    lm_sampling sampling; /* with seed s, sequence i of n draws as seed s + i: whatever else is computed */
    int max_tokens;       /* -1: as many as fit */
    int min_tokens;       /* neither end token nor stop string ends it before */
    bool ignore_eos;
    const int *stop_ids; /* further end tokens */
    size_t n_stop_ids;
    const char *const *stop; /* texts that end it and are left out, wherever token borders fall */
    size_t n_stop;
    bool include_stop;   /* but not left out */
    bool keep_special;   /* special tokens are text, too */
    const lm_bias *bias; /* before the penalties */
    size_t n_bias;
    int n;               /* sequences wanted; 0: 1 */
    int best_of;         /* made; the n most probable per token are given, at the end; 0: n */
    int logprobs;        /* tell each token's, and so many alternatives; -1: neither */
    int prompt_logprobs; /* the same for each of the prompt's tokens but the first; -1: no events for these */
    int priority;        /* smaller is served first */
    int drafts; /* tokens guessed ahead at most, by what followed the last ones before: speed, the same tokens
                 */
    const char *salt; /* cached prefixes are shared only under the same salt; NULL: none */
} lm_request;
#define LM_REQUEST_DEFAULT                                                                        \
    {                                                                                             \
        .sampling = LM_SAMPLING_DEFAULT, .max_tokens = 256, .logprobs = -1, .prompt_logprobs = -1 \
    }

typedef struct lm_candidate {
    float logprob;
    int id;
} lm_candidate;

/* A token, or a last word. Valid during the callback. */
typedef struct lm_event {
    uint64_t request;
    int index;   /* of the sequence, 0 .. n - 1 */
    bool prompt; /* about the prompt's token at `position`; has no text */
    size_t position;
    int id;           /* -1: no token, only text that was held back, or the end */
    const char *text; /* what can be told now: whole characters that begin no stop text */
    size_t len;
    float logprob; /* after bias and penalties, before the filters; 0 unless asked for */
    const lm_candidate *top;
    size_t n_top; /* the most probable, descending */
    /* NULL, or on the sequence's last event: "stop", "length", "cancelled", "error" */
    const char *finish_reason;
    const char *stop;     /* the stop text that was met, or NULL */
    int stop_id;          /* the end token that was met, or -1 */
    const char *error;    /* what failed, with "error" */
    size_t prompt_tokens; /* of the request, and how many of them the cache had */
    size_t cached_tokens, generated_tokens;
    double queue_seconds; /* from submit until it was first computed */
} lm_event;

/* Non-zero cancels the request. */
typedef int (*lm_event_fn)(void *user, const lm_event *event);

/* Allocates the pool. options may be NULL. */
LM_API lm_engine *lm_engine_new(const lm_model *model, const lm_engine_options *options);
/* Requests that are left get no further event. */
LM_API void lm_engine_free(lm_engine *engine);

#define LM_BUSY 1
/* Takes in a request: fn gets its events, each sequence's last one with a finish_reason, until then user must
 * stay valid. *id (may be NULL) is its number, never 0. 0; LM_BUSY with an error when the queue is full; -1
 * when the request is wrong or can never fit. */
LM_API int lm_engine_submit(lm_engine *engine, const lm_request *request, lm_event_fn fn, void *user,
                            uint64_t *id);
/* Ends a request before the next step, which its blocks are free for; its sequences get "cancelled". No error
 * if it has ended. */
LM_API void lm_engine_cancel(lm_engine *engine, uint64_t id);
/* Computes one step. 1: there is more to do; 0: nothing. A step that fails ends its requests with "error",
 * and the engine goes on. */
LM_API int lm_engine_step(lm_engine *engine);
/* Steps, and sleeps while there is nothing to do, until lm_engine_stop. drain: it first finishes what was
 * submitted before; else what is left stays for another run, or for free. */
LM_API void lm_engine_run(lm_engine *engine);
LM_API void lm_engine_stop(lm_engine *engine, bool drain);

/* Writes what an engine without running requests holds of prompts to a file, and takes it in again in another
 * one of the same model and settings, so that what was computed once is there after a restart. The file has
 * the prompts' tokens in it. Not while another thread steps. 0 or -1. */
LM_API int lm_engine_save_cache(lm_engine *engine, const char *path);
LM_API int lm_engine_load_cache(lm_engine *engine, const char *path);

typedef struct lm_engine_stats {
    size_t running, waiting; /* sequences */
    size_t kv_blocks, kv_blocks_used, kv_blocks_cached, kv_bytes;
    size_t max_length; /* of one request */
    uint64_t submitted, refused, stopped, full /* "length" */, cancelled, failed;
    uint64_t steps, prompt_tokens, generated_tokens;
    uint64_t cache_queries, cache_hits; /* tokens */
    uint64_t preemptions;
    uint64_t drafts, draft_tokens, accepted_tokens; /* guesses, their tokens, and how many were right */
    double busy_seconds;                            /* in steps */
    size_t last_step_tokens;                        /* and how many sequences they were of */
    size_t last_step_sequences;
} lm_engine_stats;
LM_API void lm_engine_get_stats(lm_engine *engine, lm_engine_stats *stats);

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
/* "portable", "avx2", "avx512", "avx512bf16", "amx". */
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
