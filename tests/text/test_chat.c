/* Chat templates of model folders: where they are found, what variables they see, continuing a message. */
#include "test.h"

#include "base/file.h"
#include "base/strbuf.h"
#include "text/chat.h"

#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/mica-chat-XXXXXX";

static void write_file(const char *name, const char *text)
{
    char *path = file_join(folder, name);
    assert_int_equal(file_save(path, text, strlen(text)), 0);
    mem_free(path);
}

static void remove_file(const char *name)
{
    char *path = file_join(folder, name);
    unlink(path);
    mem_free(path);
}

static int clean(void **state)
{
    (void)state;
    remove_file("chat_template.jinja");
    remove_file("additional_chat_templates/tool_use.jinja");
    remove_file("tokenizer_config.json");
    remove_file("special_tokens_map.json");
    return 0;
}

static json_t *json(const char *text)
{
    json_t *j = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(j);
    return j;
}

/* Renders messages and tools given as JSON text and compares. */
static void expect(const chat_template *t, const char *messages, const char *tools, bool prompt,
                   const char *kwargs, const char *want)
{
    json_t *m = json(messages), *u = tools ? json(tools) : NULL, *k = kwargs ? json(kwargs) : NULL;
    char *text = chat_template_render(t, m, u, prompt, k, "2024-07-26");
    assert_ok(text);
    assert_string_equal(text, want);
    mem_free(text);
    json_decref(m);
    json_decref(u);
    json_decref(k);
}

static const char one_user[] = "[{\"role\": \"user\", \"content\": \"hi\"}]";

static void a_folder_may_have_none(void **state)
{
    (void)state;
    assert_null(chat_template_load(folder));
    assert_false(error_pending());
    write_file("tokenizer_config.json", "{\"bos_token\": \"<s>\", \"chat_template\": null}");
    assert_null(chat_template_load(folder));
    assert_false(error_pending());
}

static void variables_are_those_of_transformers(void **state)
{
    (void)state;
    write_file(
        "tokenizer_config.json",
        "{\"chat_template\": \"{{ bos_token }}|{{ eos_token }}|{{ pad_token is defined }}|{{ unk_token }}|"
        "{{ additional_special_tokens }}|{{ image_token }}|{{ tools is none }}|{{ documents is none }}|"
        "{{ add_generation_prompt }}|{{ messages[0].content }}|{{ x }}|{{ strftime_now('%Y') }}\","
        "\"bos_token\": {\"content\": \"<s>\", \"special\": true}, \"eos_token\": \"</s>\", \"pad_token\": "
        "null,"
        "\"model_max_length\": 1000000000000000019884624838656,"
        "\"additional_special_tokens\": [\"<a>\", {\"content\": \"<b>\"}],"
        "\"extra_special_tokens\": {\"image_token\": \"<img>\"}}");
    write_file("special_tokens_map.json",
               "{\"unk_token\": {\"content\": \"<unk>\"}, \"bos_token\": \"<other>\"}");
    chat_template *t = chat_template_load(folder);
    assert_ok(t);
    expect(t, one_user, NULL, true, "{\"x\": 5}",
           "<s>|</s>|False|<unk>|['<a>', '<b>']|<img>|True|True|True|hi|5|2024");
    expect(t, one_user, "[{}]", false, "{\"eos_token\": \"E\", \"documents\": [1]}",
           "<s>|E|False|<unk>|['<a>', '<b>']|<img>|False|False|False|hi||2024");
    expect(t, one_user, "null", false, NULL,
           "<s>|</s>|False|<unk>|['<a>', '<b>']|<img>|True|True|False|hi||2024");
    chat_template_free(t);
}

static void the_file_beats_the_configuration(void **state)
{
    (void)state;
    write_file("tokenizer_config.json", "{\"chat_template\": \"config\", \"eos_token\": \"</s>\"}");
    write_file("chat_template.jinja", "file {{ eos_token }}\n");
    chat_template *t = chat_template_load(folder);
    assert_ok(t);
    expect(t, one_user, "[]", true, NULL, "file </s>");
    chat_template_free(t);
    write_file("additional_chat_templates/tool_use.jinja", "tools {{ eos_token }}");
    t = chat_template_load(folder);
    assert_ok(t);
    expect(t, one_user, NULL, true, NULL, "file </s>");
    expect(t, one_user, "[]", true, NULL, "tools </s>");
    chat_template_free(t);
}

static void named_templates_are_chosen_by_tools(void **state)
{
    (void)state;
    write_file("tokenizer_config.json",
               "{\"chat_template\": [{\"name\": \"default\", \"template\": \"D\"},"
               "{\"name\": \"rag\", \"template\": \"{{\"},"
               "{\"name\": \"tool_use\", \"template\": \"T{{ tools | length }}\"}]}");
    chat_template *t = chat_template_load(folder);
    assert_ok(t);
    expect(t, one_user, NULL, true, NULL, "D");
    expect(t, one_user, "[{}, {}]", true, NULL, "T2");
    chat_template_free(t);
}

static void broken_folders_are_refused(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"{", "tokenizer_config.json: line 1"},
        {"[]", "JSON object"},
        {"{\"chat_template\": 5}", "must be a string or a list"},
        {"{\"chat_template\": [5]}", "needs \"name\""},
        {"{\"chat_template\": [{\"name\": \"rag\", \"template\": \"x\"}]}", "neither"},
        {"{\"chat_template\": \"a\\n{% if %}\"}", "tokenizer_config.json: [template] line 2"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file("tokenizer_config.json", bad[i][0]);
        assert_null(chat_template_load(folder));
        assert_error(bad[i][1]);
    }
    assert_null(chat_template_from_text("{{ 1 +", 6));
    assert_error("line 1");
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    chat_template *t = chat_template_from_text("{{ messages[0].content.x.y }}", 29);
    json_t *object = json("{}"), *list = json(one_user);
    assert_ok(t);
    assert_null(chat_template_render(t, object, NULL, true, NULL, NULL));
    assert_error("JSON list");
    assert_null(chat_template_render(t, list, NULL, true, list, NULL));
    assert_error("JSON object");
    assert_null(chat_template_render(t, list, NULL, true, NULL, NULL));
    assert_error("line 1: 'str object' has no attribute 'x'");
    chat_template_free(t);
    json_decref(object);
    json_decref(list);
}

/* --- continuing the last message --- */

static void expect_continued(const char *source, const char *messages, const char *want)
{
    chat_template *t = chat_template_from_text(source, strlen(source));
    json_t *m = json(messages), *before = json_deep_copy(m);
    assert_ok(t);
    char *text = chat_template_continue(t, m, NULL, NULL, NULL);
    if (want) {
        assert_ok(text);
        assert_string_equal(text, want);
    } else {
        assert_null(text);
    }
    assert_true(json_equal(m, before));
    mem_free(text);
    chat_template_free(t);
    json_decref(m);
    json_decref(before);
}

static void the_last_message_can_go_on(void **state)
{
    (void)state;
    static const char chat[] = "{% for m in messages %}[{{ m.role }}]{{ m.content }}<end>\n{% endfor %}"
                               "{% if add_generation_prompt %}[assistant]{% endif %}";
    static const char trimmed[] =
        "{% for m in messages %}[{{ m.role }}]{{ m.content | trim }}<end>{% endfor %}";
    static const char parts[] =
        "{% for m in messages %}{% for p in m.content %}({{ p.text }}){% endfor %}{% endfor %}";
    static const char two[] =
        "[{\"role\": \"user\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": \" So \"}]";
    expect_continued(chat, two, "[user]a<end>\n[assistant] So ");
    expect_continued(trimmed, two, "[user]a<end>[assistant]So");
    expect_continued(
        parts,
        "[{\"role\": \"user\", \"content\": [{\"text\": \"x\"}, {\"text\": \"y\"}, {\"type\": \"image\"}]}]",
        "(x)(y");
    expect_continued("{{ messages[0].content }}", two, NULL);
    assert_error("cannot be continued");
    expect_continued(chat, "[]", NULL);
    assert_error("no message");
    expect_continued(chat, "[{\"role\": \"user\", \"content\": null}]", NULL);
    assert_error("no message");
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    write_file("tokenizer_config.json",
               "{\"chat_template\": [{\"name\": \"default\", \"template\": \"{{ messages }}\"},"
               "{\"name\": \"tool_use\", \"template\": \"T{{ tools | tojson }}\"}]}");
    json_t *m = json(one_user);
    for (size_t k = 1;; k++) {
        mem_fail_at(k);
        chat_template *t = chat_template_load(folder);
        char *text = t ? chat_template_continue(t, m, NULL, NULL, NULL) : NULL;
        int fired = mem_fail_fired();
        mem_fail_at(0);
        assert_int_equal(text == NULL, fired);
        mem_free(text);
        chat_template_free(t);
        if (!fired)
            break;
        assert_error("memory");
    }
    json_decref(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_folder_may_have_none, clean),
        cmocka_unit_test_teardown(variables_are_those_of_transformers, clean),
        cmocka_unit_test_teardown(the_file_beats_the_configuration, clean),
        cmocka_unit_test_teardown(named_templates_are_chosen_by_tools, clean),
        cmocka_unit_test_teardown(broken_folders_are_refused, clean),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(the_last_message_can_go_on),
        cmocka_unit_test_teardown(every_allocation_may_fail, clean),
    };
    if (!mkdtemp(folder))
        return 1;
    char *more = file_join(folder, "additional_chat_templates");
    file_mkdir(more);
    int failed = more ? RUN_TESTS("chat", tests, NULL) : 1;
    rmdir(more);
    mem_free(more);
    rmdir(folder);
    return failed;
}
