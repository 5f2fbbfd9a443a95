/*
 * The texts are VLMEvalKit's, byte for byte, misspellings included; tests/data/eval/judge.jsonl has
 * what its own functions make of questions.
 */
#include "tools/eval/judge_prompt.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
static const char choice[] =
    "You are an AI assistant who will help me to match an answer with several options "
    "of a single-choice question. You are provided with a question, several options, and "
    "an answer, and you need to find which option is most similar to the answer. If the "
    "meaning of all options are significantly different from the answer, output Z. Your "
    "should output a single uppercase character in A, B, C, D (if they are valid options), "
    "and Z. \n"
    "Example 1: \n"
    "Question: What is the main object in image?\n"
    "Options: A. teddy bear B. rabbit C. cat D. dog\n"
    "Answer: a cute teddy bear\n"
    "Your output: A\n"
    "Example 2: \n"
    "Question: What is the main object in image?\n"
    "Options: A. teddy bear B. rabbit C. cat D. dog\n"
    "Answer: Spider\n"
    "Your output: Z\n"
    "Example 3: \n"
    "Question: {}?\n"
    "Options: {}\n"
    "Answer: {}\n"
    "Your output: ";

static const char choice_chinese[] =
    "你是一个帮助我匹配答案与单选题中多个选项的 AI 助手。你会被提供：一个问题，多个选项，一个答案。你的任务是找到与答案意义最相近的选项。如果所有选项的意义都与答案显著不同，则输出 "
    "Z。你应该输出一个单个的大写字母，例如 A, B, C, D（如果它们是有效选项），或 "
    "Z。例 1:问题: 图中最主要的物体是什么?\n"
    "选项: A. 泰迪熊 B. 兔子 C. 猫 D. 狗\n"
    "答案: 一只可爱的泰迪熊\n"
    "输出: A\n"
    "例 2: \n"
    "问题: 图中最主要的物体是什么?\n"
    "选项: A. 泰迪熊 B. 兔子 C. 猫 D. 狗\n"
    "答案: 蜘蛛\n"
    "输出: Z\n"
    "例 3: \n"
    "问题: {}?\n"
    "选项: {}\n"
    "答案: {}\n"
    "输出: ";

static const char choice_blink[] =
    "You are an AI assistant who will help me to match an answer with several options "
    "of a single-choice question. You are provided with a question, several options, and "
    "an answer, and you need to find which option is most similar to the answer. If the "
    "answer says things like refuse to answer, I'm sorry cannot help, etc., output Z.If "
    "the meaning of all options are significantly different from the answer, or the answer "
    "does not select any option, output Z. Your should output one of the choices, A, B, "
    "C, D (if they are valid options), or Z.\n"
    "Example 1: \n"
    "Question: Which point is closer to the camera?\n"
    "Select from the following choices.\n"
    "Options: A. Point A\n"
    "B. Point B\n"
    "(Z) Failed\n"
    "Answer: Point B, where the child is sitting, is closer to the camera.\n"
    "Your output: (B)\n"
    "Example 2: \n"
    "Question: Which point is closer to the camera?\n"
    "Select from the following choices.\n"
    "Options: (A) Point A\n"
    "(B) Point B\n"
    "(Z) Failed\n"
    "Answer: I'm sorry, but I can't assist with that request.\n"
    "Your output: (Z)\n"
    "Example 3: \n"
    "Question: Which point is corresponding to the reference point?\n"
    "Select from the following choices.\n"
    "Options: (A) Point A\n"
    "(B) Point B\n"
    "(Z) Failed\n"
    "Answer:The reference point (REF) on the first image is at the tip of the pot, which "
    "is the part used to Poke if the pots were used for that action. Looking at the second "
    "image, we need to find the part of the object that would correspond to poking.\n"
    "(A) Point A is at the tip of the spoon's handle, which is not used for poking.\n"
    "(B) Point B is at the bottom of the spoon, which is not used for poking.\n"
    "(C) Point C is on the side of the pspoonot, which is not used for poking.\n"
    "(D) Point D is at the tip of the spoon, which is not used for poking.\n"
    "\n"
    "Therefore, there is no correct answer in the choices\n"
    "Your output: (Z)\n"
    "Example 4: \n"
    "Question: {}?\n"
    "Options: {}\n"
    "(Z) Failed\n"
    "Answer: {}\n"
    "Your output: ";

static const char mathvista[] =
    "\n"
    "Please read the following example.\n"
    "Then extract the answer from the model response and type it at the end of the prompt.\n"
    "\n"
    "\n"
    "Hint: Please answer the question requiring an integer answer and provide the final "
    "value,\n"
    "e.g., 1, 2, 3, at the end.\n"
    "\n"
    "Question: Which number is missing?\n"
    "\n"
    "Model response: The number missing in the sequence is 14.\n"
    "\n"
    "Extracted answer: 14\n"
    "\n"
    "\n"
    "Hint: Please answer the question requiring a floating-point number with one decimal "
    "place and provide the final value,\n"
    "e.g., 1.2, 1.3, 1.4, at the end.\n"
    "\n"
    "Question: What is the fraction of females facing the camera?\n"
    "\n"
    "Model response: The fraction of females facing the camera is 0.6,\n"
    "which means that six out of ten females in the group are facing the camera.\n"
    "\n"
    "Extracted answer: 0.6\n"
    "\n"
    "\n"
    "Hint: Please answer the question requiring a floating-point number with two decimal "
    "places and provide the final value,\n"
    "e.g., 1.23, 1.34, 1.45, at the end.\n"
    "\n"
    "Question: How much money does Luca need to buy a sour apple candy and a butter-scotch "
    "candy? (Unit: $)\n"
    "\n"
    "Model response: Luca needs $1.45 to buy a sour apple candy and a butterscotch candy.\n"
    "\n"
    "Extracted answer: 1.45\n"
    "\n"
    "\n"
    "Hint: Please answer the question requiring a Python list as an answer and provide "
    "the final list,\n"
    "e.g., [1, 2, 3], [1.2, 1.3, 1.4], at the end.\n"
    "\n"
    "Question: Between which two years does the line graph saw its maximum peak?\n"
    "\n"
    "Model response: The line graph saw its maximum peak between 2007 and 2008.\n"
    "\n"
    "Extracted answer: [2007, 2008]\n"
    "\n"
    "\n"
    "Hint: Please answer the question and provide the correct option letter, e.g., A, "
    "B, C, D, at the end.\n"
    "\n"
    "Question: What fraction of the shape is blue?\n"
    "\n"
    "Choices: (A) 3/11 (B) 8/11 (C) 6/11 (D) 3/5\n"
    "\n"
    "Model response: The correct answer is (B) 8/11.\n"
    "\n"
    "Extracted answer: B\n"
    "\n"
    "{}\n"
    "Model respone: {}Extracted answer:";
/* clang-format on */

/* build_option_str() */
static void write_options(FILE *out, const struct match_choices *choices)
{
    fputs("There are several options: \n", out);
    for (size_t i = 0; i < choices->n_items; i++) {
        fprintf(out, "%c. ", choices->items[i].letter);
        fwrite(choices->items[i].text.bytes, 1, choices->items[i].text.n_bytes, out);
        fputc('\n', out);
    }
}

/* The part at `at` of a text that is cut where "{}" stands; *at moves behind it. */
static struct slice next_part(const char **at)
{
    const char *begin = *at, *end = strstr(begin, "{}");

    *at = end != NULL ? end + 2 : begin + strlen(begin);
    return (struct slice){begin, end != NULL ? (size_t)(end - begin) : strlen(begin)};
}

static void write_slice(FILE *out, struct slice slice)
{
    fwrite(slice.bytes, 1, slice.n_bytes, out);
}

/* cn_string(): a character from U+4E00 to U+9FFF. */
static bool is_chinese(struct slice text)
{
    /* in UTF-8 those are the ones from E4 B8 80 to E9 BF BF */
    for (size_t i = 0; i + 2 < text.n_bytes; i++) {
        unsigned char first = (unsigned char)text.bytes[i],
                      second = (unsigned char)text.bytes[i + 1];

        if ((first == 0xe4 && second >= 0xb8) || (first >= 0xe5 && first <= 0xe9)) {
            return true;
        }
    }
    return false;
}

enum omma_status judge_prompt(const char *suite, const struct score_doubt *doubt,
                              struct text *prompt, struct omma_error *error)
{
    bool is_mathvista = doubt->rule == SCORE_MATHVISTA;
    const char *at = is_mathvista                  ? mathvista
                     : strcmp(suite, "BLINK") == 0 ? choice_blink
                     : is_chinese(doubt->question) ? choice_chinese
                                                   : choice;
    FILE *out = open_memstream(&prompt->bytes, &prompt->n_bytes);

    if (out == NULL) {
        return fail_memory(error);
    }
    write_slice(out, next_part(&at));
    write_slice(out, doubt->question);
    write_slice(out, next_part(&at));
    if (!is_mathvista) {
        write_options(out, doubt->choices);
        write_slice(out, next_part(&at));
    }
    write_slice(out, doubt->prediction);
    write_slice(out, next_part(&at));
    if (fclose(out) != 0) {
        text_free(prompt);
        return fail_memory(error);
    }
    return OMMA_OK;
}
