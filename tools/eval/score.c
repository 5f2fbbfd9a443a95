/*
 * Rows are read one after the other and forgotten but for their verdicts; a group's name is kept
 * once.  Rows of a circular suite wait until all are read: a group is scored under the row whose
 * index is the group's, as mcq_circular_eval() does, and rows without such a one are left out.
 */
#include "tools/eval/score.h"

#include <stdlib.h>
#include <string.h>

#include "tools/eval/literal.h"

enum { N_LETTERS = 26, N_CELLS = N_LETTERS + 24, GROUP_OFFSET = 1000000 };

struct columns {
    size_t index, question, prediction, answer, split, category, l2_category, letters[N_LETTERS];
    size_t g_index; /* of circular suites */
    size_t task, skills, question_type, answer_type, choices, answer_option; /* of MathVista */
};

/* A row while it is scored. */
struct reading {
    struct scores *scores;
    const struct columns *columns;
    const struct score_judge *judge;
    struct table_row row;
    struct text cells[N_CELLS]; /* what has been asked for */
    size_t n_cells;
};

/* A row of a circular group. */
struct turn {
    long long group, index;
    size_t number;
    struct match_result result;
    bool is_unanswered;
};

static void end_reading(struct reading *reading)
{
    for (size_t i = 0; i < reading->n_cells; i++) {
        text_free(&reading->cells[i]);
    }
    reading->n_cells = 0;
    table_row_free(&reading->row);
}

static enum match_kind kind_of(const struct table *table, size_t row, size_t column)
{
    switch (table->kinds[row / table->rows_of_part * table->n_columns + column]) {
    case COLUMN_INTEGER:
    case COLUMN_UNSIGNED:
        return MATCH_INTEGER_VALUE;
    case COLUMN_REAL:
    case COLUMN_INTEGER_REAL:
    case COLUMN_BOOLEAN:
    case COLUMN_BOOLEAN_OBJECT:
        return MATCH_FLOATING_VALUE;
    default:
        return MATCH_TEXT_VALUE;
    }
}

/* A cell as pandas has it; valid until the reading ends. */
static enum omma_status read_cell(struct reading *reading, size_t column, struct match_value *value,
                                  struct omma_error *error)
{
    const struct table *table = &reading->scores->table;
    struct text *text = &reading->cells[reading->n_cells];
    bool has_value;

    *value = (struct match_value){.kind = MATCH_MISSING, .text = slice_of("nan")};
    if (column == TABLE_NO_COLUMN) {
        return OMMA_OK;
    }
    TRY(table_cell(table, &reading->row, column, text, &has_value, error));
    reading->n_cells++;
    if (!has_value) {
        return OMMA_OK;
    }
    value->kind = kind_of(table, reading->row.number, column);
    value->text = (struct slice){text->bytes, text->n_bytes};
    if (value->kind == MATCH_FLOATING_VALUE) {
        value->number = slice_is(value->text, "True")    ? 1
                        : slice_is(value->text, "False") ? 0
                                                         : strtod(text->bytes, NULL);
    }
    return OMMA_OK;
}

static enum omma_status read_choices(struct reading *reading, struct match_choice items[N_LETTERS],
                                     struct match_choices *choices, struct omma_error *error)
{
    *choices = (struct match_choices){items, 0};
    for (size_t i = 0; i < N_LETTERS; i++) {
        struct match_value value;

        TRY(read_cell(reading, reading->columns->letters[i], &value, error));
        if (value.kind != MATCH_MISSING) {
            items[choices->n_items++] = (struct match_choice){(char)('A' + i), value.text};
        }
    }
    return OMMA_OK;
}

static enum omma_status fail_cell(const struct reading *reading, const char *column,
                                  const char *expected, struct omma_error *error)
{
    return fail(error, OMMA_STATUS_USAGE, "%s: row %zu: %s: expected %s",
                reading->scores->table.path, reading->row.number + 1, column, expected);
}

/* The judge's next answer about the row that is being read. */
static enum omma_status ask_judge(struct reading *reading, const struct match_choices *choices,
                                  const struct match_value *prediction, size_t i,
                                  struct slice *answer, bool *has_answer, struct omma_error *error)
{
    struct match_value question;

    *has_answer = false;
    if (reading->judge->answer == NULL) {
        return OMMA_OK;
    }
    if (reading->columns->question == TABLE_NO_COLUMN) {
        return fail(error, OMMA_STATUS_USAGE,
                    "%s: no column \"question\", which a judge is asked about",
                    reading->scores->table.path);
    }
    TRY(read_cell(reading, reading->columns->question, &question, error));
    return reading->judge->answer(reading->judge->user,
                                  &(struct score_doubt){.rule = reading->scores->rule,
                                                        .number = reading->row.number,
                                                        .question = question.text,
                                                        .prediction = prediction->text,
                                                        .choices = choices},
                                  i, answer, has_answer, error);
}

static enum omma_status score_mathvista(struct reading *reading,
                                        const struct match_value *prediction,
                                        struct match_result *result, struct omma_error *error)
{
    const struct columns *columns = reading->columns;
    struct match_choice items[N_LETTERS];
    struct match_question question = {.choices = {items, 0}};
    struct match_value type, answer_type, choices;
    struct literal_list list = {0};
    struct slice judged;
    bool is_list = true, has_judged = false;
    enum omma_status status;

    TRY(read_cell(reading, columns->question_type, &type, error));
    TRY(read_cell(reading, columns->answer_type, &answer_type, error));
    TRY(read_cell(reading, columns->answer, &question.answer, error));
    TRY(read_cell(reading, columns->answer_option, &question.answer_option, error));
    TRY(read_cell(reading, columns->choices, &choices, error));
    question.question_type = type.text;
    question.answer_type = answer_type.text;
    if (slice_is(type.text, "multi_choice")) {
        TRY(literal_list_parse(choices.text, &list, &is_list, error));
    }
    if (!is_list || list.n_items > N_LETTERS) {
        literal_list_free(&list);
        return fail_cell(reading, "choices", "a list of at most 26 strings or numbers", error);
    }
    for (size_t i = 0; i < list.n_items; i++) {
        items[i] =
            (struct match_choice){(char)('A' + i), {list.items[i].bytes, list.items[i].n_bytes}};
    }
    question.choices.n_items = list.n_items;
    status = match_mathvista(&question, prediction, result, error);
    if (status == OMMA_OK && result->rule == MATCH_NONE) {
        status = ask_judge(reading, &(struct match_choices){NULL, 0}, prediction, 0, &judged,
                           &has_judged, error);
    }
    if (status == OMMA_OK && has_judged) {
        status = match_mathvista_judged(&question, judged, result, error);
    }
    literal_list_free(&list);
    return status;
}

static enum omma_status match_choice(const struct reading *reading,
                                     const struct match_choices *choices,
                                     const struct match_value *answer, struct slice prediction,
                                     struct match_result *result, struct omma_error *error)
{
    return reading->scores->rule == SCORE_MMMU
               ? match_mmmu(choices, answer, prediction, result, error)
               : match_multiple_choice(choices, answer, prediction, result, error);
}

static enum omma_status score_choice(struct reading *reading, const struct match_value *prediction,
                                     struct match_result *result, struct omma_error *error)
{
    struct match_choice items[N_LETTERS], open_items[N_LETTERS];
    struct match_choices choices, shown;
    struct match_value answer;
    struct slice judged;
    bool has_judged = true;

    TRY(read_choices(reading, items, &choices, error));
    TRY(read_cell(reading, reading->columns->answer, &answer, error));
    TRY(match_choice(reading, &choices, &answer, prediction->text, result, error));
    shown = reading->scores->rule == SCORE_MMMU ? match_mmmu_choices(&choices, &answer, open_items)
                                                : choices;
    for (size_t i = 0; result->rule == MATCH_NONE; i++) {
        TRY(ask_judge(reading, &shown, prediction, i, &judged, &has_judged, error));
        if (!has_judged) {
            break;
        }
        TRY(match_choice(reading, &choices, &answer, judged, result, error));
        result->rule = result->rule == MATCH_NONE ? MATCH_NONE : MATCH_JUDGE;
    }
    return OMMA_OK;
}

static int compare_group(const struct score_group *group, enum score_kind kind, const char *name,
                         const char *split)
{
    int order = (group->kind > kind) - (group->kind < kind);

    order = order != 0 ? order : strcmp(group->name, name);
    return order != 0 ? order : strcmp(group->split, split);
}

/* The group of that name and split, made where it belongs. */
static enum omma_status find_group(struct scores *scores, enum score_kind kind, const char *name,
                                   const char *split, struct score_group **group,
                                   struct omma_error *error)
{
    size_t low = 0, high = scores->n_groups;
    struct score_group *groups;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_group(&scores->groups[middle], kind, name, split);

        if (order == 0) {
            *group = &scores->groups[middle];
            return OMMA_OK;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (scores->n_groups == scores->groups_capacity) {
        size_t capacity = 2 * scores->groups_capacity + 64;

        groups = reallocarray(scores->groups, capacity, sizeof *groups);
        if (groups == NULL) {
            return fail_memory(error);
        }
        scores->groups = groups;
        scores->groups_capacity = capacity;
    }
    groups = scores->groups + low;
    memmove(groups + 1, groups, (scores->n_groups - low) * sizeof *groups);
    *groups = (struct score_group){.kind = kind, .name = strdup(name), .split = strdup(split)};
    scores->n_groups++;
    *group = groups;
    return groups->name != NULL && groups->split != NULL ? OMMA_OK : fail_memory(error);
}

/* Count the verdict under a name, in its split and in all. */
static enum omma_status count(struct scores *scores, enum score_kind kind, const char *name,
                              const struct match_value *split, const struct match_result *result,
                              struct omma_error *error)
{
    const char *splits[] = {"", split->text.bytes};
    size_t n_splits = split->kind == MATCH_MISSING || split->text.n_bytes == 0 ? 1 : 2;

    for (size_t i = 0; i < n_splits; i++) {
        struct score_group *group = NULL;

        TRY(find_group(scores, kind, name, splits[i], &group, error));
        group->n_rows++;
        group->n_hits += result->is_hit;
        group->n_undecided += result->rule == MATCH_NONE;
    }
    return OMMA_OK;
}

/* MathVista's skills are a list, or else one. */
static enum omma_status count_skills(struct reading *reading, const struct match_value *split,
                                     const struct match_result *result, struct omma_error *error)
{
    struct match_value skills;
    struct literal_list list;
    bool is_list;
    enum omma_status status = OMMA_OK;

    TRY(read_cell(reading, reading->columns->skills, &skills, error));
    if (skills.kind == MATCH_MISSING) {
        return OMMA_OK;
    }
    TRY(literal_list_parse(skills.text, &list, &is_list, error));
    if (!is_list) {
        return count(reading->scores, SCORE_SKILL, skills.text.bytes, split, result, error);
    }
    for (size_t i = 0; i < list.n_items && status == OMMA_OK; i++) {
        status = count(reading->scores, SCORE_SKILL, list.items[i].bytes, split, result, error);
    }
    literal_list_free(&list);
    return status;
}

/* Keep the verdict of the row that is being read. */
static enum omma_status add_row(struct reading *reading, const struct match_result *result,
                                size_t decider, bool is_unanswered, struct omma_error *error)
{
    struct scores *scores = reading->scores;
    const struct columns *columns = reading->columns;
    const struct {
        enum score_kind kind;
        size_t column;
    } labels[] = {{SCORE_L2_CATEGORY, columns->l2_category},
                  {SCORE_CATEGORY, columns->category},
                  {SCORE_TASK, columns->task}};
    struct match_value index, split, label;

    if (scores->n_rows == scores->rows_capacity) {
        size_t capacity = 2 * scores->rows_capacity + 256;
        struct score_row *rows = reallocarray(scores->rows, capacity, sizeof *rows);

        if (rows == NULL) {
            return fail_memory(error);
        }
        scores->rows = rows;
        scores->rows_capacity = capacity;
    }
    TRY(read_cell(reading, columns->index, &index, error));
    TRY(read_cell(reading, columns->split, &split, error));
    scores->rows[scores->n_rows] = (struct score_row){
        .index = strndup(index.text.bytes, index.text.n_bytes),
        .number = reading->row.number,
        .decider = decider,
        .result = *result,
        .is_unanswered = is_unanswered,
    };
    if (scores->rows[scores->n_rows++].index == NULL) {
        return fail_memory(error);
    }
    scores->n_unanswered += is_unanswered;
    TRY(count(scores, SCORE_OVERALL, "Overall", &split, result, error));
    for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
        TRY(read_cell(reading, labels[i].column, &label, error));
        if (label.kind != MATCH_MISSING) {
            TRY(count(scores, labels[i].kind, label.text.bytes, &split, result, error));
        }
    }
    return count_skills(reading, &split, result, error);
}

static enum omma_status read_number(struct reading *reading, size_t column, const char *name,
                                    long long *number, struct omma_error *error)
{
    struct match_value value;
    char *digits;

    TRY(read_cell(reading, column, &value, error));
    TRY(pytext_int(value.text, &digits, error));
    if (digits == NULL || strlen(digits) > 18) {
        free(digits);
        return fail_cell(reading, name, "a number, as the index of a circular suite is", error);
    }
    *number = atoll(digits);
    free(digits);
    return OMMA_OK;
}

/* Rows that VLMEvalKit takes modulo 1e6, without their own column for it. */
static enum omma_status read_turn(struct reading *reading, struct turn *turn,
                                  struct omma_error *error)
{
    TRY(read_number(reading, reading->columns->index, "index", &turn->index, error));
    if (reading->columns->g_index != TABLE_NO_COLUMN) {
        return read_number(reading, reading->columns->g_index, "g_index", &turn->group, error);
    }
    turn->group = turn->index % GROUP_OFFSET;
    turn->group += turn->group < 0 ? GROUP_OFFSET : 0;
    return OMMA_OK;
}

/* Score row `number`; in a circular suite into its turn. */
static enum omma_status score_row(struct reading *reading, size_t number, struct turn *turn,
                                  struct omma_error *error)
{
    struct scores *scores = reading->scores;
    struct match_value prediction;
    struct match_result result;
    bool is_unanswered;

    TRY(table_row_read(&scores->table, number, &reading->row, error));
    TRY(read_cell(reading, reading->columns->prediction, &prediction, error));
    is_unanswered = slice_contains(prediction.text, slice_of(SCORE_NO_ANSWER));
    if (scores->rule == SCORE_MATHVISTA) {
        TRY(score_mathvista(reading, &prediction, &result, error));
    } else {
        TRY(score_choice(reading, &prediction, &result, error));
    }
    if (scores->rule == SCORE_CIRCULAR) {
        *turn = (struct turn){.number = number, .result = result, .is_unanswered = is_unanswered};
        return read_turn(reading, turn, error);
    }
    return add_row(reading, &result, number, is_unanswered, error);
}

static int by_group(const void *a, const void *b)
{
    const struct turn *one = a, *other = b;
    int order = (one->group > other->group) - (one->group < other->group);

    return order != 0 ? order : (one->index > other->index) - (one->index < other->index);
}

/* prefetch_circular_group(): the first wrong answer decides, then one that is none. */
static struct turn verdict_of(const struct turn *turns, size_t n)
{
    struct turn verdict = turns[0];

    for (size_t i = 0; i < n; i++) {
        if (turns[i].result.letter != 0 && !turns[i].result.is_hit) {
            return turns[i];
        }
        if (!turns[i].result.is_hit && verdict.result.is_hit) {
            verdict = turns[i];
        }
    }
    return verdict;
}

static enum omma_status score_groups(struct reading *reading, struct turn *turns, size_t n_turns,
                                     struct omma_error *error)
{
    size_t n;

    qsort(turns, n_turns, sizeof *turns, by_group);
    for (size_t begin = 0; begin < n_turns; begin += n) {
        const struct turn *main_turn = NULL;
        struct turn verdict;
        enum omma_status status;

        for (n = 0; begin + n < n_turns && turns[begin + n].group == turns[begin].group; n++) {
            main_turn =
                turns[begin + n].index == turns[begin].group ? &turns[begin + n] : main_turn;
        }
        if (main_turn == NULL) {
            continue;
        }
        verdict = verdict_of(turns + begin, n);
        status = table_row_read(&reading->scores->table, main_turn->number, &reading->row, error);
        if (status == OMMA_OK) {
            status =
                add_row(reading, &verdict.result, verdict.number, verdict.is_unanswered, error);
        }
        end_reading(reading);
        TRY(status);
    }
    return OMMA_OK;
}

/* By its name, or by another case of it, as VLMEvalKit lowers all but the options' letters. */
static size_t find_column(const struct table *table, const char *name)
{
    size_t column = table_column(table, name);

    for (size_t i = 0; i < table->n_columns && column == TABLE_NO_COLUMN; i++) {
        column = strcasecmp(table->names[i], name) == 0 ? i : column;
    }
    return column;
}

static enum omma_status find_columns(const struct scores *scores, struct columns *columns,
                                     struct omma_error *error)
{
    bool is_mathvista = scores->rule == SCORE_MATHVISTA;
    const struct {
        const char *name;
        size_t *column;
        bool is_needed;
    } wanted[] = {
        {"index", &columns->index, true},
        {"question", &columns->question, false},
        {"prediction", &columns->prediction, true},
        {"answer", &columns->answer, true},
        {"split", &columns->split, false},
        {"category", &columns->category, false},
        {"l2-category", &columns->l2_category, false},
        {"g_index", &columns->g_index, false},
        {"task", &columns->task, false},
        {"skills", &columns->skills, false},
        {"question_type", &columns->question_type, is_mathvista},
        {"answer_type", &columns->answer_type, is_mathvista},
        {"choices", &columns->choices, is_mathvista},
        {"answer_option", &columns->answer_option, is_mathvista},
        {"A", &columns->letters[0], !is_mathvista},
        {"B", &columns->letters[1], !is_mathvista},
    };

    for (size_t i = 0; i < N_LETTERS; i++) {
        columns->letters[i] = table_column(&scores->table, (const char[]){(char)('A' + i), '\0'});
    }
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        *wanted[i].column = find_column(&scores->table, wanted[i].name);
        if (wanted[i].is_needed && *wanted[i].column == TABLE_NO_COLUMN) {
            return fail(error, OMMA_STATUS_USAGE, "%s: no column \"%s\", which scoring as %s needs",
                        scores->table.path, wanted[i].name, score_rule_name(scores->rule));
        }
    }
    if (!is_mathvista) {
        columns->task = columns->skills = TABLE_NO_COLUMN;
    }
    return OMMA_OK;
}

static enum omma_status score_all(struct scores *scores, const struct score_judge *judge,
                                  struct omma_error *error)
{
    struct columns columns;
    struct reading reading = {.scores = scores, .columns = &columns, .judge = judge};
    size_t n_rows = scores->table.n_rows;
    struct turn *turns = NULL, none;
    bool is_circular = scores->rule == SCORE_CIRCULAR;
    enum omma_status status = OMMA_OK;

    TRY(find_columns(scores, &columns, error));
    if (is_circular) {
        turns = calloc(n_rows + 1, sizeof *turns);
        if (turns == NULL) {
            return fail_memory(error);
        }
    }
    for (size_t i = 0; i < n_rows && status == OMMA_OK; i++) {
        status = score_row(&reading, i, is_circular ? &turns[i] : &none, error);
        end_reading(&reading);
    }
    if (status == OMMA_OK && is_circular) {
        status = score_groups(&reading, turns, n_rows, error);
    }
    free(turns);
    return status;
}

enum omma_status scores_open(const char *path, const char *suite, struct scores *scores,
                             struct omma_error *error)
{
    return scores_open_judged(path, suite, &(struct score_judge){0}, scores, error);
}

enum omma_status scores_open_judged(const char *path, const char *suite,
                                    const struct score_judge *judge, struct scores *scores,
                                    struct omma_error *error)
{
    enum omma_status status;

    *scores = (struct scores){.table.descriptor = -1};
    TRY(score_rule_of(suite, &scores->rule, error));
    TRY(table_open(path, &scores->table, error));
    status = score_all(scores, judge, error);
    if (status != OMMA_OK) {
        scores_close(scores);
    }
    return status;
}

void scores_close(struct scores *scores)
{
    for (size_t i = 0; i < scores->n_rows; i++) {
        free(scores->rows[i].index);
    }
    for (size_t i = 0; i < scores->n_groups; i++) {
        free(scores->groups[i].name);
        free(scores->groups[i].split);
    }
    free(scores->rows);
    free(scores->groups);
    table_close(&scores->table);
    *scores = (struct scores){.table.descriptor = -1};
}

struct score_group scores_overall(const struct scores *scores)
{
    return scores->n_groups > 0 ? scores->groups[0] : (struct score_group){.kind = SCORE_OVERALL};
}

enum omma_status scores_cell(const struct scores *scores, size_t number, const char *name,
                             struct text *text, struct omma_error *error)
{
    size_t column = find_column(&scores->table, name);
    struct table_row row;
    bool has_value = false;
    enum omma_status status;

    *text = (struct text){0};
    TRY(table_row_read(&scores->table, number, &row, error));
    status = table_cell(&scores->table, &row, column, text, &has_value, error);
    table_row_free(&row);
    TRY(status);
    if (!has_value) {
        text_free(text);
        return text_copy("", text, error);
    }
    return OMMA_OK;
}
