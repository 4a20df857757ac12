/* mica convert: a Hugging Face or MLX checkpoint to an MLX one, quantized, dequantized or cast on the way. */
#include "base/file.h"
#include "cli/cli.h"
#include "cli/progress.h"

#include <stdio.h>
#include <string.h>

typedef struct convert_options {
    const char *from, *to;
    bool quantize, dequantize;
    int bits, group, mode, dtype;
    float shard_gb;
} convert_options;

/* clang-format off */
#define AT(field) offsetof(convert_options, field)
static const option rows[] = {
    {"--hf-path", "--model", OPTION_TEXT, AT(from), "DIR", NULL, NULL, 0, 0, "model folder to convert"},
    {"--mlx-path", NULL, OPTION_TEXT, AT(to), "DIR", "mlx_model", NULL, 0, 0, "folder to write; must not exist"},
    {"--quantize", "-q", OPTION_SWITCH, AT(quantize), NULL, NULL, NULL, 0, 0, "quantize linear layers and embeddings"},
    {"--q-bits", NULL, OPTION_INT, AT(bits), "N", "0", NULL, 0, 8, "2, 3, 4, 5, 6 or 8; 0 is the mode's own, 4"},
    {"--q-group-size", NULL, OPTION_INT, AT(group), "N", "0", NULL, 0, 128,
     "weights that share a scale: 32, 64 or 128; 0 is the mode's own, 64"},
    {"--q-mode", NULL, OPTION_CHOICE, AT(mode), NULL, "affine", "affine", 0, 0,
     "kind of quantization; mxfp4, nvfp4 and mxfp8 do not exist yet"},
    {"--dtype", NULL, OPTION_CHOICE, AT(dtype), NULL, "auto", "auto|float16|bfloat16|float32", 0, 0,
     "type of what is not quantized; auto is config.json's torch_dtype"},
    {"--dequantize", "-d", OPTION_SWITCH, AT(dequantize), NULL, NULL, NULL, 0, 0, "turn a quantized model back to floats"},
    {"--shard-gb", NULL, OPTION_REAL, AT(shard_gb), "X", "0", NULL, 0, 1e6,
     "gigabytes of a weight file at most; 0 is mlx-lm's 5 GiB"},
    {"--quant-predicate", NULL, OPTION_REFUSED, 0, NULL, NULL, "mixed-bit recipes do not exist yet", 0, 0, NULL},
    {"--upload-repo", NULL, OPTION_REFUSED, 0, NULL, NULL, "uploads do not exist yet", 0, 0, NULL},
    {"--trust-remote-code", NULL, OPTION_REFUSED, 0, NULL, NULL,
     "mica never runs code that comes with a model; leave it out", 0, 0, NULL},
};
#undef AT
/* clang-format on */

static const char examples[] =
    "  mica convert --hf-path Qwen3-8B --mlx-path Qwen3-8B-4bit -q\n"
    "  mica convert --hf-path Qwen3-8B --mlx-path Qwen3-8B-8bit -q --q-bits 8 --q-group-size 32\n"
    "  mica convert --hf-path Qwen3-8B-4bit --mlx-path Qwen3-8B-bf16 -d --dtype bfloat16\n";

static void show_progress(void *user, size_t done, size_t total) { progress_update(user, done, total); }

/* Everything that can be told from the options alone. */
static int check(const convert_options *o)
{
    if (!o->from)
        return error_set("no model: give the folder to convert with --hf-path DIR");
    if (cli_check_model(o->from, false))
        return -1;
    if (file_exists(o->to))
        return error_set("--mlx-path: %s exists already: name a folder that does not", o->to);
    if (o->quantize && o->dequantize)
        return error_set("--quantize and --dequantize exclude each other");
    if (!o->quantize && (o->bits || o->group))
        return error_set("%s goes with --quantize", o->bits ? "--q-bits" : "--q-group-size");
    if (o->bits == 1 || o->bits == 7)
        return error_set("--q-bits: %d is not one of 2, 3, 4, 5, 6, 8", o->bits);
    if (o->group && o->group != 32 && o->group != 64 && o->group != 128)
        return error_set("--q-group-size: %d is not one of 32, 64, 128", o->group);
    return 0;
}

static int print_result(const convert_options *o, const lm_convert_result *r)
{
    const char *did = o->quantize ? "Quantizing" : o->dequantize ? "Dequantizing" : NULL;
    if (cli_printf("[INFO] Loading\n"))
        return -1;
    if (r->dtype[0] && cli_printf("[INFO] Using dtype: %s\n", r->dtype))
        return -1;
    if (did && cli_printf("[INFO] %s\n", did))
        return -1;
    if (o->quantize && cli_printf("[INFO] Quantized model with %.3f bits per weight.\n", r->bits_per_weight))
        return -1;
    return cli_printf("[INFO] Wrote %s: %.3f billion parameters, %.3f GB\n", o->to,
                      (double)r->parameters * 1e-9, (double)r->bytes * 1e-9);
}

static int work(const convert_options *o)
{
    static const char *const dtypes[] = {NULL, "float16", "bfloat16", "float32"};
    progress bar;
    lm_convert_options options = {.dtype = dtypes[o->dtype],
                                  .quantize = o->quantize,
                                  .group_size = o->group,
                                  .bits = o->bits,
                                  .dequantize = o->dequantize,
                                  .max_shard = (size_t)((double)o->shard_gb * 1e9),
                                  .progress = show_progress,
                                  .cancelled = cli_interrupt_pending,
                                  .user = &bar};
    lm_convert_result result = {.dtype = ""};
    cli_interrupt_catch(true); /* the unfinished folder is removed; a second Ctrl-C does not wait */
    progress_start(&bar, o->quantize ? "Quantizing" : "Converting", PROGRESS_BYTES);
    int status = lm_convert(o->from, o->to, &options, &result);
    progress_end(&bar);
    if (status)
        return -1;
    return print_result(o, &result);
}

int cli_convert(int argc, char **argv)
{
    convert_options o = {0};
    const option_group group = OPTION_GROUP("Options", rows, &o);
    const option_spec spec = {"mica convert", "makes an MLX checkpoint, quantized if asked", examples, &group,
                              1};
    option_result parsed = options_parse(&spec, argc, argv);
    if (parsed != OPTIONS_RUN)
        return parsed == OPTIONS_HELP ? 0 : -1;
    return check(&o) ? -1 : work(&o);
}
