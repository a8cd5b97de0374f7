/* SPDX-License-Identifier: BSD-2-Clause */
#include "pflash/cmdline.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

/*
 * getopt_long() stores in `optopt` the letter that is no option, or the value
 * of the long option that was given a value it does not take.  Values above
 * each letter tell the two apart.
 */
#define FIRST_VALUE (UCHAR_MAX + 1)

static void
make_table(struct option *table, const struct cmdline_option *options)
{
	int count = 0;

	for (; count < CMDLINE_OPTIONS && options[count].name; count++)
		table[count] = (struct option){
			.name = options[count].name,
			.has_arg = options[count].has_value ?
					   required_argument :
					   no_argument,
			.val = FIRST_VALUE + count,
		};
	table[count] = (struct option){ .name = NULL };
}

static int
refuse(const struct cmdline_option *options, char **argv, int result,
       struct error *err)
{
	if (result == ':')
		return error_set(err, EINVAL, "%s needs a value (see --help)",
				 argv[optind - 1]);
	if (optopt >= FIRST_VALUE)
		return error_set(err, EINVAL,
				 "the option --%s takes no value (see --help)",
				 options[optopt - FIRST_VALUE].name);
	if (optopt)
		return error_set(err, EINVAL,
				 "unknown option '-%c' (see --help)", optopt);
	return error_set(err, EINVAL, "unknown option '%s' (see --help)",
			 argv[optind - 1]);
}

int
cmdline_parse(const struct cmdline_option *options, int argc, char **argv,
	      cmdline_set *set, void *opaque, struct error *err)
{
	struct option table[CMDLINE_OPTIONS + 1];
	int result, ret;

	make_table(table, options);
	opterr = 0;
	optind = 0; /* begin anew: pflashd reads its command line twice */
	while ((result = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		if (result < FIRST_VALUE)
			return refuse(options, argv, result, err);
		ret = cmdline_apply(&options[result - FIRST_VALUE], optarg, set,
				    opaque, err);
		if (ret != 0)
			return ret < 0 ? ret : 0;
	}
	return optind;
}

const struct cmdline_option *
cmdline_find(const struct cmdline_option *options, const char *name)
{
	while (options->name && strcmp(options->name, name) != 0)
		options++;
	return options->name ? options : NULL;
}

int
cmdline_apply(const struct cmdline_option *option, const char *value,
	      cmdline_set *set, void *opaque, struct error *err)
{
	struct error why;
	int ret = set(opaque, option->id, value, &why);

	if (ret >= 0)
		return ret;
	return error_set(err, -ret, "--%s: %s", option->name, why.text);
}
