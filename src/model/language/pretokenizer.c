/*
 * Qwen2's expression, compiled by PCRE2 to machine code where the system allows that.
 *
 * \s is spelled out as Unicode's White_Space, which is what the reference's engines mean by it;
 * PCRE2's own \s has U+180E besides.  Every character belongs to one of the alternatives, so that a
 * match anchored at the end of the last one always succeeds.
 *
 * The longest piece costs no stack: repeats of one class keep two positions, not one a character.
 */
#include "model/language/pretokenizer.h"

#include <stdlib.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define SPACE                                                                                      \
    "\\x{9}-\\x{D}\\x{20}\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}"    \
    "\\x{205F}\\x{3000}"
#define LETTERS "\\p{L}"
#define NUMBERS "\\p{N}"

const char omma_pretokenizer_expression[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

static const char pattern[] = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
                              "|[^\\r\\n" LETTERS NUMBERS "]?" LETTERS "+"
                              "|" NUMBERS "|\\x{20}?[^" SPACE LETTERS NUMBERS "]+[\\r\\n]*"
                              "|[" SPACE "]*[\\r\\n]+"
                              "|[" SPACE "]+(?![^" SPACE "])"
                              "|[" SPACE "]+";

enum { JIT_STACK_BYTES = 32 * 1024, JIT_STACK_MAX_BYTES = 1024 * 1024 };

struct omma_pretokenizer {
    pcre2_code *code;
};

struct omma_pretokenizer_scan {
    const pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
};

enum omma_status omma_pretokenizer_create(struct omma_pretokenizer **pretokenizer,
                                          struct omma_error *error)
{
    struct omma_pretokenizer *made = calloc(1, sizeof *made);
    int code = 0;
    PCRE2_SIZE at = 0;

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "the pre-tokenizer");
    }
    made->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                               PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &code, &at, NULL);
    if (made->code == NULL) {
        free(made);
        return omma_fail(
            error, code == PCRE2_ERROR_HEAP_FAILED ? OMMA_STATUS_RESOURCES : OMMA_STATUS_INTERNAL,
            "pre-tokenizer: PCRE2 error %d at %zu of the expression", code, at);
    }
    /* Where memory may not be made executable this fails, and matching interprets the expression.
     */
    pcre2_jit_compile(made->code, PCRE2_JIT_COMPLETE);
    *pretokenizer = made;
    return OMMA_OK;
}

void omma_pretokenizer_destroy(struct omma_pretokenizer **pretokenizer)
{
    if (*pretokenizer != NULL) {
        pcre2_code_free((*pretokenizer)->code);
        free(*pretokenizer);
        *pretokenizer = NULL;
    }
}

enum omma_status omma_pretokenizer_scan_create(const struct omma_pretokenizer *pretokenizer,
                                               struct omma_pretokenizer_scan **scan,
                                               struct omma_error *error)
{
    struct omma_pretokenizer_scan *made = calloc(1, sizeof *made);

    if (made == NULL) {
        return omma_fail_memory(error, sizeof *made, "the pre-tokenizer");
    }
    made->code = pretokenizer->code;
    made->match = pcre2_match_data_create(1, NULL);
    made->context = pcre2_match_context_create(NULL);
    made->stack = pcre2_jit_stack_create(JIT_STACK_BYTES, JIT_STACK_MAX_BYTES, NULL);
    if (made->match == NULL || made->context == NULL || made->stack == NULL) {
        omma_pretokenizer_scan_destroy(&made);
        return omma_fail_memory(error, JIT_STACK_BYTES, "the pre-tokenizer");
    }
    pcre2_jit_stack_assign(made->context, NULL, made->stack);
    pcre2_set_match_limit(made->context, UINT32_MAX); /* matching is linear in the piece */
    *scan = made;
    return OMMA_OK;
}

void omma_pretokenizer_scan_destroy(struct omma_pretokenizer_scan **scan)
{
    if (*scan != NULL) {
        pcre2_jit_stack_free((*scan)->stack);
        pcre2_match_context_free((*scan)->context);
        pcre2_match_data_free((*scan)->match);
        free(*scan);
        *scan = NULL;
    }
}

enum omma_status omma_pretokenizer_next(struct omma_pretokenizer_scan *scan, const char *text,
                                        size_t n_bytes, size_t at, size_t *end,
                                        struct omma_error *error)
{
    int found = pcre2_match(scan->code, (PCRE2_SPTR)text, n_bytes, at, PCRE2_NO_UTF_CHECK,
                            scan->match, scan->context);
    size_t stop = found > 0 ? pcre2_get_ovector_pointer(scan->match)[1] : at;

    if (found == PCRE2_ERROR_NOMEMORY || found == PCRE2_ERROR_HEAPLIMIT) {
        return omma_fail_memory(error, n_bytes, "the pre-tokenizer");
    }
    if (stop <= at) {
        return omma_fail(error, OMMA_STATUS_INTERNAL, "pre-tokenizer: PCRE2 error %d at byte %zu",
                         found, at);
    }
    *end = stop;
    return OMMA_OK;
}
