/*
 * The text: hint, question and options, each on its line; what to answer with; the suffix of a
 * chain of thought; then the places of the pictures before it (build_prompt() and
 * reorganize_prompt()). Pictures are decoded to pixels as VLMEvalKit does, but for those with a
 * name ending in .jpg in `image_path`, which it compresses anew on its way.
 */
#include "tools/eval/prompt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/chat/base64.h"
#include "tools/eval/suite_kind.h"
#include "tools/utf8.h"

enum { TILES_IN_ALL = 64, FEW_TILES = 6 };

static const char with_a_letter[] =
    "Answer with the option's letter from the given choices directly.";

#define COT_TAIL                                                                                   \
    "If you are uncertain or the problem is too complex, make a reasoned guess based on the "      \
    "information provided. Avoid repeating steps indefinitely\xE2\x80\x94provide your best guess " \
    "even if unsure. Think step by step logically, considering all relevant information before "   \
    "answering."

static const char choice_cot[] =
    "Answer the preceding multiple choice question. The last line of your response should follow "
    "this format: 'Answer: \\boxed{$LETTER}' (without quotes), where LETTER is one of the "
    "options. " COT_TAIL;

static const char question_cot[] =
    "Answer the preceding question. The last line of your response should follow this format: "
    "'Answer: \\boxed{$FINAL_ANSWER}' (without quotes), where 'FINAL_ANSWER' is your conclusion "
    "based on the reasoning provided. " COT_TAIL;

#define FEW_WORDS "Answer the question using a single word or phrase."

/* Whether the suite's name has one of the parts, which NULL ends: listinstr(). */
static bool has_part(const char *suite, const char *const *parts)
{
    while (*parts != NULL && strstr(suite, *parts) == NULL) {
        parts++;
    }
    return *parts != NULL;
}

/* set_max_num(). */
static const struct {
    size_t max_tiles;
    const char *parts[11];
} tiles_of_suites[] = {
    {12,
     {"ChartQA_TEST", "MMMU_DEV_VAL", "MMMU_TEST", "MME-RealWorld", "VCR_EN", "VCR_ZH", "OCRVQA",
      "BMMR"}},
    {18, {"DocVQA_VAL", "DocVQA_TEST", "DUDE", "MMLongBench_DOC", "SLIDEVQA"}},
    {24, {"InfoVQA_VAL", "InfoVQA_TEST", "OCRBench", "HRBench4K", "HRBench8K"}},
};

size_t suite_max_tiles(const char *suite, size_t n_images)
{
    size_t n = FEW_TILES, share = TILES_IN_ALL / (n_images > 0 ? n_images : 1);

    for (size_t i = sizeof tiles_of_suites / sizeof *tiles_of_suites; i-- > 0;) {
        n = has_part(suite, tiles_of_suites[i].parts) ? tiles_of_suites[i].max_tiles : n;
    }
    n = n < share ? n : share;
    return n > 1 ? n : 1;
}

enum omma_status suite_rules_check(const struct suite_rules *rules, struct omma_error *error)
{
    enum suite_kind kind = suite_kind_of(rules->suite);

    if (kind == KIND_OWN) {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: VLMEvalKit asks this suite in a way of its own, which is not here",
                    rules->suite);
    }
    if (kind == KIND_CHOICE && (table_column(rules->table, "A") == TABLE_NO_COLUMN ||
                                table_column(rules->table, "B") == TABLE_NO_COLUMN)) {
        return fail(
            error, OMMA_STATUS_USAGE,
            "%s: no columns \"A\" and \"B\"; %s is multiple choice, or a name that VLMEvalKit does "
            "not know: --suite says which suite it is",
            rules->table->path, rules->suite);
    }
    if (table_column(rules->table, "question") == TABLE_NO_COLUMN ||
        table_column(rules->table, "image") == TABLE_NO_COLUMN ||
        table_column(rules->table, "index") == TABLE_NO_COLUMN) {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: expected columns \"index\", \"question\" and \"image\"",
                    rules->table->path);
    }
    return OMMA_OK;
}

/* Put the cell behind `before`, if it has a value; *has_value may be NULL. */
static enum omma_status put_cell(const struct suite_rules *rules, const struct table_row *row,
                                 const char *column, const char *before, FILE *out, bool *has_value,
                                 struct omma_error *error)
{
    struct text text;
    bool is_there;

    TRY(table_cell(rules->table, row, table_column(rules->table, column), &text, &is_there, error));
    if (is_there) {
        fputs(before, out);
        fwrite(text.bytes, 1, text.n_bytes, out);
    }
    *has_value = is_there;
    text_free(&text);
    return OMMA_OK;
}

/* U+4E00 to U+9FFF. */
static bool has_chinese(const char *bytes, size_t n_bytes)
{
    uint32_t c;
    size_t n;

    for (size_t at = 0; at<n_bytes; at += n> 0 ? n : 1) {
        n = utf8_character(bytes + at, n_bytes - at, &c);
        if (n > 0 && c >= 0x4E00 && c <= 0x9FFF) {
            return true;
        }
    }
    return false;
}

/* Hint, question and options. */
static enum omma_status put_question(const struct suite_rules *rules, const struct table_row *row,
                                     bool is_choice, FILE *out, size_t *n_options,
                                     struct omma_error *error)
{
    bool has_value = false;

    *n_options = 0;
    if (is_choice) {
        TRY(put_cell(rules, row, "hint", "", out, &has_value, error));
    }
    TRY(put_cell(rules, row, "question", has_value ? "\n" : "", out, &has_value, error));
    if (!has_value) {
        return fail(error, OMMA_STATUS_USAGE, "%s: row %zu: no question", rules->table->path,
                    row->number + 1);
    }
    for (char letter = 'A'; is_choice && letter <= 'Z'; letter++) {
        const char name[] = {letter, '\0'}, before[] = {'\n', letter, '.', ' ', '\0'};

        TRY(put_cell(rules, row, name, before, out, &has_value, error));
        *n_options += has_value;
    }
    return OMMA_OK;
}

/* Every `part` taken out, in place. */
static void take_out(struct text *text, const char *part)
{
    size_t n_part = strlen(part), n = 0;

    for (size_t at = 0; at < text->n_bytes;) {
        if (text->n_bytes - at >= n_part && memcmp(text->bytes + at, part, n_part) == 0) {
            at += n_part;
        } else {
            text->bytes[n++] = text->bytes[at++];
        }
    }
    text->bytes[n] = '\0';
    text->n_bytes = n;
}

/* "<Image-1><Image-2>", or "<image> <image>", to be released; NULL without memory. */
static char *image_names(size_t n_images, bool is_numbered)
{
    char *names = malloc(n_images * 32 + 1);
    size_t n = 0;

    for (size_t i = 0; names != NULL && i < n_images; i++) {
        n += (size_t)(is_numbered ? sprintf(names + n, "<Image-%zu>", i + 1)
                                  : sprintf(names + n, i > 0 ? " <image>" : "<image>"));
    }
    return names;
}

/* A memory stream closed; false without memory. */
static bool end_text(FILE *out, struct text *text)
{
    bool is_good = ferror(out) == 0;

    return fclose(out) == 0 && is_good && text->bytes != NULL;
}

/* What build_multi_choice_prompt() ends with. */
static const char *choice_ending(const struct text *question, size_t n_options)
{
    bool is_chinese = has_chinese(question->bytes, question->n_bytes);

    if (n_options == 0) {
        return is_chinese ? "请直接回答问题。" : "Answer the question directly.";
    }
    return is_chinese ? "请直接回答选项字母。" : with_a_letter;
}

static const char *const verbatim[] = {
    "MathVerse", "MathVista",  "MathVision", "VCR",        "MTVQA",    "MMVet",
    "MMDU",      "CRPE",       "MIA-Bench",  "MM-Math",    "DynaMath", "QSpatial",
    "WeMath",    "LogicVista", "MM-IFEval",  "ChartMimic", "MMReason", NULL};

/* What build_prompt() puts behind a question of the other kinds; "" where it takes the question as
 * it is. */
static const char *ending_of(const char *suite, enum suite_kind kind)
{
    static const char *const in_detail[] = {"LLaVABench", "WildVision", NULL};
    static const char *const few[] = {"OCRVQA",  "TextVQA",         "ChartQA", "DocVQA",
                                      "InfoVQA", "OCRBench",        "DUDE",    "SLIDEVQA",
                                      "GQA",     "MMLongBench_DOC", NULL};
    static const char *const strict[] = {"HallusionBench", "AMBER", NULL};

    if (kind == KIND_YES_NO) {
        return strstr(suite, "MME") != NULL ? " " FEW_WORDS
               : has_part(suite, strict)    ? " Please answer yes or no. " FEW_WORDS
                                            : "";
    }
    if (kind == KIND_QUESTION) {
        return has_part(suite, in_detail) ? "\nAnswer this question in detail."
               : has_part(suite, few) || !has_part(suite, verbatim) ? "\n" FEW_WORDS
                                                                    : "";
    }
    return "";
}

/* build_prompt(): the question as it is asked, without pictures. */
static enum omma_status make_question(const struct suite_rules *rules, const struct table_row *row,
                                      enum suite_kind kind, struct text *text,
                                      struct omma_error *error)
{
    FILE *out = open_memstream(&text->bytes, &text->n_bytes);
    size_t n_options;
    enum omma_status status;

    if (out == NULL) {
        return fail_memory(error);
    }
    status = put_question(rules, row, kind == KIND_CHOICE, out, &n_options, error);
    if (status == OMMA_OK && kind == KIND_CHOICE) {
        fflush(out);
        fprintf(out, "\n%s", choice_ending(text, n_options));
    } else if (status == OMMA_OK) {
        fputs(ending_of(rules->suite, kind), out);
    }
    if (!end_text(out, text)) {
        status = status == OMMA_OK ? fail_memory(error) : status;
    }
    return status;
}

/* build_mcq_cot_prompt(), build_qa_cot_prompt(): of the former the question is stripped. */
static void put_with_cot(const struct text *question, bool is_choice, FILE *out)
{
    size_t begin = 0, end = question->n_bytes;

    if (is_choice) {
        utf8_strip(question->bytes, question->n_bytes, &begin, &end);
        end = end > begin ? end : begin;
    }
    fwrite(question->bytes + begin, 1, end - begin, out);
    fprintf(out, "\n%s", is_choice ? choice_cot : question_cot);
}

/* The question, with the first "<image>" in it named "<Image-1>", up to the n-th; all n of them in
 * a row, with spaces between, are left out. */
static void put_question_of_pictures(const struct text *question, size_t n_renamed, FILE *out)
{
    static const char mark[] = "<image>";
    const char *at = question->bytes, *end = at + question->n_bytes, *next;

    for (size_t i = 0; i < n_renamed; i++) {
        next = memmem(at, (size_t)(end - at), mark, strlen(mark));
        if (next == NULL) {
            break;
        }
        fwrite(at, 1, (size_t)(next - at), out);
        fprintf(out, "<Image-%zu>", i + 1);
        at = next + strlen(mark);
    }
    fwrite(at, 1, (size_t)(end - at), out);
}

/* reorganize_prompt(): the pictures' places, then the question. */
static enum omma_status put_pictures(const char *suite, struct text *question, size_t n_images,
                                     struct text *prompt, struct omma_error *error)
{
    bool is_renamed = strstr(suite, "MUIRBench") != NULL, is_numbered = n_images > 1 || is_renamed;
    FILE *out = open_memstream(&prompt->bytes, &prompt->n_bytes);
    char *names = image_names(n_images, !is_renamed);
    bool is_good;

    if (out == NULL || names == NULL) {
        if (out != NULL) {
            fclose(out);
        }
        free(names);
        return fail_memory(error);
    }
    if (is_renamed) {
        take_out(question, names);
    }
    for (size_t i = 0; is_numbered && i < n_images; i++) {
        fprintf(out, "Image-%zu: " SUITE_IMAGE_MARK "\n", i + 1);
    }
    fputs(is_numbered ? "" : SUITE_IMAGE_MARK "\n", out);
    put_question_of_pictures(question, is_renamed ? n_images : 0, out);
    is_good = end_text(out, prompt);
    if (is_good && n_images > 1 && !is_renamed) {
        take_out(prompt, names);
    }
    free(names);
    return is_good ? OMMA_OK : fail_memory(error);
}

static enum omma_status make_text(const struct suite_rules *rules, const struct table_row *row,
                                  size_t n_images, struct text *prompt, struct omma_error *error)
{
    enum suite_kind kind = suite_kind_of(rules->suite);
    bool is_choice = kind == KIND_CHOICE;
    bool has_cot = rules->has_cot && kind != KIND_YES_NO && *ending_of(rules->suite, kind) == '\0';
    struct text question = {0}, asked = {0};
    enum omma_status status;
    FILE *out;

    TRY_OR(status, done, make_question(rules, row, kind, &question, error));
    if (memmem(question.bytes, question.n_bytes, SUITE_IMAGE_MARK, strlen(SUITE_IMAGE_MARK))) {
        status = fail(error, OMMA_STATUS_PROMPT, "%s: row %zu: control characters in the question",
                      rules->table->path, row->number + 1);
        goto done;
    }
    if (has_cot) {
        out = open_memstream(&asked.bytes, &asked.n_bytes);
        if (out == NULL) {
            status = fail_memory(error);
            goto done;
        }
        if (is_choice) {
            take_out(&question, with_a_letter);
        }
        put_with_cot(&question, is_choice, out);
        if (!end_text(out, &asked)) {
            status = fail_memory(error);
            goto done;
        }
    }
    status = put_pictures(rules->suite, has_cot ? &asked : &question, n_images, prompt, error);
done:
    free(question.bytes);
    free(asked.bytes);
    return status;
}

/* One picture, of base64. */
static enum omma_status open_picture(const struct suite_rules *rules, const struct table_row *row,
                                     const struct text *base64, size_t number, size_t n_images,
                                     struct omma_image **image, struct omma_error *error)
{
    struct omma_image_options options = rules->image;
    uint8_t *bytes = malloc(base64->n_bytes / 4 * 3 + 3);
    size_t n_bytes, bad;
    char name[64];
    enum omma_status status;

    if (bytes == NULL) {
        return fail_memory(error);
    }
    snprintf(name, sizeof name, "row %zu, picture %zu", row->number + 1, number + 1);
    options.min_tiles = 1;
    options.max_tiles = suite_max_tiles(rules->suite, n_images);
    options.no_thumbnail = false;
    options.doubled = number == 0 && strstr(rules->suite, "MMMU") != NULL;
    if (base64_decode(base64->bytes, base64->n_bytes, bytes, &n_bytes, &bad)) {
        status = omma_image_open_memory(name, bytes, n_bytes, &options, image, error);
    } else {
        status = fail(error, OMMA_STATUS_IMAGE, "%s: %s: no base64 at byte %zu", rules->table->path,
                      name, bad);
    }
    free(bytes);
    return status;
}

static enum omma_status find_pictures(const struct suite_rules *rules, const struct table_row *row,
                                      struct literal_list *list, struct omma_error *error)
{
    struct text index;
    bool has_value;
    enum omma_status status;

    *list = (struct literal_list){0};
    TRY(table_cell(rules->table, row, table_column(rules->table, "index"), &index, &has_value,
                   error));
    status = has_value ? pictures_find(rules->pictures, index.bytes, list, error) : OMMA_OK;
    text_free(&index);
    TRY(status);
    return list->n_items > 0 ? OMMA_OK
                             : fail(error, OMMA_STATUS_USAGE, "%s: row %zu: no picture",
                                    rules->table->path, row->number + 1);
}

enum omma_status suite_prompt_make(const struct suite_rules *rules, const struct table_row *row,
                                   struct suite_prompt *prompt, struct omma_error *error)
{
    struct literal_list list = {0};
    struct text text = {0};
    enum omma_status status;

    *prompt = (struct suite_prompt){0};
    TRY_OR(status, done, find_pictures(rules, row, &list, error));
    status = make_text(rules, row, list.n_items, &text, error);
    prompt->text = text.bytes;
    prompt->n_bytes = text.n_bytes;
    TRY_OR(status, done, status);
    prompt->images = calloc(list.n_items, sizeof *prompt->images);
    if (prompt->images == NULL) {
        status = fail_memory(error);
        goto done;
    }
    for (; prompt->n_images < list.n_items; prompt->n_images++) {
        TRY_OR(status, done,
               open_picture(rules, row, &list.items[prompt->n_images], prompt->n_images,
                            list.n_items, &prompt->images[prompt->n_images], error));
    }
done:
    literal_list_free(&list);
    if (status != OMMA_OK) {
        suite_prompt_free(prompt);
    }
    return status;
}

void suite_prompt_free(struct suite_prompt *prompt)
{
    for (size_t i = 0; i < prompt->n_images; i++) {
        omma_image_close(&prompt->images[i]);
    }
    free(prompt->images);
    free(prompt->text);
    *prompt = (struct suite_prompt){0};
}
