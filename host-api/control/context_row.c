/* SPDX-License-Identifier: BSD-3-Clause */
#include "context_row.h"

#include "../keys/plmn.h"
#include "params.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIXED_COLUMNS 15
#define NAS_COUNT_END (1U << 24)
#define BEARER_ID_STANDARD 5 /* the default bearer, as `fanfare population` has it */
#define LINE_BYTES_MAX 2048
#define TEXT_BYTES_MAX 256 /* of one member of an object */
#define PARENT_DIGITS (2 * FAN_PARENT_KEY_BYTES)

static const char *const fixed_names[FIXED_COLUMNS + 1] = { "ue",    "imsi",      "profile",   "cipher",   "integrity",
							    "k_enc", "k_int",     "count",     "bearer",   "direction",
							    "teid",  "mme_ue_id", "ran_ue_id", "next_hop", "ue_ip" };

/* Columns that a file may have behind those. Numbers go into the struct; the two texts and the keys have places of their own. */
struct column {
	const char *name; /* first: fan_nearest_name() walks these */
	int64_t minimum, maximum;
	size_t offset, bytes; /* in struct fan_ue; bytes 0: a text or a key */
};

#define PLACE(field) offsetof(struct fan_ue, field), sizeof(((struct fan_ue *)NULL)->field)

static const struct column columns_known[] = {
	{ "identity", 5, FAN_IDENTITY_BYTES - 1, 0, 0 },
	{ "group", 1, 255, 0, 0 },
	{ "count_reserved", 0, UINT32_MAX, PLACE(count_reserved) },
	{ "unacknowledged", 0, UINT16_MAX, PLACE(unacknowledged) },
	{ "transaction", 0, 6, PLACE(transaction) },
	{ "rp_reference", 0, 255, PLACE(rp_reference) },
	{ "transactions_open", 0, FAN_TRANSACTIONS_MAX, PLACE(transactions_open) },
	{ "bearer_id", 1, 15, PLACE(bearer_id) },
	{ "nru_sn", 0, 0xffffff, PLACE(nru_sn) },
	{ "uplink_teid", 0, UINT32_MAX, PLACE(uplink_teid) },
	{ "capabilities", 0, UINT32_MAX, PLACE(capabilities) },
	{ "emergency", 0, 1, PLACE(emergency) },
	{ "reachable", 0, 1, PLACE(unreachable) },
	{ "lease_until_ms", 0, INT64_MAX, PLACE(lease_until_ms) },
	{ "area", 0, 0xffffff, PLACE(area) },
	{ "broadcast_id", 0, FAN_BROADCAST_ID_LAST, PLACE(broadcast_id) },
	{ "plmn", 6, 7, 0, 0 },
	{ "k_asme", PARENT_DIGITS, PARENT_DIGITS, 0, 0 },
	{ "k_amf", PARENT_DIGITS, PARENT_DIGITS, 0, 0 },
	{ "k_enb", PARENT_DIGITS, PARENT_DIGITS, 0, 0 },
	{ "k_gnb", PARENT_DIGITS, PARENT_DIGITS, 0, 0 },
	{ "muk", PARENT_DIGITS, PARENT_DIGITS, 0, 0 },
	{ "b_tid", FAN_B_TID_NAME_BYTES + 2, FAN_B_TID_BYTES_MAX, 0, 0 },
	{ "udp_port", 1, UINT16_MAX, PLACE(udp_port) },
	{ .name = NULL },
};

#define COLUMN_COUNT (sizeof(columns_known) / sizeof(columns_known[0]) - 1)
#define COLUMN_REACHABLE 12
#define COLUMN_PLMN 16
#define COLUMN_PARENTS 17 /* the first of the keys, which stand in the order of enum fan_parent_key, and behind them: */
#define COLUMN_MUK 21
#define COLUMN_B_TID 22

static_assert(COLUMN_COUNT == FAN_CONTEXT_COLUMNS_MAX, "a file may have each once");

static int
find_column(const char *name)
{
	const char *nearest;

	for (unsigned i = 0; i < COLUMN_COUNT; i++)
		if (strcmp(columns_known[i].name, name) == 0)
			return (int)i;
	nearest = fan_nearest_name(name, columns_known, sizeof(columns_known[0]));
	if (nearest != NULL)
		return fan_fail(FAN_E_INVALID, "%.40s: no such column, did you mean %s?", name, nearest);
	return fan_fail(FAN_E_INVALID, "%.40s: no such column", name);
}

int
fan_context_header_read(struct fan_context_columns *columns, const char *line, size_t line_bytes)
{
	const size_t fixed_bytes = strlen(FAN_CONTEXTS_CSV_HEADER);
	char names[LINE_BYTES_MAX], *rest = names, *name;
	uint32_t seen = 0;

	columns->count = 0;
	if (line_bytes < fixed_bytes || line_bytes >= sizeof(names) ||
	    memcmp(line, FAN_CONTEXTS_CSV_HEADER, fixed_bytes) != 0 || (line[fixed_bytes] != '\0' && line[fixed_bytes] != ','))
		return fan_fail(FAN_E_INVALID, "the first line must begin with %s", FAN_CONTEXTS_CSV_HEADER);
	if (line_bytes == fixed_bytes)
		return 0;
	memcpy(names, line + fixed_bytes + 1, line_bytes - fixed_bytes);
	while ((name = strsep(&rest, ",")) != NULL) {
		const int column = find_column(name);

		if (column < 0)
			return column;
		if ((seen >> column & 1) != 0)
			return fan_fail(FAN_E_INVALID, "%s: the column is there twice", name);
		seen |= 1U << column;
		columns->column[columns->count++] = (uint8_t)column;
	}
	return 0;
}

/* ---- Values ------------------------------------------------------------------------------------------------------------ */

static int
take_number(struct fan_ue *ue, const struct column *column, const char *text, size_t text_bytes)
{
	int64_t number = 0;
	bool good = text_bytes > 0 && text_bytes < 19 && (text[0] != '0' || text_bytes == 1);

	for (size_t i = 0; good && i < text_bytes; i++) {
		good = text[i] >= '0' && text[i] <= '9';
		number = number * 10 + (text[i] - '0');
	}
	if (!good || number < column->minimum || number > column->maximum)
		return fan_fail(FAN_E_INVALID, "a decimal number from %lld to %lld, without leading zeros",
				(long long)column->minimum, (long long)column->maximum);
	if (column == &columns_known[COLUMN_REACHABLE])
		number = number == 0;
	/* Little end first, as every machine of this program has it. */
	memcpy((char *)ue + column->offset, &number, column->bytes);
	return 0;
}

static const char lower_hex[] = "0123456789abcdef";

static bool
is_printable(const char *text, size_t text_bytes)
{
	for (size_t i = 0; i < text_bytes; i++)
		if (text[i] < '!' || text[i] > '~')
			return false;
	return true;
}

static int
take_parent(struct fan_context_row *row, unsigned column, const char *text, size_t text_bytes)
{
	bool good = text_bytes == PARENT_DIGITS;

	row->parents++;
	row->which = (enum fan_parent_key)(column - COLUMN_PARENTS);
	row->is_muk = column == COLUMN_MUK;
	for (size_t i = 0; good && i < text_bytes; i++) {
		const char *digit = text[i] == '\0' ? NULL : strchr(lower_hex, text[i]);

		good = digit != NULL;
		row->parent[i / 2] = (uint8_t)(row->parent[i / 2] << 4 | (good ? digit - lower_hex : 0));
	}
	return good ? 0
		    : fan_fail(FAN_E_INVALID, "a MUK, or a key that others hang under, is %d lower-case hex digits",
			       PARENT_DIGITS);
}

static int
take_plmn(struct fan_context_row *row, const char *text, size_t text_bytes)
{
	char copy[FAN_PLMN_TEXT_BYTES] = "";

	if (text_bytes < sizeof(copy))
		memcpy(copy, text, text_bytes);
	return fan_plmn_parse(row->ue.plmn, copy) ? 0 : fan_fail(FAN_E_INVALID, "takes MCC-MNC, as 262-01");
}

/* An empty field is as if the column were not there. */
static int
take_value(struct fan_context_row *row, unsigned column, const char *text, size_t text_bytes)
{
	char *place = column == COLUMN_B_TID                             ? row->b_tid
		      : strcmp(columns_known[column].name, "group") == 0 ? row->gid
									 : row->identity;
	const struct column *known = &columns_known[column];

	if (text_bytes == 0)
		return 0;
	if (column >= COLUMN_PARENTS && column <= COLUMN_MUK)
		return take_parent(row, column, text, text_bytes);
	if (column == COLUMN_PLMN)
		return take_plmn(row, text, text_bytes);
	if (known->bytes > 0)
		return take_number(&row->ue, known, text, text_bytes);
	if ((int64_t)text_bytes < known->minimum || (int64_t)text_bytes > known->maximum || !is_printable(text, text_bytes))
		return fan_fail(FAN_E_INVALID, "%lld to %lld characters of printable ASCII", (long long)known->minimum,
				(long long)known->maximum);
	memcpy(place, text, text_bytes);
	place[text_bytes] = '\0';
	if (column == COLUMN_B_TID)
		row->ue.b_tid = row->b_tid;
	return 0;
}

/* The fixed columns and what follows from them, before others change it. */
static void
begin_ue(struct fan_context_row *row)
{
	const struct fan_contexts_row *fixed = &row->fixed;
	struct fan_ue *ue = &row->ue;
	const bool nas = fan_kind_is_nas(fan_profile_kind(fixed->profile));

	fan_ue_init(ue, fan_profile_kind(fixed->profile));
	ue->cipher = fixed->cipher;
	ue->integrity = fixed->integrity;
	memcpy(ue->k_enc, fixed->k_enc, sizeof(ue->k_enc));
	memcpy(ue->k_int, fixed->k_int, sizeof(ue->k_int));
	ue->count = fixed->count;
	ue->count_reserved = nas ? NAS_COUNT_END : UINT32_MAX;
	ue->bearer = fixed->bearer;
	ue->ue = fixed->ue;
	ue->teid = fixed->teid;
	memcpy(ue->ipv4, fixed->ue_ip, sizeof(ue->ipv4));
	ue->mme_ue_id = fixed->mme_ue_id;
	ue->ran_ue_id = fixed->ran_ue_id;
	ue->bearer_id = nas ? BEARER_ID_STANDARD : 0;
	ue->capabilities = 1U << fixed->profile;
	memcpy(row->identity, fixed->imsi, sizeof(fixed->imsi));
	ue->identity = row->identity;
}

static bool
is_fixed(const char *name)
{
	for (unsigned i = 0; i < FIXED_COLUMNS; i++)
		if (strcmp(fixed_names[i], name) == 0)
			return true;
	return false;
}

/* What contexts_csv.h says is "field: rule", or of the whole row. */
static int
refuse_fixed(char *field, size_t field_bytes, const char *wrong)
{
	const char *colon = strstr(wrong, ": ");

	if (colon != NULL)
		(void)snprintf(field, field_bytes, "%.*s", (int)(colon - wrong), wrong);
	if (colon != NULL && is_fixed(field))
		return fan_fail(FAN_E_INVALID, "%s", colon + 2);
	field[0] = '\0';
	return fan_fail(FAN_E_INVALID, "%s", wrong);
}

/* The octets up to the comma that ends so many fields. */
static size_t
fields_bytes(const char *line, size_t line_bytes, unsigned fields)
{
	for (size_t i = 0; i < line_bytes; i++)
		if (line[i] == ',' && --fields == 0)
			return i;
	return line_bytes;
}

/* In GBA_ME the MUK is Ks_NAF, and Ks_int_NAF in GBA_U (TS 33.246 6.1): there is nothing to be derived. */
static int
take_muk(struct fan_context_row *row)
{
	if (row->ue.kind != FAN_KIND_MBMS)
		return fan_fail(FAN_E_INVALID, "a MUK is of mbms-msk alone");
	memcpy(row->ue.k_enc, row->parent, FAN_KEY_BYTES);
	memcpy(row->ue.k_int, row->parent + FAN_KEY_BYTES, FAN_KEY_BYTES);
	return 0;
}

/* The keys, once all is read: those that were given, or what one that they hang under makes of them. */
static int
settle_keys(struct fan_context_row *row, char *field, size_t field_bytes)
{
	int error = 0;

	if (row->parents == 0 && !row->fixed.keyless)
		return 0;
	(void)snprintf(field, field_bytes, "%s",
		       row->parents == 0 ? "k_enc"
		       : row->is_muk     ? columns_known[COLUMN_MUK].name
					 : columns_known[COLUMN_PARENTS + (unsigned)row->which].name);
	if (row->parents == 0)
		error = fan_fail(FAN_E_INVALID,
				 "a key is 32 lower-case hex digits; or give the one that it hangs under: k_asme, k_amf, "
				 "k_enb or k_gnb, or a muk");
	else if (row->parents > 1)
		error = fan_fail(FAN_E_INVALID, "a context's keys hang under one key: give one");
	else if (!row->fixed.keyless)
		error = fan_fail(FAN_E_INVALID, "stands in the place of k_enc and k_int, which are empty then");
	else
		error = row->is_muk ? take_muk(row) : fan_ue_derive(&row->ue, row->which, row->parent);
	explicit_bzero(row->parent, sizeof(row->parent));
	if (error == 0)
		field[0] = '\0';
	return error;
}

/* All but the keys that are to be derived. */
static int
read_row(struct fan_context_row *row, char *field, size_t field_bytes, const struct fan_context_columns *columns,
	 const char *line, size_t line_bytes)
{
	const size_t fixed_bytes = fields_bytes(line, line_bytes, FIXED_COLUMNS);
	const char *at = line + fixed_bytes, *end = line + line_bytes;
	char wrong[192];

	field[0] = '\0';
	memset(row, 0, sizeof(*row));
	if (!fan_contexts_csv_parse_keyless(&row->fixed, wrong, sizeof(wrong), line, fixed_bytes))
		return refuse_fixed(field, field_bytes, wrong);
	begin_ue(row);
	for (unsigned i = 0; i < columns->count; i++) {
		const char *comma;
		int error;

		if (at == end)
			return fan_fail(FAN_E_INVALID, "%u fields: a row has %u", FIXED_COLUMNS + i,
					FIXED_COLUMNS + columns->count);
		at++;
		comma = memchr(at, ',', (size_t)(end - at));
		error = take_value(row, columns->column[i], at, (size_t)((comma == NULL ? end : comma) - at));
		if (error != 0)
			(void)snprintf(field, field_bytes, "%s", columns_known[columns->column[i]].name);
		if (error != 0)
			return error;
		at = comma == NULL ? end : comma;
	}
	return at == end ? 0 : fan_fail(FAN_E_INVALID, "more than %u fields", FIXED_COLUMNS + columns->count);
}

int
fan_context_row_read(struct fan_context_row *row, char *field, size_t field_bytes, const struct fan_context_columns *columns,
		     const char *line, size_t line_bytes)
{
	const int error = read_row(row, field, field_bytes, columns, line, line_bytes);

	return error != 0 ? error : settle_keys(row, field, field_bytes);
}

void
fan_context_row_wipe(struct fan_context_row *row)
{
	explicit_bzero(&row->fixed, sizeof(row->fixed));
	explicit_bzero(&row->ue, sizeof(row->ue));
	explicit_bzero(row->parent, sizeof(row->parent));
}

/* ---- Objects ----------------------------------------------------------------------------------------------------------- */

/* Out: text[TEXT_BYTES_MAX], a member as a file of columns would have it. */
static int
member_text(char *text, const json_t *value)
{
	const char *given = json_string_value(value);

	text[0] = '\0';
	if (json_is_integer(value))
		(void)snprintf(text, TEXT_BYTES_MAX, "%lld", (long long)json_integer_value(value));
	else if (json_is_boolean(value))
		(void)snprintf(text, TEXT_BYTES_MAX, "%d", json_is_true(value));
	else if (given != NULL && json_string_length(value) < TEXT_BYTES_MAX && strchr(given, ',') == NULL)
		(void)snprintf(text, TEXT_BYTES_MAX, "%s", given);
	else if (value != NULL)
		return fan_fail(FAN_E_INVALID,
				"takes a whole number, true or false, or a text of up to 255 characters without a comma");
	return 0;
}

/* What an object may leave out, since it does not have to say it to be understood. */
static const char *
standard(const char *name, const json_t *object)
{
	if (strcmp(name, "ue") == 0)
		return "0";
	if (strcmp(name, "direction") == 0)
		return "1";
	return strcmp(name, "imsi") == 0 && json_object_get(object, "identity") != NULL ? "000000" : "";
}

/* Out: line[LINE_BYTES_MAX], the fixed columns. Returns its octets or an error. */
static int
make_line(char *line, char *field, size_t field_bytes, const json_t *object)
{
	char text[TEXT_BYTES_MAX];
	int line_bytes = 0, error = 0;

	for (unsigned i = 0; error == 0 && i < FIXED_COLUMNS; i++) {
		const json_t *value = json_object_get(object, fixed_names[i]);

		(void)snprintf(field, field_bytes, "%s", fixed_names[i]);
		error = member_text(text, value);
		if (line_bytes + (int)sizeof(text) + 1 > LINE_BYTES_MAX)
			error = fan_fail(FAN_E_INVALID, "all texts together have more than %d octets",
					 LINE_BYTES_MAX - TEXT_BYTES_MAX);
		if (error == 0)
			line_bytes += snprintf(line + line_bytes, sizeof(text) + 1, "%s%s", i == 0 ? "" : ",",
					       value != NULL ? text : standard(fixed_names[i], object));
	}
	explicit_bzero(text, sizeof(text));
	return error != 0 ? error : line_bytes;
}

static int
take_members(struct fan_context_row *row, char *field, size_t field_bytes, json_t *object)
{
	char text[TEXT_BYTES_MAX];
	const char *name;
	json_t *value;
	int error = 0;

	json_object_foreach(object, name, value) {
		int column;

		if (error != 0 || is_fixed(name))
			continue;
		(void)snprintf(field, field_bytes, "%s", name);
		column = find_column(name);
		error = column < 0 ? column : member_text(text, value);
		if (error == 0)
			error = take_value(row, (unsigned)column, text, strlen(text));
	}
	explicit_bzero(text, sizeof(text));
	return error;
}

int
fan_context_object_read(struct fan_context_row *row, char *field, size_t field_bytes, const json_t *object)
{
	static const struct fan_context_columns none;
	char line[LINE_BYTES_MAX];
	json_t *own; /* jansson walks an object by a pointer that may change it; this only reads */
	int line_bytes = make_line(line, field, field_bytes, object);
	int error;

	memset(row, 0, sizeof(*row));
	error = line_bytes < 0 ? line_bytes : read_row(row, field, field_bytes, &none, line, (size_t)line_bytes);
	explicit_bzero(line, sizeof(line));
	memcpy(&own, &object, sizeof(void *));
	if (error == 0)
		error = take_members(row, field, field_bytes, own);
	return error != 0 ? error : settle_keys(row, field, field_bytes);
}
