/*
 * The letter of an option is looked for first (can_infer_option), then the text of one
 * (can_infer_text).  Words are what str.split() makes of the prediction once `.()[],:;!*#{}` are
 * spaces; the first place of the letter must be among the last four words.
 */
#include "tools/eval/match.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/utf8.h"

enum { N_LETTERS = 26, N_LAST_WORDS = 4, NOWHERE = -1 };

const char *match_rule_name(enum match_rule rule)
{
    static const char *const names[] = {"none", "refused", "letter",   "sentence",
                                        "text", "number",  "constant", "judge"};

    return names[rule];
}

/* Where letters stand alone, and how many words there are. */
struct words {
    long first[N_LETTERS]; /* index of the word; NOWHERE */
    long n_words;
};

static void find_words(struct slice text, struct words *words)
{
    size_t at = 0;
    struct slice word;

    words->n_words = 0;
    for (size_t i = 0; i < N_LETTERS; i++) {
        words->first[i] = NOWHERE;
    }
    for (; pytext_next_word(text, ".()[],:;!*#{}", &at, &word); words->n_words++) {
        char c = word.bytes[0];

        if (word.n_bytes == 1 && c >= 'A' && c <= 'Z' && words->first[c - 'A'] == NOWHERE) {
            words->first[c - 'A'] = words->n_words;
        }
    }
}

static bool is_choice(const struct match_choices *choices, char letter)
{
    for (size_t i = 0; i < choices->n_items; i++) {
        if (choices->items[i].letter == letter) {
            return true;
        }
    }
    return false;
}

/* What re.IGNORECASE compares, in a str: the long s is an s, and both Turkish i are an i. */
static uint32_t folded(uint32_t c)
{
    switch (c) {
    case 0x17F:
        return 's';
    case 0x130:
    case 0x131:
        return 'i';
    default:
        return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
    }
}

/* The word, lower case ASCII, whatever case it has in the text.  *at moves behind it. */
static bool take_word(struct slice text, const char *word, size_t *at)
{
    size_t here = *at;

    for (; *word != '\0'; word++) {
        uint32_t c = 0;
        size_t n = utf8_character(text.bytes + here, text.n_bytes - here, &c);

        if (n == 0 || folded(c) != (unsigned char)*word) {
            return false;
        }
        here += n;
    }
    *at = here;
    return true;
}

/* \s+ */
static bool take_space(struct slice text, size_t *at)
{
    size_t n = utf8_leading_space(text.bytes + *at, text.n_bytes - *at);

    *at += n;
    return n > 0;
}

/* (?i)(?:correct\s+)?answer\s+is\s+\**([ABCD])\**: the upper case of the first match's letter, or
 * 0.  What stands before "answer" changes nothing. */
static char find_sentence(struct slice text)
{
    for (size_t start = 0; start < text.n_bytes; start++) {
        size_t at = start;

        if (!take_word(text, "answer", &at) || !take_space(text, &at) ||
            !take_word(text, "is", &at) || !take_space(text, &at)) {
            continue;
        }
        while (at < text.n_bytes && text.bytes[at] == '*') {
            at++;
        }
        if (at < text.n_bytes && text.bytes[at] != '\0' && strchr("ABCDabcd", text.bytes[at])) {
            return (char)(text.bytes[at] & ~0x20);
        }
    }
    return 0;
}

static bool is_refusal(struct slice prediction)
{
    static const char *const refusals[] = {
        "Sorry, I can't help with images of people yet.", "I can't process this file.",
        "I'm sorry, but without the image provided", "Cannot determine the answer"};

    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (slice_contains(prediction, slice_of(refusals[i]))) {
            return true;
        }
    }
    return false;
}

/* can_infer_option() */
static struct match infer_option(struct slice prediction, const struct match_choices *choices)
{
    struct words words;
    size_t n_found = 0;
    char letter = 0;

    if (slice_contains(prediction, slice_of("Failed to obtain answer via API"))) {
        return (struct match){0, MATCH_NONE};
    }
    if (is_refusal(prediction)) {
        return (struct match){'Z', MATCH_REFUSED};
    }
    find_words(prediction, &words);
    for (size_t i = 0; i < choices->n_items; i++) {
        if (words.first[choices->items[i].letter - 'A'] != NOWHERE) {
            letter = choices->items[i].letter;
            n_found++;
        }
    }
    if (n_found == 1 && words.first[letter - 'A'] >= words.n_words - N_LAST_WORDS) {
        return (struct match){letter, MATCH_LETTER};
    }
    if (n_found == 0 && words.first['Z' - 'A'] != NOWHERE) {
        return (struct match){'Z', MATCH_REFUSED};
    }
    letter = find_sentence(prediction);
    return letter != 0 && is_choice(choices, letter) ? (struct match){letter, MATCH_SENTENCE}
                                                     : (struct match){0, MATCH_NONE};
}

/* can_infer_text(), of the prediction in lower case. */
static enum omma_status infer_lower_text(struct slice prediction,
                                         const struct match_choices *choices, struct match *match,
                                         struct omma_error *error)
{
    size_t length = 0, n_found = 0;

    for (size_t i = 0; i < choices->n_items; i++) {
        length += pytext_length(choices->items[i].text);
    }
    if (pytext_length(prediction) > 2 * length) {
        return OMMA_OK;
    }
    for (size_t i = 0; i < choices->n_items; i++) {
        struct text lower;

        TRY(pytext_lower(choices->items[i].text, &lower, error));
        if (slice_contains(prediction, (struct slice){lower.bytes, lower.n_bytes})) {
            *match = (struct match){choices->items[i].letter, MATCH_TEXT};
            n_found++;
        }
        text_free(&lower);
    }
    if (n_found != 1) {
        *match = (struct match){0, MATCH_NONE};
    }
    return OMMA_OK;
}

enum omma_status match_infer(struct slice prediction, const struct match_choices *choices,
                             struct match *match, struct omma_error *error)
{
    struct text lower;
    enum omma_status status;

    *match = infer_option(prediction, choices);
    if (match->letter != 0) {
        return OMMA_OK;
    }
    TRY(pytext_lower(prediction, &lower, error));
    status = infer_lower_text((struct slice){lower.bytes, lower.n_bytes}, choices, match, error);
    text_free(&lower);
    return status;
}

/* An undecided prediction answers 'Z', which may be the answer. */
static enum omma_status match_gold(const struct match_choices *choices, struct slice gold,
                                   struct slice prediction, struct match_result *result,
                                   struct omma_error *error)
{
    struct match match;
    char letter;

    TRY(match_infer(prediction, choices, &match, error));
    letter = match.letter != 0 ? match.letter : 'Z';
    *result = (struct match_result){
        .rule = match.rule,
        .letter = match.letter,
        .is_hit = slice_equals(gold, (struct slice){&letter, 1}),
    };
    return OMMA_OK;
}

enum omma_status match_multiple_choice(const struct match_choices *choices,
                                       const struct match_value *answer, struct slice prediction,
                                       struct match_result *result, struct omma_error *error)
{
    return match_gold(choices, answer->text, prediction, result, error);
}

struct match_choices match_mmmu_choices(const struct match_choices *choices,
                                        const struct match_value *answer,
                                        struct match_choice *items)
{
    struct match_choices open = {items, 0};

    if (is_choice(choices, 'A')) {
        return *choices;
    }
    if (answer->kind != MATCH_MISSING) {
        items[open.n_items++] = (struct match_choice){'A', answer->text};
    }
    items[open.n_items++] = (struct match_choice){'B', slice_of("Other Answers")};
    for (size_t i = 0; i < choices->n_items; i++) {
        if (choices->items[i].letter > 'B') {
            items[open.n_items++] = choices->items[i];
        }
    }
    return open;
}

enum omma_status match_mmmu(const struct match_choices *choices, const struct match_value *answer,
                            struct slice prediction, struct match_result *result,
                            struct omma_error *error)
{
    struct match_choice items[N_LETTERS];
    struct match_choices open = match_mmmu_choices(choices, answer, items);
    bool is_letter = answer->kind == MATCH_TEXT_VALUE && answer->text.n_bytes == 1 &&
                     *answer->text.bytes >= 'A' && *answer->text.bytes <= 'Z';

    return match_gold(&open, is_letter ? answer->text : slice_of("A"), prediction, result, error);
}

/* int() of a value; NULL where it raises. */
static enum omma_status integer_of(const struct match_value *value, char **digits,
                                   struct omma_error *error)
{
    *digits = NULL;
    switch (value->kind) {
    case MATCH_MISSING:
        return OMMA_OK;
    case MATCH_FLOATING_VALUE:
        if (!isfinite(value->number)) {
            return OMMA_OK;
        }
        /* + 0: no sign on a zero */
        return asprintf(digits, "%.0f", trunc(value->number) + 0.0) < 0 ? fail_memory(error)
                                                                        : OMMA_OK;
    default:
        return pytext_int(value->text, digits, error);
    }
}

static enum omma_status floating_of(const struct match_value *value, bool *is_number,
                                    double *number, struct omma_error *error)
{
    if (value->kind == MATCH_FLOATING_VALUE || value->kind == MATCH_MISSING) {
        *is_number = value->kind == MATCH_FLOATING_VALUE;
        *number = value->number;
        return OMMA_OK;
    }
    return pytext_float(value->text, is_number, number, error);
}

static enum omma_status check_integer(const struct match_value *answer,
                                      const struct match_value *prediction, bool takes_zero,
                                      struct match_result *result, struct omma_error *error)
{
    char *expected = NULL, *found = NULL;
    enum omma_status status;

    TRY_OR(status, done, integer_of(prediction, &found, error));
    TRY_OR(status, done, integer_of(answer, &expected, error));
    if (found != NULL && expected != NULL && strcmp(found, expected) == 0 &&
        (takes_zero || strcmp(found, "0") != 0)) {
        *result = (struct match_result){.rule = MATCH_NUMBER, .is_hit = true};
    }
done:
    free(expected);
    free(found);
    return status;
}

static enum omma_status check_floating(const struct match_value *answer,
                                       const struct match_value *prediction, bool takes_zero,
                                       struct match_result *result, struct omma_error *error)
{
    double expected, found;
    bool is_expected, is_found;

    TRY(floating_of(prediction, &is_found, &found, error));
    TRY(floating_of(answer, &is_expected, &expected, error));
    if (is_found && is_expected && found == expected && (takes_zero || found != 0)) {
        *result = (struct match_result){.rule = MATCH_NUMBER, .is_hit = true};
    }
    return OMMA_OK;
}

static enum omma_status check_mathvista(const struct match_question *question,
                                        const struct match_value *prediction, bool takes_zero,
                                        struct match_result *result, struct omma_error *error)
{
    struct match match;

    *result = (struct match_result){.rule = MATCH_NONE};
    if (slice_is(question->question_type, "multi_choice")) {
        TRY(match_infer(prediction->text, &question->choices, &match, error));
        result->rule = match.rule;
        result->letter = match.letter;
        result->is_hit =
            match.letter != 0 && question->answer_option.kind == MATCH_TEXT_VALUE &&
            slice_equals(question->answer_option.text, (struct slice){&match.letter, 1});
        return OMMA_OK;
    }
    if (slice_is(question->answer_type, "integer")) {
        return check_integer(&question->answer, prediction, takes_zero, result, error);
    }
    if (slice_is(question->answer_type, "float")) {
        return check_floating(&question->answer, prediction, takes_zero, result, error);
    }
    /* str(None) is compared with str(answer), whatever the prediction */
    *result = (struct match_result){.rule = MATCH_CONSTANT,
                                    .is_hit = slice_is(question->answer.text, "None")};
    return OMMA_OK;
}

enum omma_status match_mathvista(const struct match_question *question,
                                 const struct match_value *prediction, struct match_result *result,
                                 struct omma_error *error)
{
    return check_mathvista(question, prediction, false, result, error);
}

enum omma_status match_mathvista_judged(const struct match_question *question, struct slice answer,
                                        struct match_result *result, struct omma_error *error)
{
    const struct match_value value = {.kind = MATCH_TEXT_VALUE, .text = answer};

    TRY(check_mathvista(question, &value, true, result, error));
    result->rule = MATCH_JUDGE;
    return OMMA_OK;
}
