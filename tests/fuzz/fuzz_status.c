/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libFuzzer: pflashctl reads and prints the answer of a pflashd.  The input is
 * the answer, from the socket of domain 7.
 *
 * For any input: domain and pid are those of the socket, the output has no
 * control character and no line that the input forged, the JSON output is
 * ASCII, and reading it again gives the same JSON.
 */
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "input.h"
#include "pflash/control.h"

#define DOMAIN 7
#define PID 4711

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct output {
	FILE *file;
	char *text;
	size_t size;
};

static void
output_open(struct output *output)
{
	output->file = open_memstream(&output->text, &output->size);
	demand(output->file != NULL, "open_memstream");
}

static void
output_end(struct output *output)
{
	demand(fclose(output->file) == 0, "fclose");
}

static bool
is_plain(const char *text, size_t size, bool ascii)
{
	for (size_t i = 0; i < size; i++) {
		uint8_t byte = (uint8_t)text[i];

		if ((byte < ' ' && byte != '\n') || byte == 0x7f ||
		    (ascii && byte > 0x7e))
			return false;
		/* C1 in UTF-8 */
		if (byte == 0xc2 && (uint8_t)text[i + 1] < 0xa0)
			return false;
	}
	return true;
}

static void
check_numbers(const struct answer *answer)
{
	uint64_t value;

	demand(answer_number(answer, STATUS_DOMAIN, &value) && value == DOMAIN,
	       "the domain is not the socket's");
	demand(answer_number(answer, STATUS_PID, &value) && value == PID,
	       "the pid is not the socket's");
	if (answer_number(answer, STATUS_WRITES, &value))
		demand(value != UINT64_MAX, "a number out of range is shown");
	demand(!answer_number(answer, STATUS_NAME, &value),
	       "a text is read as a number");
	demand(!answer_text(answer, STATUS_WRITES).bytes,
	       "a number is read as a text");
}

static void
check_print(const struct answer *answer)
{
	size_t lines = 0;
	struct output output;

	output_open(&output);
	answer_print(output.file, answer);
	output_end(&output);
	demand(is_plain(output.text, output.size, false),
	       "a control character is printed");
	for (size_t i = 0; i < output.size; i++)
		lines += output.text[i] == '\n';
	demand(lines == (size_t)json_object_object_length(answer->members),
	       "lines and members differ in number");
	free(output.text);
}

static void
check_json(const struct answer *answer)
{
	struct answer again;
	struct output output, second;
	struct error err;

	output_open(&output);
	answer_print_json(output.file, answer->members);
	output_end(&output);
	demand(is_plain(output.text, output.size, true),
	       "the JSON output is not ASCII");
	demand(answer_read(&again, DOMAIN, PID, output.text, output.size,
			   &err) == 0,
	       "the JSON output cannot be read again");
	output_open(&second);
	answer_print_json(second.file, again.members);
	output_end(&second);
	/* json-c 0.16 does not decode all surrogate pairs. */
	demand(strstr(output.text, "\\ud") ||
		       strcmp(output.text, second.text) == 0,
	       "the JSON output differs when read again");
	answer_close(&again);
	free(second.text);
	free(output.text);
}

static void
check_label(const struct answer *answer)
{
	struct output output;

	output_open(&output);
	show_label(output.file, answer_text(answer, STATUS_NAME));
	output_end(&output);
	demand(is_plain(output.text, output.size, false),
	       "a control character in a label");
	for (size_t i = 0; i < output.size; i++) {
		char c = output.text[i];

		demand(c != '"' && c != '\n',
		       "a character that must be escaped");
		if (c != '\\')
			continue;
		c = output.text[++i];
		demand(c == '"' || c == 'n' || c == '\\', "an unknown escape");
	}
	free(output.text);
}

static void
check_cell(const struct answer *answer)
{
	struct output output;
	size_t i = 0;

	output_open(&output);
	show_cell(output.file, answer_text(answer, STATUS_NAME), 20);
	output_end(&output);
	while (output.text[i] && output.text[i] != ' ')
		i++;
	demand(i + strspn(output.text + i, " ") == output.size,
	       "a cell of two columns");
	free(output.text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of this size: AddressSanitizer finds reads outside it. */
	char *text = malloc(size ? size : 1);
	struct answer answer;
	struct error err;

	demand(text != NULL, "out of memory");
	memcpy(text, data, size);
	if (answer_read(&answer, DOMAIN, PID, text, size, &err) == 0) {
		check_numbers(&answer);
		check_print(&answer);
		check_json(&answer);
		check_label(&answer);
		check_cell(&answer);
	}
	answer_close(&answer);
	free(text);
	return 0;
}
