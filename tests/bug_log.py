"""Public bug reports of other tools for multimodal data, tried on raymm: which tests hold each one's right value.

Rows have the numbers of the list of tries; V rows are of the mathematics of values. The tests of a row try three
variants of its kind or more, some of them drawn. `tests/test_bug_log.py` checks that every row stands here, that the
tests named here exist, that each row has one that draws and three variants, and that no listed case was left out
since. A test is written as file::function.
"""

# Numbers that the list leaves out.
NO_ROW = {2, 4, 6, 12, 16}

ROWS: dict[int | str, tuple[str, list[str]]] = {
    1: (
        "timestamps in whole milliseconds make sound crackle",
        [
            "tests/data/media/test_sound.py::test_timestamps_in_milliseconds_do_not_crackle",
            "tests/data/media/test_reel.py::test_timestamps_that_waver_change_nothing",
            "tests/data/media_oracle/test_drawn.py::test_clips",
        ],
    ),
    3: (
        "the rotation flag of a video is ignored",
        [
            "tests/data/media/test_geometry.py::test_a_display_matrix_turns_and_mirrors",
            "tests/data/media/test_geometry.py::test_a_turn_is_counter_clockwise_in_every_container",
            "tests/data/media/test_geometry.py::test_a_drawn_display_matrix_moves_every_pixel_to_its_place",
            "tests/data/media_oracle/test_orientation.py::test_the_matrix_of_an_iso_file",
        ],
    ),
    5: (
        "streams do not start at time 0",
        [
            "tests/data/media/test_clock.py::test_a_file_begins_with_its_earliest_stream",
            "tests/data/media/test_clock.py::test_a_stream_that_starts_late_keeps_its_place",
            "tests/data/media_oracle/test_drawn.py::test_clips",
        ],
    ),
    7: (
        "raw video has no timestamps",
        [
            "tests/data/media/test_clock.py::test_streams_without_timestamps_take_their_frame_rate",
            "tests/data/media/test_clock.py::test_a_raw_stream_of_a_drawn_rate_and_length_keeps_its_time",
            "tests/data/media/test_clock.py::test_a_raw_hevc_stream_of_a_drawn_rate_and_length_keeps_its_time",
            "tests/data/media/test_length.py::test_a_raw_stream_is_read_through",
            "tests/data/media_oracle/test_listed.py::test_frames",
        ],
    ),
    8: (
        "a browser's recording says no duration",
        [
            "tests/data/media/test_length.py::test_a_length_that_is_an_estimate_is_counted",
            "tests/data/media/test_length.py::test_a_file_is_as_long_as_its_longest_stream",
            "tests/data/media/test_length.py::test_a_recording_of_a_drawn_length_is_counted_where_its_header_says_none",
            "tests/data/media_oracle/test_listed.py::test_window",
        ],
    ),
    9: (
        "a colon in a name is taken for a protocol",
        [
            "tests/data/media/test_container.py::test_a_name_is_no_address_and_no_pattern",
            "tests/data/media/test_names.py::test_a_drawn_name_is_only_a_name",
            "tests/data/media/test_names.py::test_the_second_after_a_drawn_name_is_found",
            "tests/data/media_oracle/test_streams.py::test_a_name_is_only_a_name",
        ],
    ),
    10: (
        "the window comes from the first clips and cuts the others",
        [
            "tests/data/media/test_length.py::test_the_window_is_that_of_the_longest_file_wherever_it_stands",
            "tests/data/media/test_length.py::test_a_window_covers_clips_of_drawn_lengths_and_a_shorter_one_counts_what_it_cuts",
            "tests/data/media_oracle/test_lengths.py::test_a_window_covers_all_files_and_not_only_the_first",
            "tests/data/test_remarks.py::test_what_is_cut_and_padded_is_counted",
        ],
    ),
    11: (
        "one stream ends before the other",
        [
            "tests/data/media/test_declared.py::test_a_stream_that_ends_before_the_other_is_whole",
            "tests/data/media_oracle/test_drawn.py::test_clips",
        ],
    ),
    13: (
        "an MP3 encoder delays the sound",
        [
            "tests/data/media/test_sound.py::test_the_delay_that_an_encoder_declares_is_no_sound",
            "tests/data/media/test_sound.py::test_mp3_without_a_header_keeps_its_undeclared_delay_and_nothing_is_cut",
            "tests/data/media_oracle/test_drawn.py::test_sounds",
        ],
    ),
    14: (
        "the bit rate of an MP3 says a wrong length",
        [
            "tests/data/media/test_declared.py::test_an_estimate_from_the_bit_rate_is_no_claim",
            "tests/data/media/test_declared.py::test_loud_and_silent_parts_of_drawn_lengths_keep_their_time",
            "tests/data/media_oracle/test_lengths.py::test_an_mp3_file_whose_bit_rate_says_nothing_of_its_length",
            "tests/data/media/test_joined.py::test_joined_mp3_files_that_each_have_a_header_are_read_and_counted",
        ],
    ),
    15: (
        "a WAV that was written to a pipe states a wrong size",
        [
            "tests/data/media/test_declared.py::test_a_wav_that_was_written_to_a_pipe_is_whole",
            "tests/data/media/test_declared.py::test_a_wav_that_lacks_bytes_is_truncated_wherever_it_was_cut",
            "tests/data/media_oracle/test_lengths.py::test_a_wav_file_whose_writer_could_not_go_back",
        ],
    ),
    17: (
        "kinds of WAV, chunks beside the sound, lying extensions",
        [
            "tests/data/media/test_sound.py::test_every_kind_of_sample_has_the_same_scale",
            "tests/data/media/test_cuts.py::test_other_chunks_of_a_wav_are_no_sound_and_do_not_matter",
            "tests/data/media/test_cuts.py::test_an_extension_that_lies_does_not_matter",
            "tests/data/media/test_declared.py::test_sound_that_was_cut_off_is_found",
            "tests/data/media_oracle/test_listed.py::test_sound",
            "tests/data/media_oracle/test_drawn.py::test_sounds",
        ],
    ),
    18: (
        "float samples beyond full scale",
        [
            "tests/data/media/test_sound.py::test_float_samples_beyond_full_scale_are_kept",
            "tests/data/media/test_sound.py::test_float_samples_of_a_drawn_gain_keep_it",
        ],
    ),
    19: (
        "how channels are mixed",
        [
            "tests/data/media/test_channels.py::test_the_mean_is_that_of_all_channels_and_a_side_is_one",
            "tests/data/media/test_channels.py::test_the_down_mix_weighs_channels_by_the_standard_and_does_not_clip",
            "tests/data/media/test_channels.py::test_drawn_levels_of_channels_are_mixed_by_the_matrix",
            "tests/data/media_oracle/test_channels.py::test_more_channels_are_mixed_as_ffmpeg_mixes_them",
        ],
    ),
    20: (
        "matrices and ranges of colours",
        [
            "tests/data/media/test_colours.py::test_colours_of_moving_pictures",
            "tests/data/media/test_colours.py::test_colours_of_stills",
            "tests/data/media/test_colours.py::test_a_drawn_colour_is_that_of_the_formula",
        ],
    ),
    21: (
        "odd sizes and large frames",
        [
            "tests/data/media/test_colours.py::test_sizes_of_all_kinds_are_averaged",
            "tests/data/media/test_colours.py::test_a_drawn_size_is_averaged_over_areas",
            "tests/data/media/test_colours.py::test_a_frame_of_4k_is_averaged_over_areas",
            "tests/data/media_oracle/test_listed.py::test_frames",
        ],
    ),
    22: (
        "frames of a variable rate",
        [
            "tests/data/media/test_clock.py::test_the_frame_that_is_shown_is_the_last_that_has_begun",
            "tests/data/media/test_clock.py::test_a_frame_does_not_show_before_its_time_after_a_long_pause",
            "tests/data/media_oracle/test_drawn.py::test_clips",
        ],
    ),
    23: (
        "B frames in AVI have no timestamps",
        [
            "tests/data/media/test_clock.py::test_frames_stand_at_their_number_over_the_rate_in_every_container",
            "tests/data/media/test_clock.py::test_a_packet_that_an_avi_leaves_empty_is_a_pause",
            "tests/data/media/test_clock.py::test_the_hole_that_an_encoder_leaves_in_an_avi_is_no_pause",
            "tests/data/media_oracle/test_drawn.py::test_clips",
        ],
    ),
    24: (
        "the last frame has a duration of its own",
        [
            "tests/data/media/test_clock.py::test_the_last_frame_of_an_animation_lasts_as_long_as_it_says",
            "tests/data/media/test_clock.py::test_frames_of_an_animation_last_as_long_as_was_drawn",
            "tests/data/media/test_clock.py::test_a_webp_that_moves_is_refused_in_words",
            "tests/data/media_oracle/test_lengths.py::test_the_last_frame_of_a_gif_file_lasts_as_long_as_it_says",
        ],
    ),
    25: (
        "edit lists, copied cuts, late sound",
        [
            "tests/data/media/test_cuts.py::test_a_clip_that_was_cut_by_its_edit_list_begins_at_the_cut",
            "tests/data/media/test_cuts.py::test_a_clip_that_was_cut_at_its_end_is_whole",
            "tests/data/media/test_cuts.py::test_a_clip_that_was_cut_at_drawn_times_holds_what_lies_between",
            "tests/data/media/test_cuts.py::test_what_was_moved_by_an_edit_list_keeps_its_place",
        ],
    ),
    26: (
        "a cover or a still is taken for the film",
        [
            "tests/data/media/test_container.py::test_a_cover_is_no_video_and_the_sound_is_read",
            "tests/data/media/test_container.py::test_the_first_video_that_moves_is_taken_beside_a_still",
            "tests/data/media/test_container.py::test_a_drawn_cover_in_any_place_is_not_taken_for_the_film",
            "tests/data/media_oracle/test_streams.py::test_frames_are_those_of_the_film_and_not_of_its_cover",
        ],
    ),
    27: (
        "a percent sign in a name is taken for a pattern",
        [
            "tests/data/media/test_container.py::test_a_picture_whose_name_looks_like_a_pattern_is_itself",
            "tests/data/media/test_names.py::test_a_picture_of_a_drawn_pattern_is_not_one_that_fits_it",
            "tests/data/media_oracle/test_streams.py::test_a_percent_sign_in_the_name_of_a_picture_is_no_pattern",
        ],
    ),
    28: (
        "a pointer of git-lfs stands in the place of a file",
        [
            "tests/data/media/test_container.py::test_a_pointer_of_git_lfs_is_named",
            "tests/data/media/test_container.py::test_a_drawn_pointer_of_git_lfs_is_named_by_every_reader",
        ],
    ),
    29: (
        "odd names of files",
        [
            "tests/data/media/test_container.py::test_a_name_is_no_address_and_no_pattern",
            "tests/data/media/test_names.py::test_a_drawn_name_is_only_a_name",
            "tests/data/media/test_names.py::test_the_second_after_a_drawn_name_is_found",
            "tests/data/media_oracle/test_streams.py::test_a_name_is_only_a_name",
        ],
    ),
    30: (
        "a changed file with `#` in its name is not noticed",
        ["tests/data/test_prepare.py::test_a_changed_file_is_noticed_whatever_its_name"],
    ),
    31: (
        "one file in two splits under two names",
        [
            "tests/data/test_manifest_cells.py::test_one_file_in_two_splits_is_found_under_any_name",
            "tests/data/test_manifest_cells.py::test_rows_of_one_file_under_two_names_are_assigned_together",
            "tests/data/test_manifest_cells.py::test_equal_files_in_two_splits_are_one_file",
            "tests/data/test_drawn_cells.py::test_drawn_names_of_one_file_in_two_splits_are_that_file",
        ],
    ),
    32: (
        "a column that stands twice in the header",
        [
            "tests/data/test_manifest.py::test_columns_that_stand_twice_are_named",
            "tests/data/test_drawn_cells.py::test_drawn_columns_that_stand_twice_are_named_and_others_are_read",
        ],
    ),
    33: (
        "line breaks in quotes beyond a block of a CSV file",
        [
            "tests/data/tabular/test_read.py::test_cells_in_quotes_hold_line_breaks_at_any_size",
            "tests/data/tabular/test_read.py::test_many_rows_with_line_breaks_are_all_there",
            "tests/data/tabular/test_read.py::test_cells_are_what_the_csv_module_wrote",
        ],
    ),
    34: (
        "NA and None are words",
        [
            "tests/data/test_manifest_cells.py::test_words_for_nothing_are_words",
            "tests/data/test_drawn_cells.py::test_words_for_nothing_stay_words_and_only_empty_cells_are_missing",
        ],
    ),
    35: (
        "NaN becomes a class or a text",
        [
            "tests/data/test_manifest_cells.py::test_nan_is_missing_and_never_a_class_or_a_text",
            "tests/data/tabular/test_columns.py::test_nan_is_missing",
            "tests/data/test_drawn_cells.py::test_nan_and_null_are_missing_wherever_they_stand",
        ],
    ),
    36: (
        "classes that are numbers: their order, and their names in tables",
        [
            "tests/data/test_manifest_cells.py::test_whole_numbers_are_classes_in_the_order_of_their_value",
            "tests/valuation/test_table.py::test_names_of_classes_stand_beside_their_positions",
            "tests/data/test_drawn_cells.py::test_drawn_whole_numbers_are_classes_by_value_and_named_in_the_valuation_table",
        ],
    ),
    37: (
        "01 beside 1, and strings of every type",
        [
            "tests/data/test_manifest.py::test_numbers_stay_the_text_that_they_are",
            "tests/data/tabular/test_columns.py::test_text_of_every_type_is_text",
            "tests/data/test_drawn_cells.py::test_numbers_with_zeros_in_front_are_classes_of_their_own_in_every_format",
        ],
    ),
    38: (
        "encodings, separators and line ends of CSV",
        [
            "tests/data/tabular/test_read.py::test_every_dialect_holds_the_same_rows",
            "tests/data/tabular/test_read.py::test_cells_are_what_the_csv_module_wrote",
            "tests/data/tabular/test_read.py::test_a_line_that_names_the_separator_is_no_header",
        ],
    ),
    39: (
        "splits that are called validation, dev or Train",
        [
            "tests/data/test_splits.py::test_names_of_the_field_are_understood_and_said",
            "tests/data/test_splits.py::test_every_name_of_the_field_means_its_split",
            "tests/data/test_splits.py::test_other_names_are_refused_by_sample",
        ],
    ),
    40: (
        "columns of files: bytes and path",
        [
            "tests/data/test_manifest_cells.py::test_files_in_columns_are_read",
            "tests/data/tabular/test_columns.py::test_files_are_known_by_their_fields",
            "tests/data/test_drawn_files.py::test_drawn_files_in_columns_are_their_bytes_else_their_path",
        ],
    ),
    41: (
        "lists of Parquet, of every type",
        [
            "tests/data/tabular/test_columns.py::test_lists_of_numbers_are_arrays",
            "tests/data/tabular/test_columns.py::test_drawn_lists",
            "tests/data/tabular/test_columns.py::test_drawn_lists_of_lists",
            "tests/data/test_manifest_cells.py::test_arrays_of_every_form_are_prepared_alike",
        ],
    ),
    42: (
        "columns of tensors; lists of strings as text",
        [
            "tests/data/tabular/test_columns.py::test_tensors_come_in_the_order_that_their_reader_sees",
            "tests/data/test_manifest_cells.py::test_a_list_is_no_text",
            "tests/data/test_drawn_files.py::test_drawn_tensors_come_in_the_order_that_their_reader_sees",
            "tests/data/test_drawn_files.py::test_drawn_lists_are_no_texts",
        ],
    ),
    43: (
        "arrays of npz files that cannot be used",
        [
            "tests/data/test_manifest_cells.py::test_why_no_array_fits_is_said",
            "tests/data/media/test_arrays.py::test_bad_cells",
            "tests/data/media/test_arrays.py::test_objects_are_never_unpickled",
            "tests/data/test_manifest_cells.py::test_a_file_that_stands_twice_has_no_id_of_its_own",
            "tests/data/test_drawn_files.py::test_drawn_arrays_of_an_archive_are_read_or_it_is_said_why_not",
        ],
    ),
    44: (
        "series are [channels, time], and nothing is turned",
        ["tests/data/test_schema_inference.py::test_the_first_axis_of_a_sequence_is_that_of_its_channels"],
    ),
    45: (
        "long texts that differ late have equal tokens",
        [
            "tests/data/test_words.py::test_texts_that_differ_in_one_of_64_words_differ",
            "tests/data/test_words.py::test_the_65th_word_is_cut_and_that_is_known",
            "tests/data/test_manifest_cells.py::test_lengths_of_texts_are_reported_and_cut_ones_counted",
        ],
    ),
    46: (
        "emoji and punctuation are lost",
        [
            "tests/data/test_words.py::test_emoji_and_punctuation_make_tokens",
            "tests/data/test_words.py::test_words_of_every_script_are_whole",
            "tests/data/test_words.py::test_any_text_gives_ids_in_range_with_padding_behind",
        ],
    ),
    47: (
        "features that hardly vary",
        [
            "tests/data/test_moments.py::test_moments_are_those_of_exact_arithmetic",
            "tests/data/test_moments.py::test_forty_constant_columns_stay_constant",
            "tests/data/test_moments.py::test_tiny_deviations_are_scaled",
        ],
    ),
    48: (
        "rare classes, and a thousand classes",
        [
            "tests/data/test_splits.py::test_each_of_a_thousand_classes_is_in_every_split",
            "tests/data/test_splits.py::test_rare_classes_are_named_with_a_remedy",
            "tests/data/test_splits.py::test_a_class_with_three_files_is_in_every_split",
        ],
    ),
    49: (
        "many rows of lists: read by the column, and many to a shard",
        [
            "tests/data/tabular/test_columns.py::test_drawn_lists",
            "tests/data/test_manifest_cells.py::test_rows_of_numbers_stay_in_the_memory_of_arrow",
            "tests/data/test_shard_rows.py::test_small_samples_share_a_shard",
        ],
    ),
    50: (
        "an interrupt, and the same command again",
        [
            "tests/data/test_prepare.py::test_only_the_shard_that_is_gone_is_made_again",
            "tests/data/test_format.py::test_an_unfinished_data_set_does_not_exist",
            "tests/cli/test_signals.py::test_a_training_that_is_asked_to_end",
            "tests/data/test_drawn_files.py::test_a_preparation_that_is_interrupted_anywhere_ends_with_the_bits_of_one_that_is_not",
        ],
    ),
    51: (
        "misspelt methods; a run opened with other settings or with moved data",
        [
            "tests/methods/test_methods.py::test_an_unknown_strategy_names_the_nearest",
            "tests/training/test_loop.py::test_a_folder_of_another_run_is_refused_with_every_difference",
            "tests/mirror/test_runs.py::test_data_that_moved_is_found_by_whoever_opens_the_run_next",
            "tests/methods/test_methods.py::test_every_method_is_named_where_it_is_misspelt",
            "tests/training/test_loop.py::test_exactly_the_drawn_differences_to_the_run_that_is_there_are_named",
        ],
    ),
    52: (
        "a copied run, and both go on with one store",
        [
            "tests/tracking/test_faults.py::test_a_folder_that_was_copied_and_both_go_on_record_everything_once",
            "tests/tracking/test_drawn_stores.py::test_copies_of_a_run_that_go_on_in_any_order_record_everything_once",
        ],
    ),
    53: (
        "two commands write to one place",
        [
            "tests/cli/test_locks.py::test_the_second_command_says_who_works_there_and_changes_nothing",
            "tests/cli/test_locks.py::test_of_two_trainings_of_one_run_one_ends_and_the_other_is_told",
            "tests/storage/test_lock.py::test_of_many_at_once_there_is_one_at_a_time",
            "tests/storage/test_lock.py::test_drawn_writers_hold_a_place_one_at_a_time_and_the_others_are_told",
        ],
    ),
    54: (
        "two processes make one MLflow store",
        [
            "tests/tracking/test_faults.py::test_a_store_is_made_by_one_process_at_a_time",
            "tests/tracking/test_drawn_stores.py::test_of_several_that_make_one_store_at_once_each_finds_it_whole",
            "tests/tracking/test_drawn_stores.py::test_a_store_whose_maker_is_killed_is_made_by_the_next",
        ],
    ),
    55: (
        "other data of equal digest",
        [
            "tests/data/test_identity.py::test_a_difference_in_the_last_of_twenty_files_is_seen",
            "tests/data/test_identity.py::test_a_run_refuses_data_that_differ_in_the_last_file_only",
            "tests/compat/test_digests.py::test_parts_of_other_data_are_thrown_away",
            "tests/data/test_identity.py::test_one_drawn_change_of_a_cell_gives_another_digest",
            "tests/data/test_identity.py::test_one_drawn_byte_of_any_file_is_seen",
        ],
    ),
    56: (
        "nothing in a sample or a file; suffixes in capitals, packed tables",
        [
            "tests/data/test_bad_samples.py::test_a_sample_without_any_modality",
            "tests/data/test_manifest.py::test_an_empty_file_is_no_manifest",
            "tests/data/tabular/test_read.py::test_every_format_holds_the_same_rows",
            "tests/data/test_drawn_files.py::test_samples_with_nothing_in_them_are_named_or_left_out",
            "tests/data/tabular/test_read.py::test_suffixes_in_drawn_capitals_are_understood",
        ],
    ),
    "V1": (
        "values are exact and sum to v(all) - v(none)",
        [
            "tests/valuation/test_exact.py::test_equals_the_definition_exactly",
            "tests/valuation/test_axioms.py::test_efficiency_to_the_last_unit",
        ],
    ),
    "V2": (
        "ties, missing modalities, every utility",
        [
            "tests/valuation/test_logit_sources.py::test_ties_of_any_classes_are_decided_as_argmax_does",
            "tests/valuation/test_logit_sources.py::test_sums_value_as_the_fusion_does",
            "tests/valuation/test_enumeration.py::test_a_missing_modality_is_no_player",
        ],
    ),
    "V3": (
        "features in half precision and of other types",
        [
            "tests/valuation/test_conformance.py::test_right_sums_pass_in_any_precision_and_wrong_ones_do_not",
            "tests/valuation/test_batch_checks.py::test_arrays_and_lists_are_taken",
            "tests/valuation/test_drawn_batches.py::test_features_of_every_type_are_valued_within_its_rounding",
        ],
    ),
    "V4": (
        "samples without any modality, sampled",
        [
            "tests/valuation/test_estimator.py::test_samples_of_which_everything_is_missing_have_no_value_among_others",
            "tests/valuation/test_estimator.py::test_of_three_modalities_all_coalitions_are_evaluated_and_of_none_there_is_no_value",
        ],
    ),
    "V5": (
        "NaN in the features of a missing modality",
        [
            "tests/valuation/test_batch_checks.py::test_what_stands_at_a_missing_modality_is_never_read",
            "tests/valuation/test_batch_checks.py::test_partials_that_are_nan_of_a_missing_modality_alone_are_never_read",
        ],
    ),
    "V6": (
        "logits and partial logits that are not finite",
        [
            "tests/valuation/test_enumeration.py::test_logits_that_are_not_finite_are_refused_with_their_positions",
            "tests/valuation/test_logit_sources.py::test_partial_logits_that_are_not_finite_are_refused",
            "tests/valuation/test_conformance.py::test_logits_that_are_not_finite_are_named",
            "tests/valuation/test_drawn_batches.py::test_a_number_that_is_not_finite_is_refused_with_its_sample",
        ],
    ),
    "V7": (
        "labels outside of the classes",
        [
            "tests/valuation/test_batch_checks.py::test_a_label_outside_the_classes_is_named_with_its_sample",
            "tests/valuation/test_batch_checks.py::test_all_such_labels_are_said_and_many_are_counted",
            "tests/valuation/test_drawn_batches.py::test_exactly_the_drawn_labels_that_are_outside_are_named",
        ],
    ),
    "V8": (
        "a batch of no samples",
        [
            "tests/valuation/test_batch_checks.py::test_no_samples_have_no_values",
            "tests/valuation/test_estimator.py::test_no_sample_has_no_value",
            "tests/valuation/test_drawn_batches.py::test_no_samples_of_any_size_have_no_values",
            "tests/valuation/test_drawn_batches.py::test_no_samples_have_no_values_under_any_fusion",
        ],
    ),
    "V9": (
        "arguments of another form: arrays, lists, wrong axes",
        [
            "tests/valuation/test_batch_checks.py::test_arrays_and_lists_are_taken",
            "tests/valuation/test_batch_checks.py::test_what_cannot_be_taken_is_refused_in_words",
            "tests/valuation/test_batch_checks.py::test_all_mistakes_are_said_at_once",
            "tests/valuation/test_drawn_batches.py::test_one_batch_has_one_value_in_every_form_of_its_arguments",
        ],
    ),
    "V10": (
        "a margin of one class; a CUDA device that is not there",
        [
            "tests/valuation/test_drawn_batches.py::test_one_class_has_no_margin_and_every_other_utility",
            "tests/training/test_devices.py::test_a_drawn_cuda_device_is_refused_exactly_where_it_is_not_there",
            "tests/training/test_devices.py::test_no_training_takes_a_device_that_is_not_there",
            "tests/cluster/test_preflight.py::test_gpus_of_a_cluster_without_any_are_refused_with_their_settings",
        ],
    ),
}

# Cases of each test that lists more than one: where there are more now, the number here is to grow with them.
LISTED = {
    "tests/cli/test_locks.py::test_the_second_command_says_who_works_there_and_changes_nothing": 3,
    "tests/cli/test_signals.py::test_a_training_that_is_asked_to_end": 3,
    "tests/cluster/test_preflight.py::test_gpus_of_a_cluster_without_any_are_refused_with_their_settings": 3,
    "tests/data/media/test_arrays.py::test_bad_cells": 7,
    "tests/data/media/test_clock.py::test_a_file_begins_with_its_earliest_stream": 9,
    "tests/data/media/test_clock.py::test_a_raw_stream_of_a_drawn_rate_and_length_keeps_its_time": 3,
    "tests/data/media/test_clock.py::test_a_stream_that_starts_late_keeps_its_place": 6,
    "tests/data/media/test_clock.py::test_frames_stand_at_their_number_over_the_rate_in_every_container": 15,
    "tests/data/media/test_clock.py::test_streams_without_timestamps_take_their_frame_rate": 9,
    "tests/data/media/test_clock.py::test_the_last_frame_of_an_animation_lasts_as_long_as_it_says": 6,
    "tests/data/media/test_colours.py::test_a_frame_of_4k_is_averaged_over_areas": 3,
    "tests/data/media/test_colours.py::test_colours_of_moving_pictures": 10,
    "tests/data/media/test_colours.py::test_colours_of_stills": 15,
    "tests/data/media/test_colours.py::test_sizes_of_all_kinds_are_averaged": 4,
    "tests/data/media/test_container.py::test_a_cover_is_no_video_and_the_sound_is_read": 3,
    "tests/data/media/test_container.py::test_a_drawn_pointer_of_git_lfs_is_named_by_every_reader": 6,
    "tests/data/media/test_container.py::test_a_name_is_no_address_and_no_pattern": 8,
    "tests/data/media/test_container.py::test_a_picture_whose_name_looks_like_a_pattern_is_itself": 4,
    "tests/data/media/test_container.py::test_a_pointer_of_git_lfs_is_named": 4,
    "tests/data/media/test_container.py::test_the_first_video_that_moves_is_taken_beside_a_still": 6,
    "tests/data/media/test_cuts.py::test_a_clip_that_was_cut_at_its_end_is_whole": 3,
    "tests/data/media/test_cuts.py::test_a_clip_that_was_cut_by_its_edit_list_begins_at_the_cut": 4,
    "tests/data/media/test_cuts.py::test_an_extension_that_lies_does_not_matter": 4,
    "tests/data/media/test_cuts.py::test_other_chunks_of_a_wav_are_no_sound_and_do_not_matter": 8,
    "tests/data/media/test_cuts.py::test_what_was_moved_by_an_edit_list_keeps_its_place": 8,
    "tests/data/media/test_declared.py::test_a_stream_that_ends_before_the_other_is_whole": 18,
    "tests/data/media/test_declared.py::test_a_wav_that_was_written_to_a_pipe_is_whole": 8,
    "tests/data/media/test_declared.py::test_an_estimate_from_the_bit_rate_is_no_claim": 3,
    "tests/data/media/test_declared.py::test_sound_that_was_cut_off_is_found": 54,
    "tests/data/media/test_geometry.py::test_a_display_matrix_turns_and_mirrors": 16,
    "tests/data/media/test_geometry.py::test_a_turn_is_counter_clockwise_in_every_container": 12,
    "tests/data/media/test_joined.py::test_joined_mp3_files_that_each_have_a_header_are_read_and_counted": 4,
    "tests/data/media/test_length.py::test_a_file_is_as_long_as_its_longest_stream": 21,
    "tests/data/media/test_length.py::test_a_length_that_is_an_estimate_is_counted": 3,
    "tests/data/media/test_length.py::test_a_raw_stream_is_read_through": 6,
    "tests/data/media/test_length.py::test_the_window_is_that_of_the_longest_file_wherever_it_stands": 3,
    "tests/data/media/test_names.py::test_a_drawn_name_is_only_a_name": 8,
    "tests/data/media/test_sound.py::test_every_kind_of_sample_has_the_same_scale": 7,
    "tests/data/media/test_sound.py::test_the_delay_that_an_encoder_declares_is_no_sound": 36,
    "tests/data/media/test_sound.py::test_timestamps_in_milliseconds_do_not_crackle": 18,
    "tests/data/media_oracle/test_channels.py::test_more_channels_are_mixed_as_ffmpeg_mixes_them": 20,
    "tests/data/media_oracle/test_lengths.py::test_a_wav_file_whose_writer_could_not_go_back": 10,
    "tests/data/media_oracle/test_lengths.py::test_a_window_covers_all_files_and_not_only_the_first": 4,
    "tests/data/media_oracle/test_lengths.py::test_an_mp3_file_whose_bit_rate_says_nothing_of_its_length": 4,
    "tests/data/media_oracle/test_lengths.py::test_the_last_frame_of_a_gif_file_lasts_as_long_as_it_says": 3,
    "tests/data/media_oracle/test_listed.py::test_frames": 98,
    "tests/data/media_oracle/test_listed.py::test_sound": 112,
    "tests/data/media_oracle/test_listed.py::test_window": 127,
    "tests/data/media_oracle/test_orientation.py::test_the_matrix_of_an_iso_file": 24,
    "tests/data/media_oracle/test_streams.py::test_a_name_is_only_a_name": 11,
    "tests/data/media_oracle/test_streams.py::test_frames_are_those_of_the_film_and_not_of_its_cover": 4,
    "tests/data/tabular/test_columns.py::test_lists_of_numbers_are_arrays": 30,
    "tests/data/tabular/test_columns.py::test_nan_is_missing": 3,
    "tests/data/tabular/test_read.py::test_a_line_that_names_the_separator_is_no_header": 10,
    "tests/data/tabular/test_read.py::test_cells_in_quotes_hold_line_breaks_at_any_size": 3,
    "tests/data/tabular/test_read.py::test_every_dialect_holds_the_same_rows": 48,
    "tests/data/tabular/test_read.py::test_every_format_holds_the_same_rows": 16,
    "tests/data/test_manifest_cells.py::test_arrays_of_every_form_are_prepared_alike": 6,
    "tests/data/test_manifest_cells.py::test_files_in_columns_are_read": 4,
    "tests/data/test_manifest_cells.py::test_nan_is_missing_and_never_a_class_or_a_text": 2,
    "tests/data/test_manifest_cells.py::test_one_file_in_two_splits_is_found_under_any_name": 5,
    "tests/data/test_manifest_cells.py::test_rows_of_numbers_stay_in_the_memory_of_arrow": 4,
    "tests/data/test_manifest_cells.py::test_words_for_nothing_are_words": 5,
    "tests/data/test_moments.py::test_tiny_deviations_are_scaled": 4,
    "tests/data/test_prepare.py::test_a_changed_file_is_noticed_whatever_its_name": 8,
    "tests/data/test_schema_inference.py::test_the_first_axis_of_a_sequence_is_that_of_its_channels": 6,
    "tests/data/test_shard_rows.py::test_small_samples_share_a_shard": 5,
    "tests/data/test_splits.py::test_each_of_a_thousand_classes_is_in_every_split": 5,
    "tests/data/test_splits.py::test_every_name_of_the_field_means_its_split": 12,
    "tests/data/test_splits.py::test_other_names_are_refused_by_sample": 3,
    "tests/data/test_words.py::test_emoji_and_punctuation_make_tokens": 6,
    "tests/data/test_words.py::test_words_of_every_script_are_whole": 9,
    "tests/training/test_devices.py::test_no_training_takes_a_device_that_is_not_there": 3,
    "tests/valuation/test_batch_checks.py::test_a_label_outside_the_classes_is_named_with_its_sample": 16,
    "tests/valuation/test_batch_checks.py::test_arrays_and_lists_are_taken": 60,
    "tests/valuation/test_batch_checks.py::test_no_samples_have_no_values": 6,
    "tests/valuation/test_batch_checks.py::test_what_cannot_be_taken_is_refused_in_words": 12,
    "tests/valuation/test_batch_checks.py::test_what_stands_at_a_missing_modality_is_never_read": 6,
    "tests/valuation/test_conformance.py::test_logits_that_are_not_finite_are_named": 2,
    "tests/valuation/test_conformance.py::test_right_sums_pass_in_any_precision_and_wrong_ones_do_not": 12,
    "tests/valuation/test_drawn_batches.py::test_no_samples_have_no_values_under_any_fusion": 9,
    "tests/valuation/test_estimator.py::test_samples_of_which_everything_is_missing_have_no_value_among_others": 8,
    "tests/valuation/test_logit_sources.py::test_sums_value_as_the_fusion_does": 10,
}
