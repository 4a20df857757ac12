/* What the commands share: their entry points, options that several take, output, interrupts.
 *
 * A command function gets the arguments after its name and returns the exit code, or -1 with the thread's
 * error set: main prints it as one line on stderr and exits with 1. */
#ifndef MICA_CLI_CLI_H
#define MICA_CLI_CLI_H

#include "base/error.h"
#include "base/strbuf.h"
#include "cli/options.h"

#include <jansson.h>
#include <mica.h>
#include <stdbool.h>

int cli_generate(int argc, char **argv);
int cli_chat(int argc, char **argv);
int cli_convert(int argc, char **argv);
int cli_tokenize(int argc, char **argv);
int cli_detokenize(int argc, char **argv);
int cli_template(int argc, char **argv);
int cli_logits(int argc, char **argv);
int cli_benchmark(int argc, char **argv);
int cli_cache_prompt(int argc, char **argv);
int cli_serve(int argc, char **argv);

/* --- options that several commands take --- */

typedef struct model_options {
    const char *path;
    int precision; /* lm_precision */
    int threads;
} model_options;
option_group cli_model_group(model_options *m);

typedef struct sampling_options {
    float temp, top_p, min_p, xtc_probability, xtc_threshold;
    float repetition_penalty, presence_penalty, frequency_penalty;
    int top_k, min_tokens_to_keep, repetition_context, presence_context, frequency_context;
} sampling_options;
option_group cli_sampling_group(sampling_options *s);
/* As the library takes them. */
lm_sampling cli_sampling(const sampling_options *s, option_seed seed);

/* mlx-lm's options that do not exist here yet. */
option_group cli_refused_group(void);

/* Checks a --model value for commands that want a folder (or, with file_too, a file in it): an error for a
 * missing value, a model hub's name, or a path that is not there. */
int cli_check_model(const char *path, bool file_too);
/* Sets the threads and loads the model; NULL with an error. */
lm_model *cli_load(const model_options *m);
/* Parses --extra-eos-token's texts and ids into a new list (mem_free) of list->n ids. */
int cli_extra_eos(const lm_model *model, const option_list *list, int **ids);
/* Is the text of an argument valid UTF-8? what names it in the error. */
int cli_check_text(const char *what, const char *text, size_t n);
/* Parses an option's value that must be a JSON object; NULL with an error. */
json_t *cli_parse_object(const char *name, const char *text);
/* Is an option's value (NULL: not given) a JSON object? 0, or -1 with an error. */
int cli_check_object(const char *name, const char *text);
/* Appends the value of --prompt: stdin's text for -, else the argument with its \n and \t made real. An error
 * when it is not UTF-8. */
int cli_read_prompt(const char *argument, strbuf *prompt);
/* Reads all of stdin. */
int cli_read_stdin(strbuf *text);

/* --- output --- */

/* Writes to stdout: 0, or -1 with an error; cli_closed tells that the reader went away, which main passes
 * over in silence. */
int cli_write(const char *p, size_t n);
int cli_printf(const char *fmt, ...) PRINTF_LIKE(1, 2);
int cli_flush(void);
bool cli_closed(void);
/* Is fd a terminal that wants colour (NO_COLOR, TERM=dumb)? */
bool cli_color(int fd);

/* --- Ctrl-C --- */

/* From now on SIGINT sets a flag and interrupts a waiting read. With `once` a second one ends the program. */
void cli_interrupt_catch(bool once);
/* Has one come since the last cli_interrupt_clear? Fits lm_generate_options.cancelled. */
bool cli_interrupt_pending(void *unused);
void cli_interrupt_clear(void);

#endif
