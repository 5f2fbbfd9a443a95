/*
 * Folders of tokenizer files: both forms, and what must be refused (faults rows D1 to D6), each
 * made from the demo's files by one change.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "model/language/pretokenizer.h"
#include "model/language/tokenizer.h"
#include "support/support.h"

/* ----------------------------------------------------------------------------------------------
 * Folders to order
 * ------------------------------------------------------------------------------------------- */

static char *folder; /* one for all */

static int set_up(void **state)
{
    (void)state;
    folder = omma_test_folder();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(folder);
    return 0;
}

static void empty_folder(void)
{
    static const char *const names[] = {
        "vocab.json",     "merges.txt",          "added_tokens.json",       "tokenizer_config.json",
        "tokenizer.json", "chat_template.jinja", "special_tokens_map.json", "tokenizer.model"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = omma_test_join(folder, names[i]);

        remove(path);
        free(path);
    }
}

/* The demo's files; what an earlier call gave is gone.  To be freed. */
static char *make_folder(void)
{
    char *source = omma_test_source("tests/data/tokenizer");

    empty_folder();
    omma_test_copy_folder(source, folder);
    free(source);
    return strdup(folder);
}

static void put(const char *dir, const char *name, const char *text)
{
    char *path = omma_test_join(dir, name);

    omma_test_write(path, text, strlen(text));
    free(path);
}

static void take_away(const char *dir, const char *name)
{
    char *path = omma_test_join(dir, name);

    assert_int_equal(remove(path), 0);
    free(path);
}

/* Replace the first `old` in a file, which must be there. */
static void replace(const char *dir, const char *name, const char *old, const char *new)
{
    char *path = omma_test_join(dir, name), *text = omma_test_read(path, NULL), *changed = NULL;
    char *at = strstr(text, old);

    assert_non_null(at);
    *at = '\0';
    assert_true(asprintf(&changed, "%s%s%s", text, new, at + strlen(old)) >= 0);
    omma_test_write(path, changed, strlen(changed));
    free(path);
    free(text);
    free(changed);
}

static json_t *load(const char *dir, const char *name)
{
    char *path = omma_test_join(dir, name);
    json_t *root = json_load_file(path, 0, NULL);

    assert_non_null(root);
    free(path);
    return root;
}

static void store(const char *dir, const char *name, json_t *root)
{
    char *path = omma_test_join(dir, name);

    assert_int_equal(json_dump_file(root, path, 0), 0);
    json_decref(root);
    free(path);
}

/* The folder's vocabulary as tokenizer.json has it; has_pairs: merges as pairs (the newer way). */
static json_t *make_fast(const char *dir, bool has_pairs)
{
    json_t *root = NULL, *merges = json_array(), *added = json_array(), *id;
    json_t *names = load(dir, "added_tokens.json");
    char *path = omma_test_join(dir, "merges.txt"), *text = omma_test_read(path, NULL);
    const char *name;

    strtok(text, "\n");
    for (char *line = strtok(NULL, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char *space = strchr(line, ' ');

        if (has_pairs) {
            *space = '\0';
            json_array_append_new(merges, json_pack("[s, s]", line, space + 1));
        } else {
            json_array_append_new(merges, json_string(line));
        }
    }
    json_object_foreach(names, name, id)
    {
        json_array_append_new(added, json_pack("{s:O, s:s, s:b, s:b, s:b, s:b, s:b}", "id", id,
                                               "content", name, "single_word", 0, "lstrip", 0,
                                               "rstrip", 0, "normalized", 0, "special", 1));
    }
    root = json_pack(
        "{s:s, s:n, s:n, s:o, s:{s:s}, s:{s:s, s:[{s:s, s:{s:s}, s:s, s:b}, {s:s, s:b, "
        "s:b, s:b}]}, s:{s:s}, s:{s:s}, s:{s:s, s:n, s:n, s:s, s:s, s:b, s:b, s:o, s:o}}",
        "version", "1.0", "truncation", "padding", "added_tokens", added, "normalizer", "type",
        "NFC", "pre_tokenizer", "type", "Sequence", "pretokenizers", "type", "Split", "pattern",
        "Regex", omma_pretokenizer_expression, "behavior", "Isolated", "invert", 0, "type",
        "ByteLevel", "add_prefix_space", 0, "trim_offsets", 0, "use_regex", 0, "post_processor",
        "type", "ByteLevel", "decoder", "type", "ByteLevel", "model", "type", "BPE", "dropout",
        "unk_token", "continuing_subword_prefix", "", "end_of_word_suffix", "", "fuse_unk", 0,
        "byte_fallback", 0, "vocab", load(dir, "vocab.json"), "merges", merges);
    assert_non_null(root);
    json_decref(names);
    free(path);
    free(text);
    return root;
}

/* The value at a path of keys and indices, "model/merges/3". */
static json_t *at_path(json_t *root, const char *path)
{
    char copy[128], *rest = NULL;

    snprintf(copy, sizeof copy, "%s", path);
    for (char *key = strtok_r(copy, "/", &rest); key != NULL; key = strtok_r(NULL, "/", &rest)) {
        root = json_is_array(root) ? json_array_get(root, strtoul(key, NULL, 10))
                                   : json_object_get(root, key);
    }
    assert_non_null(root);
    return root;
}

static void assert_opens(const char *dir)
{
    struct omma_error error;
    struct omma_tokenizer *tokenizer = NULL;

    assert_ok(omma_tokenizer_open(dir, &tokenizer, &error));
    omma_tokenizer_close(&tokenizer);
}

static void assert_refused(const char *dir, const char *file, const char *text)
{
    struct omma_error error;
    struct omma_tokenizer *tokenizer = NULL;

    assert_fails(OMMA_STATUS_MODEL, text, omma_tokenizer_open(dir, &tokenizer, &error));
    if (strstr(error.message, file) == NULL) {
        fail_msg("message \"%s\" lacks \"%s\"", error.message, file);
    }
    assert_null(tokenizer);
}

/* A folder with one change in one file is refused. */
static void refuse_change(const char *name, const char *old, const char *new, const char *file,
                          const char *text)
{
    char *dir = make_folder();

    replace(dir, name, old, new);
    assert_refused(dir, file, text);
    free(dir);
}

/* ----------------------------------------------------------------------------------------------
 * What is read
 * ------------------------------------------------------------------------------------------- */

static void assert_same(const struct omma_tokenizer *one, const struct omma_tokenizer *other)
{
    static const char text[] = "Three red circles.<ref>cat</ref> \xE4\xBD\xA0\xE5\xA5\xBD";
    struct omma_error error;

    assert_int_equal(omma_tokenizer_n_ids(one), omma_tokenizer_n_ids(other));
    for (int32_t id = 0; id < (int32_t)omma_tokenizer_n_ids(one); id++) {
        size_t n_one, n_other;
        bool added_one, added_other;
        const char *bytes = omma_token_bytes(one, id, &n_one, &added_one);
        const char *others = omma_token_bytes(other, id, &n_other, &added_other);

        assert_int_equal(n_one, n_other);
        assert_int_equal(added_one, added_other);
        assert_memory_equal(bytes, others, n_one);
        assert_int_equal(omma_tokenizer_is_skipped(one, id), omma_tokenizer_is_skipped(other, id));
    }
    for (int special = OMMA_SPECIAL_LITERAL; special <= OMMA_SPECIAL_REFERENCE; special++) {
        struct omma_tokens a, b;

        assert_ok(omma_tokenize(one, text, strlen(text), (enum omma_special)special, &a, &error));
        assert_ok(omma_tokenize(other, text, strlen(text), (enum omma_special)special, &b, &error));
        assert_int_equal(a.n_tokens, b.n_tokens);
        assert_memory_equal(a.ids, b.ids, a.n_tokens * sizeof *a.ids);
        omma_tokens_free(&a);
        omma_tokens_free(&b);
    }
}

static void test_all_forms_are_the_same(void **state)
{
    struct omma_error error;
    struct omma_tokenizer *first = NULL, *other = NULL;
    char *dir = make_folder();

    (void)state;
    assert_ok(omma_tokenizer_open(dir, &first, &error));
    assert_true(omma_tokenizer_memory_bytes(first) > 621 * 8);
    for (int kind = 0; kind < 5; kind++) {
        char *copy = make_folder();

        if (kind < 4) { /* merges as strings or pairs; both forms or tokenizer.json alone */
            store(copy, "tokenizer.json", make_fast(copy, kind % 2 == 1));
        } else {
            take_away(copy, "added_tokens.json"); /* tokenizer_config.json has them too */
            take_away(copy, "special_tokens_map.json");
        }
        if (kind == 2 || kind == 3) {
            take_away(copy, "vocab.json");
            take_away(copy, "merges.txt");
            take_away(copy, "added_tokens.json");
        }
        assert_ok(omma_tokenizer_open(copy, &other, &error));
        assert_same(first, other);
        omma_tokenizer_close(&other);
        free(copy);
    }
    omma_tokenizer_close(&first);
    free(dir);
}

static void test_line_ends_of_windows(void **state)
{
    char *dir = make_folder(), *path = omma_test_join(dir, "merges.txt");
    char *text = omma_test_read(path, NULL), *twice = calloc(2, strlen(text) + 1), *to = twice;

    (void)state;
    for (const char *from = text; *from != '\0'; from++) {
        if (*from == '\n') {
            *to++ = '\r';
        }
        *to++ = *from;
    }
    put(dir, "merges.txt", twice);
    assert_opens(dir);
    free(text);
    free(twice);
    free(path);
    free(dir);
}

static void test_missing_files(void **state)
{
    const char *dir = folder;

    (void)state;
    empty_folder();
    assert_refused(dir, dir,
                   "expected vocab.json and merges.txt, or tokenizer.json, found neither");
    put(dir, "tokenizer.model", "\n");
    assert_refused(dir, "tokenizer.model", "SentencePiece");
    put(dir, "vocab.json", "{}");
    assert_refused(dir, "merges.txt: expected a file beside vocab.json", "");
    put(dir, "merges.txt", "");
    assert_refused(dir, "vocab.json", "expected a token for every byte, found none for 0x00");
    take_away(dir, "vocab.json");
    assert_refused(dir, "vocab.json: expected a file beside merges.txt", "");
    assert_refused("/nowhere", "/nowhere", "found neither");
}

static void test_bad_json(void **state)
{
    char *dir;

    (void)state;
    refuse_change("vocab.json", "{", "{{", "vocab.json @1", "expected a name in quotes, found {");
    refuse_change("vocab.json", "{\"!\": 0", "{\"\\\"\": 0", "vocab.json", "duplicate name");
    refuse_change("vocab.json", "{\"!\"", "{\"\xFF\"", "vocab.json @",
                  "expected UTF-8, found a byte that is none");
    refuse_change("tokenizer_config.json", "{", "\xEF\xBB\xBF{", "tokenizer_config.json @0",
                  "byte-order mark");
    refuse_change("added_tokens.json", "609", "609.0", "added_tokens.json", "expected an id");
    refuse_change("tokenizer_config.json", "\"609\"", "\"6O9\"", "tokenizer_config.json",
                  "added_tokens_decoder: expected an id, found \"6O9\"");
    refuse_change("tokenizer_config.json", "\"609\"", "\"99999999999999999999\"",
                  "tokenizer_config.json", "added_tokens_decoder: expected an id");
    refuse_change("tokenizer_config.json", "\"content\"", "\"contents\"", "tokenizer_config.json",
                  "content: expected a string, found nothing");
    refuse_change("tokenizer_config.json", "\"lstrip\": false", "\"lstrip\": true",
                  "tokenizer_config.json", "lstrip: expected false, found true");
    refuse_change("tokenizer_config.json", "\"content\": \"<|endoftext|>\"", "\"content\": \"\"",
                  "tokenizer_config.json", "id 609: expected a name");
    dir = make_folder();
    put(dir, "vocab.json", "[1]");
    assert_refused(dir, "vocab.json", "expected an object, found [");
    put(dir, "vocab.json", "");
    assert_refused(dir, "vocab.json @0", "expected an object, found the end");
    free(dir);
}

static void test_other_tokenizers(void **state)
{
    (void)state;
    refuse_change("tokenizer_config.json", "\"Qwen2Tokenizer\"", "\"InternLM3Tokenizer\"",
                  "tokenizer_config.json",
                  "tokenizer_class: expected Qwen2Tokenizer, found InternLM3Tokenizer");
    refuse_change("tokenizer_config.json", "\"Qwen2Tokenizer\"", "7", "tokenizer_config.json",
                  "tokenizer_class: expected Qwen2Tokenizer, found an integer");
    refuse_change("tokenizer_config.json", "\"add_prefix_space\": false",
                  "\"add_prefix_space\": true", "tokenizer_config.json",
                  "add_prefix_space: expected false");
    refuse_change("tokenizer_config.json", "\"add_bos_token\": false", "\"add_bos_token\": true",
                  "tokenizer_config.json", "add_bos_token: expected false");
}

/* ----------------------------------------------------------------------------------------------
 * Faults rows D1 to D6
 * ------------------------------------------------------------------------------------------- */

static void test_d1_ids(void **state)
{
    char *dir;

    (void)state;
    refuse_change("vocab.json", "\"!\": 0", "\"!\": 1", "vocab.json", "which is taken");
    refuse_change("vocab.json", "\"!\": 0", "\"!\": 621", "vocab.json",
                  "\"!\": expected an id below 621 (the number of tokens), found 621");
    refuse_change("vocab.json", "\"!\": 0", "\"!\": -1", "vocab.json", "found -1");
    refuse_change("vocab.json", "\"!\": 0", "\"!\": 4294967296", "vocab.json", "found 4294967296");
    refuse_change("vocab.json", "\"!\": 0", "\"!\": 0.0", "vocab.json @",
                  "expected an id from 0 on, found 0.0");
    refuse_change("vocab.json", "\"!\": 0, ", "", "vocab.json", "expected an id below 620");

    dir = make_folder(); /* an added token in both files makes room for a gap */
    replace(dir, "vocab.json", "\"!\": 0", "\"!\": 621, \"<img>\": 612");
    assert_refused(dir, "vocab.json",
                   "expected ids 0 to 621 without a gap, found no token with id 0");
    free(dir);
    dir = make_folder();
    replace(dir, "vocab.json", "\"!\": 0", "\"!\": 0, \"<img>\": 612");
    assert_opens(dir);
    free(dir);
}

static void test_d2_merges(void **state)
{
    (void)state;
    refuse_change("merges.txt", "h e\n", "h xyz\n", "merges.txt",
                  "line 3: expected two tokens of the vocabulary that join to a third, found \"h\" "
                  "(there) and \"xyz\" (absent)");
    refuse_change("merges.txt", "h e\n", "x q\n", "merges.txt", "which join to one that is absent");
    refuse_change("merges.txt", "h e\n", "h \xE4\xBD\xA0\n", "merges.txt", "(absent)");
    refuse_change("merges.txt", "h e\n", "he\n", "merges.txt",
                  "line 3: expected two tokens and one");
    refuse_change("merges.txt", "h e\n", "h  e\n", "merges.txt",
                  "line 3: expected two tokens and one");
    refuse_change("merges.txt", "h e\n", " he\n", "merges.txt",
                  "line 3: expected two tokens and one");
    refuse_change("merges.txt", "h e\n", "h e\nh e\n", "merges.txt",
                  "line 4: expected a new pair, found \"h e\" a second time");
    refuse_change("merges.txt", "h e\n", "h \xFF\n", "merges.txt @",
                  "expected UTF-8, found byte 0xFF");
    refuse_change("vocab.json", "\"he\"", "\"h e\"", "vocab.json",
                  "expected byte-level symbols only");
}

static void test_d3_added_tokens(void **state)
{
    char *dir;

    (void)state;
    refuse_change("added_tokens.json", "\"<img>\": 612", "\"<img>\": 700", "tokenizer_config.json",
                  "added_tokens_decoder: \"<img>\": expected id 700 as elsewhere, found 612");
    refuse_change("added_tokens.json", "\"<img>\"", "\"<image>\"", "tokenizer_config.json",
                  "id 612: expected \"<image>\" as elsewhere, found \"<img>\"");
    refuse_change("added_tokens.json", "\"<img>\": 612", "\"<img>\": 613", "added_tokens.json",
                  "id 613: expected \"<img>\" as elsewhere, found \"</img>\"");
    dir = make_folder();
    take_away(dir, "tokenizer_config.json");
    replace(dir, "added_tokens.json", "\"<box>\": 619", "\"<box>\": 5");
    assert_refused(dir, "vocab.json", "added token \"<box>\": expected an id of its own, found 5");
    replace(dir, "added_tokens.json", "\"<box>\": 5", "\"!\": 619");
    assert_refused(dir, "vocab.json",
                   "added token \"!\": expected one id, found 619 and, in the vocabulary, 0");
    replace(dir, "added_tokens.json", "\"!\": 619", "\"<box>\": 10000");
    assert_refused(dir, "vocab.json", "added token \"<box>\": expected an id below 621");
    replace(dir, "added_tokens.json", "\"<box>\": 10000", "\"<box>\": 619");
    assert_opens(dir);
    replace(dir, "added_tokens.json", "<IMG_CONTEXT>", "<IMG_CONTENT>");
    assert_refused(dir, dir, "expected an added token <IMG_CONTEXT>, found none");
    free(dir);
}

/* Where one name begins another, the longer one counts. */
static void test_longest_name(void **state)
{
    static const char text[] = "<img>x<img>";
    struct omma_error error;
    struct omma_tokenizer *tokenizer = NULL;
    struct omma_tokens tokens;
    char *dir = make_folder();

    (void)state;
    take_away(dir, "tokenizer_config.json");
    replace(dir, "added_tokens.json", "<ref>", "<img>x");
    assert_ok(omma_tokenizer_open(dir, &tokenizer, &error));
    assert_ok(
        omma_tokenize(tokenizer, text, strlen(text), OMMA_SPECIAL_REFERENCE, &tokens, &error));
    assert_int_equal(tokens.n_tokens, 2);
    assert_int_equal(tokens.ids[0], 617);
    assert_int_equal(tokens.ids[1], 612);
    omma_tokens_free(&tokens);
    omma_tokenizer_close(&tokenizer);
    free(dir);
}

/* Set a value of tokenizer.json; NULL takes it out.  Takes over value. */
static void refuse_fast(const char *parent, const char *key, json_t *value, const char *text)
{
    char *dir = make_folder();
    json_t *root = make_fast(dir, false), *object = at_path(root, parent);

    take_away(dir, "vocab.json");
    take_away(dir, "merges.txt");
    if (value == NULL) {
        json_object_del(object, key);
    } else {
        assert_int_equal(json_object_set_new(object, key, value), 0);
    }
    store(dir, "tokenizer.json", root);
    assert_refused(dir, "tokenizer.json", text);
    free(dir);
}

static void test_d4_steps(void **state)
{
    static const char split[] = "pre_tokenizer/pretokenizers/0";
    static const char bytes[] = "pre_tokenizer/pretokenizers/1";

    (void)state;
    refuse_fast("normalizer", "type", json_string("NFKC"),
                "normalizer.type: expected NFC, found NFKC");
    refuse_fast("", "normalizer", json_null(), "normalizer.type: expected NFC, found null");
    refuse_fast("", "normalizer", NULL, "normalizer.type: expected NFC, found nothing");
    refuse_fast("pre_tokenizer", "type", json_string("Metaspace"),
                "pre_tokenizer.type: expected Sequence, found Metaspace");
    refuse_fast("pre_tokenizer", "pretokenizers", json_array(),
                "pre_tokenizer.pretokenizers: expected two steps");
    refuse_fast(split, "type", json_string("Digits"), "pretokenizers[0].type: expected Split");
    refuse_fast("pre_tokenizer/pretokenizers/0/pattern", "Regex", json_string("\\s+"),
                "pretokenizers[0].pattern.Regex: expected Qwen2's expression, found \\s+");
    refuse_fast(split, "behavior", json_string("Removed"),
                "behavior: expected Isolated, found Removed");
    refuse_fast(split, "invert", json_true(), "invert: expected false, found true");
    refuse_fast(bytes, "type", json_string("BertPreTokenizer"), "expected ByteLevel");
    refuse_fast(bytes, "add_prefix_space", json_true(), "add_prefix_space: expected false");
    refuse_fast(bytes, "use_regex", NULL, "use_regex: expected false, found nothing");
    refuse_fast("post_processor", "type", json_string("TemplateProcessing"),
                "post_processor.type: expected ByteLevel, found TemplateProcessing");
    refuse_fast("decoder", "type", json_string("WordPiece"), "decoder.type: expected ByteLevel");
    refuse_fast("model", "type", json_string("Unigram"), "model.type: expected BPE, found Unigram");
    refuse_fast("model", "dropout", json_real(0.1), "model.dropout: expected none");
    refuse_fast("model", "ignore_merges", json_true(), "model.ignore_merges: expected none");
    refuse_fast("model", "byte_fallback", json_true(), "model.byte_fallback: expected none");
    refuse_fast("model", "end_of_word_suffix", json_string("</w>"), "model.end_of_word_suffix");
    refuse_fast("model", "vocab", json_array(), "model.vocab: expected an object, found an array");
    refuse_fast("model", "merges", json_object(), "model.merges: expected an array");
    refuse_fast("model", "merges", json_pack("[[s]]", "a"),
                "model.merges, entry 0: expected two tokens");
    refuse_fast("", "added_tokens", json_true(), "added_tokens: expected an array, found true");
    refuse_fast("added_tokens/0", "rstrip", json_true(), "rstrip: expected false, found true");
    refuse_fast("added_tokens/0", "id", json_string("x"), "id: expected an integer, found x");
}

static void test_d5_chat_templates(void **state)
{
    static const char chatml[] =
        "{% for message in messages %}{{'<|im_start|>' + message['role'] + "
        "'\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}";
    static const char llama[] = "{{ '[INST] ' + message['content'] + ' [/INST]' }}";
    static const char llama_hash[] =
        "4a278a0916bbc14800c8fb7d8f759d7b6064b825b6e41da76cd855a6c46e3511";
    char *dir = make_folder();
    json_t *config = load(dir, "tokenizer_config.json");

    (void)state;
    json_object_set_new(config, "chat_template", json_string(chatml));
    store(dir, "tokenizer_config.json", config);
    put(dir, "chat_template.jinja", chatml);
    assert_opens(dir);
    put(dir, "chat_template.jinja", llama);
    assert_refused(dir, "chat_template.jinja", llama_hash);
    put(dir, "chat_template.jinja", "");
    assert_refused(dir, "chat_template.jinja", "found another template (SHA-256 e3b0c44298fc1c14");
    take_away(dir, "chat_template.jinja");

    config = load(dir, "tokenizer_config.json");
    json_object_set_new(config, "chat_template",
                        json_pack("[{s:s, s:s}, {s:s, s:s}]", "name", "default", "template", chatml,
                                  "name", "tools", "template", llama));
    store(dir, "tokenizer_config.json", config);
    assert_refused(dir, "tokenizer_config.json", llama_hash);
    config = load(dir, "tokenizer_config.json");
    json_array_remove(json_object_get(config, "chat_template"), 1);
    store(dir, "tokenizer_config.json", config);
    assert_opens(dir);
    config = load(dir, "tokenizer_config.json");
    json_object_set_new(config, "chat_template", json_integer(3));
    store(dir, "tokenizer_config.json", config);
    assert_refused(dir, "tokenizer_config.json",
                   "chat_template: expected a string, found an integer");
    free(dir);
}

static void test_d6_forms_disagree(void **state)
{
    static const char *const cases[] = {"vocab",      "merges order", "merges end",
                                        "added more", "added fewer",  "added id"};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *dir = make_folder();
        json_t *root = make_fast(dir, false);
        json_t *vocab = at_path(root, "model/vocab"), *merges = at_path(root, "model/merges");
        json_t *added = at_path(root, "added_tokens");
        size_t n_merges = json_array_size(merges);
        const char *text = "";

        switch (i) {
        case 0:
            json_object_set_new(vocab, "!", json_integer(1));
            json_object_set_new(vocab, "\"", json_integer(0));
            text = "id 0: expected the token that ";
            break;
        case 1: {
            json_t *first = json_incref(json_array_get(merges, 0));

            json_array_set(merges, 0, json_array_get(merges, 1));
            json_array_set_new(merges, 1, first);
            text = "model.merges: expected entry";
            break;
        }
        case 2:
            replace(dir, "merges.txt", json_string_value(json_array_get(merges, n_merges - 1)), "");
            text = "model.merges: expected";
            break;
        case 3:
            json_array_append_new(added, json_pack("{s:i, s:s}", "id", 621, "content", "<more>"));
            text = "added_tokens: expected those of the files beside it, 12, found 13";
            break;
        case 4:
            json_array_remove(added, 11);
            text = "added_tokens: expected those of the files beside it, 12, found 11";
            break;
        default:
            json_object_set_new(json_array_get(added, 3), "content", json_string("<im>"));
            text = "id 612: expected \"<im>\" as elsewhere, found \"<img>\"";
            break;
        }
        store(dir, "tokenizer.json", root);
        assert_refused(dir, "tokenizer.json", text);
        free(dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_forms_are_the_same),
        cmocka_unit_test(test_line_ends_of_windows),
        cmocka_unit_test(test_missing_files),
        cmocka_unit_test(test_bad_json),
        cmocka_unit_test(test_other_tokenizers),
        cmocka_unit_test(test_d1_ids),
        cmocka_unit_test(test_d2_merges),
        cmocka_unit_test(test_d3_added_tokens),
        cmocka_unit_test(test_longest_name),
        cmocka_unit_test(test_d4_steps),
        cmocka_unit_test(test_d5_chat_templates),
        cmocka_unit_test(test_d6_forms_disagree),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
