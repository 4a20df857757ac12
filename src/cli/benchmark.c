/* mica benchmark: reads a random prompt, generates, and sets the speed against the machine's memory
 * bandwidth.
 *
 * A decode step must read every weight and the KV cache once, so bytes a token times tokens a second is what
 * it draws from memory, and its share of the measured read-only bandwidth says how much is left to gain. The
 * rate used for that counts the decode steps only: the first token's cost is in the prompt. As in mlx-lm the
 * token ids are random (seed 0), end tokens are ignored and one warm-up run comes first. */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "io/jsontext.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

typedef struct benchmark_options {
    model_options m;
    int prompt_tokens, generation_tokens, trials, prefill_step, batch;
    float delay;
    bool json;
} benchmark_options;

/* clang-format off */
enum { PRECISION_BOTH = 3 };
#define AT(field) offsetof(benchmark_options, field)
static const option rows[] = {
    {"--model", NULL, OPTION_TEXT, AT(m.path), "DIR", NULL, NULL, 0, 0, "folder with config.json and model*.safetensors"},
    {"--prompt-tokens", "-p", OPTION_INT, AT(prompt_tokens), "N", "512", NULL, 1, 1 << 24, "tokens of the prompt"},
    {"--generation-tokens", "-g", OPTION_INT, AT(generation_tokens), "N", "1024", NULL, 1, 1 << 24, "tokens to generate"},
    {"--num-trials", "-n", OPTION_INT, AT(trials), "N", "5", NULL, 1, 10000, "runs that are timed"},
    {"--threads", NULL, OPTION_INT, AT(m.threads), "N", "0", NULL, 0, 4096, "threads that compute; 0 is one a core"},
    {"--precision", NULL, OPTION_CHOICE, AT(m.precision), NULL, "auto", "auto|exact|int8|both", 0, 0,
     "products with quantized weights (see mica generate --help); both runs one after the other and compares"},
    {"--prefill-step-size", NULL, OPTION_INT, AT(prefill_step), "N", "2048", NULL, 1, INT_MAX,
     "prompt tokens that are computed at once"},
    {"--batch-size", "-b", OPTION_INT, AT(batch), "N", "1", NULL, 1, INT_MAX, "sequences at once; only 1 exists yet"},
    {"--delay", NULL, OPTION_REAL, AT(delay), "S", "0", NULL, 0, 86400, "seconds to wait before each trial"},
    {"--json", NULL, OPTION_SWITCH, AT(json), NULL, NULL, NULL, 0, 0, "print one JSON object and nothing else"},
};
#undef AT
/* clang-format on */

static const char examples[] = "  mica benchmark --model models/story -p 512 -g 128 -n 3\n"
                               "  mica benchmark --model models/story --precision both --threads 2 --json\n";

/* The figures of a trial, or their means. */
typedef struct figures {
    double prompt_tps, generation_tps, peak_memory_gb, total_s;
    double decode_tps; /* decode steps a second, the first token not counted; 0 if there was no other */
} figures;

typedef struct report {
    lm_info info;
    figures mean, *trials;
    double bandwidth;  /* bytes/s: the best of before and after the trials */
    double spread;     /* the lesser of the two over the better: well below 1 on a busy machine */
    double read_bytes; /* by a decode step in the middle of a trial: weights and KV cache */
    double fraction;   /* of the bandwidth; 0 without decode steps */
    int threads;
} report;

typedef struct run {
    const benchmark_options *o;
    lm_model *model;
    int *prompt;
    progress bar;
    int generated;
} run;

static const char *const precision_names[] = {"auto", "exact", "int8"};

/* --- measuring --- */

/* Uniform ids below vocab: splitmix64 with seed 0. */
static void fill_random(int *ids, size_t n, int vocab)
{
    uint64_t state = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t z = (state += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        ids[i] = (int)((z ^ (z >> 31)) % (uint64_t)vocab);
    }
}

static int count_token(void *user, const lm_token *token)
{
    (void)token;
    run *r = user;
    r->generated++;
    progress_update(&r->bar, (size_t)r->generated, (size_t)r->o->generation_tokens);
    return 0;
}

static int run_trial(run *r, const char *label, figures *f)
{
    lm_generate_options options = LM_GENERATE_DEFAULT;
    options.max_tokens = r->o->generation_tokens;
    options.prefill_step = r->o->prefill_step;
    options.ignore_eos = true;
    lm_session *session = lm_session_new(r->model);
    if (!session)
        return -1;
    lm_stats stats;
    r->generated = 0;
    progress_start(&r->bar, label, PROGRESS_COUNT);
    double start = clock_seconds();
    int status =
        lm_generate(session, r->prompt, (size_t)r->o->prompt_tokens, &options, count_token, r, &stats);
    double total = clock_seconds() - start;
    progress_end(&r->bar);
    lm_session_free(session);
    if (status)
        return -1;
    double steps = (double)stats.generated_tokens - 1;
    *f = (figures){.prompt_tps = stats.prompt_tps,
                   .generation_tps = stats.generation_tps,
                   .peak_memory_gb = (double)stats.peak_memory * 1e-9,
                   .total_s = total,
                   .decode_tps =
                       steps > 0 && stats.generation_seconds > 0 ? steps / stats.generation_seconds : 0};
    return 0;
}

static void pause_for(float seconds)
{
    struct timespec t = {(time_t)seconds, (long)((seconds - (float)(time_t)seconds) * 1e9f)};
    if (seconds > 0)
        nanosleep(&t, NULL);
}

/* Adds part of f to the mean. */
static void add_to_mean(figures *mean, const figures *f, double part)
{
    mean->prompt_tps += f->prompt_tps * part;
    mean->generation_tps += f->generation_tps * part;
    mean->peak_memory_gb += f->peak_memory_gb * part;
    mean->total_s += f->total_s * part;
    mean->decode_tps += f->decode_tps * part;
}

static int print_trial(const char *label, const figures *f, const lm_info *info)
{
    if (cli_printf(
            "%s prompt_tps=%.3f, generation_tps=%.3f, peak_memory_gb=%.3f, total_time=%.3f, load_s=%.3f, "
            "bytes_per_token=%zu\n",
            label, f->prompt_tps, f->generation_tps, f->peak_memory_gb, f->total_s, info->load_seconds,
            info->bytes_per_token))
        return -1;
    return cli_flush();
}

static int run_trials(run *r, report *rep)
{
    const benchmark_options *o = r->o;
    if (!o->json && (cli_printf("Running warmup..\n") || cli_flush()))
        return -1;
    figures warm;
    if (run_trial(r, "Warm-up", &warm))
        return -1;
    if (!o->json &&
        (cli_printf("Timing with prompt_tokens=%d, generation_tokens=%d, batch_size=%d, precision=%s, "
                    "isa=%s, threads=%d.\n",
                    o->prompt_tokens, o->generation_tokens, o->batch, precision_names[rep->info.precision],
                    lm_isa(), rep->threads) ||
         cli_flush()))
        return -1;
    for (int i = 0; i < o->trials; i++) {
        char label[32];
        snprintf(label, sizeof label, "Trial %d: ", i + 1); /* two blanks follow, as in mlx-lm */
        pause_for(o->delay);
        if (run_trial(r, label, &rep->trials[i]))
            return -1;
        add_to_mean(&rep->mean, &rep->trials[i], 1.0 / o->trials);
        if (!o->json && print_trial(label, &rep->trials[i], &rep->info))
            return -1;
    }
    return 0;
}

static int measure(const benchmark_options *o, lm_precision precision, report *rep)
{
    lm_load_options load = {.precision = precision, .no_tokenizer = true};
    run r = {.o = o, .model = lm_load(o->m.path, &load)};
    if (!r.model)
        return -1;
    rep->info = lm_model_info(r.model);
    rep->threads = lm_threads();
    rep->trials = mem_calloc((size_t)o->trials, sizeof *rep->trials);
    r.prompt = mem_alloc((size_t)o->prompt_tokens, sizeof(int));
    int status = -1;
    double before = lm_measure_bandwidth(rep->threads);
    if (rep->trials && r.prompt) {
        fill_random(r.prompt, (size_t)o->prompt_tokens, rep->info.vocab_size);
        status = run_trials(&r, rep);
    }
    mem_free(r.prompt);
    lm_free(r.model);
    rep->info.model_type = NULL; /* went with the model */
    if (status)
        return -1;
    double held = (double)o->prompt_tokens + 0.5 * (double)o->generation_tokens;
    rep->read_bytes = (double)rep->info.bytes_per_token + held * (double)rep->info.kv_bytes_per_token;
    double after = lm_measure_bandwidth(rep->threads);
    rep->bandwidth = before > after ? before : after;
    rep->spread = rep->bandwidth > 0 ? (before < after ? before : after) / rep->bandwidth : 0;
    if (rep->bandwidth > 0)
        rep->fraction = rep->read_bytes * rep->mean.decode_tps / rep->bandwidth;
    return 0;
}

/* Did something else use the machine? Then no figure can be trusted. */
static bool disturbed(const report *rep) { return rep->spread < 0.85 || rep->fraction > 1.02; }

/* --- printing --- */

static int print_report(const report *rep)
{
    if (print_trial("Averages:", &rep->mean, &rep->info))
        return -1;
    if (cli_printf("Bandwidth: %.2f GB/s measured (read only, %d thread%s); a decode step reads %.3f MB; "
                   "decode reached "
                   "%.1f%% of the bandwidth\n",
                   rep->bandwidth * 1e-9, rep->threads, rep->threads == 1 ? "" : "s", rep->read_bytes * 1e-6,
                   rep->fraction * 100))
        return -1;
    if (disturbed(rep))
        return cli_printf(
            "Warning: the machine is busy with other things (its bandwidth varied to %.0f%%): do not trust "
            "these figures\n",
            rep->spread * 100);
    return 0;
}

static json_t *figures_json(const figures *f)
{
    return json_pack("{s:f, s:f, s:f, s:f}", "prompt_tps", f->prompt_tps, "generation_tps", f->generation_tps,
                     "peak_memory_gb", f->peak_memory_gb, "total_s", f->total_s);
}

/* The means and what they mean at the top, the trials in a list. */
static json_t *report_json(const benchmark_options *o, const report *rep)
{
    json_t *all = figures_json(&rep->mean), *trials = json_array();
    for (int i = 0; i < o->trials; i++)
        json_array_append_new(trials, figures_json(&rep->trials[i]));
    json_t *more =
        json_pack("{s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:f, s:I, s:I, s:f, s:f, s:f, s:f, s:b, s:o}", "model",
                  o->m.path, "precision", precision_names[rep->info.precision], "isa", lm_isa(), "threads",
                  rep->threads, "prompt_tokens", o->prompt_tokens, "generation_tokens", o->generation_tokens,
                  "num_trials", o->trials, "load_s", rep->info.load_seconds, "bytes_per_token",
                  (json_int_t)rep->info.bytes_per_token, "kv_bytes_per_token",
                  (json_int_t)rep->info.kv_bytes_per_token, "decode_tps", rep->mean.decode_tps,
                  "read_bytes_per_step", rep->read_bytes, "bandwidth_gb_s", rep->bandwidth * 1e-9,
                  "bandwidth_fraction", rep->fraction, "disturbed", (int)disturbed(rep), "trials", trials);
    if (!more || json_object_update(all, more)) {
        json_decref(all);
        all = NULL;
    }
    json_decref(more);
    return all;
}

static int print_json(json_t *value)
{
    strbuf out = {0};
    int status = jsontext_add(&out, value, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    strbuf_addc(&out, '\n');
    if (status == 0)
        status = cli_write(out.data, out.len);
    strbuf_free(&out);
    json_decref(value);
    return status;
}

static int one(const benchmark_options *o)
{
    report rep = {0};
    int status = measure(o, (lm_precision)o->m.precision, &rep);
    if (status == 0)
        status = o->json ? print_json(report_json(o, &rep)) : print_report(&rep);
    mem_free(rep.trials);
    return status;
}

static int both(const benchmark_options *o)
{
    report exact = {0}, int8 = {0};
    int status = measure(o, LM_PRECISION_EXACT, &exact);
    if (status == 0 && !o->json)
        status = print_report(&exact);
    if (status == 0)
        status = measure(o, LM_PRECISION_INT8, &int8);
    if (status == 0 && !o->json)
        status = print_report(&int8);
    double prompt = status ? 0 : int8.mean.prompt_tps / exact.mean.prompt_tps;
    double generation = status ? 0 : int8.mean.generation_tps / exact.mean.generation_tps;
    if (status == 0 && o->json)
        status = print_json(json_pack("{s:o, s:o, s:{s:f, s:f}}", "exact", report_json(o, &exact), "int8",
                                      report_json(o, &int8), "int8_over_exact", "prompt_tps", prompt,
                                      "generation_tps", generation));
    else if (status == 0)
        status = cli_printf("int8 over exact: prompt_tps x%.2f, generation_tps x%.2f\n", prompt, generation);
    mem_free(exact.trials);
    mem_free(int8.trials);
    return status;
}

int cli_benchmark(int argc, char **argv)
{
    benchmark_options o = {0};
    const option_group groups[] = {OPTION_GROUP("Options", rows, &o), cli_refused_group()};
    const option_spec spec = {"mica benchmark",
                              "measures prompt and generation speed against the memory bandwidth", examples,
                              groups, 2};
    option_result parsed = options_parse(&spec, argc, argv);
    if (parsed != OPTIONS_RUN)
        return parsed == OPTIONS_HELP ? 0 : -1;
    if (o.batch != 1)
        return error_set("--batch-size: several sequences at once do not exist yet; give 1, not %d", o.batch);
    if (cli_check_model(o.m.path, false))
        return -1;
    lm_set_threads(o.m.threads);
    return o.m.precision == PRECISION_BOTH ? both(&o) : one(&o);
}
