"""What code written for version 0.1.0 imports from raymm.data is still there."""

import raymm.data


def test_names_of_version_0_1_0_are_still_exported():
    names = (
        "AudioSpec Batch Dataset FlowSpec ModalitySpec RgbSpec Sample Schema SequenceSpec TextSpec VectorSpec View "
        "open_dataset write_dataset"
    )
    assert set(names.split()) <= set(raymm.data.__all__)
    assert raymm.data.View is raymm.data.BatchReader
