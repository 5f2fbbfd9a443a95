/*
 * common_options.h - rows that several commands share: the model, -v, --json, special tokens, and
 * lengths.
 *
 * Each takes the command's struct of values and the name of its member.
 */
#ifndef OMMA_TOOLS_COMMON_OPTIONS_H
#define OMMA_TOOLS_COMMON_OPTIONS_H

#include "tools/options.h"

/* clang-format off */

/* const char * */
#define MODEL_OPTION(type, field)                                                                  \
    {.name = "model", .letter = 'm', .kind = OPTION_TEXT, .argument = "MODEL",                     \
     .offset = offsetof(type, field), .environment = "OMMA_MODEL",                                 \
     .help = "the model: a folder, or a name that is looked up in $OMMA_MODEL_PATH"}

/* bool */
#define VERBOSE_OPTION(type, field)                                                                \
    {.name = "verbose", .letter = 'v', .kind = OPTION_FLAG, .offset = offsetof(type, field),       \
     .help = "tell more, on standard error"}

/* bool */
#define JSON_OPTION(type, field)                                                                   \
    {.name = "json", .kind = OPTION_FLAG, .offset = offsetof(type, field),                         \
     .help = "write one JSON object"}

/* int, an enum omma_special */
#define SPECIAL_OPTION(type, field)                                                                \
    {.name = "special", .kind = OPTION_CHOICE, .choices = special_words,                           \
     .offset = offsetof(type, field),                                                              \
     .help = "names of added tokens in text: plain text, the tokens, or refused"}

/* size_t; 0: not given */
#define CONTEXT_OPTION(type, field)                                                                \
    {.name = "context", .letter = 'c', .kind = OPTION_COUNT, .argument = "N",                      \
     .offset = offsetof(type, field), .minimum = 1, .maximum = INT32_MAX,                          \
     .environment = "OMMA_CONTEXT",                                                                \
     .help = "most tokens of prompt and answer; the smaller of 8192 and the model's if not given"}

/* size_t; of commands whose requests say how long an answer may be */
#define ANSWER_OPTION(type, field)                                                                 \
    {.name = "max-tokens", .letter = 'n', .kind = OPTION_COUNT, .argument = "N",                   \
     .offset = offsetof(type, field), .minimum = 1, .maximum = INT32_MAX,                          \
     .help = "most tokens of an answer, whatever is asked for"}

/* bool */
#define DRY_RUN_OPTION(type, field)                                                                \
    {.name = "dry-run", .kind = OPTION_FLAG, .offset = offsetof(type, field),                      \
     .help = "tell tiles, tokens, memory and about how long it takes, and do nothing"}

/* clang-format on */

/* The words of enum omma_special. */
extern const char *const special_words[];

/* OMMA_STATUS_USAGE if no model was named. */
enum omma_status require_model(const char *model, struct omma_error *error);

#endif
