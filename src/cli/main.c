/* The mica command: finds the command in a table, runs it, prints its error.
 *
 * It can be told what to do in three ways: `mica generate ...`, `mlx_lm generate ...` (as mlx-lm's own
 * command), and `mlx_lm.generate ...` (as mlx-lm's scripts), the latter two by the name it was started under.
 */
#include "cli/cli.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

typedef struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary; /* for the ones that do not exist yet: NULL */
} command;

/* clang-format off */
static const command commands[] = {
    {"generate", cli_generate, "answer one prompt"},
    {"chat", cli_chat, "talk with a model"},
    {"convert", cli_convert, "convert and quantize a checkpoint"},
    {"benchmark", cli_benchmark, "measure speed against the machine's memory bandwidth"},
    {"cache_prompt", cli_cache_prompt, "keep what a model knows of a prompt in a file"},
    {"serve", cli_serve, "answer OpenAI's HTTP requests"},
    {"server", cli_serve, "the same, as mlx-lm calls it"},
    {"tokenize", cli_tokenize, "text to token ids"},
    {"detokenize", cli_detokenize, "token ids to text"},
    {"template", cli_template, "render a chat template"},
    {"logits", cli_logits, "write the logits of given tokens"},
    {"lora", NULL, NULL}, {"fuse", NULL, NULL},
    {"perplexity", NULL, NULL}, {"evaluate", NULL, NULL}, {"manage", NULL, NULL},
    {"share", NULL, NULL}, {"upload", NULL, NULL}, {"awq", NULL, NULL}, {"dwq", NULL, NULL}, {"gptq", NULL, NULL},
    {"dynamic_quant", NULL, NULL},
};

static const struct { const char *name, *meaning; } variables[] = {
    {"MICA_CPU_ISA", "use at most this instruction set: portable, avx2, avx512, avx512bf16, amx"},
    {"MICA_API_KEY", "a key that `mica serve` wants of its clients"},
    {"NO_COLOR", "when not empty: no colour"},
};
/* clang-format on */

enum { N_COMMANDS = sizeof commands / sizeof *commands, N_VARIABLES = sizeof variables / sizeof *variables };

static int print_help(void)
{
    puts(
        "mica: run language models from MLX and Hugging Face checkpoints\n\nUsage: mica COMMAND [options]\n\n"
        "Commands:");
    for (int i = 0; i < N_COMMANDS; i++)
        if (commands[i].summary)
            printf("  %-12s%s\n", commands[i].name, commands[i].summary);
    puts("\n  mica COMMAND --help explains a command's options.\n  mica --version prints the version.\n\n"
         "Environment:");
    for (int i = 0; i < N_VARIABLES; i++)
        printf("  %-14s%s\n", variables[i].name, variables[i].meaning);
    puts("\nExamples:\n  mica generate --model models/story --prompt \"Once upon a time\"\n"
         "  mica chat --model models/story");
    return 0;
}

static const command *find_command(const char *name)
{
    const command *best = NULL;
    for (int i = 0; i < N_COMMANDS; i++) {
        if (strcmp(name, commands[i].name) == 0)
            return &commands[i];
        if (commands[i].run && options_near(name, commands[i].name) &&
            (!best || options_distance(name, commands[i].name) < options_distance(name, best->name)))
            best = &commands[i];
    }
    if (best)
        error_set("unknown command %s: did you mean %s?", name, best->name);
    else if (name[0] == '-')
        error_set("unknown option %s: a command comes first (mica --help lists them)", name);
    else
        error_set("unknown command %s (mica --help lists them)", name);
    return NULL;
}

/* *known: the command's name once it is found. */
static int run_command(const char *name, int argc, char **argv, const char **known)
{
    const command *c = find_command(name);
    if (!c)
        return -1;
    if (!c->run)
        return error_set("the command %s does not exist yet (mica --help lists those that do)", name);
    *known = name;
    return c->run(argc, argv);
}

static int run(int argc, char **argv, const char **known)
{
    const char *slash = argc ? strrchr(argv[0], '/') : NULL;
    const char *self = slash ? slash + 1 : argc ? argv[0] : "";
    if (strncmp(self, "mlx_lm.", 7) == 0)
        return run_command(self + 7, argc - 1, argv + 1, known);
    if (argc < 2)
        return error_set("no command (mica --help lists them)");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        return print_help();
    if (strcmp(argv[1], "--version") == 0)
        return cli_printf("mica %s\n", lm_version());
    return run_command(argv[1], argc - 2, argv + 2, known);
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    const char *name = NULL;
    int status = run(argc, argv, &name);
    /* One line, whatever came before; a reader that went away wants none. */
    if (status < 0 || cli_flush()) {
        status = cli_interrupt_pending(NULL) ? 130 : 1;
        if (!cli_closed())
            fprintf(stderr, "mica%s%s: %s\n", name ? " " : "", name ? name : "",
                    error_pending() ? error_text() : "failed without saying why");
    }
    lm_shutdown();
    return status;
}
