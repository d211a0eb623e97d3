/* SPDX-License-Identifier: MIT */
#include "effective_answer.h"

#include <getopt.h>
#include <rfield/initialize.h>
#include <rfield/readers.h>
#include <stdlib.h>
#include <string.h>

#include "run_words.h"

static const char help[] =
    "usage: rfield effective MODEL --layer NAME [options]\n"
    "\n"
    "Tells how much one output element of a layer depends on each position of an input: the\n"
    "effective receptive field, by the gradient, and how large it is beside the theoretical one.\n"
    "\n"
    "  -l, --layer NAME         a layer, or a tensor that a layer puts out\n"
    "  -a, --at Y,X             the element, as for rfield field; the middle without it\n"
    "      --channel C          one channel of the output, from 0; without it, the sum of all\n"
    "      --of INPUT           which input of the network; the first that the layer sees\n"
    "  -i, --input NAME=SHAPE   as for rfield analyze\n"
    "  -n, --samples N          random inputs to average over; default 8\n"
    "      --seed N             of the inputs and of --init; default 1\n"
    "      --init SCHEME        weights for what has none: he-normal, he-uniform, xavier-normal,\n"
    "                           xavier-uniform, lecun-normal, orthogonal or ones\n"
    "  -t, --threads N          workers; default one for each processor\n"
    "  -f, --format FORMAT      text (default) or json\n"
    "  -o, --output FILE        write there, whole or not at all; - is standard output. A file\n"
    "                           that ends in .png gets a picture, and the text is printed:\n"
    "                           left the effective field, right the numbers of paths\n"
    "      --image IN           a picture to draw both on, scaled to the input's size\n"
    "  -h, --help\n"
    "\n"
    "exit code: 0; 1 for a bad model or input; 2 for a wrong command line\n";

enum { CHANNEL = 256, OF, SEED, INIT, IMAGE };

static const struct option options[] = {
    {"layer", required_argument, NULL, 'l'},       {"at", required_argument, NULL, 'a'},
    {"channel", required_argument, NULL, CHANNEL}, {"of", required_argument, NULL, OF},
    {"input", required_argument, NULL, 'i'},       {"samples", required_argument, NULL, 'n'},
    {"seed", required_argument, NULL, SEED},       {"init", required_argument, NULL, INIT},
    {"threads", required_argument, NULL, 't'},     {"format", required_argument, NULL, 'f'},
    {"output", required_argument, NULL, 'o'},      {"image", required_argument, NULL, IMAGE},
    {"help", no_argument, NULL, 'h'},              {0},
};

static const char *const formats[] = {"text", "json", NULL};

static const char *const scheme_words[] = {"he-normal", "he-uniform", "xavier-normal", "xavier-uniform",
                                           "lecun-normal", "orthogonal", "ones", NULL};
static const rf_weight_scheme schemes[] = {
    RF_WEIGHTS_HE_NORMAL, RF_WEIGHTS_HE_UNIFORM, RF_WEIGHTS_XAVIER_NORMAL, RF_WEIGHTS_XAVIER_UNIFORM,
    RF_WEIGHTS_LECUN_NORMAL, RF_WEIGHTS_ORTHOGONAL, RF_WEIGHTS_CONSTANT,
};

/* What the command line asks for. */
typedef struct effective_request {
    const char *model, *layer, *of, *image, *output;
    input_options inputs;
    int64_t at[RF_MAX_RANK], channel, samples, seed, threads;
    size_t at_count;
    int format, scheme; /* -1: weights must be there */
    bool help;
} effective_request;

/* ---- Words -------------------------------------------------------------------------------- */

static int take_number(const subcommand *command, const char *option, int64_t least, int64_t *number)
{
    if (parse_integer(optarg, number) && *number >= least)
        return DONE;
    return misuse(command, "--%s: '%.80s' is not a number of %d or more", option, optarg, (int)least);
}

static int take_at(const subcommand *command, effective_request *request)
{
    if (parse_indices(optarg, request->at, RF_MAX_RANK, &request->at_count))
        return DONE;
    return misuse(command, "--at: '%.80s' is not a list of indices such as 3,4", optarg);
}

static int take_word(const subcommand *command, const char *option, const char *const *words, int *found)
{
    *found = find_word(words, optarg);
    if (*found >= 0)
        return DONE;
    return misuse(command, "--%s: '%.80s' is not known; %s is the first of those that are", option, optarg, words[0]);
}

static int take_option(const subcommand *command, effective_request *request, int answer, char **argv)
{
    switch (answer) {
    case 'l': request->layer = optarg; return DONE;
    case 'a': return take_at(command, request);
    case CHANNEL: return take_number(command, "channel", 0, &request->channel);
    case OF: request->of = optarg; return DONE;
    case 'i': return add_input(command, &request->inputs, optarg);
    case 'n': return take_number(command, "samples", 1, &request->samples);
    case SEED: return take_number(command, "seed", 0, &request->seed);
    case INIT: return take_word(command, "init", scheme_words, &request->scheme);
    case 't': return take_number(command, "threads", 1, &request->threads);
    case 'f': return take_word(command, "format", formats, &request->format);
    case 'o': request->output = optarg; return DONE;
    case IMAGE: request->image = optarg; return DONE;
    case 'h': request->help = true; return DONE;
    default: return bad_option(command, answer, argv);
    }
}

static bool wants_picture(const effective_request *request)
{
    return request->output && ends_in(request->output, ".png");
}

static int read_words(const subcommand *command, effective_request *request, int argc, char **argv)
{
    int answer;
    opterr = 0;
    while ((answer = getopt_long(argc, argv, ":l:a:i:n:t:f:o:h", options, NULL)) != -1) {
        int code = take_option(command, request, answer, argv);
        if (code != DONE || request->help)
            return code;
    }
    int code = take_model(command, argc, argv, &request->model);
    if (code != DONE)
        return code;
    if (!request->layer)
        return misuse(command, "--layer is needed");
    if (request->image && !wants_picture(request))
        return misuse(command, "--image needs -o, a file that ends in .png");
    return DONE;
}

/* ---- The field ---------------------------------------------------------------------------- */

/* The network itself, or a copy that has weights. */
static int take_weights(const open_model *model, const effective_request *request, const rf_network **made)
{
    rf_error error;
    rf_initialization how = RF_INITIALIZATION_DEFAULT;
    *made = NULL;
    if (request->scheme < 0)
        return DONE;
    how.scheme = schemes[request->scheme];
    how.low = how.high = 1;
    how.seed = (uint64_t)request->seed;
    if (rf_network_initialize(model->network, &how, made, &error) != RF_OK)
        return complain(model->path, "%s", error.message);
    return DONE;
}

static rf_status make_field(const open_model *model, const effective_request *request, const rf_network *network,
                            const rf_binding *bindings, const rf_effective_field **field, rf_error *error)
{
    rf_threads *threads;
    rf_effective_options how = RF_EFFECTIVE_OPTIONS_DEFAULT;
    rf_status status = rf_threads_make((size_t)request->threads, &threads, error);
    if (status != RF_OK)
        return status;
    rf_executor executor = rf_threads_executor(threads);
    how.executor = &executor;
    how.bindings = bindings;
    how.binding_count = model->analysis->input_count;
    how.tensor = request->layer;
    how.input = request->of;
    how.at = request->at_count ? request->at : NULL;
    how.at_count = request->at_count;
    how.channel = request->channel;
    how.samples = (size_t)request->samples;
    how.seed = (uint64_t)request->seed;
    status = rf_effective_field_make(network, &how, field, error);
    rf_threads_free(threads);
    return status;
}

static int measure(const open_model *model, const effective_request *request, const rf_effective_field **field)
{
    rf_error error;
    const rf_network *made;
    const rf_analysis *analysis = model->analysis;
    rf_binding *bindings = calloc(analysis->input_count + 1, sizeof *bindings);
    if (!bindings)
        return complain(model->path, "no memory for the inputs");
    for (size_t i = 0; i < analysis->input_count; i++)
        bindings[i] = (rf_binding){analysis->inputs[i].name, analysis->inputs[i].shape};
    int code = take_weights(model, request, &made);
    if (code == DONE) {
        rf_status status = make_field(model, request, made ? made : model->network, bindings, field, &error);
        if (status != RF_OK)
            code = complain(model->path, "%s%s", error.message,
                            status == RF_ERROR_GRAPH && !made ? " (--init)" : "");
    }
    rf_network_free(made);
    free(bindings);
    return code;
}

static int print_answer(const effective_answer *answer, const effective_request *request)
{
    static int (*const printers[])(const effective_answer *, output_file *) = {print_effective_text,
                                                                               print_effective_json};
    output_file output;
    int code = output_open(&output, wants_picture(request) ? NULL : request->output);
    if (code != DONE)
        return code;
    code = printers[request->format](answer, &output);
    if (code == DONE)
        return output_finish(&output);
    output_discard(&output);
    return code;
}

static int draw(effective_answer *answer, const effective_request *request)
{
    rf_error error;
    const open_model *model = answer->theory.model;
    if (rf_field_map_make(model->analysis, &answer->theory.query, &answer->theory.map, &error) != RF_OK)
        return complain(model->path, "%s", error.message);
    return draw_effective(answer, request->image, request->output);
}

static int answer_request(const effective_request *request, const open_model *model)
{
    effective_answer answer = {.theory = {.model = model}, .samples = (size_t)request->samples};
    if (rf_analysis_find_layer(model->analysis, request->layer) == model->analysis->layer_count)
        return complain_of_layer(model, request->layer);
    int code = measure(model, request, &answer.field);
    if (code != DONE)
        return code;
    const rf_effective_field *field = answer.field;
    answer.theory.query = (rf_field_query){.layer = field->layer, .output = field->output, .input = field->input,
                                           .channel = field->channel, .at = field->at, .at_count = field->at_count};
    answer.theory.result = field->theoretical;
    if (wants_picture(request))
        code = draw(&answer, request);
    if (code == DONE)
        code = print_answer(&answer, request);
    rf_field_map_free(answer.theory.map);
    rf_effective_field_free(field);
    return code;
}

static int run(const subcommand *command, int argc, char **argv)
{
    effective_request request = {.channel = -1, .samples = 8, .seed = 1, .scheme = -1};
    int code = read_words(command, &request, argc, argv);
    if (code == DONE && request.help) {
        code = print_help(command);
    } else if (code == DONE) {
        open_model model;
        code = model_open(&model, request.model, &request.inputs, false);
        if (code == DONE)
            code = answer_request(&request, &model);
        model_close(&model);
    }
    free_inputs(&request.inputs);
    return code;
}

const subcommand effective_command = {
    "effective", "tells how much an output depends on each position", help, run};
