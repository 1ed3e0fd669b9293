/* SPDX-License-Identifier: BSD-3-Clause */
/* One message to three UEs: cc first_message.c $(pkg-config --cflags --libs fanfare) */
#include <fanfare.h>
#include <stdio.h>

static void
show(void *user, const struct fan_result *result, const struct fan_outcome *outcome)
{
	(void)user;
	(void)outcome;
	printf("created %llu, sent %llu, %llu octets\n", (unsigned long long)result->created, (unsigned long long)result->sent,
	       (unsigned long long)result->bytes_out);
}

int
main(void)
{
	const struct fan_options options = { .struct_bytes = sizeof(struct fan_options), .egress = "net_null" };
	const struct fan_next_hop relay = { .struct_bytes = sizeof(struct fan_next_hop),
					    .ethernet = { 2, 0, 0, 0, 0, 1 },
					    .address = { 198, 51, 100, 1 } };
	struct fan_message message;
	struct fanfare *fanfare = NULL;
	struct fan_group *group;
	int error = fan_open(&fanfare, &options);

	if (error == 0)
		error = fan_next_hop_add(fanfare, &relay);
	if (error >= 0)
		error = fan_group_create(fanfare, &group, "flood-warnings@example.org");
	for (uint32_t i = 0; error == 0 && i < 3; i++) {
		/* Keys and COUNT come from the MME; these are for show. */
		struct fan_ue ue = { .struct_bytes = sizeof(struct fan_ue),
				     .kind = FAN_KIND_EPS_NAS,
				     .cipher = 2,
				     .integrity = 2,
				     .k_enc = { 1, (uint8_t)i },
				     .k_int = { 2, (uint8_t)i },
				     .count = 7,
				     .count_reserved = 71,
				     .ue = i,
				     .mme_ue_id = 100 + i,
				     .ran_ue_id = 200 + i,
				     .bearer_id = 5 };
		fan_context_id id;

		error = fan_ue_add(fanfare, &id, &ue);
		if (error == 0)
			error = fan_group_add(group, id, FAN_PROFILE_EPS_NAS_NIDD);
	}
	fan_message_init(&message, "The river is rising.", 20);
	if (error == 0)
		error = fan_send(fanfare, NULL, group, &message, show, NULL);
	while (error == 0 && fan_poll(fanfare) > 0)
		;
	if (error < 0)
		fprintf(stderr, "first_message: %s: %s\n", fan_error_name(error), fan_error_detail());
	return fan_close(fanfare) != 0 || error < 0;
}
