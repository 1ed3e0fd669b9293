/* SPDX-License-Identifier: BSD-3-Clause */
#include "../host-api/fanout/reception.h"

#include <criterion/criterion.h>
#include <string.h>

#define TEXT "Gr\xc3\xbc\xc3\x9fg, \xe2\x82\xac 5" /* 10 characters, 14 octets */

static struct fan_reception
expect(const char *text)
{
	struct fan_message message = { .bytes = (const uint8_t *)text, .byte_count = strlen(text), .sdap_qfi = -1 };
	struct fan_reception reception;

	cr_assert_eq(fan_reception_init(&reception, &message), 0);
	return reception;
}

static struct fan_ue_delivery
deliver(struct fan_ue_state *state, enum fan_ue_form form, const char *text)
{
	return (struct fan_ue_delivery){ .state = state,
					 .form = (uint8_t)form,
					 .data = (const uint8_t *)text,
					 .data_bytes = (uint16_t)strlen(text),
					 .sms_part = 1,
					 .sms_parts = 1,
					 .application_port = -1,
					 .bearer_id = 5,
					 .sdap_qfi = -1 };
}

/* One delivery against what was expected, for every profile's form. */
Test(reception, forms_and_contents)
{
	static const struct {
		enum fan_profile profile;
		enum fan_ue_form form;
		const char *text;
		int bearer_id;
		enum fan_reception_outcome outcome;
	} cases[] = {
		{ FAN_PROFILE_EPS_NAS_NIDD, FAN_UE_NIDD, TEXT, 5, FAN_RECEPTION_COMPLETE },
		{ FAN_PROFILE_EPS_NAS_NIDD, FAN_UE_NIDD, TEXT, -1, FAN_RECEPTION_COMPLETE },
		{ FAN_PROFILE_EPS_NAS_NIDD, FAN_UE_NIDD, TEXT, 6, FAN_RECEPTION_WRONG_BEARER },
		{ FAN_PROFILE_EPS_NAS_NIDD, FAN_UE_SMS, TEXT, 5, FAN_RECEPTION_WRONG_FORM },
		{ FAN_PROFILE_EPS_NAS_SMS, FAN_UE_SMS, TEXT, 6, FAN_RECEPTION_COMPLETE },
		{ FAN_PROFILE_5GS_NAS_SMS, FAN_UE_CIOT, TEXT, 5, FAN_RECEPTION_WRONG_FORM },
		{ FAN_PROFILE_5GS_NAS_CIOT, FAN_UE_CIOT, TEXT, 5, FAN_RECEPTION_COMPLETE },
		{ FAN_PROFILE_5GS_NAS_CIOT, FAN_UE_CIOT, TEXT "x", 5, FAN_RECEPTION_WRONG_CONTENT },
		{ FAN_PROFILE_5GS_NAS_CIOT, FAN_UE_CIOT, "Gr\xc3\xbc\xc3\x9fg, \xe2\x82\xac 6", 5,
		  FAN_RECEPTION_WRONG_CONTENT },
		{ FAN_PROFILE_LTE_PDCP_12, FAN_UE_IP, TEXT, 5, FAN_RECEPTION_COMPLETE },
		{ FAN_PROFILE_LTE_PDCP_12, FAN_UE_RAW, TEXT, 5, FAN_RECEPTION_WRONG_FORM },
		{ FAN_PROFILE_NR_PDCP_18, FAN_UE_IP, "Gr", 5, FAN_RECEPTION_WRONG_CONTENT },
		{ FAN_PROFILE_NR_PDCP_18, FAN_UE_IP, "", 5, FAN_RECEPTION_WRONG_CONTENT },
		{ FAN_PROFILE_EPS_NAS_SMS, FAN_UE_SMS, "Gr", 5, FAN_RECEPTION_WRONG_CONTENT },
		{ FAN_PROFILE_EPS_NAS_SMS, FAN_UE_SMS, TEXT "x", 5, FAN_RECEPTION_WRONG_CONTENT },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fan_reception reception = expect(TEXT);
		struct fan_ue_state state = { 0 };
		struct fan_ue_delivery delivery = deliver(&state, cases[i].form, cases[i].text);

		cr_assert_eq(fan_reception_take(&reception, &delivery, cases[i].profile, cases[i].bearer_id), cases[i].outcome,
			     "case %zu", i);
		cr_assert_eq(fan_reception_done(&state), cases[i].outcome == FAN_RECEPTION_COMPLETE);
		/* Whatever it was, this sending is over for this UE until it is made ready again. */
		cr_assert_eq(fan_reception_take(&reception, &delivery, cases[i].profile, cases[i].bearer_id),
			     FAN_RECEPTION_SURPLUS);
		fan_reception_reset(&state);
		cr_assert_eq(fan_reception_take(&reception, &delivery, cases[i].profile, cases[i].bearer_id), cases[i].outcome);
		fan_reception_free(&reception);
	}
}

/* Parts in order make a message; a part that is missing, twice or changed does not. */
Test(reception, parts)
{
	static const char *const parts[] = { "Gr\xc3\xbc", "\xc3\x9fg, ", "\xe2\x82\xac 5" };
	static const struct {
		uint8_t order[3];
		enum fan_reception_outcome outcomes[3];
	} cases[] = {
		{ { 1, 2, 3 }, { FAN_RECEPTION_PART, FAN_RECEPTION_PART, FAN_RECEPTION_COMPLETE } },
		{ { 1, 3, 2 }, { FAN_RECEPTION_PART, FAN_RECEPTION_WRONG_PART, FAN_RECEPTION_SURPLUS } },
		{ { 1, 1, 2 }, { FAN_RECEPTION_PART, FAN_RECEPTION_WRONG_PART, FAN_RECEPTION_SURPLUS } },
		{ { 2, 1, 3 }, { FAN_RECEPTION_WRONG_PART, FAN_RECEPTION_SURPLUS, FAN_RECEPTION_SURPLUS } },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fan_reception reception = expect(TEXT);
		struct fan_ue_state state = { 0 };

		for (unsigned j = 0; j < 3; j++) {
			struct fan_ue_delivery delivery = deliver(&state, FAN_UE_SMS, parts[cases[i].order[j] - 1]);

			delivery.sms_part = cases[i].order[j];
			delivery.sms_parts = 3;
			delivery.tp_dcs = 0x08;
			cr_assert_eq(fan_reception_take(&reception, &delivery, FAN_PROFILE_5GS_NAS_SMS, -1),
				     cases[i].outcomes[j], "case %zu, %u", i, j);
		}
		cr_assert_eq(fan_reception_done(&state), i == 0);
		fan_reception_free(&reception);
	}
}

/* A part that goes on behind the message's end, whatever stands there in memory. */
Test(reception, a_part_does_not_go_beyond_the_message)
{
	static const uint8_t text[] = "hello, world";
	struct fan_message message = { .bytes = text, .byte_count = 5, .sdap_qfi = -1 };
	struct fan_reception reception;
	struct fan_ue_state state = { 0 };
	struct fan_ue_delivery delivery = deliver(&state, FAN_UE_SMS, "hello, world");

	cr_assert_eq(fan_reception_init(&reception, &message), 0);
	delivery.sms_parts = 2;
	cr_assert_eq(fan_reception_take(&reception, &delivery, FAN_PROFILE_EPS_NAS_SMS, -1), FAN_RECEPTION_WRONG_CONTENT);
	fan_reception_free(&reception);
}

/* A message that broke off leaves nothing to the next one. */
Test(reception, a_message_begins_with_its_first_part)
{
	struct fan_reception reception = expect("hello");
	struct fan_ue_state state = { 0 };
	struct fan_ue_delivery half = deliver(&state, FAN_UE_SMS, "hel"), whole = deliver(&state, FAN_UE_SMS, "hello");

	half.sms_parts = 2;
	cr_assert_eq(fan_reception_take(&reception, &half, FAN_PROFILE_EPS_NAS_SMS, -1), FAN_RECEPTION_PART);
	fan_reception_reset(&state);
	cr_assert_eq(fan_reception_take(&reception, &whole, FAN_PROFILE_EPS_NAS_SMS, -1), FAN_RECEPTION_COMPLETE);
	fan_reception_free(&reception);
}

/* A mark at the front is no character of a short message, and an octet of everything else. */
Test(reception, a_byte_order_mark_is_not_received_as_text)
{
	static const struct {
		enum fan_profile profile;
		enum fan_ue_form form;
		uint8_t tp_dcs;
		const char *text;
		enum fan_reception_outcome outcome;
	} cases[] = {
		{ FAN_PROFILE_EPS_NAS_SMS, FAN_UE_SMS, 0x00, "five \xe2\x82\xac", FAN_RECEPTION_COMPLETE },
		{ FAN_PROFILE_EPS_NAS_SMS, FAN_UE_SMS, 0x08, "five \xe2\x82\xac", FAN_RECEPTION_COMPLETE },
		{ FAN_PROFILE_EPS_NAS_SMS, FAN_UE_SMS, 0x08,
		  "\xef\xbb\xbf"
		  "five \xe2\x82\xac",
		  FAN_RECEPTION_WRONG_CONTENT },
		{ FAN_PROFILE_EPS_NAS_SMS, FAN_UE_SMS, 0x08, "five ", FAN_RECEPTION_WRONG_CONTENT },
		{ FAN_PROFILE_EPS_NAS_SMS, FAN_UE_SMS, 0x04,
		  "\xef\xbb\xbf"
		  "five \xe2\x82\xac",
		  FAN_RECEPTION_COMPLETE },
		{ FAN_PROFILE_EPS_NAS_SMS, FAN_UE_SMS, 0x04, "five \xe2\x82\xac", FAN_RECEPTION_WRONG_CONTENT },
		{ FAN_PROFILE_5GS_NAS_CIOT, FAN_UE_CIOT, 0,
		  "\xef\xbb\xbf"
		  "five \xe2\x82\xac",
		  FAN_RECEPTION_COMPLETE },
		{ FAN_PROFILE_5GS_NAS_CIOT, FAN_UE_CIOT, 0, "five \xe2\x82\xac", FAN_RECEPTION_WRONG_CONTENT },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fan_reception reception = expect("\xef\xbb\xbf"
							"five \xe2\x82\xac");
		struct fan_ue_state state = { 0 };
		struct fan_ue_delivery delivery = deliver(&state, cases[i].form, cases[i].text);

		delivery.tp_dcs = cases[i].tp_dcs;
		cr_assert_eq(fan_reception_take(&reception, &delivery, cases[i].profile, -1), cases[i].outcome, "case %zu", i);
		fan_reception_free(&reception);
	}
}

/* Data may be split inside what would be a character of UTF-8. */
Test(reception, data_is_counted_in_octets)
{
	static const char *const parts[] = { "Gr\xc3", "\xbc\xc3\x9fg, \xe2\x82", "\xac 5" };
	static const uint8_t schemes[] = { 0x04, 0x14, 0x44, 0xf4, 0xf7 };
	struct fan_reception reception = expect(TEXT);

	for (unsigned i = 0; i < sizeof(schemes); i++) {
		struct fan_ue_state state = { 0 };

		for (uint8_t j = 0; j < 3; j++) {
			struct fan_ue_delivery delivery = deliver(&state, FAN_UE_SMS, parts[j]);

			delivery.sms_part = (uint8_t)(j + 1);
			delivery.sms_parts = 3;
			delivery.tp_dcs = schemes[i];
			cr_assert_eq(fan_reception_take(&reception, &delivery, FAN_PROFILE_EPS_NAS_SMS, -1),
				     j < 2 ? FAN_RECEPTION_PART : FAN_RECEPTION_COMPLETE, "TP-DCS %02x", schemes[i]);
		}
	}
	fan_reception_free(&reception);
}

Test(reception, trigger_and_qfi)
{
	struct fan_message message = {
		.bytes = (const uint8_t *)"x", .byte_count = 1, .sdap_qfi = 0, .device_trigger = true, .application_port = 5000
	};
	struct fan_reception reception;
	struct fan_ue_state state = { 0 };
	struct fan_ue_delivery sms = deliver(&state, FAN_UE_SMS, "x"), bearer = deliver(&state, FAN_UE_IP, "x");

	cr_assert_eq(fan_reception_init(&reception, &message), 0);
	cr_assert_eq(fan_reception_take(&reception, &sms, FAN_PROFILE_EPS_NAS_SMS, -1), FAN_RECEPTION_WRONG_PORT);
	fan_reception_reset(&state);
	sms.application_port = 5000;
	cr_assert_eq(fan_reception_take(&reception, &sms, FAN_PROFILE_EPS_NAS_SMS, -1), FAN_RECEPTION_WRONG_PORT);
	fan_reception_reset(&state);
	sms.tp_pid = 0x48;
	cr_assert_eq(fan_reception_take(&reception, &sms, FAN_PROFILE_EPS_NAS_SMS, -1), FAN_RECEPTION_COMPLETE);
	fan_reception_reset(&state);
	cr_assert_eq(fan_reception_take(&reception, &bearer, FAN_PROFILE_NR_PDCP_12, -1), FAN_RECEPTION_WRONG_QFI);
	fan_reception_reset(&state);
	bearer.sdap_qfi = 0;
	cr_assert_eq(fan_reception_take(&reception, &bearer, FAN_PROFILE_NR_PDCP_12, -1), FAN_RECEPTION_COMPLETE);
	fan_reception_reset(&state);
	bearer.sdap_qfi = -1;
	cr_assert_eq(fan_reception_take(&reception, &bearer, FAN_PROFILE_LTE_PDCP_18, -1), FAN_RECEPTION_COMPLETE);
	fan_reception_free(&reception);
}
