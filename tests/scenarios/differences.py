"""Where a scenario ends otherwise on some platform or engine, and why: the only place in which such a thing is said.

The scenario runs there all the same and must fail; when it passes, the difference is gone and the line has to go too
(`xfail(strict=True)`). `instead` names the test that shows what happens there, and tests/scenarios/test_matrix.py sees to it
that it exists.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of the table."""

    why: str
    instead: str = ""  # "tests/…/test_x.py::test_y"


_NO_RECALL = Difference(
    "Telegram tells a bot nothing of a message that somebody took back",
    "tests/platforms/telegram/test_talk.py::test_what_is_taken_back_can_be_withdrawn_by_command",
)

_NO_EDITS = Difference(
    "nobody can change a message on WeChat; it is taken back and said anew",
    "tests/platforms/wechat/test_talk.py::test_what_was_wrong_is_taken_back_and_said_anew",
)

_NO_CHANGE = Difference(
    "WeChat lets nobody change what is said, so the line below the answer is not written there",
    "tests/scenarios/test_progress.py::test_where_nothing_can_be_changed_nothing_more_is_said",
)
# (platform or engine, name of the test)
DIFFERENCES: dict[tuple[str, str], Difference] = {
    ("telegram", "test_a_recalled_photo_does_not_wait_for_words"): _NO_RECALL,
    ("telegram", "test_recalling_the_message_takes_the_case_back_until_somebody_has_it"): _NO_RECALL,
    ("telegram", "test_a_report_that_is_recalled_and_delivered_again_stays_withdrawn"): _NO_RECALL,
    ("telegram", "test_control_without_the_inbox_s_memory_a_repetition_would_be_noticed"): Difference(
        "on Telegram a quote always names its message; this one, of a platform without ids, names none",
        "tests/platforms/telegram/test_parse.py::test_answers_and_quotes",
    ),
    ("telegram", "test_a_name_behind_a_command_is_not_part_of_it"): Difference(
        "there a name behind a command says which bot of the group is meant",
        "tests/platforms/telegram/test_parse.py::test_commands_name_their_bot",
    ),
    ("postgresql", "test_what_was_kept_and_not_handled_is_handled_after_the_restart"): Difference(
        "the rows are the queue there: nothing between keeping and handling could lose it",
        "tests/cluster/test_story.py::test_nothing_is_lost_whatever_happens",
    ),
    ("wechat", "test_errors_in_the_first_groups_halt_it"): Difference(
        "a line that shows how far it is goes on by being changed, which WeChat lets nobody do; the rest is said there, too",
        "tests/platforms/wechat/test_saying.py::test_where_we_are_no_more_nothing_is_tried_again",
    ),
    ("wechat", "test_an_edited_report_reaches_the_officer_and_the_old_words_stay"): _NO_EDITS,
    ("wechat", "test_an_edited_command_in_private_is_told_so"): _NO_EDITS,
    ("wechat", "test_only_the_reporter_decides"): Difference(
        "without buttons a neighbour's word on the question is a word like any other and is added to the case",
        "tests/platforms/wechat/test_talk.py::test_without_buttons_the_typed_word_decides",
    ),
    ("wechat", "test_what_we_are_not_sure_of_goes_to_a_person_whose_answer_quotes_the_question"): Difference(
        "WeChat lets no program quote; whoever asked is called by name",
        "tests/platforms/wechat/test_saying.py::test_an_answer_calls_whoever_wrote_the_message",
    ),
    ("wechat", "test_each_step_is_written_below_the_answer"): _NO_CHANGE,
    ("wechat", "test_steps_while_the_platform_asks_for_a_pause_become_one_change"): _NO_CHANGE,
    ("wechat", "test_a_change_whose_answer_was_lost_is_made_again"): _NO_CHANGE,
    ("postgresql", "test_a_full_disk_delays_and_loses_nothing"): Difference(
        "the disk of a server cannot be filled from here; what its refusals mean is tested at the storage",
        "tests/storage/test_faults.py::test_a_full_disk_refuses_loudly_and_recovers",
    ),
}
