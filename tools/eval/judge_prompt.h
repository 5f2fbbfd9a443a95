/*
 * judge_prompt.h - what a judge is asked about a prediction: the prompts of VLMEvalKit e8e78f0,
 * build_prompt() of vlmeval/dataset/utils/multiple_choice.py with its variants for Chinese and
 * BLINK, and build_mathvista_gpt4_prompt() of vlmeval/dataset/utils/mathvista.py.
 */
#ifndef OMMA_TOOLS_EVAL_JUDGE_PROMPT_H
#define OMMA_TOOLS_EVAL_JUDGE_PROMPT_H

#include "tools/eval/score.h"

/* To be released.  The suite's name decides as it does in the reference. */
enum omma_status judge_prompt(const char *suite, const struct score_doubt *doubt,
                              struct text *prompt, struct omma_error *error);

#endif
