/*
 * Which rule a suite is scored by: what ImageMCQDataset.evaluate_heuristic() of VLMEvalKit finds in
 * its name, but for the suites that have an evaluation of their own there.
 */
#include <string.h>

#include "tools/eval/score.h"
#include "tools/eval/suite_kind.h"

/* Parts of the names of suites that look like multiple choice and are scored in another way. */
static const char *const others[] = {
    "3DSR",           "A4Bench",   "AMBER",         "CV-Bench",  "GMAI",         "HRBench",
    "HallusionBench", "LEGO",      "MMBench-Video", "MME",       "MMMU_Pro",     "MMSci",
    "MMT-Bench",      "MMVP",      "NaturalBench",  "OmniEarth", "POPE",         "PuzzleVQA",
    "TopViewRS",      "TreeBench", "VLMBlind",      "VMCBench",  "VSR-zeroshot", "VisuLogic",
    "VisualPuzzles",  "WeMath",    "XLRS",          "tdbench",
};

const char *score_rule_name(enum score_rule rule)
{
    static const char *const names[] = {"multiple choice", "multiple choice of MMMU",
                                        "circular multiple choice", "MathVista"};

    return names[rule];
}

const char *score_rule_note(enum score_rule rule)
{
    return rule == SCORE_MATHVISTA
               ? "MathVista's rules alone: VLMEvalKit asks a judge for every answer they do not "
                 "take, so its scores are higher; not comparable with published ones"
               : "answers that no rule decides count as wrong; VLMEvalKit asks a judge for them if "
                 "it has one";
}

enum omma_status score_rule_of(const char *suite, enum score_rule *rule, struct omma_error *error)
{
    static const char *const circular[] = {"mmbench", "ccbench", "circular", "mmcr"};

    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (strstr(suite, others[i]) != NULL) {
            return fail(error, OMMA_STATUS_USAGE,
                        "%s: suites with %s in their names are scored by rules of their own, "
                        "which are not here: score the predictions with VLMEvalKit",
                        suite, others[i]);
        }
    }
    if (suite_kind_of(suite) != KIND_CHOICE && strstr(suite, "MathVista") == NULL) {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: is no suite of multiple choice; rules for it are not here: score the "
                    "predictions with VLMEvalKit",
                    suite);
    }
    *rule = strstr(suite, "MathVista") != NULL ? SCORE_MATHVISTA
            : strstr(suite, "MMMU") != NULL    ? SCORE_MMMU
                                               : SCORE_MULTIPLE_CHOICE;
    for (size_t i = 0; i < sizeof circular / sizeof *circular; i++) {
        if (strcasestr(suite, circular[i]) != NULL) {
            *rule = SCORE_CIRCULAR;
        }
    }
    return OMMA_OK;
}

const char *score_kind_name(enum score_kind kind)
{
    static const char *const names[] = {"overall", "l2-category", "category", "task", "skill"};

    return names[kind];
}
